"""What the program that publishes a release puts into the volume that nginx serves from."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from engine import docker
from rendering import ROOT, rendered

SETTINGS: dict[str, Any] = {
    "edusphere_mode": "compose",
    "edusphere_release_id": "v1-0123456789ab",
    "edusphere_app_shared_directories": ["media", "data/exports"],
    # As in the role.
    "role_path": str(ROOT / "roles/backend"),
    "edusphere_app_aliases": [
        {"path": "/avatars/", "directory": "media/avatars"},
        {"path": "/data/", "directory": "data"},
    ],
}


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """That of a site, and of a developer's."""
    place = tmp_path_factory.mktemp("programs")
    template = ROOT / "roles/backend/templates/publish.py.j2"
    hosts: dict[str, dict[str, str]] = {"production": {}, "development": {"edusphere_environment": "development"}}
    return rendered(place, template, hosts, {"app": list(hosts)}, role="backend", **SETTINGS)


def publish(program: str, app: Path, volume: Path, image: str) -> str:
    """Run the program in a container with a release's sources and the volume."""
    mounts = [f"--volume={app}:/app:ro", f"--volume={volume}:/srv/releases"]
    return docker("run", "--rm", "--interactive", *mounts, "--entrypoint=python3", image, "-", input=program)


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """What an image has of a release."""
    root = tmp_path / "app"
    names = ("frontend/dist/index.html", "frontend/dist/assets/index-Dq3xY_9k.js")
    for name in (*names, "data/list.csv", "data/exports/all.csv", "media/avatars/a.png", ".env"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    (root / "frontend/dist/environment.txt").symlink_to("/proc/self/environ")
    (root / "frontend/dist/settings").symlink_to("../..")
    return root


def test_what_is_published(programs: dict[str, str], app: Path, tmp_path: Path, host_image: str) -> None:
    """Files and no copies of what links lead to; what releases share is served from its own volume.

    Those that browsers may keep are links of the volume to the same content, since they are there twice.
    """
    volume = tmp_path / "volume"
    for _ in range(2):  # and again, as a run that was interrupted
        assert publish(programs["production"], app, volume, host_image) == "published"
        release = volume / "v1-0123456789ab"
        assert {
            str(path.relative_to(release)) for path in release.rglob("*") if path.is_file() or path.is_symlink()
        } == {
            *(".published", "frontend/dist/index.html", "frontend/dist/environment.txt", "frontend/dist/settings"),
            *("data/list.csv", "frontend/dist/assets/index-Dq3xY_9k.js", ".hashed/assets/index-Dq3xY_9k.js"),
        }
        assert (release / "frontend/dist/environment.txt").is_symlink()
        assert (release / "frontend/dist/settings").is_symlink()
        (release / ".published").unlink()
    (release / ".published").touch()
    assert publish(programs["production"], app, volume, host_image) == ""


def test_in_development_nginx_has_the_sources(
    programs: dict[str, str], app: Path, tmp_path: Path, host_image: str
) -> None:
    volume = tmp_path / "volume"
    assert publish(programs["development"], app, volume, host_image) == "published"
    assert [path.name for path in (volume / "v1-0123456789ab").iterdir() if path.name != "staticfiles"] == [
        ".published"
    ]
    shutil.rmtree(volume)
