"""Which accounts and groups of a host preflight takes for the site's, and which for somebody else's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import yaml
from ansible_collections.edusphere.platform.plugins.plugin_utils.accounts import (
    TAKEN,
    comment_of,
    on_host,
    removed,
    well_named,
)
from ansible_collections.edusphere.platform.plugins.plugin_utils.survey import Account, Group, Survey
from own_collections import ROOT

NOLOGIN = "/usr/sbin/nologin"
SETTINGS: dict[str, Any] = {
    "edusphere_name": "learn",
    "edusphere_user": "learn",
    "edusphere_group": "learn",
    "edusphere_root": "/srv/learn",
    "edusphere_mode": "native",
    "edusphere_environment": "production",
    "edusphere_uid": "",
    "edusphere_gid": "",
    "edusphere_container_uid": 10001,
    "edusphere_container_gid": 10001,
}
OURS = Account("learn", 995, 994, "learn service account", "/srv/learn", NOLOGIN)
WITH_SHELL = Account("learn", 995, 994, "learn service account", "/srv/learn", "/bin/bash")
OUR_GROUP = Group("learn", 994, ())
BUILD = Account("learn-build", 993, 993, "", "/srv/learn/build", NOLOGIN)
DEBIAN = Account("debian", 1000, 1000, "Debian,,,", "/home/debian", "/bin/bash")
DEBIANS = Group("debian", 1000, ())
SUPERUSER = Account("root", 0, 0, "root", "/root", "/bin/bash")
DAEMON = Account("_gitea", 112, 115, "", "/var/lib/gitea", NOLOGIN)


def survey(accounts: list[Account], groups: Sequence[Group] = ()) -> Survey:
    """A host with these, and root's."""
    return Survey(
        user="deploy",
        root="sudo",
        os={},
        architecture="x86_64",
        systemd=True,
        python3=True,
        memory_mb=2000,
        disks={},
        links={},
        address="10.0.0.1",
        accounts=(SUPERUSER, *accounts),
        groups=(Group("root", 0, ()), *groups),
        listeners=(),
    )


def found(accounts: list[Account], groups: list[Group], builds: bool = True, **changes: Any) -> list[str]:
    """What is said of a host with these."""
    return list(on_host({**SETTINGS, **changes}, survey(accounts, groups), builds))


@pytest.mark.parametrize(
    ("accounts", "groups", "changes"),
    [
        ([], [], {}),
        ([DEBIAN], [DEBIANS], {}),
        ([OURS, BUILD, DEBIAN], [OUR_GROUP, Group("learn-build", 993, ()), DEBIANS], {}),
        # Somebody gave it a shell for a while, and joined its group.
        ([WITH_SHELL, DEBIAN], [replace(OUR_GROUP, members=("debian",))], {}),
        # An operator made it, with a number that the shared storage knows.
        ([replace(OURS, uid=2880, comment="")], [OUR_GROUP], {"edusphere_uid": "2880"}),
        # The run was interrupted between the group and the account.
        ([], [OUR_GROUP], {}),
        ([], [Group("learn", 2880, ())], {"edusphere_gid": "2880"}),
        # A site of containers that became one for developers, and back.
        ([replace(OURS, uid=10001, gid=10001)], [replace(OUR_GROUP, gid=10001)], {}),
        ([], [Group("learn", 10001, ())], {"edusphere_mode": "compose", "edusphere_environment": "development"}),
    ],
)
def test_the_sites_own(accounts: list[Account], groups: list[Group], changes: dict[str, Any]) -> None:
    assert found(accounts, groups, **changes) == []


@pytest.mark.parametrize(
    ("account", "text"),
    [
        (DEBIAN, "account 'debian' is there, and is somebody's (login shell /bin/bash); choose another name"),
        (Account("debian", 500, 500, "", "/home/debian", ""), "somebody's (login shell /bin/sh)"),
        (Account("debian", 1001, 1001, "", "/nonexistent", NOLOGIN), "somebody's (number 1001)"),
        (Account("debian", 70000, 100, "", "/srv/x", "/bin/false"), "somebody's (number 70000)"),
        (Account("debian", 0, 0, "debian service account", "/srv/learn", NOLOGIN), "root's own (number 0)"),
        (Account("debian", 60, 60, "", "/", NOLOGIN), "the system's own (number 60)"),
        (Account("debian", 112, 115, "", "/x", NOLOGIN), "run usermod --comment 'debian service account' debian"),
        (Account("debian", 995, 994, "school service account", "/", NOLOGIN), "the service account of site 'school'"),
    ],
)
def test_an_account_of_others(account: Account, text: str) -> None:
    """By whichever setting its name was given, that one is named, and it is told once."""
    by_name = found([account], [], edusphere_name="debian", edusphere_user="debian", edusphere_group="debian")
    assert [problem.partition(":")[0] for problem in by_name] == ["edusphere_name"]
    assert text in by_name[0]
    (problem,) = found([account], [], edusphere_user="debian")
    assert problem.startswith("edusphere_user: account 'debian' is there, and is ")


def test_the_comment_is_the_one_that_the_role_gives() -> None:
    tasks = yaml.safe_load((ROOT / "roles/common/tasks/account.yml").read_text())
    (comment,) = (task["ansible.builtin.user"]["comment"] for task in tasks if "ansible.builtin.user" in task)
    assert comment == comment_of({"edusphere_name": "{{ edusphere_name }}"})


def test_a_person_and_their_group_are_one_problem() -> None:
    names: dict[str, Any] = {"edusphere_name": "debian", "edusphere_user": "debian", "edusphere_group": "debian"}
    (problem,) = found([DEBIAN], [DEBIANS], **names)
    assert problem.startswith("edusphere_name: account 'debian'")
    assert len(found([DEBIAN], [DEBIANS], edusphere_user="debian", edusphere_group="debian")) == 2


@pytest.mark.parametrize(
    ("group", "accounts", "text"),
    [
        (DEBIANS, [DEBIAN], "group 'debian' is there, and is that of debian; choose another name"),
        (Group("debian", 200, ("anna", "ben")), [], "is that of anna, ben"),
        (Group("debian", 115, ()), [DAEMON], "is that of _gitea"),
        (Group("debian", 40, ()), [], "is the system's own (number 40)"),
        (Group("debian", 1001, ()), [], "is somebody's (number 1001)"),
        (Group("debian", 1001, ()), [OURS], "is somebody's (number 1001)"),
    ],
)
def test_a_group_of_others(group: Group, accounts: list[Account], text: str) -> None:
    (problem,) = found(accounts, [group], edusphere_group="debian")
    assert problem.startswith("edusphere_group: ")
    assert text in problem


def test_the_account_that_builds() -> None:
    person = Account("learn-build", 1001, 1001, "", "/home/learn-build", "/bin/bash")
    (problem,) = found([person], [])
    assert problem.startswith(
        "edusphere_name: account 'learn-build', which would build releases, is there, and is somebody's"
    )
    assert found([person], [], builds=False) == []


def test_numbers_of_others() -> None:
    (problem,) = found([DEBIAN], [DEBIANS], edusphere_uid="1000")
    assert problem == "edusphere_uid: 1000 is the number of account 'debian'; choose one that is free"
    (problem,) = found([DEBIAN], [DEBIANS], edusphere_gid="1000")
    assert problem == "edusphere_gid: 1000 is the number of group 'debian'; choose one that is free"
    development: dict[str, Any] = {"edusphere_mode": "compose", "edusphere_environment": "development"}
    (problem,) = found([DEBIAN], [DEBIANS], **development, edusphere_container_uid=1000)
    assert problem.startswith("edusphere_container_uid: 1000 is the number of account 'debian'")


@pytest.mark.parametrize("name", ["edusphere_user", "edusphere_group"])
@pytest.mark.parametrize("value", sorted(TAKEN))
def test_names_of_the_system(name: str, value: str) -> None:
    """Whether the host has them yet or not."""
    (problem,) = well_named({**SETTINGS, name: value})
    assert problem == f"{name}: {value!r} is the system's own; choose another name"


@pytest.mark.parametrize("value", ["", "Learn", "-x", "a b", "a:b", "1000", "x" * 33, "lärn", "x\n", "learn$"])
def test_no_names(value: str) -> None:
    (problem,) = well_named({**SETTINGS, "edusphere_user": value})
    assert problem.startswith(f"edusphere_user: {value!r} names no account")


@pytest.mark.parametrize(
    ("account", "changes", "text"),
    [
        (OURS, {"edusphere_teardown_data": "learn"}, ""),
        (BUILD, {}, ""),
        (DEBIAN, {"edusphere_user": "debian"}, ""),
        (
            DEBIAN,
            {"edusphere_user": "debian", "edusphere_teardown_data": "learn"},
            "edusphere_user: account 'debian' is somebody's (login shell /bin/bash); correct the name",
        ),
        (
            DAEMON,
            {"edusphere_user": "_gitea", "edusphere_teardown_data": "learn"},
            "edusphere_user: account '_gitea' is not known to be this site's; correct the name",
        ),
        (
            Account("learn-build", 1001, 1001, "", "/home/x", "/bin/sh"),
            {},
            "edusphere_name: account 'learn-build' is somebody's (login shell /bin/sh); correct the name",
        ),
    ],
)
def test_what_teardown_may_remove(account: Account, changes: dict[str, Any], text: str) -> None:
    """The service account goes with the data alone."""
    assert list(removed({**SETTINGS, **changes}, survey([account]))) == ([text] if text else [])
