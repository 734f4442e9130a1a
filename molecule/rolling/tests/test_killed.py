"""An operator's machine that loses power in the middle of an upgrade: nobody notices, and the same run ends it."""

from __future__ import annotations

import signal
from typing import Any

from behaviour.load import Figures, Load
from behaviour.platforms import Platform
from behaviour.rolling import NUMBERS, SHARE, SOAK, START, Kill, conclude, rollback, serves, upgrade
from behaviour.visitor import Site
from depth import chosen, exhaustive_in

# Of its record on the host.
VERSION = "v2-killed"
SWITCHED = f"grep --quiet {VERSION} /srv/edusphere/records/live.fact"


def before(native: str, compose: str = "", switched: bool = False) -> dict[str, Kill]:
    """A kill before a task, and what that is called in Compose mode, if it has another name there."""
    # nginx is told of containers before they serve, too.
    when = SWITCHED if switched else "true"
    return {
        "native": Kill("BEFORE", native, when, switched),
        "compose": Kill("BEFORE", compose or native, when, switched),
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
# While nothing has been built yet.
BUILDING = [
    before("release : Read the source folder"),
    before("release : Put the source in place"),
    before("release : Put the release in place", "release : Remove the source, which the image has"),
    BUILD,
]
# In the order in which an upgrade comes to them.
ALL = [
    *BUILDING,
    before("backend : Write the programs"),
    before(
        "backend : Point the free slot at the release, and write its environment and its unit",
        "backend : Publish what nginx serves of the release",
    ),
    before("backend : Judge the release's migrations by what serves"),
    before("backend : Apply migrations"),
    before("backend : Plan the rollout"),
    START,
    before("backend : Wait until the release is ready"),
    RECORD,
    before("nginx : Configure nginx", switched=True),
    RELOAD,
    before("backend : Ask the backend through this host's front", switched=True),
    before("backend : End what no longer serves", switched=True),
    DRAIN,
    before("backend : Have the processes beside it follow", switched=True),
    before("release : Remove old releases", switched=True),
    before("deployment : Record how it ended, and let other runs in", switched=True),
]
# Where there is no time for all of them: five, of which each mode has those that are most its own.
SOME = {"native": [BUILD, DRAIN], "compose": [START, RECORD, RELOAD]}
KILLS = (
    ALL
    if SOAK
    else chosen(
        [BUILD, DRAIN, START, RECORD, RELOAD],
        [DRAIN, RECORD],
        "an upgrade that is killed in its build, at its start and at the reload of nginx",
    )
)


@exhaustive_in("rolling-compose", "in Compose mode, an upgrade that is killed is finished by the next run")
def test_killed(visitors: Load, calm: Figures, site: Site, platform: Platform, settings: dict[str, Any]) -> None:
    """The site serves all the while, and each run goes on where the one before it was killed."""
    serves(platform, site, "v1")
    found, mode = platform.live, settings["edusphere_mode"]
    kills = [kill[mode] for kill in (ALL if SOAK else SOME[mode]) if kill in KILLS]
    version, files = VERSION, {"backend/killed.txt": "not built by another test"}
    wishes: dict[str, Any] = {"edusphere_version": version, "edusphere_keep_releases": 2}
    runs = []
    with visitors.watched() as window:
        for number, kill in enumerate(kills):
            if kill in [each[mode] for each in BUILDING]:
                # A build that was begun goes on on the host: the same one would be there already.
                files = {"backend/killed.txt": f"not built by kill {number}"}
            run = upgrade("v2", check=False, environment=kill.environment(platform.vm), files=files, **wishes)
            assert run.process.returncode == -signal.SIGKILL, f"not killed at {kill}\n{run.said[-4000:]}"
            live = platform.live
            assert live["version"] == (version if kill.switched else found["version"]), kill
            if not kill.switched:
                assert live == found
            runs.append(run)
            # As long as the operator's machine needs to come back.
            visitors.answered(round(300 * SHARE))
        runs.append(upgrade("v2", files=files, **wishes))
        serves(platform, site, version, NUMBERS["v2"])
        assert platform.releases == sorted([found["release"], platform.live["release"]])
        runs.append(rollback(edusphere_rollback_to="v1"))
        visitors.answered(round(300 * SHARE))
    serves(platform, site, "v1")
    conclude(visitors, window, f"to {version}, killed {len(kills)} times, and back", *runs, calm=calm)
