# Copyright: (c) 2026, EduSphere platform contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Settings that a site's data hang on: which they are, and whether one has changed since the site was deployed.

A deployment moves no data. With another value of such a setting, a site would go live without its database or its
uploads, which stay where they are. Each host keeps the values of its last deployment in a record. A site that was
deployed before there were records is known by its units or containers (see the module survey).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from ansible_collections.edusphere.platform.plugins.plugin_utils import postgres_image
from ansible_collections.edusphere.platform.plugins.plugin_utils.survey import Survey


@dataclass(frozen=True)
class Anchor:
    """A setting that data hang on."""

    left: str
    """What happens to the data; may name ``{old}`` and ``{new}``."""
    way: str
    """How to have both the new value and the data."""
    groups: tuple[str, ...] = ()
    """The hosts that it matters on; empty for all."""
    mode: str = ""
    """The mode that it matters in; empty for both."""


MOVE_UPLOADS = "move the files by hand"
ANCHORS = {
    "edusphere_mode": Anchor(
        "the database and the uploads stay with the site in mode {old}, and an empty site would start beside them",
        "save both, take the old site away (playbooks/teardown.yml -e edusphere_mode={old} keeps its data), restore "
        "them into the new one",
    ),
    "edusphere_name": Anchor(
        "the database and the uploads stay with the site {old}, and an empty site would start beside them",
        "give a second site its own edusphere_domain, edusphere_root and edusphere_database_name; or save both, take "
        "the old site away (playbooks/teardown.yml -e edusphere_name={old} keeps its data), restore them into the new "
        "one",
    ),
    "edusphere_root": Anchor(
        "the uploads, the releases and the site's records stay in {old}",
        "take the old site away (playbooks/teardown.yml -e edusphere_root={old} keeps its data), and move {old}/shared",
        groups=("app",),
    ),
    "edusphere_user": Anchor(
        "the uploads and logs belong to account {old}, and {new} could not write them",
        "stop the site and rename the account by hand (usermod --login)",
        groups=("app",),
        mode="native",
    ),
    "edusphere_group": Anchor(
        "the uploads and logs belong to group {old}, and {new} could not write them",
        "stop the site and rename the group by hand (groupmod --new-name)",
        groups=("app",),
        mode="native",
    ),
    "edusphere_uid": Anchor(
        "the uploads and logs belong to number {old}, and {new} could not write them",
        "stop the site and change the account and its files by hand (usermod --uid, chown)",
        groups=("app",),
        mode="native",
    ),
    "edusphere_gid": Anchor(
        "the uploads and logs belong to group number {old}, and {new} could not write them",
        "stop the site and change the group and its files by hand (groupmod --gid, chgrp)",
        groups=("app",),
        mode="native",
    ),
    "edusphere_container_uid": Anchor(
        "the uploads and logs belong to number {old}, and {new} could not write them",
        "stop the site and change their owner by hand (chown)",
        groups=("app",),
        mode="compose",
    ),
    "edusphere_container_gid": Anchor(
        "the uploads and logs belong to group number {old}, and {new} could not write them",
        "stop the site and change their group by hand (chgrp)",
        groups=("app",),
        mode="compose",
    ),
    "edusphere_app_shared_directories": Anchor(
        "what is in {old} stays behind, and releases no longer have it", MOVE_UPLOADS, groups=("app",)
    ),
    "edusphere_app_media_directory": Anchor(
        "the uploads stay in {old}, where visitors no longer find them", MOVE_UPLOADS, groups=("app",)
    ),
    "edusphere_media_shared": Anchor(
        "the uploads stay where they are: in volumes if it is false, in edusphere_root/shared if it is true",
        MOVE_UPLOADS,
        groups=("app",),
        mode="compose",
    ),
    "edusphere_database_name": Anchor(
        "the data stay in database {old}, and the site would go live with another one",
        "rename the database by hand (ALTER DATABASE … RENAME TO …), or restore a dump into the new one",
        groups=("app", "database"),
    ),
    "edusphere_database_user": Anchor(
        "the tables belong to {old}, and {new} may not use them",
        "rename the user by hand (ALTER ROLE … RENAME TO …)",
        groups=("app", "database"),
    ),
    "edusphere_database_host": Anchor(
        "the data stay in the database of {old}, and the site would go live with another one",
        "restore a dump of the old database into the new one",
        groups=("app",),
    ),
    "postgresql_version": Anchor(
        "the data stay in the cluster of version {old}, and an empty one would be made",
        "upgrade the cluster by hand (pg_upgradecluster)",
        groups=("database",),
        mode="native",
    ),
    "postgresql_cluster": Anchor(
        "the data stay in the cluster {old}, and an empty one would be made",
        "rename the cluster by hand (pg_renamecluster)",
        groups=("database",),
        mode="native",
    ),
    "postgresql_data_directory": Anchor(
        "the data stay in {old}",
        "stop the cluster, move them by hand, and change data_directory in its postgresql.conf",
        groups=("database",),
        mode="native",
    ),
    "edusphere_image_postgres_user": Anchor(
        "the database's files belong to {old}, and {new} could not read them",
        "stop the site and change their owner by hand (chown)",
        groups=("database",),
        mode="compose",
    ),
    "edusphere_image_postgres": Anchor(
        "the volume has the files of {old}, which another major version of PostgreSQL cannot read",
        "dump the database, remove the volume, and restore the dump after the deployment",
        groups=("database",),
        mode="compose",
    ),
    "docker_data_root": Anchor(
        "the volumes stay in {old}, and the engine would start without them",
        "stop the engine and move the directory by hand",
        groups=("app", "database"),
        mode="compose",
    ),
}
# Data that a group's hosts hold: the setting to accept a move by, what they are, and how to move them.
HELD = {
    "database": (
        "edusphere_database_host",
        "the site's data",
        "restore a dump of the old database into a new one",
    ),
    "app": ("edusphere_root", "the uploads", "move edusphere_root/shared by hand (in Compose mode the volumes)"),
}
# What tells a site from another one on the same host.
IDENTITY = ("edusphere_domain", "edusphere_http_port", "edusphere_https_port")
# Directories of the host.
PLACES = ("edusphere_root", "postgresql_data_directory", "docker_data_root")
# Made of other settings, unless an operator says otherwise: the change of one of those is told.
DERIVED = {"postgresql_data_directory": ("postgresql_version", "postgresql_cluster")}
# Not in a record: an empty one stands for any number, and the account that is there tells which.
NUMBERS = ("edusphere_uid", "edusphere_gid")
# Those that a site without a record is known by, and the application's variables that have them.
VARIABLES = {"edusphere_database_name": "DB_NAME", "edusphere_database_user": "DB_USER"}


def record(settings: Mapping[str, Any], groups: Sequence[str]) -> dict[str, Any]:
    """Of a host's ``settings``, those that data on it hang on; it is in ``groups``."""
    mode = settings.get("edusphere_mode")
    names = [
        name
        for name, anchor in ANCHORS.items()
        if anchor.mode in ("", mode) and (not anchor.groups or set(anchor.groups) & set(groups))
    ]
    return {name: settings[name] for name in (*IDENTITY, *names) if name in settings and name not in NUMBERS}


def changed(settings: Mapping[str, Any], survey: Survey, groups: Sequence[str]) -> Iterator[str]:
    """The settings that would part a site from its data on a host in ``groups``, without those that are accepted."""
    for name, old, new in _changes(settings, survey, groups):
        if name not in settings.get("preflight_accept_orphans", ()):
            anchor = ANCHORS[name]
            words = {"old": _words(old, new), "new": _words(new, old)}
            yield (
                f"{name}: is {new!r}, and the site was deployed with {old!r}. Data are not moved: "
                f"{anchor.left.format(**words)}. Set it back to {old!r}; or {anchor.way.format(**words)}, "
                f"and then allow the change once: -e '{json.dumps({'preflight_accept_orphans': [name]})}'"
            )


def moved(
    hosts: Mapping[str, tuple[Mapping[str, Any], Survey | None]], groups: Mapping[str, Sequence[str]]
) -> Iterator[str]:
    """The groups whose data are on hosts that are no longer in them; ``hosts`` of the run, each with what is known.

    A host that is not in the run, or did not answer, may have the data. Nothing is said then.
    """
    for group, (name, data, way) in HELD.items():
        members = groups.get(group, ())
        if any(member not in hosts or hosts[member][1] is None for member in members):
            continue
        having = [
            host for host, (settings, survey) in hosts.items() if survey is not None and _holds(group, settings, survey)
        ]
        accepted = any(name in settings.get("preflight_accept_orphans", ()) for settings, _survey in hosts.values())
        if having and members and not set(having) & set(members) and not accepted:
            there, here = ", ".join(having), ", ".join(members)
            yield (
                f"group {group}: is {here}, and {data} are on {there}. Data are not moved, and the site would go live "
                f"without them. Put {there} back into the group; or {way}, and then allow the change once: "
                f"-e '{json.dumps({'preflight_accept_orphans': [name]})}'"
            )


def _holds(group: str, settings: Mapping[str, Any], survey: Survey) -> bool:
    """Whether a host has the data of ``group``, by its record: they hang on settings that matter there alone."""
    site = _site(settings, survey) or {}
    # A storage that app hosts share is on none of them.
    if group == "app" and settings.get("edusphere_media_shared"):
        return False
    return any(anchor.groups == (group,) and name in site for name, anchor in ANCHORS.items())


def in_other_mode(settings: Mapping[str, Any], survey: Survey) -> bool:
    """Whether the host has the site in the other mode, which is refused."""
    site = _site(settings, survey) or {}
    return (
        "edusphere_mode" in settings
        and site.get("edusphere_mode", settings["edusphere_mode"]) != settings["edusphere_mode"]
        and "edusphere_mode" not in settings.get("preflight_accept_orphans", ())
    )


def _site(settings: Mapping[str, Any], survey: Survey) -> Mapping[str, Any] | None:
    """The site as the host has it; None where it has no live release."""
    return next((site for site in survey.sites if site["edusphere_name"] == settings.get("edusphere_name")), None)


def _changes(settings: Mapping[str, Any], survey: Survey, groups: Sequence[str]) -> Iterator[tuple[str, Any, Any]]:
    """The settings that have changed, with the values before and now."""
    site, image = _site(settings, survey), _database_image(settings, survey, groups)
    if site is None:
        # A volume may be there all the same, of a first deployment that failed.
        wanted = settings.get("edusphere_image_postgres")
        if image and wanted and _leaves_data("edusphere_image_postgres", image, wanted, survey):
            yield "edusphere_image_postgres", image, wanted
        for other in survey.sites if "edusphere_name" in settings else ():
            if _is_renamed(other, settings, survey, groups):
                yield "edusphere_name", other["edusphere_name"], settings["edusphere_name"]
        return
    site = {"edusphere_image_postgres": image, **site} if image else site
    known = [name for name in ANCHORS if name in site and name in settings and name not in _overridden(site, settings)]
    found = {name for name in known if _leaves_data(name, site[name], settings[name], survey)}
    for name in known:
        if name in found and not found & set(DERIVED.get(name, ())):
            yield name, site[name], settings[name]
    # An account that would be another one has other numbers anyway.
    if not found & {"edusphere_mode", "edusphere_user", "edusphere_group"}:
        yield from _numbers(site, settings, survey)


def _database_image(settings: Mapping[str, Any], survey: Survey, groups: Sequence[str]) -> str:
    """The image of the site's container of PostgreSQL, which tells of its volume where a record does not, or empty."""
    here = settings.get("edusphere_mode") == "compose" and "database" in groups
    return survey.databases.get(str(settings.get("edusphere_name")), "") if here else ""


def _overridden(site: Mapping[str, Any], settings: Mapping[str, Any]) -> set[str]:
    """Settings that an environment file does not tell, since the application's own variables have taken their place."""
    if "own_database" not in site:
        return set()
    own = {**settings.get("edusphere_app_environment", {}), **settings.get("edusphere_app_secrets", {})}
    return {name for name, variable in VARIABLES.items() if variable in own}


def _leaves_data(name: str, old: Any, new: Any, survey: Survey) -> bool:
    """Whether data stay behind when a setting has the value ``new`` and no longer ``old``."""
    if name == "edusphere_app_shared_directories":
        return isinstance(old, list) and bool({*map(str, old)} - {*new})
    if name == "edusphere_database_host":
        # Between the site's own server and a managed one. A managed one may get another address.
        return bool(old) != bool(new)
    if name in PLACES:
        return survey.real(str(PurePosixPath(str(old)))) != survey.real(str(PurePosixPath(str(new))))
    if name == "edusphere_image_postgres":
        # A name that says no version may be any.
        return len({postgres_image.major(str(image)) for image in (old, new)} - {None}) > 1
    if name == "edusphere_app_media_directory":
        return PurePosixPath(str(old)) != PurePosixPath(str(new))
    return str(old) != str(new)


def _is_renamed(other: Mapping[str, Any], settings: Mapping[str, Any], survey: Survey, groups: Sequence[str]) -> bool:
    """Whether the settings are those of the site ``other`` under a new name, and not of a second site on the host."""

    def same(*names: str) -> bool:
        return all(name in other and name in settings and other[name] == settings[name] for name in names)

    root, new_root = other.get("edusphere_root"), settings.get("edusphere_root")
    one_root = bool(root and new_root) and not _leaves_data("edusphere_root", root, new_root, survey)
    # In Compose mode, each site has a server of its own.
    one_server = (
        "database" in groups
        and (other["edusphere_mode"], settings.get("edusphere_mode")) == ("native", "native")
        and ("postgresql_cluster" in other or other.get("own_database", False))
        and other.get("postgresql_cluster", settings.get("postgresql_cluster")) == settings.get("postgresql_cluster")
    )
    return same(*IDENTITY) or one_root or (one_server and same("edusphere_database_name"))


def _numbers(site: Mapping[str, Any], settings: Mapping[str, Any], survey: Survey) -> Iterator[tuple[str, str, str]]:
    """Other numbers for the service account and its group than they have; only native app hosts record the two."""
    uids = [account.uid for account in survey.accounts if account.name == site.get("edusphere_user")]
    gids = [group.gid for group in survey.groups if group.name == site.get("edusphere_group")]
    for name, there in (("edusphere_uid", uids), ("edusphere_gid", gids)):
        wanted = str(settings.get(name) or "")
        if wanted and there and wanted != str(there[0]):
            yield name, str(there[0]), wanted


def _words(value: Any, other: Any) -> str:
    """A setting's value in a sentence; of a list, what the ``other`` value has not."""
    if isinstance(value, list):
        return ", ".join(str(item) for item in value if item not in other)
    return "the group database" if value == "" else str(value)
