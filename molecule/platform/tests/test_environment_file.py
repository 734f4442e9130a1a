"""Environment files as a real systemd and a real Docker Compose read them."""

from __future__ import annotations

import base64
import json
import random

import pytest
from ansible_collections.edusphere.platform.plugins.filter.env_file import env_file
from testinfra.host import Host

SEED = 20261122
SECRETS = 400

# Everything that means something to a shell, to systemd or to Compose, control characters, and text beyond ASCII.
SPECIAL = "\\\"$`'#{}()[]<>|&;=%!?*~^@+,.:-_/ \t\r\v\f\b\a\x1b\x7f\x01éß€日本😀\u00a0\u2028\ufeff\u0301"
AWKWARD = SPECIAL + "abnrtvfx0179AZ"  # Letters and digits that mean something after a backslash.


def secrets() -> dict[str, str]:
    """The same texts in every run, by name; what once went wrong elsewhere comes first."""
    numbers = random.Random(SEED)  # noqa: S311 (they are made up, and the same each time)
    texts = [
        "",
        " ",
        "#",
        " # x",
        "$",
        "$$",
        "${A}",
        "$(id)",
        "`id`",
        "\\",
        "\\\\",
        "\\n",
        "\\$",
        '"',
        "'",
        "a=b",
        "é",
        "\r",
    ]
    texts += ["\\" * length + end for length in range(1, 5) for end in ("", "$", '"', "`", "n", "0", "x41", "u00e9")]
    while len(texts) < SECRETS:
        texts.append("".join(numbers.choices(AWKWARD, k=numbers.randint(1, 60))))
    return {f"SECRET_{number}": text for number, text in enumerate(texts)}


def write(host: Host, path: str, text: str) -> None:
    encoded = base64.b64encode(text.encode()).decode()
    host.run_expect([0], f"umask 077; printf %s {encoded} | base64 -d > {path}")


@pytest.fixture
def text() -> str:
    """The environment file."""
    return str(env_file(secrets()))


def test_systemd_hands_every_secret_on_byte_by_byte(vm: Host, text: str) -> None:
    write(vm, "/run/edusphere-secrets.env", text)
    dump = vm.run_expect(
        [0],
        "systemd-run --quiet --wait --pipe --property=EnvironmentFile=/run/edusphere-secrets.env "
        "od -An -v -tx1 /proc/self/environ; status=$?; rm /run/edusphere-secrets.env; exit $status",
    ).stdout
    environment = dict(entry.partition(b"=")[::2] for entry in bytes.fromhex(dump).split(b"\0"))
    read = {name: environment.get(name.encode()) for name in secrets()}
    assert read == {name: value.encode() for name, value in secrets().items()}


def test_compose_hands_every_secret_on(vm: Host, text: str) -> None:
    stack = {"services": {"one": {"image": "none", "env_file": "secrets.env"}}}
    vm.run_expect([0], "mkdir -p /run/edusphere-compose")
    write(vm, "/run/edusphere-compose/secrets.env", text)
    write(vm, "/run/edusphere-compose/compose.yaml", json.dumps(stack))
    resolved = vm.run_expect([0], "docker compose --project-directory /run/edusphere-compose config --format json")
    vm.run_expect([0], "rm -r /run/edusphere-compose")
    environment = json.loads(resolved.stdout)["services"]["one"]["environment"]
    # What is resolved is itself a Compose file, in which a dollar sign is written twice.
    assert {name: value.replace("$$", "$") for name, value in environment.items()} == secrets()
