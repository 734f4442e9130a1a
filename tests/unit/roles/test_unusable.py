"""Which shared files status.yml counts as unusable for the backend or nginx."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from rendering import ROOT

SCRIPT = ROOT / "roles/status/files/unusable.sh"
NOBODY = "65534"


@pytest.fixture
def media(tmp_path: Path) -> Path:
    """Files of the account that runs the tests."""
    media = tmp_path / "media"
    media.mkdir(mode=0o755)
    for name, mode in (("open", 0o666), ("readable", 0o644), ("own", 0o600)):
        (media / name).touch()
        (media / name).chmod(mode)
    return media


def said(*places: str, user: str, group: str) -> list[str]:
    return subprocess.run(
        ["sh", SCRIPT, user, group, "60", *places], capture_output=True, text=True, check=True
    ).stdout.splitlines()


@pytest.mark.parametrize(
    ("mine", "served", "unusable"),
    [
        (True, False, set()),
        # nginx is neither the owner nor of the group.
        (True, True, {"own"}),
        # As files that root has copied there.
        (False, False, {"", "readable", "own"}),
        (False, True, {"", "readable", "own"}),
    ],
)
def test_what_is_unusable(media: Path, mine: bool, served: bool, unusable: set[str]) -> None:
    user, group = (str(os.getuid()), str(os.getgid())) if mine else (NOBODY, NOBODY)
    found = said(f"{'served:' if served else ''}{media}", f"{media}/missing", user=user, group=group)
    assert sorted(found) == sorted(f"{media}/{name}".rstrip("/") for name in unusable)


def test_there_is_an_end_to_it(media: Path) -> None:
    """Of a storage with millions of files."""
    for number in range(1100):
        (media / f"{number}").touch(mode=0o600)
    assert len(said(str(media), user=NOBODY, group=NOBODY)) == 1001


def test_a_storage_that_does_not_answer(media: Path, tmp_path: Path) -> None:
    """It is said that not all was looked at."""
    find = tmp_path / "find"
    find.write_text("#!/bin/sh\nexec sleep 600\n")
    find.chmod(0o755)
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    slow = subprocess.run(
        ["sh", SCRIPT, NOBODY, NOBODY, "1", str(media)], env=environment, capture_output=True, text=True, check=True
    )
    assert slow.stdout == "@@ more\n"
