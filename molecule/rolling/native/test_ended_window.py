"""A maintenance window whose operator's machine loses power. In scenario rolling-compose there is another: compose/."""

from __future__ import annotations

import signal

import pytest
from behaviour.hosts import playbook
from behaviour.load import Figures, Load
from behaviour.platforms import Platform
from behaviour.rolling import RENAMED, SHARE, START, conclude, rollback, serves, upgrade
from behaviour.visitor import Site


@pytest.mark.exhaustive("a maintenance window whose control node is lost")
def test_a_window_that_does_not_come_to_its_end(visitors: Load, calm: Figures, site: Site, platform: Platform) -> None:
    """The site stays closed, whoever comes next is told why, and the way back is open."""
    serves(platform, site, "v1")
    kill = START["native"]
    with visitors.watched() as window:
        killed = upgrade("v3", check=False, environment=kill.environment(platform.vm), edusphere_maintenance=True)
        assert killed.process.returncode == -signal.SIGKILL, killed.said[-4000:]
        assert "for maintenance, since the deployment of v3-" in playbook(name="playbooks/status.yml").stdout
        earlier = upgrade("v1", check=False)
        assert earlier.failed
        for told in ("The site is closed since the deployment of v3-", RENAMED, "edusphere_rollback_migrations=true"):
            assert told in earlier.said, earlier.said[-6000:]
        assert site.get("/").status_code == 503
        back = rollback(edusphere_rollback_migrations=True)
        visitors.answered(round(500 * SHARE))
    serves(platform, site, "v1")
    assert not platform.vm.file("/srv/edusphere/records/closed.fact").exists
    conclude(visitors, window, "to v3, killed, and back", killed, earlier, back, calm=calm, closed=True)
