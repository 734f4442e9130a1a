"""An operator's machine that loses power in the middle of an upgrade: nobody notices, and the same run ends it."""

from __future__ import annotations

import signal
from typing import NamedTuple

import pytest
from behaviour.hosts import ROOT
from behaviour.load import Figures, Load
from behaviour.platforms import Services
from behaviour.rolling import conclude, serves, upgrade
from behaviour.visitor import Site
from testinfra.host import Host

PLUGINS = ROOT / "molecule/interrupted/plugins"


class Kill(NamedTuple):
    """Where a run is killed; see plugins/interrupt.py."""

    how: str
    task: str
    when: str = "true"
    """What has to succeed on the host."""
    switched: bool = False
    """Whether the record says the new release by then."""


class Way(NamedTuple):
    """An upgrade that is killed again and again, each time further on."""

    tree: str
    version: str
    number: str
    """As the application says it."""
    kills: list[Kill]


WAYS = [
    Way(
        "v2",
        # Not built yet, whatever other tests have built.
        "v2-killed",
        "2.0.0",
        [
            # What builds goes on on the host.
            Kill("DURING", "frontend : Build the frontend", when="pgrep --full [v]ite"),
            Kill("BEFORE", "backend : Start the free slot"),
            # Its workers are ended one by one; those that are left still have visitors.
            Kill(
                "DURING",
                "backend : Stop the slot that no longer serves",
                when="pgrep --runstates T --full uvicorn",
                switched=True,
            ),
        ],
    ),
    Way(
        "v1",
        "v1",
        "1.0.0",
        [
            Kill("BEFORE", "backend : Record what serves"),
            Kill("BEFORE", "nginx : Configure nginx", switched=True),
            Kill("BEFORE", "nginx : Run nginx with its configuration", switched=True),
        ],
    ),
]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.version)
def test_killed(visitors: Load, calm: Figures, site: Site, vm: Host, way: Way) -> None:
    """The site serves all the while, and each run goes on where the one before it was killed."""
    before = Services(vm).live
    runs = []
    with visitors.watched() as window:
        for kill in way.kills:
            run = upgrade(
                way.tree,
                check=False,
                environment={
                    "ANSIBLE_CALLBACK_PLUGINS": str(PLUGINS),
                    f"INTERRUPT_{kill.how}": kill.task,
                    "INTERRUPT_WHEN": f"ssh -F {ROOT}/.cache/testbed/ssh/config {vm.backend.hostname} {kill.when}",
                },
                edusphere_version=way.version,
            )
            assert run.process.returncode == -signal.SIGKILL, f"not killed at {kill}\n{run.said[-4000:]}"
            live = Services(vm).live
            assert live["version"] == (way.version if kill.switched else before["version"]), kill
            if not kill.switched:
                assert live == before
            runs.append(run)
            # As long as the operator's machine needs to come back.
            visitors.answered(300)
        runs.append(upgrade(way.tree, edusphere_version=way.version))
        visitors.answered(300)
    serves(vm, site, way.version, way.number)
    conclude(visitors, window, f"to {way.version}, killed {len(way.kills)} times", *runs, calm=calm)
