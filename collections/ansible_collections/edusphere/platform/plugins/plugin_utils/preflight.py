# Copyright: (c) 2026, EduSphere platform contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What stands in the way of a site: its settings and its hosts, judged before anything is touched.

Every check is a generator of problems. A problem names the variable or the host, and what to do about it; it never
holds a secret's value. Settings that cannot be known yet (they are made of facts that have yet to be gathered) are not
in a host's settings, and no check complains of that.
"""

from __future__ import annotations

import functools
import ipaddress
import re
import signal
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path, PurePosixPath
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.edusphere.platform.plugins.filter.env_file import env_file
from ansible_collections.edusphere.platform.plugins.module_utils.archive import (
    NoArchiveError,
    RefusedError,
    judged,
    open_archive,
)
from ansible_collections.edusphere.platform.plugins.plugin_utils import (
    accounts,
    neighbours,
    orphans,
    package_manager,
    packet_filter,
    places,
    postgres_image,
)
from ansible_collections.edusphere.platform.plugins.plugin_utils.survey import Survey

GROUPS = ("edge", "app", "database", "cache")

TESTED_SYSTEMS = {("debian", "12"), ("debian", "13")}
UNTESTED_SYSTEMS = {("ubuntu", "22.04"), ("ubuntu", "24.04")}
# Those whose own nginx or Redis is older than what the configurations need: ssl_reject_handshake came with nginx
# 1.19.4, "bind … -::1" with Redis 6.2. Ubuntu 22.04 has 1.18 and 6.0. Containers bring theirs along.
TOO_OLD_SYSTEMS = {("ubuntu", "22.04")}

# The shortest SECRET_KEY that passes Django's own deployment check (security.W009), which is content with five
# different characters.
SECRET_KEY_LENGTH = 50
SECRET_KEY_CHARACTERS = 10
PASSWORD_LENGTH = 12
PASSWORD_CHARACTERS = 5

# What stands in examples for a secret to be made up. django-insecure- is what startproject writes.
PLACEHOLDERS = ("changeme", "change-me", "change_me", "replaceme", "replace-me", "replace_me", "django-insecure")

SECRETS = {
    "edusphere_secret_key": (SECRET_KEY_LENGTH, SECRET_KEY_CHARACTERS),
    "edusphere_database_password": (PASSWORD_LENGTH, PASSWORD_CHARACTERS),
    "edusphere_redis_password": (PASSWORD_LENGTH, PASSWORD_CHARACTERS),
}

# The domain of inventories/prod and inventories/staging, until an operator sets theirs.
PLACEHOLDER = "edusphere.example.org"
LOCAL_NAMES = ("localhost", "127.0.0.1")
# Directories of Debian's or of the platform's that have no account of their name.
TAKEN_NAMES = {"postgresql", "ssh"}

# Services of the stack, and units and programs that are named after the site.
TAKEN_PROCESSES = {"backend", "firewall", "frontend", "manage", "nginx", "postgres", "redis", "vite"}

# RFC 1123, section 2.1, and RFC 1035's limits of 63 and 253 characters.
LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
HOST_NAME = re.compile(rf"{LABEL}(?:\.{LABEL})*")

# A dotted Python module.
MODULE = r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*"

# What locks the dependencies of the pyproject.toml beside it.
LOCKS = ("uv.lock", "poetry.lock")


@dataclass(frozen=True)
class Host:
    """One host of the run."""

    name: str
    settings: Mapping[str, Any]
    """The settings that are known and of the right type."""
    problems: Sequence[str] = ()
    """What is wrong with the settings' types and templates."""
    survey: Survey | None = None
    unreachable: str = ""
    """Why there is no survey."""
    becomes: bool = True
    """Whether the play's tasks become root on it by sudo with a password that the operator gives."""


@dataclass(frozen=True)
class Repository:
    """A git repository, as the control node sees it."""

    names: frozenset[str] | None
    """Its branches and tags, by their short names and whole (refs/tags/v1); None where it could not be asked."""
    error: str = ""
    """Why it could not."""


@dataclass(frozen=True)
class Site:
    """All that is judged."""

    hosts: Sequence[Host]
    """Those of the run."""
    groups: Mapping[str, Sequence[str]]
    """The inventory's groups, whole."""
    minimum_disk_mb: int
    minimum_memory_mb: int
    files: Mapping[str, bytes] = field(default_factory=dict)
    """Contents of the certificate and key files by path, decrypted; a file that cannot be read is missing."""
    repositories: Mapping[str, Repository] = field(default_factory=dict)
    """The repositories that the settings name, by their addresses."""


def judge(site: Site) -> tuple[list[str], list[str]]:
    """All problems, and all notices, of a site."""
    problems: dict[str, list[str]] = {}
    for host in site.hosts:
        for problem in (*host.problems, *_settings(site, host.settings), *_orphans(site, host)):
            problems.setdefault(problem, []).append(host.name)
    told = [
        # A mistake that all hosts share is the site's.
        problem if len(names) == len(site.hosts) else f"{problem} (on {', '.join(names)})"
        for problem, names in problems.items()
    ]
    told += _topology(site)
    for host in site.hosts:
        told += _host(site, host)
    told += _between_hosts(site)
    told += orphans.moved({host.name: (host.settings, host.survey) for host in site.hosts}, site.groups)
    return list(dict.fromkeys(told)), list(_notices(site))


def _orphans(site: Site, host: Host) -> Iterator[str]:
    """The settings whose change would part the site from its data."""
    if host.survey is not None:
        groups = [group for group in GROUPS if host.name in site.groups.get(group, [])]
        yield from orphans.changed(host.settings, host.survey, groups)


def judge_removal(hosts: Sequence[Host]) -> list[str]:
    """What would be removed with a site, on the hosts that answer, and is not the site's."""
    return [
        f"host {host.name}: {problem}"
        for host in hosts
        if host.survey is not None
        for problem in (
            *places.removed(host.settings, host.survey.real),
            *accounts.removed(host.settings, host.survey),
        )
    ]


def _settings(site: Site, settings: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with the settings alone."""
    yield from _identity(settings)
    yield from accounts.well_named(settings)
    yield from _secrets(settings)
    yield from _application(settings)
    if site.groups.get("database"):
        yield from _database_image(settings)
    yield from _commands(settings)
    yield from _processes(settings)
    yield from _source(settings, site.repositories)
    yield from places.in_release(settings)
    yield from places.well_formed(settings)
    yield from places.on_host(settings)
    yield from _prefixes(settings)
    yield from _tls(settings, site.files)
    yield from _authorities(settings, site.files)
    yield from _hooks(settings)


def _identity(settings: Mapping[str, Any]) -> Iterator[str]:
    name = settings.get("edusphere_name")
    if name is not None and not re.fullmatch(r"[a-z][a-z0-9-]{0,22}[a-z0-9]", name):
        yield (
            f"edusphere_name: {name!r} names an account, units and directories: "
            "use 2 to 24 lower-case letters, digits and hyphens, a letter first"
        )
    elif name in TAKEN_NAMES | accounts.TAKEN:
        yield f"edusphere_name: {name!r} is the name of something else on the hosts; choose another"
    if "edusphere_domain" in settings:
        yield from _domain("edusphere_domain", settings["edusphere_domain"], settings)
    for alias in settings.get("edusphere_domain_aliases", []):
        if alias == settings.get("edusphere_domain"):
            yield f"edusphere_domain_aliases: {alias!r} is edusphere_domain already; remove it"
        else:
            yield from _domain("edusphere_domain_aliases", alias, settings)
    yield from _public_url(settings)
    address = settings.get("edusphere_private_address")
    if address is not None and not _is_address(address):
        yield f"edusphere_private_address: {address!r} is no IP address"


def _domain(name: str, domain: str, settings: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with a name of the site."""
    if no_tls := list(_without_tls(name, domain, settings)):
        yield from no_tls
    elif not is_host_name(domain):
        yield (
            f"{name}: {domain!r} is no host name; "
            "give a name such as learn.example.org, 'localhost' or an IPv4 address, without scheme and port"
        )


def _without_tls(name: str, host: str, settings: Mapping[str, Any]) -> Iterator[str]:
    """An address has no TLS: clients may not send one as a server's name (RFC 6066, section 3)."""
    if settings.get("edusphere_tls", "off") != "off" and _is_address(host.strip("[]")):
        yield (
            f"{name}: {host!r} is an address, for which clients send no server name (SNI), so TLS is refused; "
            "give a host name, or set edusphere_tls to 'off'"
        )


def _public_url(settings: Mapping[str, Any]) -> Iterator[str]:
    url = settings.get("edusphere_public_url")
    # Of a domain that is wrong it is made.
    if url is None or not is_host_name(settings.get("edusphere_domain", "")):
        return
    if not re.fullmatch(r"https?://[^\s/?#]+", url):
        yield f"edusphere_public_url: {url!r} must be a scheme, a host and perhaps a port, without a slash at the end"
        return
    host = re.sub(r"^https?://|:[0-9]+$", "", url)
    # Of a domain that is an address it is made as well.
    if host != settings["edusphere_domain"]:
        yield from _without_tls("edusphere_public_url", host, settings)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _application(settings: Mapping[str, Any]) -> Iterator[str]:
    for name, form in (("edusphere_app_settings_module", MODULE), ("edusphere_app_asgi", rf"{MODULE}:[A-Za-z_][\w.]*")):
        if name in settings and not re.fullmatch(form, settings[name]):
            yield f"{name}: {settings[name]!r} is no Python module{':attribute' if name.endswith('asgi') else ''}"
    for module, text in settings.get("edusphere_app_overlay_modules", {}).items():
        if not re.fullmatch(MODULE, module) or not isinstance(text, str):
            yield f"edusphere_app_overlay_modules: {module!r} must be a Python module's name, with its source as text"
    for replacement in settings.get("edusphere_app_frontend_replacements", []):
        if not _compiles(replacement["regexp"]):
            yield f"edusphere_app_frontend_replacements: {replacement['regexp']!r} is no regular expression"
    memory = settings.get("edusphere_backend_memory_max", "")
    if memory.endswith("%") and settings.get("edusphere_mode") == "compose":
        yield f"edusphere_backend_memory_max: {memory} is for mode native; give a container a size, such as 2G"
    expected = settings.get("edusphere_app_readiness_expect")
    if expected is not None and not _compiles(expected):
        yield f"edusphere_app_readiness_expect: {expected!r} is no regular expression"
    host = settings.get("edusphere_app_health_host")
    if host not in (None, settings.get("edusphere_domain")) and not is_host_name(re.sub(r":[0-9]+$", "", host)):
        yield f"edusphere_app_health_host: {host!r} is no host name, with a port or without"
    for name in ("edusphere_app_liveness_path", "edusphere_app_readiness_path"):
        if name in settings and not str(settings[name]).startswith("/"):
            yield f"{name}: {settings[name]!r} must start with a slash"
    yield from package_manager.setting_problems(settings.get("edusphere_app_package_manager_version", ""))


def _database_image(settings: Mapping[str, Any]) -> Iterator[str]:
    if settings.get("edusphere_mode") != "compose" or "edusphere_image_postgres" not in settings:
        return
    try:
        postgres_image.volume(settings["edusphere_image_postgres"])
    except ValueError as error:
        yield f"edusphere_image_postgres: {error}"


def _commands(settings: Mapping[str, Any]) -> Iterator[str]:
    for name in ("edusphere_app_build_commands", "edusphere_app_release_commands"):
        for command in settings.get(name, []):
            yield from (f"{name}: {problem}" for problem in _command(command))
    for command in settings.get("edusphere_app_release_commands", []):
        if command and command[0] in ("python", "python3", "manage.py"):
            yield f"edusphere_app_release_commands: {command[0]!r} is understood; begin with the command of manage.py"
    if settings.get("edusphere_app_build_commands") and (
        settings.get("edusphere_app_source_type") == "image"
        or (settings.get("edusphere_mode") == "compose" and settings.get("edusphere_app_dockerfile"))
    ):
        yield "edusphere_app_build_commands: has no effect on a backend that is not built here; set it to []"


def _command(command: Any) -> Iterator[str]:
    """What is wrong with a command that is a list of words."""
    if not command or not all(isinstance(word, str) and "\n" not in word and "\0" not in word for word in command):
        yield f"{command!r} is no command; write it as a list of words, each of them text in one line"
    elif len(command) == 1 and " " in command[0]:
        yield f"{command[0]!r} is one word; write the command as a list of words"


def _processes(settings: Mapping[str, Any]) -> Iterator[str]:
    seen: set[str] = set()
    for given in settings.get("edusphere_app_processes", []):
        # Ansible's validator makes None of what is not given.
        process = {key: value for key, value in given.items() if value is not None}
        name = process["name"]
        where = f"edusphere_app_processes: {name!r}"
        if not re.fullmatch(r"[a-z][a-z0-9-]{0,30}[a-z0-9]", name):
            yield f"{where} names a unit or a container: use 2 to 32 lower-case letters, digits and hyphens"
        elif name in TAKEN_PROCESSES:
            yield f"{where} is the platform's own; choose another name"
        elif name in seen:
            yield f"{where} is there twice; give each process a name of its own"
        seen.add(name)
        yield from (f"{where}: command: {problem}" for problem in _command(process["command"]))
        if not re.fullmatch(r"(?:/[\w.+-]+)+|[\w.+-]+", (process["command"] or [""])[0]):
            yield f"{where}: command: its first word is a program's name in the release's environment, or a path from /"
        if process.get("health"):
            yield from (f"{where}: health: {problem}" for problem in _command(process["health"]))
        if process.get("stop_signal", "SIGTERM") not in signal.Signals.__members__:
            yield f"{where}: stop_signal: {process['stop_signal']!r} is no signal, such as SIGTERM"
        try:
            env_file(process.get("environment", {}))
        except AnsibleFilterError as error:
            yield f"{where}: environment: {_reason(error)}"


def is_host_name(text: str) -> bool:
    """Whether ``text`` is a host name by RFC 1123 or an IPv4 address."""
    if not HOST_NAME.fullmatch(text) or len(text) > 253:
        return False
    # Then it can only be an address, https://url.spec.whatwg.org/#ends-in-a-number-checker
    if re.fullmatch(r"[0-9]+|0[xX][0-9A-Fa-f]*", text.rpartition(".")[2]):
        try:
            ipaddress.IPv4Address(text)
        except ValueError:
            return False
    return True


def _compiles(expression: str) -> bool:
    try:
        re.compile(expression)
    except re.error:
        return False
    return True


def _secrets(settings: Mapping[str, Any]) -> Iterator[str]:
    for name, (length, characters) in SECRETS.items():
        if name in settings:
            yield from _secret(name, settings[name], length, characters)
    forbid_dollar = settings.get("edusphere_app_forbid_leading_dollar", False)
    values = {name: settings[name] for name in SECRETS if name in settings}
    for group in ("edusphere_app_environment", "edusphere_app_secrets", "edusphere_app_frontend_environment"):
        for key, value in settings.get(group, {}).items():
            if group != "edusphere_app_frontend_environment":
                values[f"{group}.{key}"] = value
            try:
                env_file({key: value})
            except AnsibleFilterError as error:
                yield f"{group}: {_reason(error)}"
    for process in settings.get("edusphere_app_processes", []):
        for key, value in (process.get("environment") or {}).items():
            values[f"edusphere_app_processes: {process['name']!r}: environment.{key}"] = value
    for name, value in values.items():
        if forbid_dollar and str(value).startswith("$"):
            yield (
                f"{name}: begins with '$', which this application takes for a reference to another variable "
                "(edusphere_app_forbid_leading_dollar); choose another value"
            )


def _secret(name: str, value: str, length: int, characters: int) -> Iterator[str]:
    fix = f"generate one, for instance with `openssl rand -hex {length // 2 + 7}`, and keep it in the vault"
    try:
        env_file({name: value})
    except AnsibleFilterError as error:
        yield f"{_reason(error).replace(name, name + ':', 1)}; {fix}"
        return
    if not value:
        yield f"{name}: is empty; {fix}"
    elif any(placeholder in value.lower() for placeholder in PLACEHOLDERS):
        yield f"{name}: is still an example's placeholder; {fix}"
    elif len(value) < length:
        yield f"{name}: has {len(value)} characters and needs {length}; {fix}"
    elif len(set(value)) < characters:
        yield f"{name}: has only {len(set(value))} different characters and needs {characters}; {fix}"


def _reason(error: AnsibleFilterError) -> str:
    return str(error).partition(": ")[2]


def _source(settings: Mapping[str, Any], repositories: Mapping[str, Repository]) -> Iterator[str]:
    kind, source = settings.get("edusphere_app_source_type"), settings.get("edusphere_app_source")
    if source is None:
        return
    if not source:
        yield "edusphere_app_source: is empty; say where the application comes from"
    elif kind == "git":
        yield from _git(source, settings, repositories.get(source, Repository(None)))
    elif kind == "folder":
        yield from _folder(Path(source).expanduser(), settings)
    elif kind == "archive":
        yield from _archive(source, settings)
    elif kind == "image":
        yield from _image(source, settings)
    if settings.get("edusphere_mode") == "compose" and (
        kind == "image" or settings.get("edusphere_app_frontend_dockerfile")
    ):
        for name in ("edusphere_app_frontend_environment", "edusphere_app_frontend_replacements"):
            if settings.get(name):
                yield f"{name}: has no effect on a frontend that is not built here; set it to nothing, or build it here"


def _image(source: str, settings: Mapping[str, Any]) -> Iterator[str]:
    if settings.get("edusphere_mode") == "native":
        yield "edusphere_app_source_type: an image runs in Compose mode only; set edusphere_mode to 'compose'"
    if settings.get("edusphere_environment") == "development":
        yield "edusphere_app_source_type: an image has no sources to edit; name a source, or set edusphere_environment"
    # https://github.com/distribution/reference/blob/main/reference.go
    if not re.fullmatch(r"[a-z0-9][\w.:/-]*@sha256:[0-9a-f]{64}", source):
        yield (
            f"edusphere_app_source: {source!r} is no image with its digest, such as "
            "registry.example.org/learn@sha256:… with 64 hexadecimal digits; "
            "`docker buildx imagetools inspect NAME:TAG` tells it"
        )
    for name in places.DOCKERFILES:
        if settings.get(name):
            yield f"{name}: nothing is built of an image (edusphere_app_source_type); set it to ''"


def _git(source: str, settings: Mapping[str, Any], repository: Repository) -> Iterator[str]:
    # With a scheme, as USER@HOST:PATH, or as a path on the builder.
    if not re.fullmatch(r"(?:https?|ssh|git|file)://\S+|[\w.-]+@[\w.-]+:\S+|/\S+", source):
        yield (
            f"edusphere_app_source: {source!r} is no address of a git repository, "
            "such as https://git.example.org/learn.git or git@git.example.org:learn.git"
        )
    version = settings.get("edusphere_version")
    if version == "":
        yield "edusphere_version: is empty; name a branch, a tag or a commit"
    elif version and repository.names is not None and version not in repository.names and not is_commit(version):
        yield (
            f"edusphere_version: {without_password(source)} has no branch and no tag {version!r}; "
            "correct it, or push it there"
        )


def is_commit(version: str) -> bool:
    """Whether it may be a commit's number, of which a repository does not tell all."""
    return re.fullmatch(r"[0-9a-f]{7,40}", version) is not None


def without_password(address: str) -> str:
    """The address of a repository without the token or the password that it may hold."""
    return re.sub(r"(?<=://)[^/@]*@", "", address)


def _folder(folder: Path, settings: Mapping[str, Any]) -> Iterator[str]:
    if not folder.is_dir():
        yield f"edusphere_app_source: there is no folder {folder} on the control node"
        return
    wanted = {"manage.py": ""}
    brought = [
        name for name in places.DOCKERFILES if settings.get("edusphere_mode") == "compose" and settings.get(name)
    ]
    wanted |= {settings[name]: f" ({name})" for name in brought}
    if settings.get("edusphere_app_requirements") and "edusphere_app_dockerfile" not in brought:
        requirements = PurePosixPath(settings["edusphere_app_requirements"])
        wanted[str(requirements)] = " (edusphere_app_requirements)"
        if requirements.name in LOCKS:
            wanted[str(requirements.with_name("pyproject.toml"))] = f", which {requirements} locks"
    if settings.get("edusphere_app_frontend") and settings.get("edusphere_app_frontend_directory"):
        wanted[settings["edusphere_app_frontend_directory"] + "/package.json"] = (
            " (edusphere_app_frontend_directory; without a frontend, set edusphere_app_frontend: false)"
        )
    for path, variable in wanted.items():
        if not (folder / path).is_file():
            yield f"edusphere_app_source: {folder} has no {path}{variable}"
    yield from _frontend(folder, settings)


def _frontend(folder: Path, settings: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with the package manager that a folder's frontend wants, where it is built here."""
    names = ("edusphere_app_frontend_directory", "edusphere_app_package_manager")
    brought = settings.get("edusphere_mode") == "compose" and settings.get("edusphere_app_frontend_dockerfile")
    if not settings.get("edusphere_app_frontend") or brought or not all(settings.get(name) for name in names):
        return
    directory, name = (settings[setting] for setting in names)
    version = settings.get("edusphere_app_package_manager_version", "")
    package_json = folder / directory / "package.json"
    # What is wrong with the setting is told of the setting.
    if package_json.is_file() and not list(package_manager.setting_problems(version)):
        text = package_json.read_text(encoding="utf-8", errors="replace")
        for problem in package_manager.choose(text, name, version)[1]:
            yield f"edusphere_app_source: {folder}/{directory}: {problem}"


def _archive(source: str, settings: Mapping[str, Any]) -> Iterator[str]:
    checksum = settings.get("edusphere_app_source_checksum", "")
    if checksum and not re.fullmatch(r"[0-9a-fA-F]{64}", checksum):
        yield "edusphere_app_source_checksum: is no SHA-256 (64 hexadecimal digits)"
    if re.match(r"https?://", source):
        if not checksum:
            yield "edusphere_app_source_checksum: is needed for an archive at a URL; give its SHA-256"
    elif not Path(source).expanduser().is_file():
        yield f"edusphere_app_source: there is no archive {source} on the control node"
    else:
        path = Path(source).expanduser()
        found = path.stat()
        if refusal := _refusal(path, found.st_mtime_ns, found.st_size):
            yield f"edusphere_app_source: {refusal}"


@functools.cache
def _refusal(path: Path, _time: int, _size: int) -> str:
    """Why an archive can't be unpacked; empty where it can. It is read once for all hosts."""
    try:
        judged(open_archive(path), path, strip=0)
    except (NoArchiveError, RefusedError) as error:
        return str(error)
    return ""


def _prefixes(settings: Mapping[str, Any]) -> Iterator[str]:
    proxied = [
        (name, prefix)
        for name in ("edusphere_app_backend_prefixes", "edusphere_app_websocket_prefixes")
        for prefix in settings.get(name, [])
    ]
    served = [
        (name, settings[name]) for name in ("edusphere_app_static_url", "edusphere_app_media_url") if settings.get(name)
    ]
    served += [("edusphere_app_aliases", alias["path"]) for alias in settings.get("edusphere_app_aliases", [])]
    seen: dict[str, str] = {}
    for name, prefix in (*proxied, *served):
        below = prefix.rstrip("/") + "/"
        if not prefix or not re.fullmatch(r"/(?:[^\s/?#;,{}\"'\\$]+/)*", below) or "//" in prefix:
            yield f"{name}: {prefix!r} is no path that starts with a slash"
        elif prefix != below and name in ("edusphere_app_static_url", "edusphere_app_media_url"):
            yield f"{name}: {prefix!r} must end with a slash, as Django's does"
        elif below in seen:
            yield f"{name}: {prefix!r} is already in {seen[below]}; a path can lead to one place only"
        elif prefix == "/" and settings.get("edusphere_app_frontend", True):
            yield f"{name}: '/' belongs to the frontend; without one, set edusphere_app_frontend: false"
        seen.setdefault(below, name)
    for name, prefix in served:
        for other, above in proxied:
            below = above.rstrip("/") + "/"
            if prefix.rstrip("/") + "/" != below != "/" and prefix.startswith(below):
                yield f"{name}: {prefix!r} lies in {above!r}, which goes to the backend ({other})"


def _tls(settings: Mapping[str, Any], files: Mapping[str, bytes]) -> Iterator[str]:
    if settings.get("edusphere_tls") != "provided":
        return
    contents: list[bytes] = []
    for name in ("edusphere_tls_certificate", "edusphere_tls_private_key"):
        path = settings.get(name, "")
        if not path:
            yield f"{name}: is needed with edusphere_tls: provided; give a PEM file on the control node"
        elif path not in files:
            yield f"{name}: {path} cannot be read on the control node"
        else:
            contents.append(files[path])
    if len(contents) == 2:
        names = [settings.get("edusphere_domain"), *settings.get("edusphere_domain_aliases", [])]
        now = datetime.now(timezone.utc)
        yield from certificate_problems(
            contents[0], contents[1], [name for name in names if name and not _is_address(name.strip("[]"))], now
        )


def _authorities(settings: Mapping[str, Any], files: Mapping[str, bytes]) -> Iterator[str]:
    for path in settings.get("edusphere_ca_certificates", []):
        if path not in files:
            yield f"edusphere_ca_certificates: {path} cannot be read on the control node"
        elif b"-----BEGIN CERTIFICATE-----" not in files[path]:
            yield f"edusphere_ca_certificates: {path} is no PEM certificate"


def certificate_problems(certificate: bytes, key: bytes, names: Sequence[str], now: datetime) -> Iterator[str]:
    """What keeps a certificate (PEM, with its chain) and its private key from serving ``names`` at ``now``."""
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

    try:
        leaf = x509.load_pem_x509_certificates(certificate)[0]
    except ValueError:
        yield "edusphere_tls_certificate: is no PEM certificate"
        return
    try:
        public = load_pem_private_key(key, None).public_key()
    except TypeError:
        yield "edusphere_tls_private_key: is encrypted with a passphrase; use ansible-vault to encrypt it instead"
        return
    except ValueError:
        yield "edusphere_tls_private_key: is no PEM private key"
        return
    encoding = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if public.public_bytes(*encoding) != leaf.public_key().public_bytes(*encoding):
        yield "edusphere_tls_private_key: is not the key of edusphere_tls_certificate"
    if leaf.not_valid_after_utc <= now:
        yield f"edusphere_tls_certificate: expired on {leaf.not_valid_after_utc:%Y-%m-%d}"
    if leaf.not_valid_before_utc > now:
        yield f"edusphere_tls_certificate: is valid only from {leaf.not_valid_before_utc:%Y-%m-%d} on"
    for name in names:
        if not _covers(leaf, name):
            yield f"edusphere_tls_certificate: is not for {name} (its names: {', '.join(_names(leaf)) or 'none'})"


def _names(leaf: Any) -> list[str]:
    """The subject alternative names of a certificate, which alone count (RFC 6125)."""
    from cryptography import x509

    try:
        extension = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return [
        *extension.get_values_for_type(x509.DNSName),
        *map(str, extension.get_values_for_type(x509.IPAddress)),
    ]


def _covers(leaf: Any, name: str) -> bool:
    wanted = name.lower()
    # A wildcard stands for exactly one label (RFC 6125, section 6.4.3).
    return any(own.lower() in (wanted, "*." + wanted.partition(".")[2]) for own in _names(leaf))


def _hooks(settings: Mapping[str, Any]) -> Iterator[str]:
    for name in ("edusphere_hook_before_build", "edusphere_hook_before_switch", "edusphere_hook_after_switch"):
        for path in settings.get(name, []):
            if not Path(path).is_absolute():
                yield f"{name}: {path} must be an absolute path, for instance {{{{ inventory_dir }}}}/{path}"
            elif not Path(path).is_file():
                yield f"{name}: there is no file {path} on the control node"


def _topology(site: Site) -> Iterator[str]:
    """What is wrong with the groups."""
    settings = site.hosts[0].settings if site.hosts else {}
    members = {group: list(site.groups.get(group, [])) for group in GROUPS}
    for group in ("edge", "app"):
        if not members[group]:
            yield f"group {group}: has no host; add one to the inventory (one machine may be in all groups)"
    for group, variable in (("database", "edusphere_database_host"), ("cache", "edusphere_redis_host")):
        if len(members[group]) > 1:
            yield f"group {group}: has {len(members[group])} hosts ({', '.join(members[group])}) and can have one"
        managed = settings.get(variable, "")
        if not members[group] and not managed:
            yield f"group {group}: has no host; add one, or set {variable} to the address of a managed service"
        if members[group] and managed:
            yield f"{variable}: is set, and group {group} has a host ({members[group][0]}); leave one of them empty"
        if managed and not is_host_name(managed):
            yield f"{variable}: {managed!r} is no host name or IPv4 address"
    if len(members["app"]) > 1 and not settings.get("edusphere_media_shared", True):
        yield (
            f"edusphere_media_shared: uploads must be seen by all {len(members['app'])} app hosts; "
            "mount one storage at edusphere_root/shared on each of them and set it to true"
        )
    builder = settings.get("edusphere_builder")
    sources = sorted({*members["app"], builder or members["app"][0]}) if members["app"] else []
    if settings.get("edusphere_mode") == "compose" and _is_development(settings) and len(sources) > 1:
        yield (
            "edusphere_environment: development in Compose mode is for one app host, which is also edusphere_builder; "
            f"these are {', '.join(sources)}; name one of them, or set it to 'production'"
        )
    if builder is not None and members["app"] and not any(builder in hosts for hosts in members.values()):
        yield f"edusphere_builder: {builder!r} is in none of the groups {', '.join(GROUPS)}; name one of their hosts"


def _is_development(settings: Mapping[str, Any]) -> bool:
    return settings.get("edusphere_environment") == "development"


def services(site: Site, host: Host) -> list[tuple[str, int, set[str]]]:
    """What will listen on a host: the setting that says where, the port, and which programs may be there already."""
    settings = host.settings

    def has(group: str) -> bool:
        return host.name in site.groups.get(group, [])

    wanted: list[tuple[str, set[str]]] = []
    compose = settings.get("edusphere_mode") == "compose"
    if has("edge"):
        front = {"docker-proxy"} if compose else {"nginx"}
        wanted.append(("edusphere_http_port", front))
        if settings.get("edusphere_tls", "off") != "off":
            wanted.append(("edusphere_https_port", front))
    private = [
        # The setting, what has it, who asks there, and the program in native mode.
        ("edusphere_front_port", "app", "edge", {"nginx"}),
        ("edusphere_database_port", "database", "app", {"postgres"}),
        ("edusphere_redis_port", "cache", "app", {"redis-server"}),
    ]
    for name, group, clients, programs in private:
        # A container's port is published only for other hosts.
        if has(group) and not (compose and not {*site.groups.get(clients, [])} - {host.name}):
            wanted.append((name, {"docker-proxy"} if compose else programs))
    if has("app") and _is_development(settings):
        if not compose:
            wanted.append(("edusphere_vite_port", {"node", "npm", "MainThread", "esbuild"}))
        elif settings.get("edusphere_development_ports"):
            local = [("edusphere_front_port", {"docker-proxy"}), ("edusphere_vite_port", {"docker-proxy"})]
            wanted += [service for service in local if service not in wanted]
    return [(name, settings[name], programs) for name, programs in wanted if name in settings]


# Who owns the sockets of these programs, where a host tells a listener's user and not its program. Those of the others
# are the site's own user's.
SOCKET_USERS = {
    "nginx": {"root", "www-data"},
    "docker-proxy": {"root"},
    "postgres": {"postgres"},
    "redis-server": {"redis"},
}


def _host(site: Site, host: Host) -> Iterator[str]:
    """What is wrong with one host."""
    taken: dict[int, str] = {}
    for name, port, _programs in services(site, host):
        if port in taken:
            yield f"{name}: {port} is {taken[port]} as well on {host.name}; give each its own"
        taken.setdefault(port, name)
    survey = host.survey
    if survey is None:
        yield f"host {host.name}: {host.unreachable}"
        return
    yield from _silence(site, survey, host)
    yield from _system(survey, host)
    yield from _compose(survey, host)
    if host.name in site.groups.get("database", []):
        yield from _database_volume(survey, host)
    written = set(places.on_host(host.settings))
    for problem in places.on_host(host.settings, survey.real):
        if problem not in written:
            yield f"host {host.name}: {problem}"
    builds = host.name == host.settings.get("edusphere_builder")
    if builds or host.name in site.groups.get("app", []):
        for problem in accounts.on_host(host.settings, survey, builds):
            yield f"host {host.name}: {problem}"
    groups = [group for group in GROUPS if host.name in site.groups.get(group, [])]
    for problem in neighbours.problems(host.settings, survey, groups):
        yield f"host {host.name}: {problem}"
    if survey.memory_mb < site.minimum_memory_mb:
        yield f"host {host.name}: has {survey.memory_mb} MiB of memory and needs {site.minimum_memory_mb}"
    for path in _large_directories(site, host):
        mount, free = survey.free_mb(path)
        if free < site.minimum_disk_mb and not survey.silent_at(path):
            yield (
                f"host {host.name}: {path} needs {site.minimum_disk_mb} MiB of disk, and {mount} has {free} left; "
                "make room, or lower preflight_minimum_disk_mb"
            )
    listeners = {listener.port: listener for listener in survey.listeners}
    for name, port, programs in services(site, host):
        listener = listeners.get(port)
        # Those of the other mode are told of with it.
        known = programs | (SOCKET_USERS.keys() if orphans.in_other_mode(host.settings, survey) else set())
        if listener is None or _is_ours(listener.process, listener.user, known, host.settings):
            continue
        program = f"{listener.process or 'a program'} of user {listener.user}"
        yield f"host {host.name}: port {port} is taken by {program}; stop it, or set {name} to another port"


def _is_ours(process: str, user: str, programs: set[str], settings: Mapping[str, Any]) -> bool:
    if process:
        # That of another site's dev server is the same.
        return process in programs and (bool(programs & SOCKET_USERS.keys()) or user == settings.get("edusphere_user"))
    own = {str(settings.get("edusphere_user"))}
    return any(user in SOCKET_USERS.get(program, own) for program in programs)


def _system(survey: Survey, host: Host) -> Iterator[str]:
    system = (survey.os.get("ID", ""), survey.os.get("VERSION_ID", ""))
    if system not in TESTED_SYSTEMS | UNTESTED_SYSTEMS:
        yield (
            f"host {host.name}: runs {survey.os.get('PRETTY_NAME') or 'an unknown system'}; "
            "install Debian 12 or 13 (Ubuntu 24.04, and in Compose mode 22.04, are accepted)"
        )
    elif system in TOO_OLD_SYSTEMS and host.settings.get("edusphere_mode") != "compose":
        yield (
            f"host {host.name}: runs {survey.os.get('PRETTY_NAME')}, whose nginx 1.18 and Redis 6.0 can't read the "
            "site's configuration; install Debian 12 or 13 or upgrade to Ubuntu 24.04, or set edusphere_mode to "
            "'compose'"
        )
    if not survey.systemd:
        yield f"host {host.name}: was not booted with systemd"
    if survey.root == "no":
        yield f"host {host.name}: user {survey.user} is not root, and there is no sudo; install sudo or connect as root"
    elif survey.root == "password" and not host.becomes:
        yield (
            f"host {host.name}: user {survey.user} cannot become root without a password; "
            "allow it in sudoers, or run with --ask-become-pass"
        )
    if not survey.address and "edusphere_private_address" not in host.settings:
        yield f"host {host.name}: has no default IPv4 route; set edusphere_private_address for it"


def _database_volume(survey: Survey, host: Host) -> Iterator[str]:
    """A volume with the data of another major version of PostgreSQL, which the wanted image can't read."""
    name, image = host.settings.get("edusphere_name"), host.settings.get("edusphere_image_postgres")
    if host.settings.get("edusphere_mode") != "compose" or not name or not image:
        return
    before, wanted = (postgres_image.major(found) for found in (survey.databases.get(name, ""), image))
    if before and wanted and before != wanted:
        yield (
            f"host {host.name}: volume {name}_postgres_data has data of PostgreSQL {before}, which {image} can't read; "
            f"set edusphere_image_postgres to an image of {before}. To go to {wanted}, dump the database, remove stack "
            "and volume, deploy, and restore the dump"
        )


# Questions whose answers only refine a check. Without one of the others, checks would pass or fail for no reason.
TOLERABLE = (
    "links",
    "python3",
    "processes",
    "compose",
    "compose_package",
    "databases",
    "nginx",
    "redis",
    "clusters",
    "published",
    "filter",
)
# What each question of the survey asks, and how.
QUESTIONS = {
    "user": "who it is logged in as (id -un)",
    "sudo": "whether that user may become root (sudo -n true)",
    "os": "its system (cat /etc/os-release)",
    "machine": "its architecture (uname -m)",
    "systemd": "whether systemd runs (/run/systemd/system)",
    "python3": "whether it has Python (command -v python3)",
    "memory": "its memory (/proc/meminfo)",
    "links": "its symbolic links (find / /opt /srv /var)",
    "address": "its address (ip route)",
    "accounts": "its accounts (/etc/passwd)",
    "groups": "its groups (/etc/group)",
    "listeners": "its ports (/proc/net/tcp)",
    "processes": "which programs listen (ss -ltnp)",
    "compose": "its Compose (docker compose version)",
    "compose_package": "its packages (dpkg-query)",
    "databases": "its containers (docker ps)",
    "nginx": "what nginx serves (/etc/nginx/sites-enabled)",
    "redis": "its Redis (/etc/redis)",
    "clusters": "its PostgreSQL clusters (pg_lsclusters)",
    "published": "the ports of its containers (docker ps)",
    "filter": "its packet filter (nft list ruleset)",
}


def _silence(site: Site, survey: Survey, host: Host) -> Iterator[str]:
    """Questions without an answer that matter to the site."""
    for question in survey.silent:
        if question not in TOLERABLE:
            yield (
                f"host {host.name}: did not answer in time: {QUESTIONS.get(question, question)}; run that there, "
                "and mend what it waits for (a network storage, a directory service)"
            )
    for mount in _silent_places(site, survey, host):
        yield (
            f"host {host.name}: the storage at {mount} does not answer (df {mount}), and the site has its place there; "
            f"bring it back, or take it away with umount --force --lazy {mount}"
        )


def _silent_places(site: Site, survey: Survey, host: Host) -> list[str]:
    """The mount points without an answer that the site lies on, or has in its directories."""
    named = (host.settings.get(name) for name in ("edusphere_root", "edusphere_config_directory"))
    paths = [*_large_directories(site, host), *(path for path in named if path)]
    return sorted({mount for path in paths for mount in survey.silent_at(path)})


def _compose(survey: Survey, host: Host) -> Iterator[str]:
    """The package docker-compose may be Compose v1, and keeps the package of that name that is v2 away."""
    if (
        host.settings.get("edusphere_mode") != "compose"
        or survey.compose
        or host.settings.get("docker_source", "debian") != "debian"
    ):
        return
    if survey.os.get("ID") == "ubuntu":
        yield (
            f"host {host.name}: `docker compose` does not work, and {survey.os.get('PRETTY_NAME')} lacks "
            "Debian's packages of it (docker-cli; docker-compose is version 1); set docker_source to 'docker', or "
            "install an engine and Compose v2 yourself"
        )
    elif survey.compose_package.startswith("1."):
        yield (
            f"host {host.name}: has Compose v1 (package docker-compose {survey.compose_package}), and `docker compose` "
            "does not work; remove it with apt-get remove docker-compose, or set docker_source to 'docker'"
        )


def _large_directories(site: Site, host: Host) -> Iterator[str]:
    if host.settings.get("edusphere_mode") == "compose":
        yield host.settings.get("docker_data_root", "/var/lib/docker")
        return
    if host.name in site.groups.get("app", []) and "edusphere_root" in host.settings:
        yield host.settings["edusphere_root"]
    if host.name in site.groups.get("database", []):
        yield host.settings.get("postgresql_data_directory", "/var/lib/postgresql")


def _between_hosts(site: Site) -> Iterator[str]:
    """What is wrong between the hosts of the run."""
    addresses: dict[str, str] = {}
    systems: dict[str, list[str]] = {}
    for host in site.hosts:
        address = host.settings.get("edusphere_private_address") or (host.survey.address if host.survey else "")
        if address and address in addresses:
            yield (
                f"hosts {addresses[address]} and {host.name}: both have the address {address}; "
                "set edusphere_private_address for each, or list one machine once"
            )
        elif address:
            addresses[address] = host.name
        if ":" in address and host.settings.get("edusphere_mode") == "compose" and len(site.hosts) > 1:
            yield (
                f"edusphere_private_address: {address} of {host.name} is an IPv6 address, and containers have none; "
                "give the host's IPv4 address"
            )
        if host.survey and host.name in (*site.groups.get("app", []), host.settings.get("edusphere_builder")):
            words = (host.survey.os.get("ID", ""), host.survey.os.get("VERSION_ID", ""), host.survey.architecture)
            # An image brings its own system along.
            system = words[2:] if host.settings.get("edusphere_mode") == "compose" else words
            systems.setdefault(" ".join(system), []).append(host.name)
    if len(systems) > 1:
        listing = "; ".join(f"{', '.join(names)}: {system}" for system, names in sorted(systems.items()))
        yield f"group app: a release is built once, so all app hosts and the builder must be of one system ({listing})"


def _shut(site: Site, host: Host, survey: Survey) -> Iterator[str]:
    """Ports that others ask at, and that the host's own packet filter shuts. In Compose mode they pass it by."""
    clients = {"edusphere_front_port": "edge", "edusphere_database_port": "app", "edusphere_redis_port": "app"}
    if host.settings.get("edusphere_mode") == "compose":
        return
    for name, port, _programs in services(site, host):
        public = name in ("edusphere_http_port", "edusphere_https_port")
        others = [client for client in site.groups.get(clients.get(name, ""), []) if client != host.name]
        opened: set[str] = set()
        for chain in packet_filter.dropping(survey.filter) if public or others else ():
            # ufw has a table for each IP, and one command.
            if chain.shuts(port) and chain.opens(port) not in opened:
                opened.add(chain.opens(port))
                who = "visitors ask" if public else f"{', '.join(others)} must ask"
                yield (
                    f"host {host.name}: its packet filter (table {chain.table}) drops what comes to port {port}, where "
                    f"{who} ({name}); open it with {chain.opens(port)}, and in the filter's own file"
                )


def _exposures(settings: Mapping[str, Any]) -> Iterator[str]:
    """What a site that people are to use should not stay with."""
    domain = str(settings.get("edusphere_domain", ""))
    if domain.endswith(PLACEHOLDER):
        yield f"edusphere_domain: {domain} is the example's; set the name that people type"
    elif (
        settings.get("edusphere_tls") == "off"
        and settings.get("edusphere_environment") == "production"
        and str(settings.get("edusphere_public_url", "")).startswith("http://")
        and domain not in LOCAL_NAMES
        and not domain.endswith(".test")  # RFC 2606 keeps it for tests.
    ):
        yield (
            f"edusphere_tls: is off, so passwords travel to {domain} in the clear; set it to provided, or "
            "edusphere_public_url to https://… where something in front of the edge ends TLS"
        )


def _notices(site: Site) -> Iterator[str]:
    """What is no problem, and still worth knowing."""
    for host in site.hosts:
        if host.survey and (host.survey.os.get("ID", ""), host.survey.os.get("VERSION_ID", "")) in UNTESTED_SYSTEMS:
            yield f"host {host.name}: runs {host.survey.os.get('PRETTY_NAME')}, on which this is not tested"
        if host.survey:
            groups = [group for group in GROUPS if host.name in site.groups.get(group, [])]
            for notice in neighbours.notices(host.settings, host.survey, groups):
                yield f"host {host.name}: {notice}"
            yield from _shut(site, host, host.survey)
            silent = [QUESTIONS[question] for question in host.survey.silent if question in TOLERABLE]
            places_of_site = _silent_places(site, host.survey, host)
            silent += [f"the storage at {mount}" for mount in host.survey.silent_mounts if mount not in places_of_site]
            yield from (f"host {host.name}: did not answer in time: {what}" for what in silent)
    yield from dict.fromkeys(notice for host in site.hosts for notice in _exposures(host.settings))
    app = site.groups.get("app", ())
    native = [host for host in site.hosts if host.name in app and host.settings.get("edusphere_mode") != "compose"]
    if len(app) > 1 and any(not host.settings.get("edusphere_uid") for host in native):
        yield (
            "edusphere_uid: is not set, and the app hosts share their media; storage that knows owners by number needs "
            "one number for the service account everywhere (edusphere_uid, edusphere_gid)"
        )
    for source, repository in site.repositories.items():
        if repository.names is None:
            yield (
                f"edusphere_app_source: {without_password(source)} could not be asked from the control node, "
                f"and is the builder's to find: {without_password(repository.error)}"
            )
