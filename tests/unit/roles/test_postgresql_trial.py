"""PostgreSQL's configuration is tried by a real server before the live one reads it."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from rendering import ROOT

SCRIPT = (ROOT / "roles/postgresql/files/try_postgresql.sh").read_text()
# The live server's own, which the one that tries must not meet.
SETTINGS = {"port": "5432", "data_directory": "/nowhere", "external_pid_file": "/nowhere", "archive_mode": "on"}


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory that everybody may look into."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def tried(place: Path, settings: dict[str, str], hba: str) -> subprocess.CompletedProcess[str]:
    """What the script says of a configuration; as whom the server runs, since it refuses to be root's."""
    lines = (SETTINGS | {"hba_file": f"{place}/pg_hba.conf"} | settings).items()
    (place / "postgresql.conf").write_text("".join(f"{name} = '{value}'\n" for name, value in lines))
    (place / "pg_hba.conf").write_text(f"local all postgres peer\n{hba}")
    programs = max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    account = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    words = [*account, "sh", "-c", SCRIPT, "try-postgresql", str(place / "postgresql.conf"), str(programs)]
    return subprocess.run(words, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("settings", "hba", "said"),
    [
        ({}, "", ""),
        ({"shared_bufers": "256MB"}, "", 'unrecognized configuration parameter "shared_bufers"'),
        ({"shared_buffers": "900GB"}, "", "could not map anonymous shared memory"),
        ({}, "hostt all all 0.0.0.0/0 scram-sha-256\n", 'invalid connection type "hostt"'),
    ],
    ids=["right", "a wrong name", "more memory than there is", "a wrong line of pg_hba.conf"],
)
def test_a_configuration_is_tried(place: Path, settings: dict[str, str], hba: str, said: str) -> None:
    """What a start would refuse is refused here, with the server's own words, and no server is left."""
    run = tried(place, settings, hba)
    assert (run.returncode == 0) == (not said), run.stdout + run.stderr
    assert said in run.stdout
