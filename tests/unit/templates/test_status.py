"""What the table of status.yml says of a host."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from rendering import ROOT, rendered


@pytest.mark.parametrize(
    ("pending", "missing", "words"),
    [
        ([], [], "none pending"),
        (["chat.0003_room_topic"], [], "1 pending"),
        # As after a rollback.
        ([], ["chat.0003_room_topic"], "none pending; applied, and unknown to this release: chat.0003_room_topic"),
        (None, None, "unknown"),
    ],
)
def test_a_row(tmp_path: Path, pending: list[str] | None, missing: list[str] | None, words: str) -> None:
    """It has the dates as the lines of the history have them."""
    row = rendered(
        tmp_path,
        ROOT / "roles/status/templates/row.j2",
        {"vm": {}},
        {"app": ["vm"]},
        role="status",
        edusphere_mode="compose",
        edusphere_switched_to={"slot": "a", "release": "v1-abc", "since": "2026-11-27T16:20:05Z"},
        __status_health={"status": -1},
        __status_disk={"stdout_lines": ["Use% Avail", " 7% 80G"]},
        __status_django={"migrations": {"default": {"pending": pending, "missing": missing}}},
    )["vm"]
    _, _, release, since, _, _, migrations, *_ = json.loads(row)
    assert (release, since, migrations) == ("v1-abc", "2026-11-27 16:20:05 UTC", words)
