"""An operator's machine that loses power in the middle of an upgrade: nobody notices, and the same run ends it."""

from __future__ import annotations

import signal
from typing import Any, NamedTuple

import pytest
from behaviour.hosts import ROOT
from behaviour.load import Figures, Load
from behaviour.platforms import Services
from behaviour.rolling import RELEASES, conclude, rollback, serves, upgrade
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


KILLS = [
    # What builds goes on on the host.
    Kill("DURING", "frontend : Build the frontend", when="pgrep --full [v]ite"),
    Kill("BEFORE", "backend : Start the free slot"),
    Kill("BEFORE", "backend : Record what serves"),
    Kill("BEFORE", "nginx : Configure nginx", switched=True),
    Kill("BEFORE", "nginx : Run nginx with its configuration", switched=True),
    # Its workers are ended one by one; those that are left still have visitors.
    Kill(
        "DURING",
        "backend : Stop the slot that no longer serves",
        when="pgrep --runstates T --full uvicorn",
        switched=True,
    ),
]


@pytest.mark.parametrize("kill", KILLS, ids=lambda kill: kill.task)
def test_killed(visitors: Load, calm: Figures, site: Site, vm: Host, kill: Kill) -> None:
    serves(vm, site, "v1")
    how: dict[str, Any] = (
        {"edusphere_version": f"v2-{KILLS.index(kill)}"} if kill.how == "DURING" and not kill.switched else {}
    )
    with visitors.watched() as window:
        killed = upgrade(
            "v2",
            check=False,
            environment={
                "ANSIBLE_CALLBACK_PLUGINS": str(PLUGINS),
                f"INTERRUPT_{kill.how}": kill.task,
                "INTERRUPT_WHEN": f"ssh -F {ROOT}/.cache/testbed/ssh/config {vm.backend.hostname} {kill.when}",
            },
            **how,
        )
        assert killed.process.returncode == -signal.SIGKILL, f"not killed at {kill}\n{killed.said[-4000:]}"
        assert (Services(vm).live["version"] == "v1") != kill.switched
        # As long as the operator's machine needs to come back.
        visitors.answered(500)
        again = upgrade("v2", **how)
        visitors.answered(500)
    assert Services(vm).live["version"] == how.get("edusphere_version", "v2")
    if not how:
        serves(vm, site, "v2")
    assert f"{RELEASES}/{Services(vm).live['release']}" == vm.check_output("readlink /srv/edusphere/current")
    conclude(visitors, window, f"killed {kill.how.lower()} {kill.task}", killed, again, calm=calm)
    with visitors.watched() as window:
        back = rollback(edusphere_rollback_to="v1")
        visitors.answered(300)
    serves(vm, site, "v1")
    conclude(visitors, window, "back to v1", back, calm=calm)
