"""Fixtures of the tests of a site on one VM."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from behaviour.hosts import AsApplication, another_host, environment_of, variables_of, with_environment_of
from behaviour.visitor import Site
from testinfra.host import Host

# The application's names of the secrets, and the inventory's.
SECRETS = {
    "SECRET_KEY": "edusphere_secret_key",
    "DB_PASSWORD": "edusphere_database_password",
    "REDIS_PASSWORD": "edusphere_redis_password",
}


@pytest.fixture(scope="session")
def settings(groups: dict[str, list[str]]) -> dict[str, Any]:
    """What the inventory says of the site."""
    (name,) = groups["all"]
    return variables_of(name, "edusphere_domain", *SECRETS.values())


@pytest.fixture(scope="session")
def secrets(settings: dict[str, Any]) -> dict[str, str]:
    """The site's secrets by the names that the application knows them by."""
    return {name: settings[variable] for name, variable in SECRETS.items()}


@pytest.fixture(scope="session")
def site(settings: dict[str, Any], vm_address: str) -> Site:
    """The site, as visitors reach it."""
    return Site(f"http://{settings['edusphere_domain']}", vm_address)


@pytest.fixture(scope="session")
def neighbour() -> Iterator[Host]:
    """Another machine on the site's network."""
    with another_host() as host:
        yield host


@pytest.fixture
def live(vm: Host) -> dict[str, str]:
    """The host's own record of what serves: slot, release, version and since when."""
    return dict(json.loads(vm.file("/srv/edusphere/records/live.fact").content_string))


@pytest.fixture
def unit(live: dict[str, str]) -> str:
    """The systemd unit that serves."""
    return f"edusphere-backend@{live['slot']}.service"


@pytest.fixture
def main_pid(vm: Host, unit: str) -> int:
    """The first process of what serves."""
    return int(vm.check_output("systemctl show --property MainPID --value %s", unit))


@pytest.fixture
def environment(vm: Host, main_pid: int) -> dict[str, str]:
    """The environment of what serves, as the kernel has it."""
    return environment_of(vm, main_pid)


@pytest.fixture
def as_application(vm: Host, main_pid: int) -> AsApplication:
    """A function that runs a command on the host with the application's environment, for redis-cli and psql too."""
    return with_environment_of(vm, main_pid)
