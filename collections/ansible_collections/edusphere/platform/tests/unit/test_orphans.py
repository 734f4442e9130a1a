"""Which changes of a site's settings would leave its data behind, on hosts as they are found."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
import yaml
from ansible_collections.edusphere.platform.plugins.filter.site_record import site_record
from ansible_collections.edusphere.platform.plugins.plugin_utils.orphans import (
    ANCHORS,
    IDENTITY,
    changed,
    in_other_mode,
    moved,
    record,
)
from ansible_collections.edusphere.platform.plugins.plugin_utils.survey import Account, Group, Survey
from own_collections import ROOT

ALL = ("edge", "app", "database", "cache")
NATIVE: dict[str, Any] = {
    "edusphere_name": "learn",
    "edusphere_mode": "native",
    "edusphere_domain": "learn.example.org",
    "edusphere_http_port": 80,
    "edusphere_https_port": 443,
    "edusphere_root": "/srv/learn",
    "edusphere_user": "learn",
    "edusphere_group": "learn",
    "edusphere_uid": "",
    "edusphere_gid": "",
    "edusphere_container_uid": "10001",
    "edusphere_container_gid": "10001",
    "edusphere_media_shared": False,
    "edusphere_app_shared_directories": ["media", "logs"],
    "edusphere_app_media_directory": "media",
    "edusphere_database_name": "coredb",
    "edusphere_database_user": "db_user",
    "edusphere_database_host": "",
    "edusphere_database_password": "a secret",
    "edusphere_app_environment": {},
    "edusphere_app_secrets": {},
    "edusphere_image_postgres": "postgres:16",
    "edusphere_image_postgres_user": "999:999",
    "postgresql_version": "15",
    "postgresql_cluster": "main",
    "postgresql_data_directory": "/var/lib/postgresql/15/main",
    "docker_data_root": "/var/lib/docker",
    "preflight_accept_orphans": [],
}
COMPOSE = NATIVE | {"edusphere_mode": "compose"}
# What a survey finds of the two where there is no record.
BY_UNITS = {
    "edusphere_name": "learn",
    "edusphere_mode": "native",
    "edusphere_root": "/srv/learn",
    "edusphere_user": "learn",
    "edusphere_group": "learn",
    "edusphere_database_name": "coredb",
    "edusphere_database_user": "db_user",
    "own_database": True,
}
BY_CONTAINERS = {"edusphere_name": "learn", "edusphere_mode": "compose", "edusphere_root": "/srv/learn"}


def survey(*sites: Mapping[str, Any], links: Mapping[str, str] | None = None) -> Survey:
    return Survey(
        user="root",
        root="yes",
        os={},
        architecture="x86_64",
        systemd=True,
        python3=True,
        memory_mb=2000,
        disks={},
        links=dict(links or {}),
        address="10.0.0.1",
        accounts=(Account("learn", 995, 994, "learn service account", "/srv/learn", "/usr/sbin/nologin"),),
        groups=(Group("learn", 994, ()),),
        listeners=(),
        sites=sites,
    )


def told(
    settings: Mapping[str, Any], *sites: Mapping[str, Any], groups: tuple[str, ...] = ALL, **more: Any
) -> list[str]:
    """The names of the settings that are refused."""
    return [problem.partition(":")[0] for problem in changed(settings, survey(*sites, **more), groups)]


@pytest.mark.parametrize("settings", [NATIVE, COMPOSE], ids=["native", "compose"])
@pytest.mark.parametrize("groups", [ALL, ("app",), ("database",), ("edge",), ("cache",)])
def test_nothing_has_changed(settings: dict[str, Any], groups: tuple[str, ...]) -> None:
    assert told(settings, json.loads(site_record(settings, groups)), groups=groups) == []


# Each setting with another value, in the modes and on the hosts where it parts the site from its data.
CHANGES = [
    ("edusphere_mode", "compose", "native", ALL),
    ("edusphere_mode", "native", "compose", ALL),
    ("edusphere_name", "teach", "native", ALL),
    ("edusphere_name", "teach", "compose", ALL),
    ("edusphere_root", "/srv/other", "native", ("app",)),
    ("edusphere_root", "/srv/other", "compose", ("app",)),
    ("edusphere_user", "other", "native", ("app",)),
    ("edusphere_group", "other", "native", ("app",)),
    ("edusphere_uid", "880", "native", ("app",)),
    ("edusphere_gid", "880", "native", ("app",)),
    ("edusphere_container_uid", "880", "compose", ("app",)),
    ("edusphere_container_gid", "880", "compose", ("app",)),
    ("edusphere_app_shared_directories", ["logs"], "native", ("app",)),
    ("edusphere_app_shared_directories", ["uploads", "logs"], "compose", ("app",)),
    ("edusphere_app_media_directory", "logs", "native", ("app",)),
    ("edusphere_media_shared", True, "compose", ("app",)),
    ("edusphere_database_name", "other", "native", ("app", "database")),
    ("edusphere_database_name", "other", "compose", ("app", "database")),
    ("edusphere_database_user", "other", "native", ("app", "database")),
    ("edusphere_database_user", "other", "compose", ("app", "database")),
    ("edusphere_database_host", "db.example.net", "native", ("app",)),
    ("postgresql_version", "17", "native", ("database",)),
    ("postgresql_cluster", "other", "native", ("database",)),
    ("postgresql_data_directory", "/data/15", "native", ("database",)),
    ("edusphere_image_postgres_user", "70:70", "compose", ("database",)),
    ("edusphere_image_postgres", "postgres:17", "compose", ("database",)),
    ("docker_data_root", "/data/docker", "compose", ("app", "database")),
]


@pytest.mark.parametrize(("name", "value", "mode", "where"), CHANGES)
def test_a_change_that_leaves_data(name: str, value: Any, mode: str, where: tuple[str, ...]) -> None:
    before = NATIVE | {"edusphere_mode": mode}
    now = before | {name: value}
    for group in ALL:
        found = told(now, record(before, [group]), groups=(group,))
        assert found == ([name] if group in where else []), group
    assert told(now, record(before, ALL)) == [name]
    assert told(now | {"preflight_accept_orphans": [name]}, record(before, ALL)) == []
    assert told(now) == [], "a first installation"


def test_every_anchor_is_changed_above() -> None:
    assert {change[0] for change in CHANGES} == set(ANCHORS)


def test_what_may_be_accepted() -> None:
    specs = yaml.safe_load((ROOT / "roles/preflight/meta/argument_specs.yml").read_text())["argument_specs"]
    assert specs["main"]["options"]["preflight_accept_orphans"]["choices"] == list(ANCHORS)


def test_the_words() -> None:
    (problem,) = changed(NATIVE | {"edusphere_database_name": "other"}, survey(record(NATIVE, ALL)), ALL)
    assert problem == (
        "edusphere_database_name: is 'other', and the site was deployed with 'coredb'. Data are not moved: "
        "the data stay in database coredb, and the site would go live with another one. Set it back to 'coredb'; or "
        "rename the database by hand (ALTER DATABASE … RENAME TO …), or restore a dump into the new one, "
        "and then allow the change once: "
        """-e '{"preflight_accept_orphans": ["edusphere_database_name"]}'"""
    )


def test_words_for_lists_and_for_what_is_empty() -> None:
    now = NATIVE | {"edusphere_app_shared_directories": ["logs"], "edusphere_database_host": "db.example.net"}
    directories, server = changed(now, survey(record(NATIVE, ALL)), ALL)
    assert "with ['media', 'logs']. Data are not moved: what is in media stays behind" in directories
    assert "with ''. Data are not moved: the data stay in the database of the group database" in server


@pytest.mark.parametrize(
    ("before", "now"),
    [
        ({}, {"edusphere_app_shared_directories": ["logs", "exports", "media"]}),
        ({}, {"edusphere_app_media_directory": "media/"}),
        ({}, {"edusphere_root": "/srv/learn/"}),
        ({}, {"postgresql_version": 15}),
        ({}, {"edusphere_uid": "995", "edusphere_gid": 994}),
        ({"edusphere_database_host": "a.example.net"}, {"edusphere_database_host": "b.example.net"}),
        ({}, {"edusphere_container_uid": "880", "edusphere_media_shared": True}),
        ({}, {"edusphere_domain": "other.example.org", "edusphere_database_password": "another"}),
    ],
    ids=str,
)
def test_a_change_that_leaves_nothing(before: dict[str, Any], now: dict[str, Any]) -> None:
    assert told(NATIVE | before | now, record(NATIVE | before, ALL)) == []


@pytest.mark.parametrize(
    ("before", "now", "refused"),
    [
        ("postgres:16", "postgres:16.4-alpine", False),
        ("postgres:16", "forge.example.org:5000/mirror/postgres:16.4@sha256:0a1b", False),
        ("postgres:9", "postgres:latest", False),
        ("postgres@sha256:16", "postgres:17", False),
        ("forge.example.org:5000/postgres", "postgres:17", False),
        ("forge.example.org:5000/postgres:16-bookworm", "postgres:18@sha256:0a1b", True),
    ],
)
def test_images_of_postgresql(before: str, now: str, refused: bool) -> None:
    """A name that has no version may be any."""
    there = record(COMPOSE | {"edusphere_image_postgres": before}, ALL)
    assert told(COMPOSE | {"edusphere_image_postgres": now}, there) == (["edusphere_image_postgres"] if refused else [])


def test_a_root_that_was_moved_with_a_link() -> None:
    now = NATIVE | {"edusphere_root": "/data/learn"}
    assert told(now, record(NATIVE, ALL), links={"/srv/learn": "/data/learn"}) == []


def test_what_is_not_known_yet() -> None:
    """Without facts, preflight does not know the distribution's version of PostgreSQL, nor what is made of it."""
    unknown = {"postgresql_version", "postgresql_data_directory"}
    now = {name: value for name, value in NATIVE.items() if name not in unknown}
    assert told(now, record(NATIVE, ALL)) == []


def test_the_cause_alone_is_told() -> None:
    version = NATIVE | {"postgresql_version": "17", "postgresql_data_directory": "/var/lib/postgresql/17/main"}
    assert told(version, record(NATIVE, ALL)) == ["postgresql_version"]
    user = NATIVE | {"edusphere_user": "other", "edusphere_uid": "880"}
    assert told(user, record(NATIVE, ALL)) == ["edusphere_user"]


def test_all_changes_at_once() -> None:
    now = COMPOSE | {"edusphere_database_name": "other"}
    assert told(now, record(NATIVE, ALL)) == ["edusphere_mode", "edusphere_database_name"]
    assert told(now | {"preflight_accept_orphans": ["edusphere_mode"]}, record(NATIVE, ALL)) == [
        "edusphere_database_name"
    ]


def test_the_other_mode() -> None:
    there = survey(record(NATIVE, ALL))
    assert in_other_mode(COMPOSE, there)
    assert not in_other_mode(NATIVE, there)
    assert not in_other_mode(COMPOSE, survey())
    # What listens there must be stopped.
    assert not in_other_mode(COMPOSE | {"preflight_accept_orphans": ["edusphere_mode"]}, there)


# Where a site of one machine goes when a tier gets a machine of its own, by the machine that is named first.
TWO = {"edge": ["one"], "app": ["one"], "database": ["one"], "cache": ["one"]}


def told_of_moves(now: Mapping[str, Any], groups: Mapping[str, list[str]], **surveys: Survey | None) -> list[str]:
    """The groups that are refused."""
    hosts = {name: (now, found) for name, found in surveys.items()}
    return [problem.partition(":")[0] for problem in moved(hosts, groups)]


@pytest.mark.parametrize("settings", [NATIVE, COMPOSE], ids=["native", "compose"])
@pytest.mark.parametrize(("group", "name"), [("database", "edusphere_database_host"), ("app", "edusphere_root")])
def test_a_group_that_leaves_its_data(settings: dict[str, Any], group: str, name: str) -> None:
    before, after = survey(record(settings, ALL)), {**TWO, group: ["two"]}
    assert told_of_moves(settings, after, one=before, two=survey()) == [f"group {group}"]
    assert told_of_moves(settings | {"preflight_accept_orphans": [name]}, after, one=before, two=survey()) == []
    # Once that run is complete.
    left = survey(record(settings, [other for other in ALL if other != group]))
    assert told_of_moves(settings, after, one=left, two=survey(record(settings, [group]))) == []


@pytest.mark.parametrize("settings", [NATIVE, COMPOSE], ids=["native", "compose"])
def test_groups_that_leave_nothing(settings: dict[str, Any]) -> None:
    there = survey(record(settings, ALL))
    assert told_of_moves(settings, TWO, one=there) == []
    assert told_of_moves(settings, TWO, one=survey()) == [], "a first installation, or a rebuilt host"
    # An alias of the inventory is no machine.
    assert told_of_moves(settings, {group: ["uno"] for group in TWO}, uno=there) == []
    # Another app host, and one that goes while others stay.
    more = {**TWO, "app": ["one", "two"]}
    assert told_of_moves(settings, more, one=there, two=survey()) == []
    app = survey(record(settings, ["app"]))
    assert told_of_moves(settings, {**TWO, "app": ["two"]}, one=there, two=app) == []
    shared = settings | {"edusphere_media_shared": True}
    assert told_of_moves(shared, {**TWO, "app": ["two"]}, one=survey(record(shared, ALL)), two=survey()) == []
    # With --limit, or without an answer, nobody knows; a managed service is no host.
    apart = {**TWO, "database": ["two"]}
    assert told_of_moves(settings, apart, one=there) == []
    assert told_of_moves(settings, apart, one=there, two=None) == []
    assert told_of_moves(settings, {**TWO, "database": []}, one=there) == []


RENAMED = NATIVE | {
    "edusphere_name": "teach",
    "edusphere_root": "/srv/teach",
    "edusphere_user": "teach",
    "edusphere_group": "teach",
}


@pytest.mark.parametrize(
    "own",
    [
        {},
        {"edusphere_domain": "teach.example.org"},
        {"edusphere_database_name": "teach"},
        {"edusphere_domain": "t.example.org", "edusphere_database_name": "t", "edusphere_root": "/srv/learn"},
    ],
    ids=str,
)
def test_a_site_under_another_name(own: dict[str, Any]) -> None:
    assert told(RENAMED | own, record(NATIVE, ALL)) == ["edusphere_name"]


SECOND = RENAMED | {"edusphere_domain": "teach.example.org", "edusphere_database_name": "teach"}


def test_a_second_site_on_the_host() -> None:
    first = record(NATIVE, ALL)
    assert told(SECOND, first) == []
    assert told(SECOND, first, record(SECOND, ALL)) == []
    assert told(SECOND | {"edusphere_http_port": 8080, "edusphere_domain": "learn.example.org"}, first) == []
    # In another cluster, on another server, or in a container of its own, a database may have the same name.
    namesake = SECOND | {"edusphere_database_name": "coredb"}
    assert told(namesake, first) == ["edusphere_name"]
    assert told(namesake | {"postgresql_cluster": "teach"}, first) == []
    assert told(namesake, record(NATIVE, ["app"]), groups=("app",)) == []
    assert told(namesake | {"edusphere_mode": "compose"}, record(COMPOSE, ALL)) == []


def test_a_site_of_before_there_were_records() -> None:
    assert told(NATIVE, BY_UNITS) == []
    assert told(COMPOSE, BY_CONTAINERS) == []
    assert told(COMPOSE, BY_UNITS) == ["edusphere_mode"]
    assert told(NATIVE, BY_CONTAINERS) == ["edusphere_mode"]
    for name in ("edusphere_root", "edusphere_user", "edusphere_group", "edusphere_database_name"):
        assert told(NATIVE | {name: "/srv/other"}, BY_UNITS) == [name]
    assert told(NATIVE | {"edusphere_uid": "880"}, BY_UNITS) == ["edusphere_uid"]
    assert told(RENAMED, BY_UNITS) == ["edusphere_name"]
    assert told(SECOND, BY_UNITS) == []


@pytest.mark.parametrize("place", ["edusphere_app_environment", "edusphere_app_secrets"])
def test_an_application_with_a_database_of_its_own(place: str) -> None:
    """Its environment file has that one's name, and not the setting's."""
    now = NATIVE | {place: {"DB_NAME": "elsewhere"}}
    assert told(now, BY_UNITS | {"edusphere_database_name": "elsewhere"}) == []


@pytest.mark.parametrize("settings", [NATIVE, COMPOSE], ids=["native", "compose"])
def test_a_record(settings: dict[str, Any]) -> None:
    line = site_record(settings, ALL)
    assert "secret" not in line
    assert (line.count("\n"), line[-1]) == (1, "\n")
    mode = settings["edusphere_mode"]
    wanted = {name for name, anchor in ANCHORS.items() if anchor.mode in ("", mode)} | {*IDENTITY}
    assert set(json.loads(line)) == wanted - {"edusphere_uid", "edusphere_gid"}
    assert set(record(settings, ["edge"])) >= {"edusphere_name", "edusphere_mode", *IDENTITY}
    assert "edusphere_root" not in record(settings, ["edge"])


def test_a_record_of_settings_that_are_not_known() -> None:
    assert record({"edusphere_name": "learn", "edusphere_mode": "native"}, ALL) == {
        "edusphere_name": "learn",
        "edusphere_mode": "native",
    }
