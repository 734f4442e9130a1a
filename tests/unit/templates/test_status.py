"""What the table of status.yml says of a host."""

from __future__ import annotations

import json
from typing import Any

import pytest
from rendering import ROOT, rendered

# By host: what is pending, what is missing, and the words for it.
HOSTS: dict[str, tuple[list[str] | None, list[str] | None, str]] = {
    "current": ([], [], "none pending"),
    "behind": (["chat.0003_room_topic"], [], "1 pending"),
    # As after a rollback.
    "ahead": ([], ["chat.0003_room_topic"], "none pending; applied, and unknown to this release: chat.0003_room_topic"),
    "silent": (None, None, "unknown"),
}


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The row of each host."""
    hosts: dict[str, dict[str, Any]] = {
        host: {
            "__status_django": {"migrations": {"default": {"pending": pending, "missing": missing}}},
            # As df has it, or as it is killed.
            "__status_holds": {"stdout_lines": ["nginx", "redis-server"] if host == "behind" else []},
            "__status_disk": {"stdout_lines": [] if host == "silent" else ["Use% Avail", " 7% 80G"]},
        }
        for host, (pending, missing, _words) in HOSTS.items()
    }
    return rendered(
        tmp_path_factory.mktemp("rows"),
        ROOT / "roles/status/templates/row.j2",
        hosts,
        {"app": list(hosts)},
        role="status",
        edusphere_mode="compose",
        edusphere_switched_to={"slot": "a", "release": "v1-abc", "since": "2026-11-27T16:20:05Z"},
        __status_health={"status": -1},
    )


@pytest.mark.parametrize("host", HOSTS)
def test_a_row(rows: dict[str, str], host: str) -> None:
    """It has the dates as the lines of the history have them."""
    row = json.loads(rows[host])
    assert (row[2], row[3], row[6]) == ("v1-abc", "2026-11-27 16:20:05 UTC", HOSTS[host][2])
    held = "nginx, redis-server: no security updates; apt-mark unhold allows them"
    assert row[9] == (held if host == "behind" else "no packages")
    assert row[7] == ("no answer from /srv/edusphere" if host == "silent" else "7% used, 80G free")
