"""What a run leaves in the history: that it is done, where each host came to its end."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from rendering import ROOT, SETTINGS

HOSTS = {"app": ["app-1", "app-2"], "edge": ["edge-1"], "database": ["database-1"]}


@pytest.mark.parametrize(
    ("fails", "switched", "outcome"),
    [
        ("", "app-2", "done"),
        ("app-1", "app-2", "failed"),
        ("app-2", "", "failed"),
        ("edge-1", "app-1", "failed"),
    ],
)
def test_the_outcome(tmp_path: Path, fails: str, switched: str, outcome: str) -> None:
    """Of whatever tier a host is that has failed after something was switched."""
    work = [
        {
            "ansible.builtin.set_fact": {"edusphere_switched_to": {"release": "v2-abc"}},
            "when": f"inventory_hostname == '{switched}'",
        },
        {"ansible.builtin.fail": {"msg": "It is to."}, "when": f"inventory_hostname == '{fails}'"},
    ]
    play = [
        {"import_playbook": f"{ROOT}/playbooks/begin.yml", "vars": {"deployment_what": "deploy"}},
        {"name": "Work", "hosts": "all", "gather_facts": False, "tasks": work},
        {"import_playbook": f"{ROOT}/playbooks/end.yml"},
    ]
    (tmp_path / "play.json").write_text(json.dumps(play))
    groups: dict[str, Any] = {name: {"hosts": {host: {} for host in hosts}} for name, hosts in HOSTS.items()}
    inventory = {"all": {"children": groups, "vars": SETTINGS | {"ansible_connection": "local"}}}
    (tmp_path / "inventory.json").write_text(json.dumps(inventory))
    variables = {"edusphere_records": str(tmp_path / "records"), "ansible_become": False}
    run = subprocess.run(
        [
            "ansible-playbook",
            *("--inventory", tmp_path / "inventory.json"),
            f"--extra-vars={json.dumps(variables)}",
            tmp_path / "play.json",
        ],
        env=os.environ | {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode != 0) == bool(fails), run.stdout + run.stderr
    (line,) = (tmp_path / "records/history.jsonl").read_text().splitlines()
    assert json.loads(line)["outcome"] == outcome, run.stdout
    assert not (tmp_path / "records/lock.json").exists()
    assert (f"{switched}: v2-abc serves now, after nothing" in run.stdout) == (switched not in ("", fails)), run.stdout
