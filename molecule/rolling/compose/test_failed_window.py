"""A maintenance window that fails: what served comes back in new containers, which nginx has to be told of."""

from __future__ import annotations

import pytest
from behaviour.load import Figures, Load
from behaviour.platforms import Platform
from behaviour.rolling import SHARE, conclude, serves, upgrade
from behaviour.visitor import Site


@pytest.mark.exhaustive("a maintenance window that fails opens again")
def test_a_window_that_fails_opens_again(visitors: Load, calm: Figures, site: Site, platform: Platform) -> None:
    """What served can live with what was done to the schema, so it serves on, from new containers."""
    serves(platform, site, "v1")
    with visitors.watched() as window:
        failed = upgrade(
            "v2",
            check=False,
            edusphere_maintenance=True,
            edusphere_app_release_commands=[["a_command_that_is_not_there"]],
        )
        visitors.answered(round(500 * SHARE))
    assert failed.failed
    assert "edusphere_app_release_commands" in failed.said, failed.said[-6000:]
    serves(platform, site, "v1")
    assert not platform.vm.file("/srv/edusphere/records/closed.fact").exists
    conclude(visitors, window, "to v2, closed, which fails", failed, calm=calm, closed=True)
