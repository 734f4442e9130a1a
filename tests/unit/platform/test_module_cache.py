"""edusphere.platform.module_cache, by real runs of ansible-playbook on this machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
COLLECTION = "collections/ansible_collections/acme/tools/plugins"
MODULE = """
from ansible.module_utils.basic import AnsibleModule
from {origin} import WORD

AnsibleModule({{}}).exit_json(word=WORD)
"""
# Of each file, what is in it. The one module is a collection's, the other the playbook's own.
FILES = {
    f"{COLLECTION}/modules/say.py": MODULE.format(origin="ansible_collections.acme.tools.plugins.module_utils.words"),
    f"{COLLECTION}/module_utils/words.py": "WORD = 'first'\n",
    "library/own.py": MODULE.format(origin="ansible.module_utils.acme"),
    "module_utils/acme.py": "WORD = 'own'\n",
}
PLAY = [
    {
        "hosts": "localhost",
        "connection": "local",
        "gather_facts": False,
        "vars": {"ansible_python_interpreter": sys.executable},
        "tasks": [{"acme.tools.say": {}, "register": "said"}, {"own": {}, "register": "own"}],
        "post_tasks": [{"ansible.builtin.debug": {"msg": "<{{ said.word }} {{ own.word }}>"}}],
    }
]
SAY, OWN = "ansible_collections.acme.tools.plugins.modules.say", "ansible.legacy.own"


class Runs:
    """A playbook, two modules, and where they are kept."""

    def __init__(self, path: Path) -> None:
        self.path, self.kept = path, path / "kept"
        for name, content in FILES.items():
            self.write(name, content)
        self.write("play.yml", json.dumps(PLAY))
        self.write("ansible.cfg", "")

    def write(self, name: str, content: str) -> None:
        """Write one of its files."""
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)

    def run(self, *options: str) -> tuple[str, set[str], str]:
        """Run the playbook: what the modules say, which modules Ansible packs, and all that is printed."""
        done = subprocess.run(
            [f"{sys.prefix}/bin/ansible-playbook", "-i", "localhost,", str(self.path / "play.yml"), *options],
            env=os.environ
            | {
                "ANSIBLE_CONFIG": str(self.path / "ansible.cfg"),
                "ANSIBLE_COLLECTIONS_PATH": f"{self.path / 'collections'}:{ROOT / 'collections'}",
                "ANSIBLE_CALLBACKS_ENABLED": "edusphere.platform.module_cache",
                "ANSIBLE_HOME": str(self.path / "home"),
                "EDUSPHERE_MODULE_CACHE": str(self.kept),
                "ANSIBLE_DEBUG": "1",
            },
            capture_output=True,
            text=True,
        )
        said = done.stdout + done.stderr
        assert done.returncode == 0, said[-4000:]
        lines = said.splitlines()
        # The line before says whose lock it has.
        packed = {
            Path(lines[number - 1].rpartition("acquired: ")[2]).name.partition("-")[0]
            for number, line in enumerate(lines)
            if "ANSIBALLZ: Creating module" in line
        }
        return said.partition('"msg": "<')[2].partition(">")[0], packed, said


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    """Nothing is kept yet."""
    return Runs(tmp_path)


def test_a_module_is_packed_once(runs: Runs) -> None:
    """But for one that the playbook's own folders have a part in."""
    assert runs.run()[:2] == ("first own", {SAY, OWN})
    assert runs.run()[:2] == ("first own", {OWN})
    assert [path.name.partition("-")[0] for path in runs.kept.glob("*/*")] == [SAY]
    assert runs.kept.stat().st_mode & 0o777 == 0o700
    # Of another version of Ansible, and of one that has gone.
    for name, age in (("another", 29), ("gone", 31)):
        (runs.kept / name).mkdir()
        os.utime(runs.kept / name, times=(0, time.time() - age * 86400))
    runs.run()
    assert {path.name for path in runs.kept.iterdir()} & {"another", "gone"} == {"another"}


def test_what_it_was_made_of_has_changed(runs: Runs) -> None:
    """To something that has as many bytes."""
    runs.run()
    runs.write(f"{COLLECTION}/module_utils/words.py", "WORD = 'other'\n")
    assert runs.run()[:2] == ("other own", {SAY, OWN})
    assert runs.run()[:2] == ("other own", {OWN})


def test_it_is_another_one_by_the_same_name(runs: Runs, tmp_path: Path) -> None:
    """A collection that comes first stands in its place."""
    runs.run()
    nearer = {name.replace("collections/", "nearer/", 1): content for name, content in FILES.items()}
    for name, content in nearer.items():
        runs.write(name, content.replace("first", "nearer"))
    # The first path is the one that the environment names.
    (tmp_path / "collections").rename(tmp_path / "further")
    (tmp_path / "nearer").rename(tmp_path / "collections")
    assert runs.run()[:2] == ("nearer own", {SAY, OWN})


def test_what_is_not_whole_is_made_anew(runs: Runs) -> None:
    runs.run()
    (path,) = runs.kept.glob("*/*")
    whole = path.read_bytes()
    for broken in (b"", whole[100:], whole[:100]):
        path.write_bytes(broken)
        assert runs.run()[:2] == ("first own", {SAY, OWN})
        assert path.read_bytes().partition(b"\n")[0] == whole.partition(b"\n")[0]


def test_a_directory_that_others_may_write_to(runs: Runs) -> None:
    runs.kept.mkdir()
    runs.kept.chmod(0o777)
    word, packed, said = runs.run()
    assert (word, packed) == ("first own", {SAY, OWN})
    assert f"{runs.kept} is not this user's alone" in " ".join(said.split())
    assert not list(runs.kept.iterdir())


def test_a_run_that_fails_keeps_what_it_has_packed(runs: Runs) -> None:
    runs.write("play.yml", json.dumps([{**PLAY[0], "post_tasks": [{"ansible.builtin.fail": {}, "when": "stop"}]}]))
    with pytest.raises(AssertionError, match="Failed as requested"):
        runs.run("--extra-vars", '{"stop": true}')
    assert runs.run("--extra-vars", '{"stop": false}')[1] == {OWN}
