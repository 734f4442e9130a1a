"""Containers on four hosts are one site, and each is reached by those that need it alone."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
import requests
from behaviour.hosts import another_host, playbook, probe, tunnel
from behaviour.picture import portrait
from behaviour.platforms import STACK, Stack
from behaviour.rolling import NUMBERS, rollback, upgrade, version_of
from behaviour.visitor import Site, Visitor
from testinfra.host import Host

Connect = Callable[[str], Host]
Address = Callable[[str], str]
EDGES = ["compose-edge", "compose-app1"]
APP_HOSTS = ["compose-app1", "compose-app2"]
HOSTS = ["compose-edge", *APP_HOSTS, "compose-data"]
# Every private port, on whom it is, and who needs it there.
PRIVATE = [
    ("compose-data", 5432, {*APP_HOSTS}),
    ("compose-app2", 6379, {"compose-app1"}),
    ("compose-app1", 8000, {"compose-edge"}),
    ("compose-app2", 8000, {*EDGES}),
]
# Where a server's own address is that packets of other hosts must not be routed to.
CONTAINERS = [("compose-data", "postgres", 5432), ("compose-app2", "redis", 6379), ("compose-app2", "nginx", 8000)]
RESTART_SECONDS = 120
CONNECT = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 3)"
LABEL = '{{.Label "com.docker.compose.service"}}'


@contextmanager
def front(name: str, address: Address) -> Iterator[Site]:
    """The front of one app host, as an edge host asks it."""
    with tunnel("compose-edge", address(name), 8000) as port:
        yield Site("http://edusphere.test", "127.0.0.1", port)


def who_served(marker: str, connect: Connect) -> dict[str, list[str]]:
    """For each app host, the client addresses of the requests whose path has the marker, as its nginx logged them."""
    logs = {name: connect(name).check_output("docker logs edusphere-nginx-1 2> /dev/null") for name in APP_HOSTS}
    return {name: [line.split()[0] for line in log.splitlines() if marker in line] for name, log in logs.items()}


def containers(host: Host) -> set[str]:
    """What runs there: each container with its start."""
    return set(
        host.check_output("docker inspect --format '{{.Id}} {{.State.StartedAt}}' $(docker ps --all --quiet)").split(
            "\n"
        )
    )


@pytest.fixture
def both_serve(site: Site, connect: Connect) -> None:
    """Wait until the edge uses both app hosts: one that failed is left alone for some seconds."""
    deadline = time.monotonic() + RESTART_SECONDS
    while True:
        marker = uuid.uuid4().hex
        for _ in range(4):
            site.get(f"/api/version/?{marker}")
        if all(who_served(marker, connect).values()):
            break
        assert time.monotonic() < deadline, "the edge leaves an app host alone"
        time.sleep(1)


def test_each_host_runs_what_it_is_for(connect: Connect) -> None:
    found = {name: sorted(connect(name).check_output(f"docker ps --all --format '{LABEL}'").split()) for name in HOSTS}
    assert found == {
        "compose-edge": ["nginx"],
        "compose-app1": ["backend", "nginx"],
        "compose-app2": ["backend", "nginx", "redis"],
        "compose-data": ["postgres"],
    }


def test_each_host_has_what_its_containers_need(connect: Connect) -> None:
    volumes = {
        name: sorted(connect(name).check_output("docker volume ls --format {{.Name}}").split()) for name in HOSTS
    }
    assert volumes == {
        "compose-edge": [],
        "compose-app1": ["edusphere_staticfiles"],
        "compose-app2": ["edusphere_staticfiles"],
        "compose-data": ["edusphere_postgres_data"],
    }
    networks = "docker network ls --filter label=com.docker.compose.project=edusphere --format {{.Name}}"
    assert {name: sorted(connect(name).check_output(networks).split()) for name in HOSTS} == {
        "compose-edge": ["edusphere_front"],
        "compose-app1": ["edusphere_between", "edusphere_front"],
        "compose-app2": ["edusphere_between", "edusphere_data", "edusphere_front"],
        "compose-data": ["edusphere_between"],
    }
    secrets = {
        name: connect(name).check_output(f"cd {STACK} && find . -name '.env.*' | sort").split() for name in HOSTS
    }
    assert secrets == {
        "compose-edge": [],
        "compose-app1": ["./.env.docker"],
        "compose-app2": ["./.env.docker"],
        "compose-data": [],
    }


def test_built_once_and_shipped(connect: Connect) -> None:
    """The builder and all app hosts have one image, and nothing of its way is left."""
    images = {
        name: connect(name).check_output("docker image ls --no-trunc --quiet edusphere/backend").split()
        for name in HOSTS
    }
    (built,) = images.pop("compose-data")
    assert images == {"compose-edge": [], "compose-app1": [built], "compose-app2": [built]}
    assert connect("compose-data").file("/srv/edusphere/build").exists
    for name in HOSTS:
        host = connect(name)
        assert host.file("/srv/edusphere/build").exists == (name == "compose-data")
        assert host.check_output("find /srv/edusphere /var/tmp -name 'release.tar*' -o -name .release.tar.gz") == ""


def test_the_edges_tell_who_asks(site: Site, address: Address, connect: Connect) -> None:
    """Both fronts, through the edge on another host and through the one beside them, whatever a client makes up."""
    for edge in EDGES:
        public = Site(site.url, address(edge))
        with socket.create_connection((public.address, 80)) as connection:
            own_address = connection.getsockname()[0]
        marker = uuid.uuid4().hex
        for _ in range(8):
            answer = public.get(f"/api/version/?{marker}", headers={"X-Forwarded-For": "203.0.113.9"})
            assert answer.json()["version"] == "1.0.0"
        served = who_served(marker, connect)
        assert all(served.values()), served
        # An edge that is an app host has its own lines as well.
        clients = [client for found in served.values() for client in found]
        assert clients == [own_address] * (8 if edge == "compose-edge" else 16)


def test_talk_and_pictures_cross_the_app_hosts(address: Address) -> None:
    with front("compose-app1", address) as first, front("compose-app2", address) as second:
        ada, ben = Visitor(first), Visitor(second)
        room = ada.open_room()

        async def talk() -> None:
            async with ada.chat(room) as here, ben.chat(room) as there:
                assert [await here.say("Over there?"), await there.say("Over here.")] == [1, 2]
                said = ["Over there?", "Over here."]
                assert (await here.hear(2), await there.hear(2)) == (said, said)

        asyncio.run(talk())
        picture = portrait((200, 60, 60), (250, 240, 230))
        path = ada.upload_avatar(picture)
        for place in (first, second):
            answer = place.get(path)
            assert (answer.status_code, answer.content) == (200, picture)
        # One session is good on both.
        ben.session.cookies = ada.session.cookies
        assert ben.me() == ada.me()


def test_talk_through_the_edge(site: Site) -> None:
    ada, ben = Visitor(site), Visitor(site)
    room = ada.open_room()

    async def talk() -> None:
        async with ada.chat(room) as here, ben.chat(room) as there, ben.chat(room) as elsewhere:
            await here.say("Hello?")
            assert await there.hear(1) == ["Hello?"]
            assert await elsewhere.hear(1) == ["Hello?"]

    asyncio.run(talk())


def test_the_page_and_its_files_are_of_one_release(site: Site) -> None:
    """Whichever front an asset is asked of."""
    page = site.get("/").text
    assets = re.findall(r'(?:src|href)="(/assets/[^"]+)"', page) + re.findall(
        r'"(/static/[^"]+)"', site.get("/admin/login/").text
    )
    assert len(assets) > 2
    for path in assets:
        assert [site.get(path).status_code for _ in range(2)] == [200, 200], path


def test_the_database_is_reached_over_tls(connect: Connect) -> None:
    app = connect("compose-app2")
    ask = (
        "from django.db import connection as c; k = c.cursor(); "
        "k.execute('SELECT ssl, version FROM pg_stat_ssl WHERE pid = pg_backend_pid()'); print(k.fetchone())"
    )
    assert app.check_output("edusphere-manage shell -c %s", ask).splitlines()[-1] == "(True, 'TLSv1.3')"
    # It cannot be had otherwise.
    refused = app.run("edusphere-manage shell -c %s", "import os; os.environ['PGSSLMODE'] = 'disable'; " + ask)
    assert refused.failed
    assert "no encryption" in refused.stderr + refused.stdout


@pytest.mark.parametrize(("target", "port", "clients"), PRIVATE)
def test_private_ports(connect: Connect, address: Address, target: str, port: int, clients: set[str]) -> None:
    """Open to those that need them; for everybody else packets are dropped. The last to ask is the control node."""
    others = [name for name in HOSTS if name != target]
    with ThreadPoolExecutor() as pool:
        found = dict(
            zip(others, pool.map(lambda name: probe(connect(name), address(target), port), others), strict=True)
        )
    assert found == {name: "open" if name in clients else "silent" for name in others}
    with pytest.raises(TimeoutError):
        socket.create_connection((address(target), port), timeout=2)


def test_published_on_the_private_address_alone(connect: Connect, address: Address) -> None:
    for name, port, _ in PRIVATE:
        listening = (
            connect(name).check_output("ss --no-header --numeric --listening --tcp %s", f"sport = :{port}").splitlines()
        )
        assert [line.split()[3] for line in listening] == [f"{address(name)}:{port}"]


def test_hosts_have_only_what_they_are_for(connect: Connect) -> None:
    listening = {
        name: sorted(
            {
                int(line.split()[3].rpartition(":")[2])
                for line in connect(name).check_output("ss --no-header --numeric --listening --tcp").splitlines()
                if not line.split()[3].startswith(("127.", "[::1]"))
            }
        )
        for name in HOSTS
    }
    assert listening == {
        "compose-edge": [22, 80],
        "compose-app1": [22, 80, 8000],
        "compose-app2": [22, 6379, 8000],
        "compose-data": [22, 5432],
    }


@pytest.mark.parametrize(("name", "service", "port"), CONTAINERS)
def test_no_way_to_a_containers_own_address(
    connect: Connect, address: Address, name: str, service: str, port: int
) -> None:
    form = "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}"
    with another_host() as outsider:
        for own in Stack(connect(name)).inspect(service, form).split():
            outsider.check_output("ip route replace %s via %s", f"{own}/32", address(name))
            assert probe(outsider, own, port) == "silent"


@pytest.mark.parametrize("name", APP_HOSTS)
def test_database_and_cache_are_out_of_reach_of_nginx(connect: Connect, address: Address, name: str) -> None:
    """Although its packets would leave with the address of an app host, and although one is a neighbour of its own."""
    host = connect(name)
    inside = "nsenter --target %s --net python3 -c %s %s %s"
    pids = {service: Stack(host).inspect(service, "{{.State.Pid}}") for service in ("nginx", "backend")}
    for target, port in (("compose-data", 5432), ("compose-app2", 6379)):
        assert host.run(inside, pids["nginx"], CONNECT, address(target), str(port)).failed, target
    assert host.run(inside, pids["backend"], CONNECT, address("compose-data"), "5432").succeeded
    if name == "compose-app1":
        assert host.run(inside, pids["backend"], CONNECT, address("compose-app2"), "6379").succeeded


def test_operations(connect: Connect) -> None:
    """Status, migrations and the superuser, as on one host."""
    status = playbook(name="playbooks/status.yml").stdout
    for name, services in (
        ("compose-app1", "edusphere-backend-1 healthy"),
        ("compose-data", "edusphere-postgres-1 healthy"),
    ):
        found = re.search(rf"^ *Host +{name}$", status, re.M)
        assert found, status
        assert services in status[found.start() :].partition("\n\n")[0]
    assert "Nothing is pending." in playbook(name="playbooks/migrate.yml").stdout
    assert re.search(r"changed=1\b", playbook(name="playbooks/superuser.yml").stdout)
    count = "from django.contrib.auth import get_user_model as m; print(m().objects.filter(is_superuser=True).count())"
    assert connect("compose-app2").check_output("edusphere-manage shell -c %s", count).splitlines()[-1] == "1"


def test_what_the_first_host_cannot_start_no_host_serves(connect: Connect, site: Site) -> None:
    """The environment would be another one, and does not get ready on the first host: the second one is left alone."""
    hosts = [connect(name) for name in HOSTS]
    files = f"cd {STACK} && sha256sum .env .env.docker nginx/* ../records/live.fact"
    before = [containers(host) for host in hosts], [connect(name).check_output(files) for name in APP_HOSTS]
    wrong = {
        "edusphere_app_environment": {"NEVER": "in force"},
        "edusphere_app_readiness_expect": "{{ 'never' if inventory_hostname == 'compose-app1' else 'ready' }}",
        "backend_ready_timeout": 2,
    }
    refused = playbook(f"--extra-vars={json.dumps(wrong)}", "--tags=app", check=False)
    assert refused.returncode != 0
    assert "did not get ready on compose-app1, and was stopped" in refused.stdout
    assert "did not get ready on compose-app2" not in refused.stdout
    assert ([containers(host) for host in hosts], [connect(name).check_output(files) for name in APP_HOSTS]) == before
    assert site.get("/api/health/ready/").status_code == 200


@contextmanager
def asked(*sites: Site) -> Iterator[list[int]]:
    """Have somebody ask sites for their pages and the backend all the time, and see how they answered."""
    answers: list[int] = []
    over = threading.Event()

    def ask(site: Site) -> None:
        while not over.wait(0.1):
            answers.extend(site.get(path).status_code for path in ("/", "/api/version/"))

    with ThreadPoolExecutor() as pool:
        asking = [pool.submit(ask, site) for site in sites]
        try:
            yield answers
        finally:
            over.set()
    for each in asking:
        each.result()


def test_upgrade_and_rollback(connect: Connect, site: Site, address: Address) -> None:
    """One host after the other, with the pages of the new release last, and of the old one first; nobody notices."""
    edges = [Site(site.url, address(name), authority=site.authority) for name in EDGES]
    page = site.get("/").text
    for version in ("v2", "v1"):
        with asked(*edges) as answers:
            if version == "v2":
                upgrade("v2")
            else:
                rollback()
        assert len(answers) > 100
        assert set(answers) == {200}
        for name in APP_HOSTS:
            stack = Stack(connect(name))
            assert stack.live["version"] == version
            assert stack.running == [stack.live["release"]]
        assert {version_of(edge) for edge in edges for _ in range(4)} == {NUMBERS[version]}
        assert {edge.get("/").text == page for edge in edges} == {version == "v1"}


def test_one_host_alone(connect: Connect, address: Address) -> None:
    """A run limited to one app host gives it the release that the other serves, from nothing, and leaves the others."""
    others = [connect(name) for name in HOSTS if name != "compose-app2"]
    before = [containers(host) for host in others]
    second = connect("compose-app2")
    named = f"docker image inspect --format '{{{{.Id}}}}' edusphere/backend:{Stack(second).live['release']}"
    image = second.check_output(named)
    second.check_output(
        f"cd {STACK} && docker compose rm --stop --force nginx backend"
        " && docker image rm --force $(docker image ls --quiet edusphere/backend)"
    )
    second.check_output(
        f"rm -r {STACK}/.env {STACK}/.env.docker /srv/edusphere/records && docker volume rm edusphere_staticfiles"
    )
    playbook("--limit", "compose-app2")
    assert second.check_output(named) == image
    assert [containers(host) for host in others] == before
    with front("compose-app2", address) as site:
        site.wait_until_ready(RESTART_SECONDS)


@pytest.mark.usefixtures("both_serve")
def test_an_app_host_is_lost(site: Site, address: Address) -> None:
    """Every request is answered meanwhile, and the host serves again when it is back, its ports as they were."""
    subprocess.run(["docker", "stop", "--time", "60", "compose-app1"], check=True, capture_output=True)
    try:
        for _ in range(12):
            started = time.monotonic()
            assert site.get("/api/version/").status_code == 200
            assert time.monotonic() - started < 10
    finally:
        subprocess.run(["docker", "start", "compose-app1"], check=True, capture_output=True)
    deadline = time.monotonic() + RESTART_SECONDS
    while True:
        try:
            with front("compose-app1", address) as first:
                first.wait_until_ready(10)
            break
        except (AssertionError, requests.RequestException):
            assert time.monotonic() < deadline, "compose-app1 does not serve again"
            time.sleep(2)
    with pytest.raises(TimeoutError):
        socket.create_connection((address("compose-app1"), 8000), timeout=2)


def test_teardown(connect: Connect) -> None:
    """Of all hosts, without what people left there. The last of the tests."""
    playbook(name="playbooks/teardown.yml")
    for name in HOSTS:
        host = connect(name)
        assert host.check_output("docker ps --all --quiet") == ""
        assert host.check_output("docker network ls --quiet --filter label=com.docker.compose.project") == ""
        assert host.run("nft list table inet edusphere").failed
        assert not host.file(STACK).exists
    assert connect("compose-data").check_output("docker volume ls --quiet") == "edusphere_postgres_data"
    assert connect("compose-app1").check_output("find /srv/edusphere/shared/media -name '*.png'") != ""
