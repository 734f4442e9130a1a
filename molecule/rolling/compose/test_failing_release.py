"""A release that fails after its switch. Natively, scenario tiers has one."""

from __future__ import annotations

from behaviour.hosts import ROOT
from behaviour.load import Figures, Load
from behaviour.platforms import Platform
from behaviour.rolling import SHARE, conclude, serves, upgrade
from behaviour.visitor import Site


def test_a_release_that_fails_when_it_serves(visitors: Load, calm: Figures, site: Site, platform: Platform) -> None:
    """An operator's own look at it fails: what served before comes back, and nobody notices."""
    with visitors.watched() as window:
        run = upgrade("v2", check=False, edusphere_hook_after_switch=[str(ROOT / "molecule/rolling/hooks/fails.yml")])
        visitors.answered(round(500 * SHARE))
    assert run.failed
    assert "This failure is made up" in run.said, run.said[-6000:]
    serves(platform, site, "v1")
    conclude(visitors, window, "to v2, which fails when it serves", run, calm=calm)
