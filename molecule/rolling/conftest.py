"""Fixtures of the tests of upgrades under load."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from behaviour.load import Figures, Load, load
from behaviour.rolling import CLIENTS, FIGURES, LOG, SHARE, conclude
from behaviour.visitor import Site


@pytest.fixture(scope="session")
def visitors(site: Site, groups: dict[str, list[str]]) -> Iterator[Load]:
    """The load, on the site that serves v1, through all tests."""
    (visitor,) = set(groups["all"]) - set(groups["app"])
    FIGURES.parent.mkdir(parents=True, exist_ok=True)
    FIGURES.unlink(missing_ok=True)
    with load(visitor, site, log=LOG, clients=CLIENTS, rate=100 * SHARE, messages=5 * SHARE) as started:
        yield started


@pytest.fixture(scope="session")
def calm(visitors: Load) -> Figures:
    """What all the rest is measured against: nothing is done to the site."""
    with visitors.watched() as window:
        visitors.answered(round(1500 * SHARE))
    conclude(visitors, window, "calm")
    assert not window.seen.outages
    assert not window.seen.resent
    return window.seen
