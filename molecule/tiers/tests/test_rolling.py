"""Upgrades of three app hosts behind an edge, one after the other, that nobody notices.

The tests build on each other: each finds v1 everywhere, and leaves it, but for the only one of `make test`.
"""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Callable
from typing import Any

import pytest
from behaviour.hosts import ROOT, SSH_CONFIG, playbook
from behaviour.load import Figures, Load
from behaviour.platforms import Services
from behaviour.rolling import NUMBERS, ROUNDS, SHARE, conclude, rollback, say, upgrade, version_of
from behaviour.visitor import Site
from depth import chosen
from testinfra.host import Host

Connect = Callable[[str], Host]
APP_HOSTS = ["tiers-app1", "tiers-app2", "tiers-app3"]
HOOKS = ROOT / "molecule/tiers/hooks"
# How long an edge may take to find that a host is gone, of which nothing tells it: proxy_connect_timeout, and what was
# on its way to that host meanwhile.
GONE_SECONDS = 30
START_SECONDS = 120
# What the site is brought to, one after the other.
VERSIONS = chosen(["v2", "v1"], ["v2"], "several hosts go back to the earlier version")


def hooks(moment: str, name: str) -> dict[str, Any]:
    """The variable of the steps before or after a switch: the inventory's own, and one more."""
    return {f"edusphere_hook_{moment}": [str(HOOKS / f"{each}.yml") for each in (moment, name)]}


def recorded(host: Host, name: str) -> Any:
    """One of a host's own records."""
    return json.loads(host.file(f"/srv/edusphere/records/{name}.fact").content_string)


def versions(connect: Connect) -> dict[str, str]:
    """What each app host serves, by its own record."""
    return {name: Services(connect(name)).live["version"] for name in APP_HOSTS}


def serve(connect: Connect, site: Site, version: str) -> None:
    """Assert that a version serves everywhere, and it alone, and that every edge asks everybody."""
    hosts = [connect(name) for name in APP_HOSTS]
    assert set(versions(connect).values()) == {version}
    assert {version_of(site) for _ in range(6)} == {NUMBERS[version]}
    for host in hosts:
        services = Services(host)
        assert services.running == [services.live["release"]]
        assert recorded(host, "pages")["release"] == services.live["release"]
    assert len({json.dumps([each["release"] for each in recorded(host, "releases")]) for host in hosts}) == 1
    assert "backup" not in connect("tiers-edge").file("/etc/nginx/edusphere-fronts.conf").content_string


def test_upgrades_and_rollbacks(visitors: Load, calm: Figures, site: Site, connect: Connect) -> None:
    page = site.get("/").text
    for number in range(1, max(ROUNDS, 2)):
        for version in VERSIONS:
            with visitors.watched() as window:
                run = upgrade("v2", **hooks("before_switch", "looks_around")) if version == "v2" else rollback()
                visitors.answered(round(500 * SHARE))
            assert run.said.count("Check that none gives the page to anybody yet") == (3 if version == "v2" else 0)
            serve(connect, site, version)
            assert (site.get("/").text == page) == (version == "v1")
            conclude(visitors, window, f"three hosts to {version}, {number}", run, calm=calm)
    table = playbook(name="playbooks/status.yml").stdout
    assert re.search(r": deploy v2 by \S+, [\d.]+ s, done", table), table
    if "v1" in VERSIONS:
        assert re.search(r": rollback v1 by \S+, [\d.]+ s, done", table), table


@pytest.mark.exhaustive("the first host that fails ends the rollout, and the next run goes on")
def test_the_first_host_that_fails_ends_the_rollout(
    visitors: Load, calm: Figures, site: Site, connect: Connect
) -> None:
    """It goes back, those after it are left alone, and the next run goes on from there."""
    page, before = site.get("/").text, {name: Services(connect(name)).start for name in APP_HOSTS}
    with visitors.watched() as window:
        # The release serves on the second host already when this fails.
        run = upgrade("v2", check=False, **hooks("after_switch", "fails_on_app2"))
        visitors.answered(round(100 * SHARE))
    assert run.failed
    assert "made up for tiers-app2" in run.said, run.said[-6000:]
    for told in (r"tiers-app1: v2-\w+", r"tiers-app2: v1-\w+", r"tiers-app3: v1-\w+"):
        assert re.search(told, run.said), run.said[-6000:]
    assert versions(connect) == {"tiers-app1": "v2", "tiers-app2": "v1", "tiers-app3": "v1"}
    assert Services(connect("tiers-app3")).start == before["tiers-app3"]
    assert {version_of(site) for _ in range(9)} == {NUMBERS["v1"], NUMBERS["v2"]}
    # Until all hosts have what it would load.
    assert site.get("/").text == page
    conclude(visitors, window, "three hosts to v2, and the second one fails", run, calm=calm)

    first = Services(connect("tiers-app1")).start
    with visitors.watched() as window:
        run = upgrade("v2", edusphere_rollout_serial=[1, "100%"], edusphere_rollout_pause=3)
        visitors.answered(round(500 * SHARE))
    serve(connect, site, "v2")
    assert Services(connect("tiers-app1")).start == first
    # The first host has it: the one that goes ahead and is watched is the next.
    started = re.findall(r"TASK \[backend : Start the free slot\].*\n((?:.+\n)*)", run.process.stdout)
    assert [re.findall(r"\[(tiers-app\d)\]", batch) for batch in started] == [["tiers-app2"], ["tiers-app3"]]
    watched = run.process.stdout.index("TASK [backend : Give it time to show what is wrong]")
    assert run.process.stdout.index(started[0]) < watched < run.process.stdout.index(started[1])
    conclude(visitors, window, "the other two to v2, one of them first", run, calm=calm)


@pytest.mark.exhaustive("an app host that is lost in the middle of a rollback")
def test_a_host_is_lost_in_the_middle(visitors: Load, calm: Figures, site: Site, connect: Connect) -> None:
    """The others serve, the run says which one it has lost, and the next one goes on from there."""
    with visitors.watched() as window:
        # When the two before it have been switched.
        run = rollback(check=False, **hooks("after_switch", "loses_app3"))
        visitors.answered(round(500 * SHARE))
    try:
        assert run.failed
        assert re.search(r"tiers-app3 .*unreachable=1", run.said), run.said[-6000:]
        seen = window.seen
        said = say("three hosts to v1, and the third is lost", seen.summary())
        # Nobody can answer what was asked of it just then.
        noticed = [request["at"] for request in (*seen.failed, *seen.refused)]
        assert not noticed or max(noticed) - min(noticed) < GONE_SECONDS, said
        assert {version_of(site) for _ in range(6)} == {NUMBERS["v1"]}
    finally:
        subprocess.run(["docker", "start", "tiers-app3"], check=True, capture_output=True)
    deadline = time.monotonic() + START_SECONDS
    ask = ["ssh", "-F", str(SSH_CONFIG), "tiers-app3", "systemctl is-active edusphere-backend@a edusphere-backend@b"]
    while subprocess.run(ask, capture_output=True).returncode:
        assert time.monotonic() < deadline, "tiers-app3 does not start"
        time.sleep(1)
    assert versions(connect) == {"tiers-app1": "v1", "tiers-app2": "v1", "tiers-app3": "v2"}
    with visitors.watched() as window:
        run = rollback()
        visitors.answered(round(500 * SHARE))
    serve(connect, site, "v1")
    conclude(visitors, window, "the third one to v1", run, calm=calm)
