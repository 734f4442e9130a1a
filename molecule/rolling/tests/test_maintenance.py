"""A version that the running one can't live with: while the site is closed, and back."""

from __future__ import annotations

import json
import signal

from behaviour.load import Figures, Load
from behaviour.platforms import Platform
from behaviour.rolling import RENAMED, SHARE, Kill, State, conclude, rollback, serves, upgrade
from behaviour.visitor import Site

RECORDED = Kill("BEFORE", "nginx : Configure nginx", switched=True)


def test_maintenance(visitors: Load, calm: Figures, site: Site, platform: Platform) -> None:
    """Everybody is told so meanwhile, and nothing else; what they have said comes through, once."""
    serves(platform, site, "v1")
    with visitors.watched() as window:
        # By the record it serves already, but nobody is let in yet. What ends it need not be told of maintenance.
        killed = upgrade("v3", check=False, environment=RECORDED.environment(platform.vm), edusphere_maintenance=True)
        assert killed.process.returncode == -signal.SIGKILL, killed.said[-4000:]
        assert site.get("/").status_code == 503
        run = upgrade("v3")
        visitors.answered(round(500 * SHARE))
    serves(platform, site, "v3")
    assert RENAMED in json.loads(State.of(platform).records["schema.fact"])
    conclude(visitors, window, "to v3, with the site closed", killed, run, calm=calm, closed=True)


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


def test_rollback_with_migrations(visitors: Load, calm: Figures, site: Site, platform: Platform) -> None:
    """They are taken back while the site is closed."""
    with visitors.watched() as window:
        run = rollback(edusphere_rollback_migrations=True)
        visitors.answered(round(500 * SHARE))
    serves(platform, site, "v1")
    applied = platform.vm.check_output("edusphere-manage showmigrations chat --plan")
    assert f"[X] {RENAMED}" not in applied
    conclude(visitors, window, "back from v3, with its migration taken back", run, calm=calm, closed=True)
