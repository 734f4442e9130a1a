"""teardown.yml: first without the site's data, which it keeps, then with them. The last of the tests, by its name."""

from __future__ import annotations

import json
import re

import pytest
from behaviour.hosts import playbook
from behaviour.platforms import Stack
from testinfra.host import Host

OURS = r"""
docker ps --all --quiet
docker network ls --quiet --filter label=com.docker.compose.project
docker image ls --quiet --filter label=org.edusphere.site
ls -d /etc/edusphere /srv/edusphere/stack /srv/edusphere/records /srv/edusphere/build 2>/dev/null
ls -d /usr/local/bin/edusphere-manage /var/lib/edusphere-platform/sites/* 2>/dev/null
ss --no-header --listening --tcp --numeric 'sport = :80'
true
"""
LOGINS = "/root/.docker/config.json"
VOLUMES = "docker volume ls --quiet --filter label=com.docker.compose.project=edusphere"


def changed(*arguments: str) -> int:
    """Run teardown.yml; the number of tasks that changed something."""
    said = playbook(*arguments, name="playbooks/teardown.yml").stdout
    (count,) = re.findall(r"changed=(\d+)", said)
    return int(count)


@pytest.mark.exhaustive("teardown in Compose mode keeps the data unless it is told otherwise")
def test_the_site_goes_and_its_data_stay(vm: Host, stack: Stack) -> None:
    kept = stack.uploaded("kept")
    vm.check_output(f"echo picture > {kept}")
    before = vm.check_output(OURS)
    volumes = vm.check_output(VOLUMES).split()
    assert {"edusphere_postgres_data", "edusphere_media", "edusphere_staticfiles"} <= set(volumes)
    # test_images.py has left one: of a registry that is no more.
    names = json.loads(vm.file(LOGINS).content_string)["auths"]
    logins = [{"registry": name, "username": "somebody", "password": "of no use"} for name in names]
    inventory = f"--extra-vars={json.dumps({'docker_registry_logins': logins})}"
    assert changed("--check", inventory) > 0
    assert vm.check_output(OURS) == before
    assert changed(inventory) > 0
    assert (len(names), json.loads(vm.file(LOGINS).content_string).get("auths")) == (1, {})
    assert vm.check_output(OURS) == ""
    assert vm.check_output(VOLUMES).split() == volumes
    assert vm.check_output(f"cat {kept}") == "picture"
    assert changed() == 0


def test_the_data_go_when_the_sites_name_is_given(vm: Host) -> None:
    assert changed("--extra-vars=edusphere_teardown_data=edusphere") > 0
    assert vm.check_output(VOLUMES) == ""
    assert not vm.file("/srv/edusphere").exists
    assert changed("--extra-vars=edusphere_teardown_data=edusphere") == 0
