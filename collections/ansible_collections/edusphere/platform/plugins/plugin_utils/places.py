# Copyright: (c) 2026, EduSphere platform contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The paths of a site: which of them lie in a release, which on a host, and which may not meet.

Every check is a generator of problems, as in preflight.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

# Paths in a release, by the setting that has them.
RELEASE_PATHS = (
    "edusphere_app_requirements",
    "edusphere_app_frontend_directory",
    "edusphere_app_frontend_dist",
    "edusphere_app_static_directory",
    "edusphere_app_media_directory",
)
# Those that may be empty.
DOCKERFILES = ("edusphere_app_dockerfile", "edusphere_app_frontend_dockerfile")

# What the platform puts into a release.
OWN_IN_RELEASE = {
    ".venv": "the release's Python environment",
    ".overlay": "edusphere_app_overlay_modules",
    ".edusphere": "the platform's own files",
    ".release.json": "the release's record",
}
# Compose mode's volumes beside those of shared directories.
OWN_VOLUMES = {"postgres_data", "staticfiles"}

# A shared directory is a link, a mount point, and with underscores for slashes a volume's name.
SHARED = r"[A-Za-z0-9._][A-Za-z0-9._-]*(?:/[A-Za-z0-9._][A-Za-z0-9._-]*)*"
# Paths on hosts stand in units, where spaces part words and a percent sign is a specifier.
ON_HOST = r"/[A-Za-z0-9._/-]+"

# Directories that a unit of the site does not see, and what hides them.
HIDDEN = {"/home": "ProtectHome", "/root": "ProtectHome", "/run/user": "ProtectHome"}
# Directories that are empty after a boot, or are no place for files at all, and why.
FLEETING = {
    "/tmp": "units have a /tmp of their own (PrivateTmp), and it is emptied at boot",  # noqa: S108 it is refused
    "/var/tmp": "units have a /var/tmp of their own (PrivateTmp), and old files in it are removed",  # noqa: S108
    "/run": "it is emptied at boot",
    "/var/run": "it is emptied at boot",
    "/dev": "it is the kernel's",
    "/proc": "it is the kernel's",
    "/sys": "it is the kernel's",
}
# Directories of the distribution and of services. Teardown removes the site's, so these may not meet them.
# fmt: off
OTHERS = {
    "/": (
        "bin", "boot", "lib", "lib32", "lib64", "sbin",
    ),
    "/usr": (
        "bin", "include", "lib", "libexec", "local/bin", "local/lib", "local/sbin", "sbin", "share",
    ),
    "/var": (
        "backups", "cache/apt", "lib/apt", "lib/containerd", "lib/docker", "lib/dpkg", "lib/postgresql",
        "lib/redis", "lib/systemd", "log/journal", "mail", "spool/cron",
    ),
    "/etc": (
        "alternatives", "apparmor.d", "apt", "ca-certificates", "containerd", "cron.d", "cron.daily",
        "dbus-1", "default", "docker", "dpkg", "init.d", "iproute2", "kernel", "ld.so.conf.d", "ldap",
        "logrotate.d", "needrestart", "network", "nginx", "opt", "pam.d", "perl", "polkit-1", "postgresql",
        "postgresql-common", "profile.d", "python3", "redis", "security", "selinux", "skel", "ssh", "ssl",
        "sudoers.d", "sysctl.d", "systemd", "terminfo", "tmpfiles.d", "udev", "ufw", "update-motd.d", "xdg",
    ),
}
# fmt: on
# What the roles have below edusphere_root.
OWN_BELOW_ROOT = ("build", "current", "records", "releases", "shared", "slots", "stack")

# The site's directories on a host, and those of its services.
SITE_DIRECTORIES = ("edusphere_root", "edusphere_config_directory")
SERVICE_DIRECTORIES = ("postgresql_data_directory", "docker_data_root")


def overlap(one: str | PurePosixPath, other: str | PurePosixPath) -> bool:
    """Whether two paths are one, or one lies in the other."""
    first, second = PurePosixPath(one), PurePosixPath(other)
    return first.is_relative_to(second) or second.is_relative_to(first)


def in_release(settings: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with paths in a release."""
    paths = [(name, settings[name]) for name in RELEASE_PATHS if name in settings]
    paths += [(name, settings[name]) for name in DOCKERFILES if settings.get(name)]
    paths += [("edusphere_app_aliases", alias["directory"]) for alias in settings.get("edusphere_app_aliases", [])]
    paths += [
        ("edusphere_app_shared_directories", path) for path in settings.get("edusphere_app_shared_directories", [])
    ]
    for name, path in paths:
        if not _lies_in_release(path):
            yield f"{name}: {path!r} must lie in the release; give a path from its root, without '..'"
    yield from _shared(settings)
    yield from _static(settings)
    media = settings.get("edusphere_app_media_directory")
    shared = settings.get("edusphere_app_shared_directories")
    if (
        settings.get("edusphere_app_media_url")
        and media
        and shared is not None
        and not any(PurePosixPath(media).is_relative_to(path) for path in shared)
    ):
        yield (
            f"edusphere_app_media_directory: {media!r} is in none of edusphere_app_shared_directories, "
            "so each release would lose the uploads of the one before; add it there"
        )


def _lies_in_release(path: str) -> bool:
    return not path.startswith("/") and bool(PurePosixPath(path).parts) and ".." not in PurePosixPath(path).parts


def _shared(settings: Mapping[str, Any]) -> Iterator[str]:
    """Shared directories that meet. The application owns each, and could put a link where the inner one is made."""
    name = "edusphere_app_shared_directories"
    seen: list[str] = []
    volumes: dict[str, str] = {}
    for path in filter(_lies_in_release, settings.get(name, [])):
        plain = str(PurePosixPath(path))
        if plain != path:
            yield f"{name}: {path!r} is {plain!r} with other words; write it so"
        elif not re.fullmatch(SHARED, path):
            yield f"{name}: {path!r} names a mount point and a volume: use letters, digits, '.', '_' and '-'"
        for other in seen:
            if plain == other:
                yield f"{name}: {plain!r} is there twice; remove one of them"
            elif overlap(plain, other):
                inner, outer = sorted((plain, other), key=len, reverse=True)
                yield f"{name}: {inner!r} lies in {outer!r}, which is shared as a whole; remove one of them"
        seen.append(plain)
        for own, what in _owned_in_release(settings):
            if overlap(plain, own):
                yield f"{name}: {plain!r} overlaps {own!r} ({what}); give it a directory of its own"
        for own, what in _sources(settings):
            if PurePosixPath(own).is_relative_to(plain):
                yield f"{name}: {plain!r} holds {own!r} of each release ({what}); take a directory without sources"
        volume = plain.replace("/", "_")
        if settings.get("edusphere_mode") == "compose":
            if volume in OWN_VOLUMES:
                yield f"{name}: {plain!r} would be the platform's volume {volume!r}; choose another directory"
            elif volumes.get(volume, plain) != plain:
                yield f"{name}: {plain!r} and {volumes[volume]!r} would be one volume, {volume!r}; rename one of them"
        volumes[volume] = plain


def _static(settings: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with the directory that collectstatic fills, and that Compose mode removes from the sources."""
    name = "edusphere_app_static_directory"
    path = settings.get(name) or "/"
    if _lies_in_release(path):
        for own, what in OWN_IN_RELEASE.items():
            if overlap(path, own):
                yield f"{name}: {path!r} overlaps {own!r} ({what}); give it a directory of its own"
        for own, what in _sources(settings):
            if PurePosixPath(own).is_relative_to(path):
                yield f"{name}: {path!r} holds {own!r} of each release ({what}); take a directory without sources"


def _owned_in_release(settings: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Paths in a release that have one owner already, and who that is."""
    names = ["edusphere_app_static_directory", "edusphere_app_requirements"]
    if settings.get("edusphere_app_frontend", True):
        names.append("edusphere_app_frontend_dist")
    given = [(settings[name], name) for name in names if _lies_in_release(settings.get(name) or "/")]
    return [*OWN_IN_RELEASE.items(), ("manage.py", "Django's commands"), *given]


def _sources(settings: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Paths of the application's sources that settings name. Below them there may be shared directories."""
    overlays = settings.get("edusphere_app_overlay_modules", {})
    modules = {
        name: str(settings.get(name) or "").partition(":")[0]
        for name in ("edusphere_app_settings_module", "edusphere_app_asgi")
    }
    found = [(module.replace(".", "/"), name) for name, module in modules.items() if module and module not in overlays]
    directory = settings.get("edusphere_app_frontend_directory")
    if settings.get("edusphere_app_frontend", True) and directory:
        found.append((directory, "edusphere_app_frontend_directory"))
    return found


def well_formed(settings: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with the site's own directories on hosts as they are written."""
    for name in SITE_DIRECTORIES:
        path = settings.get(name, "/srv/x")
        if not path.startswith("/") or len(PurePosixPath(path).parts) < 3 or ".." in PurePosixPath(path).parts:
            yield f"{name}: {path!r} must be an absolute path, two levels deep at least, such as /srv/edusphere"
        elif not re.fullmatch(ON_HOST, path):
            yield f"{name}: {path!r} stands in units: use letters, digits, '.', '_' and '-' in its directories' names"


def on_host(settings: Mapping[str, Any], real: Callable[[str], str] = str) -> Iterator[str]:
    """What is wrong with where directories and programs are; ``real`` follows a host's links."""
    native = settings.get("edusphere_mode", "native") == "native"
    # Each with whether a unit of the site must see it.
    wanted = [(name, settings[name], native) for name in SITE_DIRECTORIES if name in settings]
    wanted += [(name, settings[name], False) for name in SERVICE_DIRECTORIES if name in settings]
    root = settings.get("edusphere_root", "")
    if not PurePosixPath(real(_plain(f"{root}/shared"))).is_relative_to(real(_plain(root))):
        wanted.append(("edusphere_root/shared", f"{root}/shared", native))  # It is a link to another storage.
    if native:
        wanted += [(name, path, True) for name, path in _programs(settings)]
    places: list[tuple[str, str]] = []
    for name, path, by_unit in wanted:
        if not path.startswith("/") or ".." in PurePosixPath(path).parts:
            continue
        place = real(_plain(path))
        problems = list(_unseen(place, by_unit))
        if name in SITE_DIRECTORIES + SERVICE_DIRECTORIES:
            problems += _taken(name, place, places)
            places.append((name, place))
        shown = repr(path) if place == _plain(path) else f"{path!r} leads to {place} and"
        yield from (f"{name}: {shown} {problem}; {_instead(name, place, settings)}" for problem in problems)


def removed(settings: Mapping[str, Any], real: Callable[[str], str]) -> Iterator[str]:
    """What is wrong with removing the site's directories from a host; those that units don't see can be removed."""
    yield from well_formed(settings)
    for name in SITE_DIRECTORIES:
        if name in settings:
            problems = _taken(name, real(_plain(settings[name])), ())
            yield from (f"{name}: {settings[name]!r} {problem}; correct it" for problem in problems)


def _plain(path: str) -> str:
    """``path`` without doubled slashes; two at its beginning are something else to pathlib."""
    return str(PurePosixPath("/" + path.strip("/")))


def _programs(settings: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Programs that units run, by the setting that names them."""
    yield "edusphere_app_python", settings.get("edusphere_app_python", "")
    for process in settings.get("edusphere_app_processes", []):
        yield f"edusphere_app_processes: {process['name']!r}: command", str((process["command"] or [""])[0])
    if settings.get("edusphere_environment") == "development" and settings.get("edusphere_app_frontend", True):
        yield "edusphere_app_frontend_dev_command", str((settings.get("edusphere_app_frontend_dev_command") or [""])[0])


def _unseen(place: str, by_unit: bool) -> Iterator[str]:
    """Why what is at ``place`` is not there for a unit of the site, or not after the next boot."""
    for above, what in HIDDEN.items():
        if by_unit and PurePosixPath(place).is_relative_to(above):
            yield f"lies in {above}, which {what} hides from the site's units"
            return
    for above, what in FLEETING.items():
        if PurePosixPath(place).is_relative_to(above):
            yield f"lies in {above}: {what}"


def _taken(name: str, place: str, places: Sequence[tuple[str, str]]) -> Iterator[str]:
    """Other directories that ``place`` meets: those of the distribution and of services, and those of ``places``."""
    others = (PurePosixPath(above, directory) for above, names in OTHERS.items() for directory in names)
    met = next((other for other in others if overlap(place, other)), None)
    if met is not None and name in SITE_DIRECTORIES:
        yield f"overlaps {met}, which is not the site's"
    for other, there in places:
        # Below the root there is room, but for what the roles have there.
        own = [f"{there}/{directory}" for directory in OWN_BELOW_ROOT] if other == "edusphere_root" else [there]
        if PurePosixPath(there).is_relative_to(place) or any(overlap(place, path) for path in own):
            yield f"overlaps {there} ({other})"


def _instead(name: str, place: str, settings: Mapping[str, Any]) -> str:
    """The fix for ``name``, which is not at ``place``."""
    site = settings.get("edusphere_name", "NAME")
    if place in (f"/srv/{site}", f"/etc/{site}"):
        return "choose another directory, or another edusphere_name"
    places = {
        "edusphere_root": f"choose a directory such as /srv/{site}",
        "edusphere_config_directory": f"choose a directory such as /etc/{site}",
        "edusphere_root/shared": "move it, and the link",
        "postgresql_data_directory": "choose a directory such as /var/lib/postgresql/VERSION/CLUSTER",
        "docker_data_root": "choose a directory such as /var/lib/docker",
    }
    return places.get(name, "install it where every account can run it, such as below /usr/local or /opt")
