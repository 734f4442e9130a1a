"""Fixtures of the tests of a site of six hosts."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from behaviour.hosts import ROOT, variables_of
from behaviour.visitor import Site


@pytest.fixture(scope="session")
def site(address: Callable[[str], str]) -> Site:
    """The site, as visitors reach it: at its edge, over TLS."""
    domain = variables_of("tiers-edge", "edusphere_domain")["edusphere_domain"]
    return Site(f"https://{domain}", address("tiers-edge"), authority=str(ROOT / ".cache/testbed/tiers/authority.pem"))
