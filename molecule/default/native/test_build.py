"""What a command of a build can do to its host, and that nothing of it stays."""

from __future__ import annotations

import shlex

import own_collections  # noqa: F401  makes the next import possible
import pytest
from ansible_collections.edusphere.platform.plugins.module_utils import confinement as confine
from testinfra.backend.base import CommandResult
from testinfra.host import Host

UNIT = "edusphere-build-probe"
CONFINED = confine.Confinement(
    UNIT, "edusphere-build", ("/srv/edusphere/build/cache",), ("/etc/edusphere", "/srv/edusphere/shared")
)


def run(vm: Host, script: str) -> CommandResult:
    """Run a script as a release's commands are run."""
    words = confine.start(CONFINED, ["/bin/sh", "-c", script], "/", "/dev/null")
    # A unit that has failed stays, and its name is taken; the module does the same.
    return vm.run(f"{shlex.join(words)}; code=$?; systemctl reset-failed {UNIT}.service 2> /dev/null; exit $code")


@pytest.mark.parametrize(
    "place", ["/srv/edusphere/releases", "/srv/edusphere/build", "/srv/edusphere/mirrors", "/usr/local", "/var/lib"]
)
def test_it_writes_nowhere_else(vm: Host, place: str) -> None:
    assert run(vm, f"touch {place}/planted").failed
    assert not vm.file(f"{place}/planted").exists


def test_it_writes_to_its_own_places(vm: Host) -> None:
    assert run(vm, "touch /srv/edusphere/build/cache/mine /tmp/mine && rm /srv/edusphere/build/cache/mine").succeeded
    assert not vm.file("/tmp/mine").exists  # noqa: S108 that it is not there


@pytest.mark.parametrize("place", ["/etc/edusphere", "/srv/edusphere/shared/media", "/root", "/srv/edusphere/mirrors"])
def test_it_does_not_see(vm: Host, place: str) -> None:
    assert run(vm, f"ls {place}").failed


def test_it_ends_before_a_database(vm: Host) -> None:
    assert run(vm, "cat /proc/self/oom_score_adj").stdout == "1000\n"


def test_nothing_of_it_stays(vm: Host) -> None:
    """A process that has left its parent's session ends with its control group."""
    assert run(vm, "setsid sleep 86311 > /dev/null 2>&1 & true").succeeded
    assert vm.run("pgrep --full '[s]leep 86311'").stdout == ""
    assert vm.run("pgrep --euid edusphere-build").stdout == ""


def test_whose_the_places_of_builds_are(vm: Host) -> None:
    """What the next source is fetched with, and where Python and package managers look for settings, is root's."""
    found = vm.check_output(
        "stat --format '%U %a' /srv/edusphere/mirrors /srv/edusphere/build /srv/edusphere/build/cache"
    )
    assert found.splitlines() == ["root 700", "root 750", "edusphere-build 700"]
