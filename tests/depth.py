"""How deep the tests go: those marked ``exhaustive`` run where the environment says TEST_ALL=1, in `make test-all`."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect exhaustive tests, and add what they would show to the file that TEST_LEFT_OUT names."""
    if os.environ.get("TEST_ALL") == "1":
        return
    left_out = [item for item in items if item.get_closest_marker("exhaustive")]
    if not left_out:
        return
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]
    # Under pytest-xdist each worker collects the same tests, and the controller none: the first worker writes.
    worker = getattr(config, "workerinput", {"workerid": "gw0"})["workerid"]
    if (file := os.environ.get("TEST_LEFT_OUT")) and worker == "gw0":
        promises = dict.fromkeys(item.get_closest_marker("exhaustive").args[0] for item in left_out)  # type: ignore[union-attr]
        with Path(file).open("a") as text:
            text.writelines(f"{promise}\n" for promise in promises)
