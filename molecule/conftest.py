"""Fixtures of every scenario's tests: its hosts, reached over SSH as an operator reaches them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest
import testinfra
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from testinfra.host import Host

SSH_CONFIG = Path(__file__).parents[1] / ".cache/testbed/ssh/config"
Connect: TypeAlias = Callable[[str], Host]


@pytest.fixture(scope="session")
def groups() -> dict[str, list[str]]:
    """The scenario's inventory: the names of the hosts of each group, in order."""
    inventory = InventoryManager(DataLoader(), sources=f"{os.environ['MOLECULE_SCENARIO_DIRECTORY']}/inventory")
    return {name: [host.name for host in group.get_hosts()] for name, group in inventory.groups.items()}


@pytest.fixture(scope="session")
def connect() -> Connect:
    """A function: a host's name in the inventory to a connection to it, with root's rights."""

    def to(name: str) -> Host:
        return testinfra.get_host(f"ssh://{name}", ssh_config=str(SSH_CONFIG), sudo=True)

    return to


@pytest.fixture(scope="session")
def address() -> Callable[[str], str]:
    """A function: a host's name in the inventory to its IPv4 address."""

    def of(name: str) -> str:
        settings = subprocess.run(
            ["ssh", "-F", SSH_CONFIG, "-G", name], check=True, capture_output=True, text=True
        ).stdout.splitlines()
        return next(line.split()[1] for line in settings if line.startswith("hostname "))

    return of


@pytest.fixture(scope="session")
def vm(groups: dict[str, list[str]], connect: Connect) -> Host:
    """The host of a scenario that has one."""
    (name,) = groups["all"]
    return connect(name)


@pytest.fixture(scope="session")
def vm_address(groups: dict[str, list[str]], address: Callable[[str], str]) -> str:
    """The address of the host of a scenario that has one."""
    (name,) = groups["all"]
    return address(name)
