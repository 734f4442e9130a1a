"""What a build says of a source in which a link leads to what nginx is to serve."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from rendering import ROOT, SETTINGS

ROLE = ROOT / "roles/release"
ALIASES = [{"path": "/manual/", "directory": "docs/manual/"}, {"path": "/avatars/", "directory": "media/avatars"}]


def checked(release: Path) -> str:
    """Run the check on a release that is about to be complete; what it prints."""
    play: dict[str, Any] = {
        "hosts": "localhost",
        "connection": "local",
        "gather_facts": False,
        "vars": SETTINGS | {"edusphere_app_aliases": ALIASES},
        "vars_files": [f"{ROLE}/defaults/main.yml"],
        "tasks": [
            {"import_role": {"name": "settings", "rolespec_validate": False, "public": True}},
            {"include_vars": f"{ROLE}/vars/main.yml"},
            # Which the role derives from the host's paths.
            {"set_fact": {"__release_aside": str(release)}},
            {"include_tasks": f"{ROLE}/tasks/check_served.yml"},
        ],
    }
    (release.parent / "play.json").write_text(json.dumps([play]))
    run = subprocess.run(
        ["ansible-playbook", "--inventory", "localhost,", release.parent / "play.json"],
        env=os.environ | {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode == 0) == ("A symbolic link leads to" not in run.stdout), run.stdout + run.stderr
    return run.stdout


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """One with a link to a shared directory, which nginx serves from there."""
    root = tmp_path / "disk/release"
    for directory in ("frontend/dist", "staticfiles", "docs/manual", "other"):
        (root / directory).mkdir(parents=True)
    (root / "media").symlink_to("/srv/edusphere/shared/media")
    # An operator may have put the whole site on another disk.
    (tmp_path / "srv").symlink_to("disk")
    return tmp_path / "srv/release"


def test_directories(release: Path) -> None:
    assert "failed=0" in checked(release)


@pytest.mark.parametrize("directory", ["frontend", "staticfiles", "docs"])
def test_a_link_to_what_is_served(release: Path, directory: str) -> None:
    """nginx would not follow it, so the build ends, and says which it is."""
    (release / directory).rename(release / "elsewhere")
    (release / directory).symlink_to("elsewhere")
    assert f"A symbolic link leads to {directory}" in checked(release)
