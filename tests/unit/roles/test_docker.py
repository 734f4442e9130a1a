"""What the role docker takes for Compose, by its own first tasks and clients that answer as distributions' do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
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


# Made by GnuPG for this test, which says it has this fingerprint.
KEY = """-----BEGIN PGP PUBLIC KEY BLOCK-----

mDMEawyqNRYJKwYBBAHaRw8BAQdA0fm6dgMT1jfbZcHLfh6fp/zbex1Tz7rSgjpU
e2Uosnu0Bk5vYm9keYiQBBMWCAA4FiEEEiLVuemO2mPeXH54UTAL5OJitfYFAmsM
qjUCGwMFCwkIBwIGFQoJCAsCBBYCAwECHgECF4AACgkQUTAL5OJitfYgKAD/fBVF
lSP36dqvkj41Jty+4dQ/OJHXgup/iHCrvGC4tuYBAMiPkCPPVp3qUFjscZbAZvjf
10SAgMpCVz9bj7PfOW8F
=QL8d
-----END PGP PUBLIC KEY BLOCK-----
"""
FINGERPRINT = "1222 D5B9 E98E DA63 DE5C 7E78 5130 0BE4 E262 B5F6"


@pytest.mark.parametrize("fingerprint", [FINGERPRINT, "9DC858229FC7DD38854AE2D88D81803C0EBFCD88"])
def test_a_repositorys_key_is_the_one_that_is_wanted(tmp_path: Path, fingerprint: str) -> None:
    """Another one is named, and not used."""
    (tmp_path / "web").mkdir()
    (tmp_path / "web/gpg").write_text(KEY)
    written = tmp_path / "keyrings/key.asc"
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=tmp_path / "web")) as web:
        threading.Thread(target=web.serve_forever, daemon=True).start()
        play = {
            "hosts": "localhost",
            "connection": "local",
            "gather_facts": False,
            "vars": {
                "ansible_python_interpreter": sys.executable,
                "docker_repository_key": f"http://127.0.0.1:{web.server_port}/gpg",
                "docker_repository_fingerprint": fingerprint,
            },
            "vars_files": [str(ROLE / "vars/main.yml")],
            "tasks": [
                {"include_tasks": str(ROLE / "tasks/key.yml"), "vars": {"__docker_key_file": str(written)}},
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
        web.shutdown()
    wanted = fingerprint == FINGERPRINT
    assert (done.returncode == 0) == wanted, done.stdout + done.stderr
    assert (written.read_text() if written.exists() else "") == (KEY if wanted else "")
    assert wanted or "has on localhost the key 1222D5B9E98EDA63DE5C7E7851300BE4E262B5F6, and" in " ".join(
        done.stdout.split()
    )
