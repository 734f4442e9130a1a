"""Any secret reaches a process byte for byte: written as the roles write it, read by systemd itself."""

from __future__ import annotations

import json
import random
from pathlib import Path

from behaviour.hosts import ansible
from testinfra.host import Host

SEED = 20260619
CASES = 600
# What means something to systemd, a shell, Compose, YAML, a template, an INI file, or somebody who strips spaces.
# No newline, no carriage return and no NUL: the encoder refuses them.
AWKWARD = "\\\"'`$%#;=&|<>(){}[]!~*?^ \t@:,./-+\x01\x1b\x7f\u00a0\u0085\u2028éß漢🔑\ufeff"
EXAMPLES = ["", " ", "#", "'", '"', "\\", "$", "$$", "${HOME}", "%%", "%h", "a#b", " #", "\\n", "\\x41", "'a'", '"a"']
READ = "import json, os; print(json.dumps({name.decode(): value.hex() for name, value in os.environb.items()}))"


def secrets() -> dict[str, str]:
    """Variables with secrets of every kind, always the same ones."""
    chance = random.Random(SEED)  # noqa: S311 # test data
    found = [*EXAMPLES, *(f" {text} " for text in EXAMPLES), *AWKWARD, *(f"x{character}" for character in AWKWARD)]
    found += ["{{ 1 + 1 }}", "{% raw %}", "{# #}", "!vault x", "yes", "007", "1e3", "null"]
    any_character = "".join(chr(code) for code in range(1, 0x250)).replace("\n", "").replace("\r", "")
    while len(found) < CASES:
        alphabet = chance.choice([AWKWARD, "\\\"$'`", AWKWARD + "abcXYZ019", any_character])
        found.append("".join(chance.choices(alphabet, k=chance.randint(1, 40))))
    return {f"SECRET_{number}": secret for number, secret in enumerate(found)}


def test_any_secret_arrives_byte_for_byte(vm: Host, vm_name: str, tmp_path: Path) -> None:
    cases = secrets()
    source = tmp_path / "cases.json"
    source.write_text(json.dumps(cases))
    encoded = f"{{{{ lookup('ansible.builtin.file', '{source}') | from_json | edusphere.platform.env_file }}}}"
    ansible(vm_name, "ansible.builtin.copy", content=encoded, dest="/run/cases.env", mode="0600")

    started = "systemd-run --quiet --collect --wait --pipe --property=EnvironmentFile=/run/cases.env"
    arrived = json.loads(vm.check_output(f"{started} /usr/bin/python3 -c %s; rm /run/cases.env", READ))
    wrong = {
        name: (secret, bytes.fromhex(arrived.get(name, "")))
        for name, secret in cases.items()
        if arrived.get(name) != secret.encode().hex()
    }
    assert wrong == {}
