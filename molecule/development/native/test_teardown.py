"""teardown.yml: first without the site's data, which it keeps, then with them. The last of the tests, by its name."""

from __future__ import annotations

import re

from behaviour.hosts import playbook
from testinfra.host import Host

OURS = r"""
ls -d /etc/edusphere /srv/edusphere/releases /srv/edusphere/slots /srv/edusphere/records /srv/edusphere/build \
  /etc/nginx/sites-enabled/edusphere.conf /usr/local/bin/edusphere-manage /usr/local/lib/edusphere* \
  /etc/systemd/system/edusphere* /var/lib/edusphere-platform/sites/* 2>/dev/null
systemctl list-units --all --plain --no-legend 'edusphere*' | awk '$2 == "loaded" { print $1 }'
pgrep --list-full --euid edusphere
ss --no-header --listening --tcp --numeric 'sport = :8000 or sport = :5432 or sport = :6379'
true
"""


def changed(*arguments: str) -> int:
    """Run teardown.yml; the number of tasks that changed something."""
    said = playbook(*arguments, name="playbooks/teardown.yml").stdout
    (count,) = re.findall(r"changed=(\d+)", said)
    return int(count)


def test_the_site_goes_and_its_data_stay(vm: Host) -> None:
    assert vm.check_output(OURS) != ""
    vm.check_output("echo picture > /srv/edusphere/shared/media/kept")
    assert changed("--check") > 0
    assert vm.check_output(OURS) != ""
    assert changed() > 0
    assert vm.check_output(OURS) == ""
    assert vm.check_output("cat /srv/edusphere/shared/media/kept") == "picture"
    assert vm.user("edusphere").exists
    assert vm.check_output("pg_lsclusters --no-header | awk '{ print $4 }'") == "down"
    assert changed() == 0


def test_the_data_go_when_the_sites_name_is_given(vm: Host) -> None:
    assert changed("--extra-vars=edusphere_teardown_data=edusphere") > 0
    assert not vm.file("/srv/edusphere").exists
    assert not vm.user("edusphere").exists
    assert vm.check_output("pg_lsclusters --no-header") == ""
    assert changed("--extra-vars=edusphere_teardown_data=edusphere") == 0
