"""What builds run with, made by a root whose umask lets nobody else read."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[3]
UV = ROOT / ".venv/bin/uv"
# Stands for what a package index sends: a program and what it reads.
INSTALL = ["python3", "-c", "import sys; open(sys.argv[1], 'w'); open(sys.argv[2], 'w')"]


def task(file: str, name: str) -> dict[str, Any]:
    """A task of a role, without the account that it changes to."""
    (found,) = [task for task in yaml.safe_load((ROOT / "roles" / file).read_text()) if task["name"] == name]
    return {key: value for key, value in found.items() if not key.startswith("become")}


def run(place: Path, task: dict[str, Any], **variables: object) -> None:
    """Run a task here, by an account with a hardened umask."""
    variables = {**variables, "ansible_python_interpreter": sys.executable}
    play = {"hosts": "localhost", "connection": "local", "gather_facts": False, "vars": variables, "tasks": [task]}
    (place / "play.json").write_text(json.dumps([play]))
    done = subprocess.run(
        ["ansible-playbook", "--inventory=localhost,", place / "play.json"],
        env=os.environ | {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")},
        umask=0o077,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def hidden(place: Path) -> list[str]:
    """What others can't read, or can't enter or run although the owner can."""
    return [
        f"{path} {path.stat().st_mode & 0o777:o}"
        for path in (place, *place.rglob("*"))
        if not path.is_symlink() and path.stat().st_mode & 0o055 != (0o055 if path.stat().st_mode & 0o100 else 0o044)
    ]


def test_uv(tmp_path: Path) -> None:
    aside = tmp_path / "lib/uv.building"
    (tmp_path / "lib").mkdir()
    run(
        tmp_path,
        task("release/tasks/package_native.yml", "Install uv"),
        release_uv_version="0",
        __release_uv=f"{tmp_path}/lib/uv",
        __release_uv_aside=str(aside),
        __release_downloading=[],
        __release_install_uv=[*INSTALL, f"{aside}/bin/uv", f"{aside}/lib/module"],
    )
    assert (tmp_path / "lib/uv/bin/uv").exists()
    assert hidden(tmp_path / "lib") == []


def test_node(tmp_path: Path) -> None:
    aside = tmp_path / "lib/node/24.1.0.building"
    (tmp_path / "lib").mkdir()
    run(
        tmp_path,
        task("frontend/tasks/node.yml", "Install Node.js and npm"),
        edusphere_app_node_version="24.1.0",
        edusphere_uv=str(UV),
        frontend_downloading=[],
        __frontend_node=f"{tmp_path}/lib/node/24.1.0/bin",
        __frontend_node_aside=str(aside),
        __frontend_install_node=[*INSTALL, f"{aside}/bin/node", f"{aside}/lib/module"],
    )
    assert (tmp_path / "lib/node/24.1.0/bin/node").exists()
    assert hidden(tmp_path / "lib") == []


def test_the_application_has_one_umask() -> None:
    """Run by a module it makes files as it does in its own units, or nginx could not read what a migration has made."""
    calls = [
        (path.name, module)
        for path in sorted(ROOT.glob("roles/*/tasks/**/*.yml"))
        for module, arguments in re.findall(r"edusphere\.django\.(\w+):(?: &\w+)?\n((?: +\S.*\n)*)", path.read_text())
        if 'umask: "0022"' not in arguments.partition("\n\n")[0]
    ]
    assert calls == []
    units = (ROOT / "roles/backend/templates/_confinement.j2").read_text()
    assert "UMask=0022" in units
