"""An operator's machine that loses power in the middle of an upgrade: nobody notices, and the same run ends it."""

from __future__ import annotations

import signal
from typing import Any, NamedTuple

import pytest
from behaviour.load import Figures, Load
from behaviour.platforms import Platform
from behaviour.rolling import SHARE, SOAK, START, Kill, conclude, serves, upgrade
from behaviour.visitor import Site


class Way(NamedTuple):
    """An upgrade that is killed again and again, each time further on."""

    tree: str
    version: str
    number: str
    """As the application says it."""
    kills: list[dict[str, Kill]]
    """Each by the site's mode."""


def before(native: str, compose: str = "", switched: bool = False) -> dict[str, Kill]:
    """A kill before a task, and what that is called in Compose mode, if it has another name there."""
    return {
        "native": Kill("BEFORE", native, switched=switched),
        "compose": Kill("BEFORE", compose or native, switched=switched),
    }


# What builds goes on on the host; workers are ended one by one, and those that are left still have visitors.
BUILD = {
    "native": Kill("DURING", "frontend : Build the frontend", when="pgrep --full [v]ite"),
    "compose": Kill("DURING", "release : Build the backend's image", when="pgrep --full [d]ocker.build"),
}
DRAINED = "pgrep --runstates T --full uvicorn"
DRAIN = {
    "native": Kill("DURING", "backend : Stop the slot that no longer serves", when=DRAINED, switched=True),
    "compose": Kill("DURING", "backend : Remove the containers that no longer serve", when=DRAINED, switched=True),
}
RECORD = before("backend : Record what serves")
RELOAD = before("nginx : Run nginx with its configuration", switched=True)
# In the order in which an upgrade comes to them.
ALL = [
    before("release : Read the source folder"),
    before("release : Put the source in place"),
    BUILD,
    before("release : Put the release in place", "release : Remove the source, which the image has"),
    before("backend : Write the programs"),
    before(
        "backend : Point the free slot at the release, and write its environment and its unit",
        "backend : Publish what nginx serves of the release",
    ),
    before("backend : Apply migrations"),
    before("backend : Plan the rollout"),
    START,
    before("backend : Wait until the release is ready"),
    RECORD,
    before("nginx : Configure nginx", switched=True),
    RELOAD,
    before("backend : End what no longer serves", switched=True),
    DRAIN,
    before("backend : Have the processes beside it follow", switched=True),
    before("release : Remove old releases", switched=True),
    before("deployment : Record how it ended, and let other runs in", switched=True),
]
WAYS = [
    # Not built yet, whatever other tests have built.
    Way("v2", "v2-killed", "2.0.0", ALL if SOAK else [BUILD, START, DRAIN]),
    Way("v1", "v1", "1.0.0", [RECORD, RELOAD]),
]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.version)
def test_killed(
    visitors: Load, calm: Figures, site: Site, platform: Platform, settings: dict[str, Any], way: Way
) -> None:
    """The site serves all the while, and each run goes on where the one before it was killed."""
    found, mode = platform.live, settings["edusphere_mode"]
    runs = []
    with visitors.watched() as window:
        for kills in way.kills:
            kill = kills[mode]
            run = upgrade(
                way.tree, check=False, environment=kill.environment(platform.vm), edusphere_version=way.version
            )
            assert run.process.returncode == -signal.SIGKILL, f"not killed at {kill}\n{run.said[-4000:]}"
            live = platform.live
            assert live["version"] == (way.version if kill.switched else found["version"]), kill
            if not kill.switched:
                assert live == found
            runs.append(run)
            # As long as the operator's machine needs to come back.
            visitors.answered(round(300 * SHARE))
        runs.append(upgrade(way.tree, edusphere_version=way.version))
        visitors.answered(round(300 * SHARE))
    serves(platform, site, way.version, way.number)
    conclude(visitors, window, f"to {way.version}, killed {len(way.kills)} times", *runs, calm=calm)
