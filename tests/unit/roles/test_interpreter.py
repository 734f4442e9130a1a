"""Which Python a host's tasks and builds run with where there are others than the distribution's."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


def interpreter(place: Path, *options: str) -> str:
    """The interpreter of a task on a host that has a newer Python, and a shim without a version, before the others."""
    shims = place / "shims"
    shims.mkdir()
    for name in ("python3.13", "python3"):
        (shims / name).write_text("#!/bin/sh\necho 'pyenv: no version is set' >&2\nexit 127\n")
        (shims / name).chmod(0o755)
    tasks = [
        {"ansible.builtin.setup": {"gather_subset": ["!all", "!min", "python"]}},
        {
            "ansible.builtin.copy": {"dest": f"{place}/seen", "content": "{{ ansible_facts.python.executable }}"},
            "vars": {"ansible_python_interpreter": sys.executable},
        },
    ]
    play = {"hosts": "all", "connection": "local", "gather_facts": False, "tasks": tasks}
    (place / "play.json").write_text(json.dumps([play]))
    done = subprocess.run(
        [ROOT / ".venv/bin/ansible-playbook", "--inventory=machine,", place / "play.json", *options],
        env=os.environ | {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "PATH": f"{shims}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return (place / "seen").read_text()


@pytest.mark.skipif(not Path("/usr/bin/python3").exists(), reason="needs the distribution's Python")
def test_the_distributions_python(tmp_path: Path) -> None:
    assert interpreter(tmp_path) == "/usr/bin/python3"


def test_another_of_the_operators(tmp_path: Path) -> None:
    assert interpreter(tmp_path, f"--extra-vars=ansible_python_interpreter={sys.executable}") == sys.executable


def test_no_task_takes_the_first_python_of_the_path() -> None:
    """In a container, an image's first Python is its own."""
    found = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for kind in ("tasks", "vars")
        for path in sorted(ROOT.glob(f"roles/*/{kind}/**/*.yml"))
        for line in path.read_text().splitlines()
        if re.search(r"[\[( '\"]python3['\",\]]", line) and "docker" not in line
    ]
    assert found == []
