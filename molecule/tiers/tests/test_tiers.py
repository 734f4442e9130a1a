"""Six hosts are one site, and each is reached by those that need it alone."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
import requests
from behaviour.hosts import playbook, probe, tunnel
from behaviour.picture import portrait
from behaviour.rolling import RENAMED, tree, wishes
from behaviour.visitor import Site, Visitor
from testinfra.host import Host

Connect = Callable[[str], Host]
Address = Callable[[str], str]
APP_HOSTS = ["tiers-app1", "tiers-app2", "tiers-app3"]
HOSTS = ["tiers-forge", "tiers-edge", *APP_HOSTS, "tiers-database", "tiers-cache"]
# Every private port, on whom it is, and who needs it.
PRIVATE = [
    # The builder runs the application's own commands.
    ("tiers-database", 5432, {*APP_HOSTS, "tiers-cache"}),
    ("tiers-cache", 6379, {*APP_HOSTS}),
    ("tiers-app1", 8000, {"tiers-edge"}),
    ("tiers-app2", 8000, {"tiers-edge"}),
    ("tiers-app3", 8000, {"tiers-edge"}),
]
RESTART_SECONDS = 120
LIVE_SLOT = "import json; print(json.load(open('/srv/edusphere/records/live.fact'))['slot'])"


@contextmanager
def front(name: str, address: Address) -> Iterator[Site]:
    """The front of one app host, through a tunnel from the edge, which is the only host that may ask it."""
    with tunnel("tiers-edge", address(name), 8000) as port:
        yield Site("http://edusphere.test", "127.0.0.1", port)


def who_served(marker: str, connect: Connect) -> dict[str, list[str]]:
    """For each app host, the client addresses of the requests whose path has the marker, as its front logged them."""
    found = {}
    for name in APP_HOSTS:
        log = connect(name).run(f"grep -F {marker} /var/log/nginx/access.log").stdout
        found[name] = [line.split()[0] for line in log.splitlines()]
    return found


def digest(host: Host) -> str:
    """Of the live release: its files' contents, paths, modes, owners and links."""
    release = "cd $(readlink --canonicalize /srv/edusphere/current)"
    files = "find . -type f -print0 | sort --zero-terminated | xargs --null sha256sum"
    modes = "find . -printf '%p %y %m %U %G %l\\n' | sort"
    return str(host.check_output(f"{release} && ({files}; {modes}) | sha256sum"))


@contextmanager
def lost(name: str, address: Address) -> Iterator[None]:
    """An app host is down for as long as the context lasts, and serves again after it."""
    subprocess.run(["docker", "stop", "--time", "60", name], check=True, capture_output=True)
    try:
        yield
    finally:
        subprocess.run(["docker", "start", name], check=True, capture_output=True)
    deadline = time.monotonic() + RESTART_SECONDS
    while True:
        try:
            with front(name, address) as site:
                site.wait_until_ready(10)
            return
        except (AssertionError, requests.RequestException):
            assert time.monotonic() < deadline, f"{name} does not serve again"
            time.sleep(2)


@pytest.fixture
def all_serve(site: Site, connect: Connect) -> None:
    """Wait until the edge uses all app hosts: one that failed is left alone for some seconds."""
    deadline = time.monotonic() + RESTART_SECONDS
    while True:
        marker = uuid.uuid4().hex
        for _ in range(6):
            site.get(f"/api/version/?{marker}")
        if all(who_served(marker, connect).values()):
            break
        assert time.monotonic() < deadline, "the edge leaves an app host alone"
        time.sleep(1)


def test_only_over_tls(site: Site, connect: Connect) -> None:
    plain = Site(f"http://{site.name}", site.address)
    answer = plain.get("/rooms/lobby?a=b")
    assert (answer.status_code, answer.headers["Location"]) == (301, f"{site.url}/rooms/lobby?a=b")
    answer = site.get("/")
    assert answer.status_code == 200
    assert answer.headers["Strict-Transport-Security"] == "max-age=86400"
    with pytest.raises(requests.exceptions.SSLError):
        Site("https://other.test", site.address, authority=site.authority).get("/")
    key = connect("tiers-edge").file("/etc/nginx/tls-edusphere/key.pem")
    assert (key.user, oct(key.mode)) == ("root", "0o600")


def test_the_edge_tells_who_asks_and_how(site: Site, connect: Connect) -> None:
    """The application knows of TLS, and all fronts the client's own address, whatever it makes up."""
    assert "Secure" in site.get("/api/csrf/").headers["Set-Cookie"]
    with socket.create_connection((site.address, 443)) as connection:
        own_address = connection.getsockname()[0]
    marker = uuid.uuid4().hex
    for _ in range(9):
        answer = site.get(f"/api/version/?{marker}", headers={"X-Forwarded-For": "203.0.113.9"})
        assert answer.status_code == 200
    served = who_served(marker, connect)
    assert all(served.values()), served
    assert [client for clients in served.values() for client in clients] == [own_address] * 9


def test_talk_and_pictures_cross_the_app_hosts(address: Address) -> None:
    with front("tiers-app1", address) as first, front("tiers-app2", address) as second:
        ada, ben = Visitor(first), Visitor(second)
        room = ada.open_room()

        async def talk() -> None:
            async with ada.chat(room) as here, ben.chat(room) as there:
                assert [await here.say("Over there?"), await there.say("Over here."), await here.say("Good.")] == [
                    1,
                    2,
                    3,
                ]
                said = ["Over there?", "Over here.", "Good."]
                assert await there.hear(3) == said
                assert await here.hear(3) == said

        asyncio.run(talk())
        picture = portrait((200, 60, 60), (250, 240, 230))
        path = ada.upload_avatar(picture)
        # The second is the alias of this inventory.
        for place in (first, second):
            for one in (path, path.removeprefix("/media")):
                answer = place.get(one)
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


def test_the_database_is_reached_over_tls(connect: Connect) -> None:
    app = connect("tiers-app2")
    ask = (
        "from django.db import connection as c; k = c.cursor(); "
        "k.execute('SELECT ssl, version FROM pg_stat_ssl WHERE pid = pg_backend_pid()'); print(k.fetchone())"
    )
    assert app.check_output("edusphere-manage shell -c %s", ask).splitlines()[-1] == "(True, 'TLSv1.3')"
    # It cannot be had otherwise. The backend has the same environment as edusphere-manage.
    plain = "import os; os.environ['PGSSLMODE'] = 'disable'; " + ask
    refused = app.run("edusphere-manage shell -c %s", plain)
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


def test_built_once_and_shipped(connect: Connect) -> None:
    hosts = [connect(name) for name in APP_HOSTS]
    assert len({host.check_output("readlink /srv/edusphere/current") for host in hosts}) == 1
    assert len({digest(host) for host in hosts}) == 1
    builder = connect("tiers-cache")
    assert builder.file("/srv/edusphere/build").exists
    assert builder.package("gcc").is_installed
    for host in hosts:
        assert not host.file("/srv/edusphere/build").exists
        assert not host.package("gcc").is_installed


def test_the_operators_steps_ran_in_their_places(connect: Connect) -> None:
    """The first deployment's: nothing was built before the one, and nothing served before the other."""
    assert connect("tiers-cache").check_output("cat /root/before_build") == ""
    for name in APP_HOSTS:
        host = connect(name)
        assert host.file("/root/before_switch").exists
        assert host.file("/root/before_switch").content_string == ""
        released = json.loads(host.file("/root/after_switch").content_string)["release"]
        assert host.check_output("readlink /srv/edusphere/current") == f"/srv/edusphere/releases/{released}"
        assert not host.file("/root/before_build").exists


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
        "tiers-forge": [22, 9418],
        "tiers-edge": [22, 80, 443],
        "tiers-app1": [22, 8000],
        "tiers-app2": [22, 8000],
        "tiers-app3": [22, 8000],
        "tiers-database": [22, 5432],
        "tiers-cache": [22, 6379],
    }


@pytest.mark.usefixtures("all_serve")
def test_an_app_host_is_lost(site: Site, address: Address) -> None:
    """Every request is answered meanwhile, and the host serves again when it is back."""
    with lost("tiers-app2", address):
        for _ in range(12):
            started = time.monotonic()
            assert site.get("/api/version/").status_code == 200
            assert time.monotonic() - started < 10


@pytest.mark.usefixtures("all_serve")
def test_a_backend_is_lost(site: Site, connect: Connect) -> None:
    """Its front is there and has nothing to pass on."""
    host = connect("tiers-app1")
    host.check_output("systemctl stop 'edusphere-backend@*'")
    try:
        for _ in range(12):
            assert site.get("/api/version/").status_code == 200
    finally:
        host.check_output("systemctl start edusphere-backend@$(python3 -c %s)", LIVE_SLOT)


@pytest.mark.exhaustive("a run limited to one rebuilt host, with another one down")
def test_one_host_alone(connect: Connect, address: Address) -> None:
    """A run limited to one app host gives it the release that the other serves, from nothing, and leaves the other."""
    first, second = connect("tiers-app1"), connect("tiers-app2")
    unit = "systemctl show --property Id,InvocationID 'edusphere-backend@*' nginx"
    before = first.check_output(unit)
    second.check_output("systemctl stop 'edusphere-backend@*'")
    second.check_output("find /srv/edusphere -mindepth 1 -maxdepth 1 ! -name shared -exec rm -r {} +")
    # It serves nothing that a migration could harm, but the others do, also one that is down just now.
    incompatible = {
        "edusphere_app_source_type": "folder",
        "edusphere_app_source": str(tree("v3")),
        "edusphere_version": "v3",
        # Nobody would close the site for it: it is no window where others serve on.
        "edusphere_maintenance": True,
    }
    with lost("tiers-app3", address):
        refused = playbook("--limit", "tiers-app2", *wishes(**incompatible), check=False)
    assert refused.returncode
    assert RENAMED in refused.stdout, refused.stdout[-4000:]
    assert "Nothing was changed" in refused.stdout
    assert f"[X] {RENAMED}" not in first.check_output("edusphere-manage showmigrations chat --plan")
    run = playbook("--limit", "tiers-app2")
    assert "tiers-app1 " not in run.stdout.partition("PLAY RECAP")[2] or "changed=0" in run.stdout
    assert digest(first) == digest(second)
    assert first.check_output(unit) == before
    with front("tiers-app2", address) as site:
        site.wait_until_ready(RESTART_SECONDS)
