"""The lock and the history of edusphere.platform.deployment, by real runs of ansible-playbook on this machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.edusphere.platform.plugins.modules.deployment import Records
from own_collections import ROOT

PLAY = """
- hosts: localhost
  gather_facts: false
  connection: local
  tasks:
    - edusphere.platform.deployment:
        directory: {directory}
        state: begun
        what: deploy
        version: {version}
        break_lock: "{{{{ break_lock | default('') }}}}"
        lease: "{{{{ lease | default(120) }}}}"
    - ansible.builtin.command: "{{{{ meanwhile | default('true') }}}}"
    # It is still at work, at the same.
    - edusphere.platform.deployment:
        directory: {directory}
        state: begun
    - edusphere.platform.deployment:
        directory: {directory}
        state: ended
        outcome: "{{{{ outcome | default('done') }}}}"
    - edusphere.platform.deployment:
        directory: {directory}
        state: read
      register: seen
    - ansible.builtin.debug:
        var: seen
"""


class Site:
    """A directory that runs keep their records in."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.directory = path / "records"
        self.over = path / "over"
        # What takes a run as long as the test.
        self.long = f"sh -c 'while [ ! -e {self.over} ]; do sleep 0.2; done'"

    def start(self, version: str = "v1", *options: str, **variables: object) -> subprocess.Popen[str]:
        """A run that has begun."""
        play = self.path / f"{version}.yml"
        play.write_text(PLAY.format(directory=self.directory, version=version))
        return subprocess.Popen(
            [
                "ansible-playbook",
                play,
                "--inventory=localhost,",
                f"--extra-vars={json.dumps({**variables, 'ansible_python_interpreter': sys.executable})}",
                *options,
            ],
            env=os.environ | {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, version: str = "v1", *options: str, **variables: object) -> tuple[int, str]:
        """A run to its end: its status, and what it said."""
        process = self.start(version, *options, **variables)
        said = process.communicate()[0]
        return process.returncode, said

    def lock(self) -> dict[str, Any]:
        """Who has the lock."""
        path = self.directory / "lock.json"
        return dict(json.loads(path.read_text())) if path.exists() else {}

    def history(self) -> list[tuple[str, str]]:
        """The versions and outcomes of all lines."""
        path = self.directory / "history.jsonl"
        lines = path.read_text().splitlines() if path.exists() else []
        return [(line["version"], line["outcome"]) for line in map(json.loads, lines)]

    def wait_for_lock(self) -> dict[str, Any]:
        end = time.monotonic() + 60
        while not (lock := self.lock()):
            assert time.monotonic() < end
            time.sleep(0.1)
        return lock


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path)
    yield site
    # What a killed run has started goes on without it.
    site.over.touch()


def test_the_place_whatever_the_umask_is(site: Site) -> None:
    """The first run makes the site's root before anything else does, and nginx must get through it."""
    site.directory = site.path / "srv/records"
    before = os.umask(0o077)
    try:
        status, said = site.run("v1")
    finally:
        os.umask(before)
    assert status == 0, said
    places = (site.directory.parent, site.directory, site.directory / "history.jsonl")
    assert [oct(path.stat().st_mode & 0o7777) for path in places] == ["0o755", "0o755", "0o644"]


def test_a_run_leaves_a_line_and_no_lock(site: Site) -> None:
    status, said = site.run("v1")
    assert status == 0, said
    assert site.history() == [("v1", "done")]
    assert site.lock() == {}
    assert "changed=1 " in said  # the command alone
    assert site.run("v2", outcome="unchanged")[0] == 0
    assert site.history() == [("v1", "done")]


def test_a_second_operator_is_told_who_is_at_work(site: Site) -> None:
    first = site.start("v1", meanwhile=site.long)
    try:
        lock = site.wait_for_lock()
        for options in ([], ["--check"]):
            status, said = site.run("v2", *options)
            assert status != 0
            words = " ".join(said.split())
            assert f"{lock['who']} is at work on this site (deploy v1), since 20" in words
            assert "last heard of" not in words
            assert f"edusphere_lock_break={lock['id']}" in words
        assert site.lock() == lock
        # Whoever knows better has the last word.
        assert site.run("v2", break_lock=lock["id"])[0] == 0
        assert site.history() == [("v1", "did not end"), ("v2", "done")]
    finally:
        site.over.touch()
        first.communicate()


def test_a_killed_runs_lock_is_taken_over(site: Site) -> None:
    first = site.start("v1", meanwhile=site.long)
    site.wait_for_lock()
    first.kill()
    first.wait()
    status, said = site.run("v2")
    assert status == 0, said
    assert site.history() == [("v1", "did not end"), ("v2", "done")]


@pytest.mark.exhaustive("A deployment lock of another control node is respected until its lease is over.")
def test_of_another_control_node_only_time_tells(site: Site) -> None:
    assert site.run("v1")[0] == 0
    elsewhere = {
        "id": "0123abcd",
        "who": "ada@build",
        "what": "deploy",
        "version": "v9",
        "place": {"machine": "x", "pid": 1},
    }
    lock = {**elsewhere, "since": time.time() - 3600, "renewed": time.time() - 1800}
    (site.directory / "lock.json").write_text(json.dumps(lock))
    status, said = site.run("v2")
    assert status != 0
    assert "ada@build is at work on this site (deploy v9)" in " ".join(said.split())
    assert "last heard of 30 minutes ago" in " ".join(said.split())
    assert site.run("v2", lease=20)[0] == 0
    assert site.history() == [("v1", "done"), ("v9", "did not end"), ("v2", "done")]


WHOLE = {"id": "0123abcd", "who": "ada@build", "what": "deploy", "version": "v9", "since": 1.0, "renewed": 2.0}


@pytest.mark.parametrize(
    "text",
    [
        *("", '{"id": "0123', "nothing", "5", '"text"', "[1]", "{}", "null"),
        json.dumps(WHOLE | {"since": "yesterday"}),
        json.dumps(WHOLE | {"id": 5}),
        None,
    ],
)
def test_a_damaged_lock_is_none(tmp_path: Path, text: str | None) -> None:
    """Also a directory in its place (None). Whoever comes next takes the lock."""
    path = tmp_path / "lock.json"
    if text is None:
        path.mkdir()
    else:
        path.write_text(text)
    records = Records(tmp_path, writes=True)
    assert records.lock() == {}
    records.take(WHOLE)
    assert records.lock() == WHOLE | {"place": {}}
    records.free()
    assert not path.exists()


@pytest.mark.parametrize("place", ["text", {"pid": "x"}, None])
def test_a_lock_of_an_unknown_place(tmp_path: Path, place: object) -> None:
    """Only time tells, and no traceback."""
    (tmp_path / "lock.json").write_text(json.dumps(WHOLE | {"place": place}))
    assert Records(tmp_path, writes=False).lock()["place"] == {}


def test_a_damaged_history(tmp_path: Path) -> None:
    """Whole lines are shown, and the next one is a line of its own."""
    line = {"who": "ada", "what": "deploy", "version": "v1", "since": 1.0, "seconds": 2.0, "outcome": "done"}
    path = tmp_path / "history.jsonl"
    path.write_bytes(json.dumps(line).encode() + b'\n5\n"x"\n{}\n\xff\n{"who": "ada", "si')
    records = Records(tmp_path, writes=True)
    assert records.history(5) == [line]
    records.add(WHOLE, 5.0, "failed")
    assert [each["outcome"] for each in records.history(5)] == ["done", "failed"]
    path.unlink()
    path.mkdir()
    assert records.history(5) == []
    records.add(WHOLE, 5.0, "done")
    assert [each["outcome"] for each in records.history(5)] == ["done"]
