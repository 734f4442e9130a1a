"""teardown.yml takes the sources as well, as without containers. The last of the tests, by its name."""

from __future__ import annotations

import re

from behaviour.hosts import playbook
from testinfra.host import Host

OURS = """
docker ps --all --quiet
docker image ls --quiet --filter label=org.edusphere.site
ls -d /srv/edusphere/* /etc/edusphere /usr/local/lib/edusphere* /usr/local/bin/edusphere-manage 2>/dev/null
true
"""


def changed(*arguments: str) -> int:
    """Run teardown.yml; the number of tasks that changed something."""
    said = playbook(*arguments, name="playbooks/teardown.yml").stdout
    (count,) = re.findall(r"changed=(\d+)", said)
    return int(count)


def test_the_site_goes_and_its_data_stay(vm: Host) -> None:
    assert "/srv/edusphere/releases" in vm.check_output(OURS)
    assert changed() > 0
    assert vm.check_output(OURS) == ""
    assert "edusphere_media" in vm.check_output("docker volume ls --quiet").split()
    assert changed() == 0
