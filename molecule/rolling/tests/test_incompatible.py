"""A version that the running one can't live with: refused, deployed all the same, and back.

The tests build on each other.
"""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from behaviour.load import Figures, Load, discrepancies
from behaviour.platforms import Platform
from behaviour.rolling import RENAMED, SHARE, SOAK, Kill, State, conclude, rollback, say, serves, upgrade
from behaviour.visitor import Site, Visitor
from depth import exhaustive_in

WINDOW = exhaustive_in("rolling-compose", "a stack of containers is upgraded in a maintenance window, and taken back")

RECORDED = Kill("BEFORE", "nginx : Configure nginx", switched=True)


@WINDOW
def test_incompatible_version_is_refused(visitors: Load, calm: Figures, site: Site, platform: Platform) -> None:
    """What serves could not live with its migration: nothing happens, and the operator is told what can be done."""
    before = State.of(platform)
    with visitors.watched() as window:
        run = upgrade("v3", check=False)
        visitors.answered(round(100 * SHARE))
    assert run.failed
    for told in (
        "chat.0004_rename_message_body",
        "deployment_safety",
        "backend_migrate_accept",
        "edusphere_maintenance=true",
    ):
        assert told in run.said, run.said[-6000:]
    after = State.of(platform)
    # It is built, and may serve once it is accepted.
    assert set(before.releases) <= set(after.releases)
    last = json.loads(platform.vm.check_output("tail --lines 1 /srv/edusphere/records/history.jsonl"))
    assert (last["version"], last["outcome"]) == ("v3", "refused")
    assert (after.records, after.backends, after.serving) == (before.records, before.backends, before.serving)
    serves(platform, site, "v1")
    conclude(visitors, window, "to v3, which is refused", run, calm=calm)
    assert not window.seen.outages


@WINDOW
def test_it_is_deployed(
    visitors: Load, calm: Figures, site: Site, platform: Platform, settings: dict[str, Any]
) -> None:
    """While the site is closed, or with what it does to the running version accepted: each mode has one of them."""
    if SOAK or settings["edusphere_mode"] == "compose":
        _while_closed(visitors, calm, site, platform)
    else:
        _accepted(visitors, site)
    serves(platform, site, "v3")
    assert RENAMED in json.loads(State.of(platform).records["schema.fact"])


def _while_closed(visitors: Load, calm: Figures, site: Site, platform: Platform) -> None:
    """Everybody is told so meanwhile, and nothing else; what they have said comes through, once."""
    with visitors.watched() as window:
        # By the record it serves already, but nobody is let in yet. What ends it need not be told of maintenance.
        killed = upgrade("v3", check=False, environment=RECORDED.environment(platform.vm), edusphere_maintenance=True)
        assert killed.process.returncode == -signal.SIGKILL, killed.said[-4000:]
        assert site.get("/").status_code == 503
        run = upgrade("v3")
        visitors.answered(round(500 * SHARE))
    conclude(visitors, window, "to v3, with the site closed", killed, run, calm=calm, closed=True)


@contextmanager
def _reader(site: Site) -> Iterator[list[int]]:
    """Somebody who asks for a room's messages all the time; the statuses of the answers, in order.

    Hardly anybody of a small load does so in the few seconds between a migration and the switch.
    """
    visitor = Visitor(site)
    path = f"/api/rooms/{visitor.open_room()}/messages/"
    statuses: list[int] = []
    left = threading.Event()

    def read() -> None:
        while not left.wait(0.1):
            statuses.append(site.get(path, cookies=visitor.session.cookies, timeout=60).status_code)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        yield statuses
    finally:
        left.set()
        reader.join()


def _accepted(visitors: Load, site: Site) -> None:
    """The judgement was right: what it foretells happens. Nothing that was acknowledged is lost."""
    with _reader(site) as statuses, visitors.watched() as window:
        run = upgrade("v3", backend_migrate_accept=[RENAMED])
        visitors.answered(round(500 * SHARE))
    said = say("to v3, accepted", f"upgrade.yml took {run.seconds:.1f} s\n{window.seen.summary()}")
    assert set(statuses) == {200, 500}
    assert (statuses[0], statuses[-1]) == (200, 200)
    assert {request["what"].partition(":")[0] for request in window.seen.failed} <= {"status 500"}, said
    assert not window.seen.closed
    assert not discrepancies(visitors.audit())


@WINDOW
def test_rollback_is_refused(visitors: Load, calm: Figures, site: Site, platform: Platform) -> None:
    """The earlier version would fail on this schema."""
    before = State.of(platform)
    with visitors.watched() as window:
        run = rollback(check=False)
        visitors.answered(round(100 * SHARE))
    assert run.failed
    for told in (RENAMED, "edusphere_rollback_migrations=true", "backend_migrate_accept", "Nothing was changed"):
        assert told in run.said, run.said[-6000:]
    assert State.of(platform) == before
    serves(platform, site, "v3")
    conclude(visitors, window, "back from v3, which is refused", run, calm=calm)
    assert not window.seen.outages


@WINDOW
def test_rollback_with_migrations(visitors: Load, calm: Figures, site: Site, platform: Platform) -> None:
    """They are taken back while the site is closed."""
    with visitors.watched() as window:
        run = rollback(edusphere_rollback_migrations=True)
        visitors.answered(round(500 * SHARE))
    serves(platform, site, "v1")
    applied = platform.vm.check_output("edusphere-manage showmigrations chat --plan")
    assert f"[X] {RENAMED}" not in applied
    conclude(visitors, window, "back from v3, with its migration taken back", run, calm=calm, closed=True)
