"""A record that is lost: the site is known by what runs, and nobody has to notice that it was."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from behaviour.hosts import playbook
from behaviour.platforms import Platform
from testinfra.host import Host

RECORD = "/srv/edusphere/records/live.fact"
COMPARED = ("release", "version", "slot")


def test_a_lost_record(vm: Host, platform: Platform) -> None:
    """A run of one tier reads it back, and touches nothing that serves."""
    before: dict[str, Any] = json.loads(vm.file(RECORD).content_string)
    started, running = platform.start, platform.running
    vm.check_output(f"rm {RECORD}")
    # A warning, which Ansible gives on the other stream.
    said = playbook("--tags=edge").stderr
    assert "there is no whole live.fact" in " ".join(said.split())
    after = json.loads(vm.file(RECORD).content_string)
    assert [after.get(key) for key in COMPARED] == [before.get(key) for key in COMPARED]
    assert (platform.start, platform.running) == (started, running)


@pytest.mark.exhaustive("status.yml says what is wrong with records and shared files, and what serves all the same")
def test_what_status_says_of_it(vm: Host, platform: Platform) -> None:
    lost = platform.uploaded("of-root")
    vm.check_output(f"cp -a {RECORD} /root/live.fact && truncate --size 20 {RECORD} && install -m 600 /dev/null {lost}")
    try:
        said = playbook(name="playbooks/status.yml").stdout
    finally:
        vm.check_output(f"mv /root/live.fact {RECORD} && rm {lost}")
    assert re.search(r"^ *Records +live.fact is not JSON", said, re.M), said
    assert re.search(rf"^ *Shared +1 that .* {re.escape(lost)}$", said, re.M), said
    assert re.search(r"^ *Health +ready$", said, re.M), said
