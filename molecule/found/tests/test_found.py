"""A site comes up on a host as it is found, leaves what is not its own, and shares the host with a second site."""

from __future__ import annotations

import json
from typing import Any

import pytest
from behaviour.hosts import playbook
from behaviour.platforms import Platform, Stack
from behaviour.visitor import Site
from testinfra.host import Host

NAME = {"edusphere_name": "learn", "edusphere_domain": "learn.test"}
# What a host has once, as preflight asks for it. Of its application the backend is enough.
SECOND: dict[str, dict[str, Any]] = {
    "native": {
        "edusphere_front_port": 8001,
        "edusphere_database_port": 5433,
        "postgresql_cluster": "learn",
        "edusphere_redis_port": 6381,
    },
    "compose": {"edusphere_http_port": 8080},
}
MAIN_PROCESSES = (
    "systemctl show --property=MainPID --value nginx redis-server redis-server@edusphere 'postgresql@*-main'"
)
CONTAINERS = "docker ps --quiet --no-trunc --filter label=com.docker.compose.project=edusphere"


def others(mode: str) -> dict[str, Any]:
    """The settings of the second site."""
    return {**NAME, **SECOND[mode], "edusphere_app_frontend": False}


def said_of(values: dict[str, Any]) -> str:
    """What preflight says of a site that it refuses."""
    run = playbook(f"--extra-vars={json.dumps(values)}", name="playbooks/preflight.yml", check=False)
    assert run.returncode != 0
    return " ".join(run.stdout.split())


def kept(vm: Host, platform: Platform) -> str:
    """What runs of the first site, by its number."""
    return str(vm.check_output(CONTAINERS if isinstance(platform, Stack) else MAIN_PROCESSES))


@pytest.fixture
def mode(settings: dict[str, Any]) -> str:
    """How the host's sites run."""
    return str(settings["edusphere_mode"])


@pytest.fixture
def second(mode: str, vm_address: str) -> Site:
    """The second site, as visitors reach it."""
    return Site("http://learn.test" if mode == "native" else "http://learn.test:8080", vm_address)


def test_the_site_is_there(site: Site) -> None:
    assert site.get("/api/health/ready/").status_code == 200
    assert site.get("/").status_code == 200


def test_what_was_there_is_left(vm: Host, mode: str, vm_address: str) -> None:
    assert vm.user("debian").shell == "/bin/bash"
    assert "policy drop" in vm.check_output("nft list table inet operator")
    assert vm.file("/usr/local/bin/python3.13").exists
    if mode == "native":
        assert Site("http://own.test", vm_address).get("/").text == "own"
        # Of what is no site's name, it is the operator's to say where it goes.
        assert Site("http://nobody.test", vm_address).get("/").text == "own"
        assert vm.check_output("redis-cli -p 6379 PING") == "PONG"
        assert vm.service("redis-server").is_enabled


def test_modes_depend_on_no_umask(vm: Host, mode: str) -> None:
    """The build account runs what root installs, and everybody may look into what is public."""
    places = "/srv/edusphere /etc/edusphere" + (" /usr/local/lib/edusphere-uv" if mode == "native" else "")
    assert vm.check_output(f"find {places} -maxdepth 0 ! -perm -0005") == ""


def test_status_names_held_packages() -> None:
    assert "Held nftables: no security updates" in " ".join(playbook(name="playbooks/status.yml").stdout.split())


def test_an_account_of_somebodys_is_refused() -> None:
    assert "debian" in said_of({"edusphere_name": "debian"})


def test_what_two_sites_cannot_share_is_named(mode: str) -> None:
    said = said_of(NAME)
    names = (
        SECOND[mode] if mode == "compose" else ["edusphere_front_port", "edusphere_redis_port", "postgresql_cluster"]
    )
    assert [name for name in names if name not in said] == []
    if mode == "native":
        assert "/etc/nginx/sites-enabled/default is nginx' default_server for port 80" in said


def test_a_second_site(vm: Host, platform: Platform, mode: str, site: Site, second: Site) -> None:
    """It comes up beside the first one, which is not touched, and goes again."""
    before = kept(vm, platform)
    values = f"--extra-vars={json.dumps(others(mode))}"
    playbook(values)
    for each in (site, second):
        assert each.get("/api/health/ready/").status_code == 200
    assert kept(vm, platform) == before
    # The first one's own run finds nothing to do in it.
    recap = playbook().stdout
    assert "changed=0" in recap, recap[-3000:]
    playbook(values, "--extra-vars=edusphere_teardown_data=learn", name="playbooks/teardown.yml")
    assert site.get("/api/health/ready/").status_code == 200
    assert site.get("/").status_code == 200
    assert kept(vm, platform) == before
    if mode == "native":
        # What is no site's any more is the operator's again.
        assert second.get("/").text == "own"
