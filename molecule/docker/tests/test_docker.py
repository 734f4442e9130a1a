"""Engines as the role promises them, asked themselves."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from testinfra.host import Host

SCENARIO = Path(__file__).parents[1]
OURS = ["docker-trixie", "docker-bookworm", "docker-repository"]
Connect = Callable[[str], Host]


def deploy(host: str, **variables: Any) -> subprocess.CompletedProcess[str]:
    """Run the scenario's playbook on one host."""
    inventories = [f"--inventory={SCENARIO.parent / 'shared/inventory'}", f"--inventory={SCENARIO / 'inventory'}"]
    command = ["ansible-playbook", *inventories, f"--limit={host}", f"--extra-vars={json.dumps(variables)}"]
    return subprocess.run([*command, str(SCENARIO / "converge.yml")], check=False, capture_output=True, text=True)


def engine(host: Host) -> dict[str, Any]:
    """What the engine says of itself."""
    said: dict[str, Any] = json.loads(host.check_output("docker info --format '{{ json . }}'"))
    return said


def started(host: Host) -> str:
    """When the engine was started last, by the number of that start."""
    return str(host.check_output("systemctl show --property=InvocationID --value docker"))


@pytest.mark.parametrize("name", [*OURS, "docker-operator"])
def test_compose_is_version_2(connect: Connect, name: str) -> None:
    host = connect(name)
    assert host.check_output("docker compose version --short").lstrip("v").startswith("2.")
    # It reads a file and asks the engine.
    stack = "services: {one: {image: none}}"
    host.check_output("mkdir -p /root/stack && printf %s > /root/stack/compose.yaml", stack)
    assert host.check_output("docker compose --project-directory /root/stack ps --quiet") == ""
    assert host.service("docker").is_enabled


@pytest.mark.parametrize("name", OURS)
def test_logs_are_bounded_and_containers_outlive_the_engine(connect: Connect, name: str) -> None:
    host = connect(name)
    said = engine(host)
    assert (said["LoggingDriver"], said["LiveRestoreEnabled"]) == ("local", True)
    configured = json.loads(host.file("/etc/docker/daemon.json").content_string)
    assert configured["log-opts"] == {"max-size": "20m", "max-file": "5"}


def test_debian_12_takes_nothing_but_compose_from_elsewhere(connect: Connect) -> None:
    host = connect("docker-bookworm")
    assert host.file("/etc/debian_version").content_string.startswith("12")
    policy = host.check_output("apt-cache policy docker-compose")
    assert "trixie/main" in policy
    assert host.check_output("apt-get --simulate --quiet=2 upgrade") == ""
    candidate = host.check_output("apt-cache policy docker.io git").splitlines()
    installable = [line.split()[-1] for line in candidate if "Candidate" in line]
    bookworm = host.check_output("apt-cache madison docker.io git").splitlines()
    assert {line.split("|")[1].strip() for line in bookworm if "bookworm" in line} >= set(installable)


def test_packages_of_the_repository_are_taken(connect: Connect) -> None:
    host = connect("docker-repository")
    for name in ("docker-ce", "docker-compose-plugin"):
        assert host.package(name).version == "5:99.0"


def test_an_operators_engine_is_left_alone(connect: Connect) -> None:
    host = connect("docker-operator")
    assert json.loads(host.file("/etc/docker/daemon.json").content_string) == {"log-driver": "journald"}
    before = started(host)
    assert "left as it is" in " ".join(deploy("docker-operator", docker_log_max_size="1m").stdout.split())
    assert started(host) == before
    assert engine(host)["LoggingDriver"] == "journald"


def test_a_wrong_setting_is_refused_and_a_right_one_is_in_force(connect: Connect) -> None:
    host = connect("docker-trixie")
    before, configured = started(host), host.file("/etc/docker/daemon.json").content_string
    refused = deploy("docker-trixie", docker_daemon_settings={"no-such-setting": True})
    assert refused.returncode != 0
    assert "no-such-setting" in refused.stdout
    assert host.file("/etc/docker/daemon.json").content_string == configured
    assert started(host) == before

    settings = {"docker_address_pools": [{"base": "10.211.0.0/16", "size": 24}]}
    assert deploy("docker-trixie", **settings).returncode == 0
    assert started(host) != before
    assert host.check_output("docker network create pool && docker network inspect pool --format '{{ json .IPAM }}'")
    subnet = host.check_output("docker network inspect pool --format '{{ (index .IPAM.Config 0).Subnet }}'")
    assert subnet.startswith("10.211.")
    again = deploy("docker-trixie", **settings)
    assert "changed=0" in again.stdout
