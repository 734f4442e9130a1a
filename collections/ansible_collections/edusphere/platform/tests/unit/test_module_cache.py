"""edusphere.platform.module_cache, by real runs of ansible-playbook on this machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from own_collections import ROOT

MODULE = """
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.{collection}.plugins.module_utils.words import WORD

AnsibleModule({{}}).exit_json(word=WORD)
"""
PLAY = [
    {
        "hosts": "localhost",
        "connection": "local",
        "gather_facts": False,
        "vars": {"ansible_python_interpreter": sys.executable},
        "tasks": [{"edusphere.tools.say": {}, "register": "said"}, {"acme.tools.say": {}, "register": "other"}],
        "post_tasks": [
            {"ansible.builtin.debug": {"msg": "<{{ said.word }} {{ other.word }}>"}},
            {"ansible.builtin.fail": {}, "when": "fail | default(false)"},
        ],
    }
]
SAY, OTHER = (f"ansible_collections.{name}.tools.plugins.modules.say" for name in ("edusphere", "acme"))


class Runs:
    """A playbook, two collections with a module each, and where packed modules are kept."""

    def __init__(self, path: Path) -> None:
        self.path, self.kept = path, path / "kept"
        self.collection("installed", "edusphere.tools", "first")
        self.collection("installed", "acme.tools", "other")
        self.write("play.yml", json.dumps(PLAY))
        self.write("ansible.cfg", "")

    def write(self, name: str, content: str) -> None:
        """Write one of its files, and let the kernel's clock go on."""
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
        time.sleep(0.1)

    def collection(self, place: str, name: str, word: str) -> None:
        """Write a collection whose module says a word."""
        plugins = f"{place}/ansible_collections/{name.replace('.', '/')}/plugins"
        self.write(f"{plugins}/modules/say.py", MODULE.format(collection=name))
        self.write(f"{plugins}/module_utils/words.py", f"WORD = '{word}'\n")

    @property
    def packed(self) -> list[Path]:
        """What is kept."""
        return list(self.kept.glob("*/*"))

    def run(self, **variables: object) -> tuple[str, set[str], str]:
        """Run the playbook: what the modules say, which modules Ansible packs, and all that is printed."""
        done = subprocess.run(
            [
                f"{sys.prefix}/bin/ansible-playbook",
                "-i",
                "localhost,",
                self.path / "play.yml",
                "-e",
                json.dumps(variables),
            ],
            env=os.environ
            | {
                "ANSIBLE_CONFIG": str(self.path / "ansible.cfg"),
                "ANSIBLE_COLLECTIONS_PATH": f"{self.path}/installed:{ROOT}/collections",
                "ANSIBLE_CALLBACKS_ENABLED": "edusphere.platform.module_cache",
                "ANSIBLE_HOME": str(self.path / "home"),
                "EDUSPHERE_MODULE_CACHE": str(self.kept),
                "ANSIBLE_DEBUG": "1",
            },
            capture_output=True,
            text=True,
            check=False,
        )
        said = done.stdout + done.stderr
        assert bool(done.returncode) == bool(variables), said[-4000:]
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
    """Also by a run that fails. What is of another collection is packed in each."""
    assert runs.run(fail=True)[:2] == ("first other", {SAY, OTHER})
    assert [path.name.partition("-")[0] for path in runs.packed] == [SAY]
    assert {path.stat().st_mode & 0o777 for path in (runs.kept, *runs.kept.iterdir())} == {0o700}
    # Of an earlier version of Ansible, and of one that was used lately; and what is none of the plugin's.
    for name, age in (("0" * 64, 29), ("1" * 64, 31), ("somebody's", 31)):
        (runs.kept / name).mkdir()
        os.utime(runs.kept / name, times=(0, time.time() - age * 86400))
    assert runs.run()[:2] == ("first other", {OTHER})
    assert {"0" * 64, "somebody's"} <= {path.name for path in runs.kept.iterdir()}
    assert not (runs.kept / ("1" * 64)).exists()


def test_what_it_is_made_of_has_changed(runs: Runs) -> None:
    """To something that has as many bytes, and says that it is as old; and another collection takes its place."""
    runs.run()
    words = runs.path / "installed/ansible_collections/edusphere/tools/plugins/module_utils/words.py"
    before = words.stat()
    words.write_text("WORD = 'again'\n")
    os.utime(words, ns=(before.st_atime_ns, before.st_mtime_ns))
    time.sleep(0.1)
    assert runs.run()[:2] == ("again other", {SAY, OTHER})
    runs.collection("collections", "edusphere.tools", "nearer")
    assert runs.run()[:2] == ("nearer other", {SAY, OTHER})


@pytest.mark.parametrize(
    "place",
    [
        "module_utils",
        *(
            pytest.param(
                place,
                marks=pytest.mark.exhaustive(
                    f"module_cache packs again where {place} may take the place of Ansible's own."
                ),
            )
            for place in ("roles/some/module_utils", "home/plugins/module_utils")
        ),
    ],
)
def test_a_folder_that_takes_the_place_of_ansibles_own(runs: Runs, place: str) -> None:
    runs.run()
    runs.write(f"{place}/anything.py", "")
    assert runs.run()[1] == {SAY, OTHER}


@pytest.mark.exhaustive("module_cache packs a module again whose kept file is damaged.")
def test_what_is_not_whole_is_made_anew(runs: Runs) -> None:
    runs.run()
    (path,) = runs.packed
    whole = path.read_bytes()
    for broken in (b"", whole[:100], whole[:-1]):
        path.write_bytes(broken)
        assert runs.run()[:2] == ("first other", {SAY, OTHER})
        assert len(path.read_bytes()) > 100_000


@pytest.mark.exhaustive("module_cache does not use a directory that other users may write to.")
def test_a_directory_that_others_may_write_to(runs: Runs) -> None:
    runs.run()
    (kept,) = runs.kept.iterdir()
    for path in (kept, runs.kept):
        path.chmod(0o770)
        word, packed, said = runs.run()
        assert (word, packed) == ("first other", {SAY, OTHER})
        assert f"{path} is not this user's alone" in " ".join(said.split())


@pytest.mark.exhaustive("Several runs of ansible-playbook at once can share the kept modules.")
def test_runs_at_the_same_time(runs: Runs) -> None:
    with ThreadPoolExecutor() as pool:
        assert {word for word, _packed, _said in pool.map(lambda _number: runs.run(), range(3))} == {"first other"}
    assert len(runs.packed) == 1
    assert runs.run()[1] == {OTHER}
