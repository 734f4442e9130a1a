"""Which lock a failed installation waits for. That it does so is tested with the real apt, in tests/unit/roles."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.edusphere.platform.plugins.action.packages import lock

HELD = "Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 42 (unattended-upgr)"
UNABLE = "E: Unable to acquire the dpkg frontend lock (/var/lib/dpkg/lock-frontend), is another process using it?\n"


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        ({"failed": True, "msg": f"'/usr/bin/apt-get -y install x' failed: E: {HELD}\n{UNABLE}"}, HELD),
        ({"failed": True, "msg": "failed", "stderr": f"E: {HELD}\n{UNABLE}"}, HELD),
        (
            {
                "failed": True,
                "msg": f"Failed to lock apt for exclusive operation: Failed to lock directory /x: E:{HELD}",
            },
            HELD,
        ),
        (
            {"failed": True, "msg": "Failed to lock apt for exclusive operation: Failed to lock /x/lock"},
            "Failed to lock apt for exclusive operation: Failed to lock /x/lock",
        ),
        ({"failed": True, "msg": "No package matching 'x' is available"}, ""),
        ({"failed": True, "msg": "E: Failed to fetch x", "stderr": f"Waiting for cache lock: {HELD}"}, ""),
        ({"changed": True, "stderr": f"E: {HELD}"}, ""),
    ],
)
def test_locks(result: dict[str, Any], expected: str) -> None:
    assert lock(result) == expected
