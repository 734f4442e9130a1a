"""Fixtures of the tests of upgrades under load."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from behaviour.hosts import variables_of
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
