"""Runs that are killed, each at another point, and started again.

The tests build on each other: a first installation that is killed again and again, then changes of the finished site.
A run that only has to come to one tier's tasks, and back to them, is given that tier's tag, which takes the time out of
it: what the other tiers' tasks do before is the same each time.  The last run is a whole one.
"""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from behaviour.hosts import ROOT, playbook, variables_of
from behaviour.visitor import Site
from depth import chosen
from testinfra.host import Host

HERE = Path(__file__).parent
PROGRAM = (HERE / "discrepancies.py").read_text()
RELEASES = "/srv/edusphere/releases"
# Fails unless every pinned requirement is there.
REQUIREMENTS_MET = r"""
import importlib.metadata, pathlib, re
pins = re.findall(r"^([\w-]+)==([^\s;]+)$", pathlib.Path("requirements.txt").read_text(), re.MULTILINE)
assert len(pins) > 10 and all(importlib.metadata.version(name) == pin for name, pin in pins), pins
"""


class Kill(NamedTuple):
    """Where a run is killed."""

    how: str
    """BEFORE or DURING: see plugins/interrupt.py."""
    task: str
    tags: str


# In this order, on a machine that is bare at the start.
_INSTALLATION = [
    # What compiles goes on on the host.
    Kill("DURING", "release : Install the application's requirements", "all"),
    Kill("BEFORE", "release : Put the release in place", "app"),
    # Debian's package has started it with a configuration that is no more.
    Kill("BEFORE", "redis : Run Redis", "all"),
    Kill("BEFORE", "postgresql : Create the cluster", "cache,database"),
    # The files are there, and the cluster doesn't run yet.
    Kill("BEFORE", "postgresql : Run the server", "database"),
    Kill("BEFORE", "backend : Record what serves", "database,app"),
    Kill("BEFORE", "backend : Note what serves from now on", "app"),
]

FIRST_INSTALLATION = chosen(
    _INSTALLATION,
    [_INSTALLATION[0], Kill("BEFORE", "backend : Record what serves", "all")],
    "a first installation that is killed at seven points",
)


class Change(NamedTuple):
    """A change of the finished site whose run is killed."""

    settings: dict[str, Any]
    kill: Kill
    stale: set[str]
    """What doesn't run what the files say by then."""


OTHER_PASSWORDS = {
    "edusphere_database_password": 'test-only: another "db" $password 2',
    "edusphere_redis_password": "test-only: another-redis-P4ss-$word-2",
}
# Each of a tier of its own, which the next one's run does not come to.
_TIERS = [
    Change({"redis_settings": {"maxclients": 4000}}, Kill("BEFORE", "redis : Run Redis", "cache"), {"redis"}),
    Change(
        {"postgresql_max_connections": 90}, Kill("BEFORE", "postgresql : Run the server", "database"), {"postgresql"}
    ),
    Change(
        {"edusphere_app_upload_limit": "3m"},
        Kill("BEFORE", "nginx : Run nginx with its configuration", "edge"),
        {"nginx"},
    ),
]
TIERS = chosen(_TIERS, _TIERS[1:2], "changes of Redis and of nginx that are killed before they are in force")
_SWITCHES = [
    Change(
        {"edusphere_app_environment": {"TEST_CHANGE": "1"}, "edusphere_backend_keepalive_timeout": 80},
        Kill("BEFORE", "backend : Start the free slot", "app"),
        # What serves has its own files.
        set(),
    ),
    Change(
        {"edusphere_app_environment": {"TEST_CHANGE": "2"}},
        Kill("BEFORE", "nginx : Configure nginx", "app"),
        {"backend", "nginx"},
    ),
    Change(
        {"edusphere_app_environment": {"TEST_CHANGE": "3"}},
        Kill("BEFORE", "backend : Stop the slot that no longer serves", "app"),
        {"backend"},
    ),
    # Redis has both passwords by then, and the database the one before: what serves has its own.
    Change(
        OTHER_PASSWORDS,
        Kill("BEFORE", "postgresql : Create the database's owner", "cache,database,app"),
        set(),
    ),
]

SWITCHES = chosen(
    _SWITCHES,
    _SWITCHES[1:2],
    "a switch that is killed before its slot starts, before the other one stops, and amid a change of passwords",
)


def settings(changes: Sequence[Change]) -> str:
    """The argument with what the inventory would say after these changes."""
    merged: dict[str, Any] = {}
    for change in changes:
        merged.update(change.settings)
    return f"--extra-vars={json.dumps(merged)}"


def deploy(tags: str, changes: Sequence[Change]) -> str:
    """A run to its end; what it said."""
    return playbook(f"--tags={tags}", settings(changes)).stdout


def deploy_until(kill: Kill, vm: Host, changes: Sequence[Change]) -> None:
    """A run that is killed."""
    when = f"ssh -F {ROOT}/.cache/testbed/ssh/config {vm.backend.hostname} pgrep --exact uv"
    run = playbook(
        f"--tags={kill.tags}",
        settings(changes),
        check=False,
        ANSIBLE_CALLBACK_PLUGINS=str(HERE.parent / "plugins"),
        **{f"INTERRUPT_{kill.how}": kill.task},
        INTERRUPT_WHEN=when if kill.how == "DURING" else "true",
    )
    killed = run.returncode == -signal.SIGKILL
    assert killed, f"the run was not killed at {kill}\n{run.stdout[-4000:]}{run.stderr[-2000:]}"


def discrepancies(vm: Host) -> list[str]:
    """Where what runs differs from what the files say."""
    found: list[str] = json.loads(vm.check_output("python3 -c %s", PROGRAM))
    return found


def selectable(vm: Host) -> list[str]:
    """The releases that a deployment can choose, every one of them whole."""
    names: list[str] = vm.run("ls %s", RELEASES).stdout.split()
    for name in names:
        release = f"{RELEASES}/{name}"
        assert json.loads(vm.check_output("cat %s/.release.json", release))["id"] == name
        vm.check_output("cd %s && ls frontend/dist/index.html staticfiles/staticfiles.json media logs", release)
        vm.check_output("cd %s && .venv/bin/python -c %s", release, REQUIREMENTS_MET)
    return names


@pytest.fixture(scope="module")
def site(groups: dict[str, list[str]], vm_address: str) -> Site:
    """The site, as visitors reach it."""
    (name,) = groups["all"]
    return Site(f"http://{variables_of(name, 'edusphere_domain')['edusphere_domain']}", vm_address)


@pytest.mark.parametrize("kill", FIRST_INSTALLATION, ids=lambda kill: kill.task)
def test_first_installation(vm: Host, kill: Kill) -> None:
    """No release can be chosen before it is whole."""
    deploy_until(kill, vm, [])
    if kill.how == "DURING":
        # As slow as a compiler can be: it is still there when the next run builds.
        vm.check_output("pkill --signal STOP --exact uv")
    else:
        assert vm.run("pgrep --list-full --euid edusphere-build").stdout == ""
    assert bool(selectable(vm)) == (not kill.task.startswith("release : "))


def switches(vm: Host) -> int:
    """How often the operator's steps after a switch have run."""
    return int(vm.check_output("grep --count since /root/after_switch || true"))


def test_first_installation_ends(vm: Host) -> None:
    deploy("all", [])
    assert discrepancies(vm) == []
    # The run that had switched was killed before it came to them.
    assert switches(vm) == 1


@pytest.mark.parametrize("change", TIERS, ids=lambda change: change.kill.task)
def test_change_of_a_tier(vm: Host, site: Site, change: Change) -> None:
    """The site serves all the while."""
    changes = TIERS[: TIERS.index(change) + 1]
    deploy_until(change.kill, vm, changes)
    stale = set().union(*(each.stale for each in changes))
    assert {found.partition(":")[0] for found in discrepancies(vm)} == stale
    assert site.get("/api/health/ready/").status_code == 200


def test_every_tier_runs_what_its_files_say(vm: Host) -> None:
    """Once the run was started again, though it finds all files as they should be."""
    deploy("cache,database,edge", TIERS)
    # It switched to nothing, and changed the site all the same.
    last = json.loads(vm.check_output("tail --lines 1 /srv/edusphere/records/history.jsonl"))
    assert last["outcome"] == "done"
    assert discrepancies(vm) == []


def test_a_build_that_fails_leaves_the_tiers_alone(vm: Host, site: Site) -> None:
    """The live release still has the passwords and the port that the database and Redis have."""
    wrong = {
        **OTHER_PASSWORDS,
        "edusphere_database_port": 5433,
        "edusphere_redis_port": 6380,
        "edusphere_version": "never-built",
        "edusphere_hook_before_build": [str(HERE.parent / "hooks/fails.yml")],
    }
    run = playbook(settings(TIERS), f"--extra-vars={json.dumps(wrong)}", check=False)
    assert run.returncode != 0
    assert "could not be built on interrupted-vm. Nothing that serves was touched." in run.stdout
    assert discrepancies(vm) == []
    assert site.get("/api/health/ready/").status_code == 200


@pytest.mark.parametrize("change", SWITCHES, ids=lambda change: change.kill.task)
def test_switch(vm: Host, site: Site, change: Change) -> None:
    """The site serves all the while, and runs what its files say once the run was started again."""
    changes, before = [*TIERS, *SWITCHES[: SWITCHES.index(change) + 1]], switches(vm)
    deploy_until(change.kill, vm, changes)
    assert {found.partition(":")[0] for found in discrepancies(vm)} == change.stale
    assert site.get("/api/health/ready/").status_code == 200

    deploy(change.kill.tags, changes)
    assert discrepancies(vm) == []
    assert switches(vm) == before + 1


def test_nothing_is_left_to_do(vm: Host) -> None:
    said = deploy("all", [*TIERS, *SWITCHES])
    assert re.findall(r"changed=(\d+)", said) == ["0"], said[-6000:]
    assert selectable(vm)
