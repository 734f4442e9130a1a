"""Upgrades that nobody notices: under a hundred requests a second and fifty people who chat.

The tests build on each other: the site serves v1 at first, and each test leaves it as the next one finds it.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator

import pytest
from behaviour.hosts import ROOT, playbook
from behaviour.load import Load, Window, discrepancies, load
from behaviour.platforms import Services
from behaviour.visitor import Site
from testinfra.host import Host

CLIENTS = 50
TREES = ROOT / ".cache/testbed/rolling"
LOG = ROOT / ".cache/molecule/rolling-visitors.log"


def upgrade(version: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Bring the site to a version of the sample application, as an operator does."""
    return playbook(
        f"--extra-vars=edusphere_app_source={TREES / version}",
        f"--extra-vars=edusphere_app_version={version}",
        check=check,
    )


@pytest.fixture(scope="module")
def visitors(site: Site) -> Iterator[Load]:
    """The load, on the site that serves v1, through all tests of this file."""
    with load("rolling-visitor", site, log=LOG, clients=CLIENTS) as started:
        yield started


def conclude(visitors: Load, window: Window, name: str) -> None:
    """Print what was seen, with what the load itself cost; fail where anything was noticed."""
    seen = window.seen
    found = discrepancies(visitors.audit())
    after = visitors.figures()
    counts = {what: len(which) for what, which in found.items()}
    said = (
        f"\n=== {name}\n{seen.summary()}\n{counts or 'nothing lost or doubled'}\n"
        f"the load's own machine: {after.seen['cpu_seconds'] / after.seen['now']:.2f} of a core\n"
    )
    print(said)
    with LOG.with_suffix(".figures").open("a") as log:
        log.write(said)
    assert not seen.failed, said
    assert not seen.refused, said
    assert not found, said
    assert after.seen["online"] == CLIENTS, said


def version_of(site: Site) -> str:
    """What serves, as it says itself."""
    return str(site.get("/api/version/").json()["version"])


def test_calm(visitors: Load) -> None:
    """What all the rest is measured against."""
    with visitors.watched() as window:
        visitors.answered(1500)
    conclude(visitors, window, "calm")
    assert not window.seen.outages
    # It came as fast as it was to come.
    assert len(window.seen.latencies) / (window.seen.until - window.seen.since) > 95


@pytest.mark.parametrize(("version", "number"), [("v2", "2.0.0"), ("v1", "1.0.0")] * 2)
def test_upgrade(visitors: Load, site: Site, version: str, number: str) -> None:
    with visitors.watched() as window:
        upgrade(version)
        # The old connections' second half belongs to it.
        visitors.answered(1000)
    assert version_of(site) == number
    conclude(visitors, window, f"to {version}")


def test_broken_version(visitors: Load, site: Site, vm: Host) -> None:
    """It never serves, and says why."""
    before = Services(vm).live
    with visitors.watched() as window:
        run = upgrade("v2-broken", check=False)
    assert run.returncode != 0
    assert "readiness check word_filter failed" in run.stdout, run.stdout[-6000:]
    assert Services(vm).live == before
    other = "b" if before["slot"] == "a" else "a"
    assert vm.run("systemctl is-active %s", f"edusphere-backend@{other}").stdout.strip() == "inactive"
    assert vm.run("systemctl is-failed %s", f"edusphere-backend@{other}").stdout.strip() != "failed"
    assert version_of(site) == "1.0.0"
    assert {version for _, version in window.seen.seen["versions"][-1:]} == {"1.0.0"}
    conclude(visitors, window, "to v2-broken")
    assert not window.seen.outages


def test_hard_restarts_are_noticed(visitors: Load, vm: Host) -> None:
    """What the tests above rely on: a load that notices nothing would let everything pass."""
    unit = Services(vm).unit
    with visitors.watched() as window:
        vm.check_output("systemctl kill --signal KILL %s", unit)
        visitors.answered(1000)
    whats = {request["what"] for request in window.seen.failed}
    print(window.seen.summary())
    assert any(re.match("status 50[234]", what) for what in whats), whats
    assert len(window.seen.outages) == CLIENTS
    with visitors.watched() as window:
        vm.check_output("systemctl restart nginx")
        visitors.answered(1000)
    print(window.seen.summary())
    assert window.seen.failed or window.seen.refused
    assert {outage["code"] for outage in window.seen.outages} >= {1006}
    # And the application forgives all of it.
    assert not discrepancies(visitors.audit())
