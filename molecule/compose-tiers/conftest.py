"""Fixtures of the tests of a site of containers on four hosts."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from behaviour.visitor import Site


@pytest.fixture(scope="session")
def site(address: Callable[[str], str]) -> Site:
    """The site, as visitors reach it: at the edge that is nothing else."""
    return Site("http://edusphere.test", address("compose-edge"))
