"""What the role docker takes for Compose, by its own first tasks and clients that answer as distributions' do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[3]
ROLE = ROOT / "roles/docker"


@pytest.mark.parametrize(
    ("programs", "missing"),
    [
        ({"docker": "echo 2.26.1"}, False),
        # Debian 12's, beside the package docker-compose.
        (
            {"docker": "echo \"docker: 'compose' is not a docker command.\" >&2; exit 1", "docker-compose": "echo 1"},
            True,
        ),
        ({"docker-compose": "echo 1.29.2"}, True),
    ],
)
def test_compose_is_what_the_client_runs(tmp_path: Path, programs: dict[str, str], missing: bool) -> None:
    place = tmp_path / "bin"
    place.mkdir()
    for name, script in programs.items():
        (place / name).write_text(f"#!/bin/sh\n{script}\n")
        (place / name).chmod(0o755)
    play = {
        "hosts": "localhost",
        "connection": "local",
        "gather_facts": False,
        "environment": {"PATH": str(place)},
        "vars": {"ansible_python_interpreter": sys.executable},
        "vars_files": [str(ROLE / "vars/main.yml")],
        "tasks": [
            *yaml.safe_load((ROLE / "tasks/main.yml").read_text())[:2],
            {"ansible.builtin.copy": {"dest": f"{tmp_path}/missing", "content": "{{ __docker_missing | to_json }}"}},
        ],
    }
    (tmp_path / "play.json").write_text(json.dumps([play]))
    done = subprocess.run(
        ["ansible-playbook", "--inventory=localhost,", tmp_path / "play.json"],
        env=os.environ | {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert ("docker-compose" in json.loads((tmp_path / "missing").read_text())) == missing
