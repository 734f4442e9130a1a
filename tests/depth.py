"""How deep the tests go: what is exhaustive runs where the environment says TEST_ALL=1, in `make test-all`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import settings

# How long an example takes says how busy the machine is, and nothing about what it shows.
settings.register_profile("edusphere", deadline=None)
settings.load_profile("edusphere")

Case = TypeVar("Case")
Test = TypeVar("Test", bound=Callable[..., None])
EXHAUSTIVE = os.environ.get("TEST_ALL") == "1"


def _note(left_out: Iterable[str]) -> None:
    if file := os.environ.get("TEST_LEFT_OUT"):
        with Path(file).open("a") as text:
            text.writelines(f"{shows}\n" for shows in left_out)


def chosen(every: Sequence[Case], few: Sequence[Case], shows: str) -> Sequence[Case]:
    """All cases in `make test-all`, a few of them else; ``shows`` says what the others show."""
    if EXHAUSTIVE:
        return every
    _note([shows])
    return few


def exhaustive_in(scenario: str, shows: str) -> Callable[[Test], Test]:
    """A decorator of tests that several scenarios run, and one of them in `make test-all` alone."""
    here = Path(os.environ.get("MOLECULE_SCENARIO_DIRECTORY", "")).name
    return pytest.mark.exhaustive(shows) if here == scenario else lambda test: test


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect tests marked ``exhaustive``, and add what they would show to the file that TEST_LEFT_OUT names."""
    if EXHAUSTIVE:
        return
    marked = [(item, mark) for item in items if (mark := item.get_closest_marker("exhaustive"))]
    if not marked:
        return
    left_out = [item for item, _ in marked]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]
    # With several workers, each collects all; one of them says so.
    if getattr(config, "workerinput", {"workerid": "gw0"})["workerid"] == "gw0":
        _note(dict.fromkeys(mark.args[0] for _, mark in marked))
