"""Upgrades that nobody notices: under a hundred requests a second and fifty people who chat, or a share of them.

The tests build on each other: each finds v1, and leaves it.
"""

from __future__ import annotations

import re

import pytest
from behaviour.load import Figures, Load, discrepancies
from behaviour.platforms import Platform
from behaviour.rolling import (
    CLIENTS,
    ROUNDS,
    SHARE,
    State,
    conclude,
    rollback,
    say,
    serves,
    tasks_of,
    upgrade,
)
from behaviour.tabs import OldTabs
from behaviour.visitor import Site
from depth import exhaustive_in
from playwright.sync_api import Browser

# What only a build has to do.
BUILDS = re.compile(
    "release : (Put the source in place|Install the application's requirements|Build the backend)|frontend : Build the"
)


def test_upgrades_and_rollbacks(
    visitors: Load, calm: Figures, browser: Browser, site: Site, platform: Platform
) -> None:
    """There and back, again and again; after the first time there is nothing to build. Old tabs go on."""
    serves(platform, site, "v1")
    tabs = OldTabs(browser, site)
    before: list[str] = []
    for number in range(1, ROUNDS + 1):
        for version in ("v2", "v1"):
            with visitors.watched() as window:
                run = upgrade("v2") if version == "v2" else rollback()
                # What comes back to another worker belongs to it.
                visitors.answered(round(500 * SHARE))
            serves(platform, site, version)
            conclude(visitors, window, f"to {version}, {number}", run, calm=calm)
            # Every client moved, once, and was told why.
            assert [outage["code"] for outage in window.seen.outages] == [1012] * CLIENTS
            if number == 1:
                (tabs.go_on if version == "v2" else tabs.go_on_again)()
            if before:
                assert platform.releases == before
                assert not [task for task in tasks_of(run) if BUILDS.search(task)]
            before = platform.releases


@exhaustive_in("rolling-compose", "in Compose mode, a version that does not get ready never serves")
def test_broken_version(visitors: Load, calm: Figures, site: Site, platform: Platform) -> None:
    """It never serves, says why, and leaves nothing."""
    before = State.of(platform)
    with visitors.watched() as window:
        # It would not get ready later either.
        run = upgrade("v2-broken", check=False, backend_ready_timeout=10)
        visitors.answered(round(100 * SHARE))
    assert run.failed
    assert "readiness check word_filter failed" in run.said, run.said[-6000:]
    assert "The backend's last lines" in run.said
    assert State.of(platform) == before
    serves(platform, site, "v1")
    conclude(visitors, window, "to v2-broken", run, calm=calm)
    assert not window.seen.outages


@pytest.mark.exhaustive("a host without memory for two releases is told so before anything starts")
def test_no_memory_for_two_releases(visitors: Load, calm: Figures, site: Site, platform: Platform) -> None:
    """It is said before anything is started, with what can be done about it."""
    before, vm = State.of(platform), platform.vm
    # What the kernel says, but for one number: as a container with a limit sees it through lxcfs.
    vm.check_output("sed 's/^MemAvailable:.*/MemAvailable: 1024 kB/' /proc/meminfo > /root/meminfo")
    vm.check_output("mount --bind /root/meminfo /proc/meminfo")
    try:
        with visitors.watched() as window:
            run = upgrade("v2", check=False)
            visitors.answered(round(100 * SHARE))
    finally:
        vm.check_output("umount /proc/meminfo")
    assert run.failed
    for told in ("1.00 MB left", "Give the host more memory", "edusphere_maintenance=true"):
        assert told in run.said, run.said[-6000:]
    after = State.of(platform)
    assert (after.records, after.backends, after.serving) == (before.records, before.backends, before.serving)
    serves(platform, site, "v1")
    conclude(visitors, window, "to v2, for which there is no memory", run, calm=calm)


@exhaustive_in("rolling-compose", "the load on a stack of containers notices hard restarts")
def test_hard_restarts_are_noticed(visitors: Load, calm: Figures, platform: Platform) -> None:
    """What the tests above rely on: a load that notices nothing would let everything pass."""
    assert not calm.failed
    with visitors.watched() as window:
        # All of its processes, which are started again.
        platform.vm.check_output("pkill --signal KILL --parent %s", str(platform.main_pid))
        platform.vm.check_output("kill -KILL %s", str(platform.main_pid))
        visitors.answered(round(1000 * SHARE))
    say("the backend is killed, which must be noticed", window.seen.summary())
    whats = {request["what"] for request in window.seen.failed}
    assert any(re.match("status 50[234]", what) for what in whats), whats
    assert len({outage["client"] for outage in window.seen.outages}) == CLIENTS
    with visitors.watched() as window:
        platform.vm.check_output("kill -KILL %s", str(platform.main_pid_of_nginx()))
        visitors.answered(round(1000 * SHARE))
    say("nginx is killed, which must be noticed", window.seen.summary())
    assert window.seen.failed or window.seen.refused
    assert 1006 in {outage["code"] for outage in window.seen.outages}
    # And the application forgives all of it.
    assert not discrepancies(visitors.audit())
