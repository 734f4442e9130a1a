"""Fixtures of the tests of upgrades on one VM."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from behaviour.browser import chromium
from behaviour.visitor import Site
from playwright.sync_api import Browser


@pytest.fixture
def browser(site: Site) -> Iterator[Browser]:
    """Chromium, which finds the site."""
    with chromium(f"--host-resolver-rules=MAP {site.name} {site.address}") as started:
        yield started
