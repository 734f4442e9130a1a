"""What a build does with each kind of file that pins dependencies, and how it looks for settings."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
FILES = ROOT / "roles/release/files"
UV = ROOT / ".venv/bin/uv"
STUDIO = ROOT / "examples/studio"
# Small, pure Python, without dependencies of its own.
PACKAGE, VERSION = "iniconfig", "2.1.0"
PROJECT = f"""[project]
name = "app"
version = "0"
requires-python = ">=3.11"
dependencies = ["{PACKAGE}=={VERSION}"]
"""


def default_of(name: str) -> str:
    """A setting of the role release."""
    (value,) = re.findall(rf"^{name}: (\S+)$", (ROOT / "roles/release/defaults/main.yml").read_text(), re.MULTILINE)
    return str(value)


class Build:
    """A source, and a Python environment for it, made by the real uv of the control node."""

    def __init__(self, place: Path) -> None:
        self.source = place / "source"
        self.source.mkdir()
        self.python = place / "venv/bin/python"
        self.uv("venv", "--quiet", str(place / "venv"))

    def uv(self, *arguments: str) -> str:
        """Run uv in the source."""
        done = subprocess.run([UV, *arguments], cwd=self.source, capture_output=True, text=True, check=True)
        return done.stdout

    def install(self, name: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run the script on a file of the source."""
        versions = [default_of("release_poetry_version"), default_of("release_poetry_export_version")]
        return subprocess.run(
            [sys.executable, FILES / "install_requirements.py", UV, self.python, name, *versions],
            cwd=self.source,
            env=os.environ | environment,
            capture_output=True,
            text=True,
            check=False,
        )

    @property
    def installed(self) -> str:
        """What the environment has."""
        return self.uv("pip", "freeze", "--quiet", "--python", str(self.python)).strip()


@pytest.fixture
def build(tmp_path: Path) -> Build:
    return Build(tmp_path)


def test_a_requirements_file(build: Build) -> None:
    """Also in a directory of its own, where it may name others beside it."""
    (build.source / "requirements").mkdir()
    (build.source / "requirements/production.txt").write_text("-r base.txt\n")
    (build.source / "requirements/base.txt").write_text(f"{PACKAGE}=={VERSION}\n")
    done = build.install("requirements/production.txt")
    assert (done.returncode, build.installed) == (0, f"{PACKAGE}=={VERSION}"), done.stderr


def test_a_hash_that_is_wrong(build: Build) -> None:
    (build.source / "requirements.txt").write_text(f"{PACKAGE}=={VERSION} --hash=sha256:{'0' * 64}\n")
    done = build.install("requirements.txt")
    assert (done.returncode, build.installed) == (1, "")
    assert "Hash mismatch" in done.stderr
    assert "requirements.txt (edusphere_app_requirements): its packages can't be installed" in done.stderr


def test_a_lock_of_uv(build: Build) -> None:
    """Its hashes are enforced, and the index that the builder is told of need not be the one that it was made with."""
    (build.source / "pyproject.toml").write_text(PROJECT)
    build.uv("lock", "--quiet")
    lock = build.source / "uv.lock"
    index = re.findall(r'registry = "([^"]+)"', lock.read_text())[0]
    lock.write_text(lock.read_text().replace(index, "https://index.example.org/simple"))
    done = build.install("uv.lock", UV_DEFAULT_INDEX=index)
    assert (done.returncode, build.installed) == (0, f"{PACKAGE}=={VERSION}"), done.stderr

    build.uv("pip", "uninstall", "--quiet", "--python", str(build.python), PACKAGE)
    lock.write_text(re.sub(r"sha256:\w{64}", f"sha256:{'0' * 64}", lock.read_text()))
    done = build.install("uv.lock", UV_DEFAULT_INDEX=index)
    assert (done.returncode, build.installed) == (1, "")
    assert "Hash mismatch" in done.stderr


def test_a_lock_of_uv_out_of_step(build: Build) -> None:
    (build.source / "pyproject.toml").write_text(PROJECT)
    build.uv("lock", "--quiet")
    (build.source / "pyproject.toml").write_text(PROJECT.replace(VERSION, "2.0.0"))
    done = build.install("uv.lock")
    assert (done.returncode, build.installed) == (1, "")
    assert "uv.lock (edusphere_app_requirements): it does not fit its pyproject.toml; run `uv lock`" in done.stderr


@pytest.mark.exhaustive("A poetry.lock that does not fit its pyproject.toml is refused.")
def test_a_lock_of_poetry_out_of_step(build: Build) -> None:
    """One that fits, scenario studio installs."""
    shutil.copy(STUDIO / "poetry.lock", build.source)
    project = (STUDIO / "pyproject.toml").read_text()
    assert "channels-redis" in project
    (build.source / "pyproject.toml").write_text(re.sub(r".*channels-redis.*\n", "", project))
    done = build.install("poetry.lock")
    assert (done.returncode, build.installed) == (1, "")
    assert "poetry.lock (edusphere_app_requirements): it does not fit its pyproject.toml" in done.stderr
    assert "run `poetry lock`" in done.stderr


@pytest.mark.parametrize(
    ("module", "there"),
    [
        ("backend.settings", True),
        ("overlay", True),
        ("json.tool", True),
        ("backend.other", False),
        ("nowhere.settings", False),
    ],
)
def test_settings_are_looked_for_and_not_imported(tmp_path: Path, module: str, there: bool) -> None:
    (tmp_path / "backend").mkdir()
    (tmp_path / ".overlay").mkdir()
    for name in ("backend/__init__.py", "backend/settings.py", ".overlay/overlay.py"):
        (tmp_path / name).write_text("raise RuntimeError\n")
    command = [sys.executable, str(FILES / "check_settings.py"), module, ".", ".overlay"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode == 0) == there, done.stderr
    assert there or f"no module {module} in the application, which edusphere_app_settings_module" in done.stderr
