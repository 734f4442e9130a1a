"""What a build does with each kind of file that pins dependencies, and how it looks for settings."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

FILES = Path(__file__).parents[3] / "roles/release/files"
# Notes how it was called, exports what the test has prepared, and fails when told to.
UV = """\
#!/bin/sh
echo "$PWD|$UV_DEFAULT_INDEX|$*" >> "$CALLS"
case "$*" in
  *"$FAILS"*) [ -z "$FAILS" ] || { echo "uv's own words" >&2; exit 2; } ;;
esac
case "$*" in
  *export*) cp "$EXPORT" .requirements.txt ;;
esac
"""
HASHED = "click==8.5.1 \\\n    --hash=sha256:00\n"


class Build:
    """A source, and a uv that notes how it is called."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.source = place / "source"
        (self.source / "backend").mkdir(parents=True)
        (place / "uv").write_text(UV)
        (place / "uv").chmod(0o755)
        (place / "export").write_text(HASHED)

    def install(self, name: str, fails: str = "") -> subprocess.CompletedProcess[str]:
        """Run the script on a file of the source."""
        paths = {"CALLS": self.place / "calls", "EXPORT": self.place / "export"}
        return subprocess.run(
            [
                sys.executable,
                FILES / "install_requirements.py",
                self.place / "uv",
                "/venv/python",
                name,
                "2.5.1",
                "1.10.1",
            ],
            cwd=self.source,
            env=os.environ
            | {key: str(path) for key, path in paths.items()}
            | {"UV_DEFAULT_INDEX": "mirror", "FAILS": fails},
            capture_output=True,
            text=True,
            check=False,
        )

    @property
    def calls(self) -> list[list[str]]:
        """Where uv was called, with which index, and how."""
        return [line.split("|") for line in (self.place / "calls").read_text().splitlines()]


@pytest.fixture
def build(tmp_path: Path) -> Build:
    return Build(tmp_path)


def test_a_requirements_file_is_installed_as_it_is(build: Build) -> None:
    assert build.install("backend/base.txt").returncode == 0
    ((place, index, call),) = build.calls
    assert (place, index) == (str(build.source / "backend"), "mirror")
    assert call == "pip install --compile-bytecode --python /venv/python --requirements base.txt"


def test_a_lock_of_uv(build: Build) -> None:
    """That it fits is judged without the index that its packages come from."""
    assert build.install("uv.lock").returncode == 0
    assert [(index, call.split(" --")[0]) for _place, index, call in build.calls] == [
        ("", "lock"),
        ("mirror", "export"),
        ("mirror", "pip install"),
    ]
    assert "--offline" in build.calls[0][2]
    assert build.calls[2][2].endswith("--requirements .requirements.txt --require-hashes")


def test_a_lock_of_poetry(build: Build) -> None:
    assert build.install("poetry.lock").returncode == 0
    assert [
        call for _place, _index, call in build.calls if "poetry==2.5.1 --with poetry-plugin-export==1.10.1" in call
    ] == [call for _place, _index, call in build.calls[:3]]
    assert "check --lock" in build.calls[1][2]
    assert "export --only main --without-urls" in build.calls[2][2]
    assert "--require-hashes" in build.calls[3][2]


@pytest.mark.parametrize("line", ["app @ git+https://git.example.org/app@0123456", "./packages/app"])
def test_what_has_no_hash(build: Build, line: str) -> None:
    """A repository's commit and a directory of the source's own."""
    (build.place / "export").write_text(HASHED + line + "\n")
    assert build.install("uv.lock").returncode == 0
    assert "--require-hashes" not in build.calls[2][2]


@pytest.mark.parametrize(
    ("name", "fails", "said"),
    [
        (
            "uv.lock",
            "lock --check",
            "uv.lock (edusphere_app_requirements): it does not fit its pyproject.toml; run `uv lock`",
        ),
        ("poetry.lock", "check --lock", "it does not fit its pyproject.toml; run `poetry lock` and commit both"),
        ("poetry.lock", "--version", "poetry could not be installed"),
        ("requirements.txt", "pip install", "its packages can't be installed"),
    ],
)
def test_failures_name_the_setting_after_the_words_of_the_tool(build: Build, name: str, fails: str, said: str) -> None:
    done = build.install(name, fails)
    assert done.returncode == 1
    assert done.stderr.startswith("uv's own words")
    assert said in done.stderr.splitlines()[-1]


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
