"""Hosts that start from provisioned images become what bare ones become: packages, files, units, containers."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from behaviour.hosts import playbook
from testinfra.host import Host

SITES = Path(os.environ["MOLECULE_SCENARIO_DIRECTORY"]) / "sites"
STARTS = ["installed", "deployed"]
# What is different on any two hosts, by path:
LEFT_OUT = [
    # what no disk has
    "/proc",
    "/sys",
    "/run",
    "/tmp",  # noqa: S108 it is looked at, on a host
    "/dev",
    # the engine's own data, which the containers' list stands for; the databases' data
    "/var/lib/docker",
    "/var/lib/containerd",
    "/var/lib/postgresql",
    "/var/lib/redis",
    # logs and caches, and what apt and dpkg remember of when they did what
    "/var/log",
    "/var/cache",
    "/var/backups",
    "/var/lib/apt",
    "/var/lib/dpkg",
    "/var/lib/systemd",
    "/var/lib/private",
    "/var/spool",
    "/root",
    "/home",
    # names, keys and certificates that each host makes for itself
    "/etc/machine-id",
    "/etc/hostname",
    "/etc/hosts",
    "/etc/resolv.conf",
    "/etc/mtab",
    "/etc/.updated",
    "/var/.updated",
    "/var/lib/dbus",
    "/etc/ssl/private/ssl-cert-snakeoil.key",
    "/etc/ssl/certs/ssl-cert-snakeoil.pem",
    "/etc/docker/key.json",
    # accounts' dates of creation
    "/etc/shadow",
    "/etc/shadow-",
    "/etc/passwd-",
    "/etc/group-",
    "/etc/gshadow-",
    "/etc/subuid-",
    "/etc/subgid-",
    # the site's records, which have moments in them, and the build's working directory
    "/srv/edusphere/records",
    "/srv/edusphere/build",
    # what only the test bed has
    "/.dockerenv",
]
# What find passes over.
PASSED_OVER = f"\\( {' -o '.join(f'-path {path}' for path in LEFT_OUT)} \\) -prune -o -name '*.pyc' -o -name '*.log'"
SEEN = {
    "packages": "dpkg-query --show --showformat '${Package} ${Version} ${db:Status-Status}\\n'",
    "packages asked for": "apt-mark showmanual",
    "files": f"find / -xdev {PASSED_OVER} -o -printf '%p %y %m %u %g %l\\n'",
    "contents": f"find / -xdev {PASSED_OVER} -o -type f -exec sha256sum {{}} +",
    "unit files": "systemctl list-unit-files --no-legend --plain",
    "units": "systemctl list-units --all --no-legend --plain --type=service,socket,timer",
}
CONTAINERS = (
    "docker ps --all --format '{{.Label \"com.docker.compose.service\"}} {{.State}} {{.Ports}} {{.Mounts}}';"
    " docker network ls --format '{{.Name}} {{.Driver}}';"
    " docker volume ls --quiet --filter label=com.docker.compose.project"
)


def seen(host: Host, mode: str) -> dict[str, set[str]]:
    """What there is on a host, by kind, in lines."""
    questions = SEEN | ({"containers": CONTAINERS} if mode == "compose" else {})
    return {kind: set(host.check_output(question).splitlines()) for kind, question in questions.items()}


def converge(name: str) -> str:
    """Have a host of its own site be what the inventory says; what the run said."""
    return playbook(f"--inventory={SITES / name}.yml", f"--limit={name}").stdout


@pytest.fixture(scope="module", params=["native", "compose"])
def mode(request: pytest.FixtureRequest) -> str:
    """How the sites run."""
    return str(request.param)


@pytest.fixture(scope="module")
def found(mode: str, connect: Callable[[str], Host]) -> dict[str, dict[str, set[str]]]:
    """What there is on each of the hosts when site.yml has run on it, by what it started from."""
    names = {start: f"provisioned-{mode}-{start}" for start in ["bare", *STARTS]}
    with ThreadPoolExecutor() as pool:
        said = dict(zip(names, pool.map(converge, names.values()), strict=True))
    assert re.search(r"changed=0 ", said["deployed"]), said["deployed"][-4000:]
    assert not re.search(r"changed=0 ", said["installed"])
    return {start: seen(connect(name), mode) for start, name in names.items()}


@pytest.mark.parametrize("start", STARTS)
def test_no_difference(found: dict[str, dict[str, set[str]]], start: str) -> None:
    differences = {
        kind: {"only bare": sorted(lines - found[start][kind]), f"only {start}": sorted(found[start][kind] - lines)}
        for kind, lines in found["bare"].items()
        if lines != found[start][kind]
    }
    assert differences == {}
