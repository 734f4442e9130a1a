"""A host that can't write down what serves, as one whose disk is full."""

from __future__ import annotations

import pytest
from behaviour.load import Figures, Load
from behaviour.platforms import Platform
from behaviour.rolling import SHARE, State, conclude, serves, upgrade
from behaviour.visitor import Site


@pytest.mark.exhaustive("a release that cannot be recorded does not serve")
def test_what_cannot_be_recorded_does_not_serve(visitors: Load, calm: Figures, site: Site, platform: Platform) -> None:
    """And what serves is what everything on the host leads to."""
    vm, record = platform.vm, "/srv/edusphere/records/live.fact"
    before, directory, environment = State.of(platform), platform.directory, vm.file("/etc/edusphere/app.env").linked_to
    # What something is mounted on can't be replaced.
    vm.check_output("mount --bind %s %s", record, record)
    try:
        with visitors.watched() as window:
            run = upgrade("v2", check=False)
            visitors.answered(round(100 * SHARE))
    finally:
        vm.check_output("umount %s", record)
    assert run.failed
    assert "Record what serves: " in run.said, run.said[-6000:]
    after = State.of(platform)
    assert (after.records, after.backends, after.serving) == (before.records, before.backends, before.serving)
    assert (platform.directory, vm.file("/etc/edusphere/app.env").linked_to) == (directory, environment)
    serves(platform, site, "v1")
    conclude(visitors, window, "to v2, which can't be recorded", run, calm=calm)
