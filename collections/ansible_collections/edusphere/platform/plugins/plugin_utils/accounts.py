# Copyright: (c) 2026, EduSphere platform contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The site's accounts and groups: whether those of these names on a host are the site's own.

The role common gives the service account the site's directory for a home, no shell, and a comment that names the site.
An account that is somebody else's would lose its shell and its home. Every check is a generator of problems, as in
preflight.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from ansible_collections.edusphere.platform.plugins.plugin_utils.survey import Account, Group, Survey

# useradd(8)
NAME = r"[a-z_][a-z0-9_-]{0,31}"
# Names that Debian gives accounts and groups: base-passwd's, and those of packages that hosts have or may get.
# fmt: off
TAKEN = frozenset({
    "_apt", "_chrony", "_ssh", "adm", "admin", "audio", "avahi", "backup", "bin", "bluetooth", "cdrom",
    "crontab", "daemon", "dialout", "dip", "disk", "docker", "fax", "floppy", "games", "gnats",
    "google-sudoers", "incus", "incus-admin", "input", "irc", "kmem", "kvm", "libvirt", "list", "lp", "lpadmin",
    "lxd", "mail", "man", "messagebus", "mysql", "netdev", "news", "nginx", "nobody", "nogroup", "ntpsec",
    "operator", "plugdev", "polkitd", "postfix", "postgres", "proxy", "redis", "render", "root", "rtkit",
    "sasl", "scanner", "sgx", "shadow", "src", "sshd", "ssl-cert", "staff", "statd", "sudo", "sync", "sys",
    "syslog", "systemd-coredump", "systemd-journal", "systemd-network", "systemd-resolve", "systemd-timesync",
    "tape", "tcpdump", "tss", "tty", "users", "utmp", "uucp", "uuidd", "valkey", "video", "voice", "wheel",
    "wireshark", "www-data",
})
# fmt: on
# What ends a login at once.
NO_LOGIN = ("nologin", "false")

# https://www.debian.org/doc/debian-policy/ch-opersys.html#uid-and-gid-classes
FIRST_DYNAMIC = 100
FIRST_PERSON = 1000


def well_named(settings: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with the names of the service account and its group, whatever the hosts have."""
    for name in ("edusphere_user", "edusphere_group"):
        value = settings.get(name)
        if value is None or value == settings.get("edusphere_name"):
            continue  # What is wrong with the site's name is said of it.
        if not re.fullmatch(NAME, value):
            yield f"{name}: {value!r} names no account: use lower-case letters, digits, '_' and '-', a letter first"
        elif value in TAKEN:
            yield f"{name}: {value!r} is the system's own; choose another name"


def on_host(settings: Mapping[str, Any], survey: Survey, builds: bool) -> Iterator[str]:
    """What is wrong with the accounts on an app host, or on the builder where it ``builds``."""
    accounts = {account.name: account for account in survey.accounts if account.name not in TAKEN}
    user = accounts.get(str(settings.get("edusphere_user")))
    group = next((one for one in survey.groups if one.name == settings.get("edusphere_group")), None)
    if user is not None and not is_ours(user, settings):
        yield _not_ours(user, settings)
    if group is not None and group.name not in TAKEN and (owner := _owner_of_group(group, survey, settings)):
        name = _named_by("edusphere_group", settings)
        # With another name of the site, the group has another one too.
        if name != "edusphere_name" or user is None or is_ours(user, settings):
            yield f"{name}: group {group.name!r} is there, and is {owner}; choose another name"
    builder = accounts.get(f"{settings.get('edusphere_name')}-build")
    if builds and builder is not None and (owner := _owner(builder)):
        yield (
            f"edusphere_name: account {builder.name!r}, which would build releases, is there, and is {owner}; "
            "choose another name"
        )
    yield from _numbers(settings, survey)


def removed(settings: Mapping[str, Any], survey: Survey) -> Iterator[str]:
    """What is wrong with removing the site's accounts from a host: the one that builds, and with the data the other."""
    with_data = bool(settings.get("edusphere_teardown_data"))
    for account in survey.accounts:
        if account.name == f"{settings.get('edusphere_name')}-build" and (owner := _owner(account)):
            yield f"edusphere_name: account {account.name!r} is {owner}; correct the name"
        elif account.name == settings.get("edusphere_user") and with_data and not is_ours(account, settings):
            owner = _owner(account) or "not known to be this site's"
            yield f"{_named_by('edusphere_user', settings)}: account {account.name!r} is {owner}; correct the name"


def is_ours(account: Account, settings: Mapping[str, Any]) -> bool:
    """Whether an account was made by the role common, or for it: by its comment, or by its home."""
    if account.uid == 0:
        return False
    if account.comment == comment_of(settings):
        return True
    at_home = PurePosixPath(account.home) == PurePosixPath(settings.get("edusphere_root", ""))
    return at_home and not _logs_in(account)


def comment_of(settings: Mapping[str, Any]) -> str:
    """The comment of the service account."""
    return f"{settings.get('edusphere_name')} service account"


def _not_ours(account: Account, settings: Mapping[str, Any]) -> str:
    name = _named_by("edusphere_user", settings)
    there = f"{name}: account {account.name!r} is there, and is"
    site = re.fullmatch(r"(\S+) service account", account.comment)
    if site and account.uid != 0:
        return f"{there} the service account of site {site[1]!r}; choose another name"
    if owner := _owner(account):
        return f"{there} {owner}; choose another name"
    return (
        f"{there} not known to be this site's; choose another name, or, if it was made for this site, "
        f"run usermod --comment {comment_of(settings)!r} {account.name}"
    )


def _owner_of_group(group: Group, survey: Survey, settings: Mapping[str, Any]) -> str:
    """Whose a group is; empty for the site's, and for one that nobody has."""
    user, build = settings.get("edusphere_user"), f"{settings.get('edusphere_name')}-build"
    having = [account for account in survey.accounts if account.gid == group.gid]
    if any(account.name == user and is_ours(account, settings) for account in having):
        return ""
    if group.gid < FIRST_DYNAMIC:
        return f"the system's own (number {group.gid})"
    if others := sorted({*group.members, *(account.name for account in having)} - {user, build}):
        return f"that of {', '.join(others)}"
    # A run was interrupted before it made the account, or an operator made the group for it.
    expected = {str(settings.get(name)) for name in ("edusphere_gid", "edusphere_container_gid")}
    return f"somebody's (number {group.gid})" if group.gid >= FIRST_PERSON and str(group.gid) not in expected else ""


def _named_by(name: str, settings: Mapping[str, Any]) -> str:
    """The setting that an operator gave the account's or the group's name by."""
    return "edusphere_name" if settings.get(name) == settings.get("edusphere_name") else name


def _owner(account: Account) -> str:
    """Whose an account is by its looks; empty for one of the system."""
    if account.uid < FIRST_DYNAMIC:
        return f"{'root' if account.uid == 0 else 'the system'}'s own (number {account.uid})"
    if _logs_in(account):
        return f"somebody's (login shell {account.shell or '/bin/sh'})"
    return f"somebody's (number {account.uid})" if account.uid >= FIRST_PERSON else ""


def _logs_in(account: Account) -> bool:
    return PurePosixPath(account.shell).name not in NO_LOGIN


def _numbers(settings: Mapping[str, Any], survey: Survey) -> Iterator[str]:
    """Wanted numbers that others have. An account that shares sources with containers has the containers' number."""
    shares = settings.get("edusphere_mode") == "compose" and settings.get("edusphere_environment") == "development"
    prefix = "edusphere_container_" if shares else "edusphere_"
    uid, gid = str(settings.get(f"{prefix}uid", "")), str(settings.get(f"{prefix}gid", ""))
    for account in survey.accounts:
        if str(account.uid) == uid and account.name != settings.get("edusphere_user"):
            yield f"{prefix}uid: {uid} is the number of account {account.name!r}; choose one that is free"
    for group in survey.groups:
        if str(group.gid) == gid and group.name != settings.get("edusphere_group"):
            yield f"{prefix}gid: {gid} is the number of group {group.name!r}; choose one that is free"
