"""Hosts that start from provisioned images become what bare ones become: packages, files, units, containers."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from behaviour.hosts import playbook, tasks
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
    "/var/tmp",  # noqa: S108 as above
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
    # accounts, in the order in which they were made; their list is compared
    "/etc/passwd",
    "/etc/group",
    "/etc/gshadow",
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
    # when units and containers were started
    "/var/lib/edusphere-platform",
    # what only the test bed has
    "/.dockerenv",
]
# What find passes over; the name of a link to a certificate is its digest.
PASSED_OVER = (
    f"\\( {' -o '.join(f'-path {path}' for path in LEFT_OUT)} \\) -prune"
    " -o -name '*.pyc' -o -name '*.log' -o -lname ssl-cert-snakeoil.pem"
)
# A compiler writes the names of its directories into what it makes.
COMPILED = "-path '*/psycopg2/*.so' -o -path '*/psycopg2-*/RECORD'"
# It has the host's address in it.
SITES_OF_NGINX = "/etc/nginx/sites-enabled/edusphere.conf /srv/edusphere/stack/nginx/site.conf"
# What systemd does at a machine's first start.
FIRST_START = "ldconfig|systemd-journal-catalog-update|systemd-sysusers|systemd-update-done"
SEEN = {
    "packages": "dpkg-query --show --showformat '${Package} ${Version} ${db:Status-Status}\\n'",
    "packages asked for": "apt-mark showmanual",
    # Their numbers are those that were free.
    "accounts": "getent passwd | cut -d: -f1,5-; getent group | cut -d: -f1,4",
    "files": f"find / -xdev {PASSED_OVER} -o -printf '%p %y %m %u %g %l\\n'",
    "contents": f"find / -xdev {PASSED_OVER} -o {COMPILED} -o -path /etc/nginx/sites-enabled -prune"
    " -o -path /srv/edusphere/stack/nginx/site.conf -o -type f -exec sha256sum {} +",
    "sites": f"cat $(ls {SITES_OF_NGINX} 2>/dev/null) | sed '/set_real_ip_from/d'",
    "unit files": "systemctl list-unit-files --no-legend --plain",
    "units": "systemctl list-units --all --no-legend --plain --type=service,socket,timer"
    f" | grep --extended-regexp --invert-match '^({FIRST_START})\\.service'",
}
CONTAINERS = (
    "docker ps --all --format '{{.Label \"com.docker.compose.service\"}} {{.State}} {{.Ports}}';"
    " docker ps --all --quiet"
    " | xargs docker inspect --format '{{range .Mounts}}{{println $.Name .Type .Source .Destination .RW}}{{end}}';"
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
    # The front trusts the edge by its address, which the image's host had another of.
    assert tasks(said["deployed"], "changed") <= {"nginx : Configure nginx", "nginx : Run nginx with its configuration"}
    return {start: seen(connect(name), mode) for start, name in names.items()}


@pytest.mark.parametrize("start", STARTS)
def test_no_difference(found: dict[str, dict[str, set[str]]], start: str) -> None:
    differences = {
        kind: {"only bare": sorted(lines - found[start][kind]), f"only {start}": sorted(found[start][kind] - lines)}
        for kind, lines in found["bare"].items()
        if lines != found[start][kind]
    }
    assert differences == {}
