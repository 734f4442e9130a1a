"""A release that fails after its switch. Natively, scenario tiers has one."""

from __future__ import annotations

import pytest
from behaviour.hosts import ROOT
from behaviour.load import Figures, Load
from behaviour.platforms import Platform
from behaviour.rolling import SHARE, conclude, rollback, serves, upgrade
from behaviour.visitor import Site


@pytest.mark.exhaustive("a release that fails after its switch is taken back, and its files stay")
def test_a_release_that_fails_when_it_serves(visitors: Load, calm: Figures, site: Site, platform: Platform) -> None:
    """An operator's own look at it fails: what served before comes back, and nobody notices.

    Those who have its pages find their files, and no rollback comes to it.
    """
    # Not kept yet, whatever other tests have deployed.
    version, page = "v2-failing", site.get("/").text
    with visitors.watched() as window:
        run = upgrade(
            "v2",
            check=False,
            edusphere_version=version,
            edusphere_hook_after_switch=[str(ROOT / "molecule/rolling/hooks/fails.yml")],
        )
        visitors.answered(round(500 * SHARE))
    assert run.failed
    assert "This failure is made up" in run.said, run.said[-6000:]
    serves(platform, site, "v1")
    conclude(visitors, window, f"to {version}, which fails when it serves", run, calm=calm)
    files = {path for path in visitors.figures().seen["named"] if path not in page}
    assert files, f"nobody had a page of {version}"
    assert {path: site.get(path).status_code for path in files} == dict.fromkeys(files, 200)
    refused = rollback(check=False, edusphere_rollback_to=version)
    assert refused.failed
    assert f"keeps no release {version}" in refused.said, refused.said[-6000:]
