"""What a site of containers in development is made of: sources on the host, and what may reach them."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from behaviour.developer import CURRENT, assert_tests_passed, eventually
from behaviour.hosts import probe
from behaviour.platforms import STACK, Stack
from behaviour.visitor import Site
from testinfra.host import Host

IN_SOURCES = ("backend", "frontend")
# One line, because it travels as an argument.
ASK = (
    "import sys, urllib.request as u;"
    " print(u.urlopen(u.Request(sys.argv[1], headers={'Host': sys.argv[2]})).read().decode())"
)


@pytest.fixture
def containers(vm: Host, stack: Stack) -> dict[str, dict[str, Any]]:
    """All that the engine says of the container of each service."""
    services = (*IN_SOURCES, "nginx")
    found = json.loads(vm.check_output(f"docker inspect {' '.join(map(stack.container, services))}"))
    return dict(zip(services, found, strict=True))


def test_people_and_containers_are_one_account(vm: Host) -> None:
    assert vm.check_output("stat --format '%u:%g' /srv/edusphere/current/manage.py") == "10001:10001"
    assert vm.check_output("id --user edusphere") == "10001"
    assert vm.check_output(f"find {CURRENT}/ ! -user edusphere") == ""


@pytest.mark.parametrize("service", IN_SOURCES)
def test_no_more_rights_than_it_needs(
    vm: Host, stack: Stack, containers: dict[str, dict[str, Any]], service: str
) -> None:
    """It may write the sources, and nothing else."""
    container = containers[service]
    assert container["Config"]["User"] == "10001:10001"
    host = container["HostConfig"]
    assert (host["ReadonlyRootfs"], host["CapDrop"]) == (True, ["ALL"])
    assert host["SecurityOpt"] == ["no-new-privileges:true"]
    assert container["State"]["Health"]["Status"] == "healthy"
    for place, allowed in (("/app", True), ("/app/frontend/src", True), ("/opt", False), ("/etc", False)):
        run = vm.run("docker exec %s sh -c %s", stack.container(service), f"touch {place}/.probe && rm {place}/.probe")
        assert run.succeeded == allowed, place


def test_only_nginx_is_for_other_hosts(
    vm: Host, neighbour: Host, vm_address: str, containers: dict[str, dict[str, Any]]
) -> None:
    """Who works on the host finds the front and Vite at the ports that they have without containers."""
    bindings = {
        (service, inside, binding["HostIp"], binding["HostPort"])
        for service, container in containers.items()
        for inside, found in (container["HostConfig"]["PortBindings"] or {}).items()
        for binding in found
    }
    assert bindings == {
        ("nginx", "80/tcp", "", "80"),
        ("nginx", "8000/tcp", "127.0.0.1", "8000"),
        ("frontend", "5173/tcp", "127.0.0.1", "5173"),
    }
    ask = "python3 -c %s %s %s"
    assert '"ready"' in vm.check_output(ask, ASK, "http://127.0.0.1:8000/api/health/ready/", "edusphere.test")
    assert "/@vite/client" in vm.check_output(ask, ASK, "http://127.0.0.1:5173/", "localhost:5173")
    assert probe(neighbour, vm_address, 80) == "open"
    for port in (8000, 5173):
        assert probe(neighbour, vm_address, port) == "refused"


def test_uploads_are_in_their_volume(vm: Host, stack: Stack) -> None:
    """Also where the sources are mounted around it."""
    vm.check_output("docker exec %s sh -c 'echo picture > /app/media/here'", stack.container("backend"))
    assert vm.check_output(f"cat {stack.uploaded('here')}") == "picture"
    assert vm.check_output(f"ls {CURRENT}/media") == ""


def test_a_dev_server_that_comes_back_elsewhere_is_found(site: Site, stack: Stack) -> None:
    """Containers keep their names, and not their addresses: nginx asks again."""
    with stack.elsewhere("frontend"):
        eventually(lambda: site.get("/src/main.ts").status_code, 200)


def test_the_backends_own_tests(vm: Host) -> None:
    """With the real PostgreSQL and Redis, in a database of their own, as the documented command starts them."""
    run = vm.run(
        # They bring host names of their own.
        f"cd {STACK} && docker compose exec -T backend env --unset=ALLOWED_HOSTS --unset=CSRF_TRUSTED_ORIGINS"
        " python manage.py test --noinput 2>&1"
    )
    assert_tests_passed(run.stdout)
    assert run.rc == 0


def test_the_frontends_own_tests(vm: Host) -> None:
    """With the Node.js that the dev server has."""
    inside = f"cd {STACK} && docker compose exec -T --env CI=1 --env NO_COLOR=1 frontend npm"
    assert re.search(r"Tests +\d+ passed", vm.check_output(f"{inside} test 2>&1"))
    vm.check_output(f"{inside} run typecheck")
