"""Fixtures of the tests of upgrades under load."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from behaviour.hosts import variables_of
from behaviour.load import Figures, Load, load
from behaviour.rolling import CLIENTS, FIGURES, LOG, SHARE, conclude
from behaviour.visitor import Site
from testinfra.host import Host

VM = "rolling-vm"


@pytest.fixture(scope="session")
def vm(connect: Callable[[str], Host]) -> Host:
    """The site's one host."""
    return connect(VM)


@pytest.fixture(scope="session")
def vm_address(address: Callable[[str], str]) -> str:
    """Its address."""
    return address(VM)


@pytest.fixture(scope="session")
def settings() -> dict[str, Any]:
    """What the inventory says of the site."""
    return variables_of(VM, "edusphere_domain", "edusphere_mode", "edusphere_tls", "testbed_keys")


@pytest.fixture(scope="session")
def visitors(site: Site) -> Iterator[Load]:
    """The load, on the site that serves v1, through all tests."""
    FIGURES.parent.mkdir(parents=True, exist_ok=True)
    FIGURES.unlink(missing_ok=True)
    with load("rolling-visitor", site, log=LOG, clients=CLIENTS, rate=100 * SHARE, messages=5 * SHARE) as started:
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
