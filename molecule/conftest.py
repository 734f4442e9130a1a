"""Fixtures of every scenario's tests: its hosts, reached over SSH as an operator reaches them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import pytest
import testinfra
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from behaviour.hosts import SSH_CONFIG, AsApplication, address_of, another_host, variables_of, with_environment_of
from behaviour.load import Figures, Load, load
from behaviour.platforms import Platform, Services, Stack
from behaviour.rolling import CLIENTS, FIGURES, LOG, RATE, SHARE, conclude
from behaviour.visitor import Site
from depth import pytest_collection_modifyitems  # noqa: F401 for its effect
from testinfra.host import Host

Connect: TypeAlias = Callable[[str], Host]

# The application's names of the secrets, and the inventory's.
SECRETS = {
    "SECRET_KEY": "edusphere_secret_key",
    "DB_PASSWORD": "edusphere_database_password",
    "REDIS_PASSWORD": "edusphere_redis_password",
}


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
    return address_of


@pytest.fixture(scope="session")
def vm_name(groups: dict[str, list[str]]) -> str:
    """The host of a scenario that has one, or one with a site."""
    (name,) = groups.get("app", groups["all"])
    return name


@pytest.fixture(scope="session")
def vm(vm_name: str, connect: Connect) -> Host:
    """A connection to it."""
    return connect(vm_name)


@pytest.fixture(scope="session")
def vm_address(vm_name: str, address: Callable[[str], str]) -> str:
    """Its address."""
    return address(vm_name)


# Of a site on one VM, in both modes.


@pytest.fixture(scope="session")
def settings(vm_name: str) -> dict[str, Any]:
    """What the inventory says of the site."""
    return variables_of(
        vm_name, "edusphere_domain", "edusphere_mode", "edusphere_tls", "testbed_keys", *SECRETS.values()
    )


@pytest.fixture(scope="session")
def secrets(settings: dict[str, Any]) -> dict[str, str]:
    """The site's secrets by the names that the application knows them by."""
    return {name: settings[variable] for name, variable in SECRETS.items()}


@pytest.fixture(scope="session")
def site(settings: dict[str, Any], vm_address: str) -> Site:
    """The site, as visitors reach it."""
    if settings["edusphere_tls"] == "off":
        return Site(f"http://{settings['edusphere_domain']}", vm_address)
    return Site(
        f"https://{settings['edusphere_domain']}", vm_address, authority=f"{settings['testbed_keys']}/authority.pem"
    )


@pytest.fixture(scope="session")
def neighbour() -> Iterator[Host]:
    """Another machine on the site's network."""
    with another_host() as host:
        yield host


@pytest.fixture(scope="session")
def platform(settings: dict[str, Any], vm: Host) -> Platform:
    """How the site runs on its host."""
    return {"native": Services, "compose": Stack}[settings["edusphere_mode"]](vm)


@pytest.fixture
def environment(platform: Platform) -> dict[str, str]:
    """The environment of what serves, as the kernel has it."""
    return platform.environment


@pytest.fixture
def live(platform: Platform) -> dict[str, str]:
    """The host's own record of what serves: release, version, since when, and in native mode the slot."""
    return platform.live


@pytest.fixture
def unit(vm: Host) -> str:
    """Native mode: the systemd unit that serves."""
    return Services(vm).unit


@pytest.fixture
def main_pid(platform: Platform) -> int:
    """The first process of what serves."""
    return platform.main_pid


@pytest.fixture
def as_application(vm: Host, main_pid: int) -> AsApplication:
    """Native mode: a function that runs a command on the host with the application's environment."""
    return with_environment_of(vm, main_pid)


@pytest.fixture
def stack(vm: Host) -> Stack:
    """Compose mode: the site's containers."""
    return Stack(vm)


# Of a site that is upgraded under load.


@pytest.fixture(scope="session")
def visitors(site: Site, groups: dict[str, list[str]]) -> Iterator[Load]:
    """The load on the site, through all tests that ask for it, from a host of its own."""
    (visitor,) = groups["visitors"]
    FIGURES.parent.mkdir(parents=True, exist_ok=True)
    FIGURES.unlink(missing_ok=True)
    with load(visitor, site, log=LOG, clients=CLIENTS, rate=RATE, messages=5 * SHARE) as started:
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
