# Copyright: (c) 2026, EduSphere platform contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a host says of itself in answer to preflight's survey script."""

from __future__ import annotations

import json
import posixpath
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

# Lines of /etc/passwd and /etc/group without the password; those of NIS (+) have no numbers.
ACCOUNT = r"[^:]+:[0-9]+:[0-9]+:[^:]*:[^:]*:[^:]*"
GROUP = r"[^:]+:[0-9]+:[^:]*"
# What comes before a mount point whose storage did not answer.
SILENT = "silent "
# The directory of a slot, as its unit says it.
SLOT = r"(/.+)/slots/(?:%i|[ab])"
# What every record of a site has.
ALWAYS = ("edusphere_name", "edusphere_mode")
# A line of an environment file, as the filter env_file writes it.
ASSIGNED = r'(\w+)="(.*)"'


@dataclass(frozen=True)
class Listener:
    """A TCP port that something on the host listens on."""

    port: int
    user: str
    """Whose socket it is."""
    process: str
    """The program's name; empty where the host does not tell."""


@dataclass(frozen=True)
class Account:
    """A local account."""

    name: str
    uid: int
    gid: int
    comment: str
    home: str
    shell: str
    """Empty for /bin/sh."""


@dataclass(frozen=True)
class Group:
    """A local group."""

    name: str
    gid: int
    members: tuple[str, ...]
    """Those that it is a further group of."""


@dataclass(frozen=True)
class WebSite:
    """A file that nginx reads, with all of its servers."""

    file: str
    listens: tuple[str, ...] = ()
    """The addresses and ports of its listen directives."""
    defaults: tuple[str, ...] = ()
    """Those that it is the default server of."""
    names: tuple[str, ...] = ()
    """Its servers' names, in lower case."""
    sample: bool = False
    """Whether it is the distribution's sample, as the package brought it."""


@dataclass(frozen=True)
class Redis:
    """A configuration file of Redis."""

    file: str
    port: int
    ours: bool
    """Whether the platform has written it."""


@dataclass(frozen=True)
class Cluster:
    """A PostgreSQL cluster."""

    version: str
    name: str
    port: int


@dataclass(frozen=True)
class Survey:
    """A host, as far as it can be seen without Python and, where it must be, without root's rights."""

    user: str
    root: str
    """``yes``, ``sudo`` (without a password), ``password``, ``no``, or ``silent`` where sudo did not answer."""
    os: dict[str, str]
    """os-release."""
    architecture: str
    systemd: bool
    python3: bool
    memory_mb: int
    disks: dict[str, int]
    """Mount point to free MiB."""
    links: dict[str, str]
    """Symbolic links in / and in directories that sites are put in, as deep as a site's own, and where they lead."""
    address: str
    """Of the default IPv4 route; empty without one."""
    accounts: tuple[Account, ...]
    groups: tuple[Group, ...]
    listeners: tuple[Listener, ...]
    compose: str = ""
    """The version of Compose that ``docker compose`` runs; empty without one."""
    compose_package: str = ""
    """The version of the distribution's package docker-compose; empty where it is not installed."""
    databases: dict[str, str] = field(default_factory=dict)
    """Compose projects that have a database, and the image that it was made of."""
    web_sites: tuple[WebSite, ...] = ()
    """What nginx serves, without what Compose runs."""
    redis: tuple[Redis, ...] = ()
    clusters: tuple[Cluster, ...] = ()
    published: tuple[tuple[str, int], ...] = ()
    """Compose projects, and a port that each of them publishes."""
    filter: tuple[str, ...] = ()
    """The packet filter's rules, as nft lists them."""
    silent: tuple[str, ...] = ()
    """The questions that were not answered in time."""
    silent_mounts: tuple[str, ...] = ()
    """Mount points whose storage did not answer in time."""
    sites: tuple[Mapping[str, Any], ...] = ()
    """Of each site with a live release, the settings that it was deployed with, as far as they can be known. Beside
    them ``own_database``, where there is no record: whether its database is on the same host."""

    def mount(self, path: str) -> str:
        """The mount point that ``path`` is or will be on."""
        above = [str(directory) for directory in (PurePosixPath(path), *PurePosixPath(path).parents)]
        return next(
            (directory for directory in above if directory in self.disks or directory in self.silent_mounts), "/"
        )

    def free_mb(self, path: str) -> tuple[str, int]:
        """The mount point that ``path`` is or will be on, and its free MiB."""
        mount = self.mount(path)
        return mount, self.disks.get(mount, 0)

    def silent_at(self, path: str) -> tuple[str, ...]:
        """The mount points without an answer that ``path`` is on, or that are in it."""
        on = self.mount(path)
        return tuple(mount for mount in self.silent_mounts if mount == on or PurePosixPath(mount).is_relative_to(path))

    def real(self, path: str) -> str:
        """Where ``path``, an absolute one, really is, as far as the links are known."""
        seen: set[str] = set()
        while (link := self._link(path)) and link not in seen:
            seen.add(link)
            rest = posixpath.relpath(path, link)
            path = posixpath.normpath(posixpath.join(posixpath.dirname(link), self.links[link], rest))
        return path

    def _link(self, path: str) -> str:
        """The link that ``path`` is or leads through; empty without one."""
        above = (path, *map(str, PurePosixPath(path).parents))
        return next((place for place in above if place in self.links), "")


def parse(text: str) -> Survey:
    """The survey in the script's output ``text``; ValueError when it is not all there."""
    sections = _sections(text)
    if "end" not in sections:
        raise ValueError("the survey ended early")

    def first(name: str) -> str:
        return sections[name][0].strip() if sections[name] else ""

    memory = re.search(r"(\d+) kB", first("memory"))
    address = re.search(r"\bsrc ([0-9.]+)", first("address"))
    package = first("compose_package").split()
    return Survey(
        user=first("user"),
        root=first("root"),
        os=dict(_assignment(line) for line in sections["os"] if "=" in line and not line.startswith("#")),
        architecture=first("machine"),
        systemd=first("systemd") == "yes",
        python3=bool(first("python3")),
        memory_mb=int(memory[1]) // 1024 if memory else 0,
        disks=dict(_disk(line) for line in sections["disks"] if re.search(r" \d+% ", line)),
        links=dict(line.split(" ", 1) for line in sections["links"] if " " in line),
        address=address[1] if address else "",
        accounts=tuple(_account(line) for line in sections["accounts"] if re.fullmatch(ACCOUNT, line.strip())),
        groups=tuple(_group(line) for line in sections["groups"] if re.fullmatch(GROUP, line.strip())),
        listeners=_listeners(sections),
        compose=first("compose"),
        compose_package=package[1] if package[:1] == ["installed"] else "",
        databases=dict(line.split() for line in sections["databases"] if len(line.split()) == 2),
        web_sites=_web_sites(sections.get("nginx", [])),
        redis=_redis(sections.get("redis", [])),
        clusters=tuple(
            Cluster(words[0], words[1], int(words[2]))
            for line in sections.get("clusters", [])
            if len(words := line.split()) > 2 and words[2].isdigit()
        ),
        filter=tuple(sections.get("filter", [])),
        published=_published(sections.get("published", [])),
        silent=tuple(line.strip() for line in sections["silent"]),
        # Something may be mounted twice at one place.
        silent_mounts=tuple(
            dict.fromkeys(line[len(SILENT) :] for line in sections["disks"] if line.startswith(SILENT))
        ),
        sites=_sites(sections),
    )


def _sections(text: str) -> dict[str, list[str]]:
    sections: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in text.replace("\r", "").splitlines():
        if line.startswith("@@ "):
            lines = sections.setdefault(line[3:].strip(), [])
        else:
            lines.append(line)
    return sections


def _assignment(line: str) -> tuple[str, str]:
    key, value = line.split("=", 1)
    return key, " ".join(shlex.split(value))


def _disk(line: str) -> tuple[str, int]:
    # Filesystem, blocks, used, available, capacity, mount point; the last one may have spaces.
    words = line.split(maxsplit=5)
    return words[5], int(words[3]) // 1024


def _account(line: str) -> Account:
    name, uid, gid, comment, home, shell = line.strip().split(":")
    return Account(name, int(uid), int(gid), comment, home, shell)


def _group(line: str) -> Group:
    name, gid, members = line.strip().split(":")
    return Group(name, int(gid), tuple(filter(None, members.split(","))))


def _listeners(sections: dict[str, list[str]]) -> tuple[Listener, ...]:
    users: dict[str, str] = {}
    for line in sections["accounts"]:
        name, number = line.strip().split(":")[:2]
        users.setdefault(number, name)
    processes = {}
    for line in sections["processes"]:
        # LISTEN 0 511 0.0.0.0:80 0.0.0.0:* users:(("nginx",pid=7,fd=6),("nginx",pid=8,fd=6))
        words = line.split()
        program = re.search(r'users:\(\("([^"]*)"', line)
        if len(words) > 3 and program:
            processes[int(words[3].rpartition(":")[2])] = program[1]
    found = {}
    for line in sections["listeners"]:
        # 0: 0100007F:1538 00000000:0000 0A 00000000:00000000 00:00000000 00000000 106 …
        words = line.split()
        port = int(words[1].rpartition(":")[2], 16)
        found[port] = Listener(port, users.get(words[7], words[7]), processes.get(port, ""))
    return tuple(found[port] for port in sorted(found))


def _web_sites(lines: Sequence[str]) -> tuple[WebSite, ...]:
    """Lines of a file and one of its directives; the distribution's sample has a line of its own."""
    found: dict[str, dict[str, list[str]]] = {}
    samples: set[str] = set()
    for line in lines:
        # /etc/nginx/sites-enabled/shop.conf listen [::]:80 default_server
        file, directive, *words = (*line.split(), "", "")
        words = [word for word in words if word]
        if directive == "sample":
            samples.add(file)
        elif directive == "listen" and words:
            site = found.setdefault(file, {})
            site.setdefault("listens", []).append(words[0])
            if {"default_server", "default"} & {*words[1:]}:
                site.setdefault("defaults", []).append(words[0])
        elif directive == "server_name":
            found.setdefault(file, {}).setdefault("names", []).extend(word.strip("\"'").lower() for word in words)
    return tuple(
        WebSite(file, sample=file in samples, **{name: tuple(values) for name, values in site.items()})
        for file, site in found.items()
    )


def _redis(lines: Sequence[str]) -> tuple[Redis, ...]:
    """The first line of each file, and those that say its port."""
    ours: set[str] = set()
    ports: dict[str, int] = {}
    for line in lines:
        # /etc/redis/redis.conf # Ansible managed
        file, _space, text = line.strip().partition(" ")
        words = text.split()
        if text.startswith("# Ansible managed"):
            ours.add(file)
        elif words[:1] == ["port"] and len(words) > 1 and words[1].isdigit():
            ports[file] = int(words[1])
    return tuple(Redis(file, port, file in ours) for file, port in ports.items())


def _published(lines: Sequence[str]) -> tuple[tuple[str, int], ...]:
    """Lines of a project and its container's ports, as docker ps has them."""
    found = []
    for line in lines:
        # shop 0.0.0.0:80->80/tcp, [::]:80->80/tcp, 0.0.0.0:8000-8001->8000-8001/tcp
        stack, _space, ports = line.strip().partition(" ")
        for first, last in re.findall(r":(\d+)(?:-(\d+))?->", ports):
            found += [(stack, port) for port in range(int(first), int(last or first) + 1)]
    return tuple(dict.fromkeys(found))


def _sites(sections: Mapping[str, Sequence[str]]) -> tuple[Mapping[str, Any], ...]:
    """The sites by their records, and those without a whole one by their units and containers."""
    sites = {}
    databases = _databases(sections["environments"])
    for found in (*_units(sections["units"], databases), *_stacks(sections["stacks"], databases)):
        sites[found["edusphere_name"]] = found
    for line in sections["records"]:
        try:
            record = json.loads(line)
        except ValueError:
            continue  # The machine lost its power while it was written.
        if isinstance(record, dict) and all(isinstance(record.get(name), str) for name in ALWAYS):
            sites[record["edusphere_name"]] = record
    return tuple(sites.values())


def _databases(lines: Sequence[str]) -> dict[str, dict[str, Any]]:
    """What environment files say of the application's database, by the files' paths."""
    names = {"DB_NAME": "edusphere_database_name", "DB_USER": "edusphere_database_user"}
    found: dict[str, dict[str, Any]] = {}
    for line in lines:
        # /etc/edusphere/slot-a.env:DB_NAME="coredb"
        path, _colon, assignment = line.strip().partition(":")
        if match := re.fullmatch(ASSIGNED, assignment):
            name, value = match[1], re.sub(r"\\(.)", r"\1", match[2])
            if name in names:
                found.setdefault(path, {})[names[name]] = value
            elif name == "DB_HOST":
                found.setdefault(path, {})["own_database"] = value in ("127.0.0.1", "postgres")
    return found


def _units(lines: Sequence[str], databases: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The sites that have a backend in an enabled unit, which only a live release has."""
    units: dict[str, dict[str, str]] = {}
    for line in lines:
        # /etc/systemd/system/multi-user.target.wants/edusphere-backend@a.service:User=edusphere
        path, _colon, assignment = line.strip().partition(":")
        key, _equals, value = assignment.partition("=")
        units.setdefault(PurePosixPath(path).name, {})[key] = value
    found = []
    for unit, values in units.items():
        name, _at, instance = unit.partition("-backend@")
        slot = re.fullmatch(SLOT, values.get("WorkingDirectory", ""))
        if name and slot:
            site = {
                "edusphere_name": name,
                "edusphere_mode": "native",
                "edusphere_root": slot[1],
                "edusphere_user": values.get("User", ""),
                "edusphere_group": values.get("Group", ""),
            }
            environment = values.get("EnvironmentFile", "").replace("%i", instance.removesuffix(".service"))
            found.append({**site, **databases.get(environment, {})})
    return found


def _stacks(lines: Sequence[str], databases: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The sites that have a backend in a container, and a live release by their records."""
    found = []
    for line in lines:
        # edusphere /srv/edusphere/stack
        name, _space, stack = line.strip().partition(" ")
        if name and stack.endswith("/stack"):
            site = {
                "edusphere_name": name,
                "edusphere_mode": "compose",
                "edusphere_root": stack.removesuffix("/stack"),
            }
            found.append({**site, **databases.get(f"{stack}/.env.docker", {})})
    return found
