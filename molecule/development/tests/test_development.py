"""A site in development: what is edited on the host shows at once, and the application's own tests run there."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from behaviour.hosts import another_host, playbook, probe, variables_of
from behaviour.visitor import Site, Visitor
from testinfra.host import Host
from websockets.asyncio.client import connect
from websockets.typing import Origin, Subprotocol

CURRENT = "/srv/edusphere/current"
SECONDS = 30


@pytest.fixture(scope="session")
def site(groups: dict[str, list[str]], vm_address: str) -> Site:
    """The site, as its developers reach it."""
    (name,) = groups["all"]
    return Site(f"http://{variables_of(name, 'edusphere_domain')['edusphere_domain']}", vm_address)


def as_developer(vm: Host, command: str, *arguments: str) -> str:
    """What a command says that runs as the service account, in the sources."""
    said: str = vm.check_output(f"cd {CURRENT} && runuser -u edusphere -- {command}", *arguments)
    return said


@contextmanager
def edited(vm: Host, path: str, old: str, new: str) -> Iterator[None]:
    """A file of the sources with `old` replaced by `new`, as an editor does it, for as long as the context lasts."""
    as_developer(vm, "cp -p %s /tmp/original", path)
    try:
        as_developer(vm, "sed -i %s %s", f"s/{old}/{new}/", path)
        assert new in vm.check_output("cat %s", f"{CURRENT}/{path}")
        yield
    finally:
        as_developer(vm, "cp /tmp/original %s", path)


def eventually(question: Callable[[], Any], expected: object) -> None:
    """Ask until the answer is the expected one."""
    end = time.monotonic() + SECONDS
    while (answer := question()) != expected:
        assert time.monotonic() < end, f"still {answer!r} after {SECONDS} s, not {expected!r}"
        time.sleep(0.2)


def test_the_page_is_vites(site: Site) -> None:
    page = site.get("/")
    assert page.status_code == 200
    assert '<script type="module" src="/@vite/client"></script>' in page.text
    assert site.get("/src/App.vue").headers["Content-Type"] == "text/javascript"
    assert site.get("/rooms/lobby").status_code == 200


def test_vite_is_for_nginx_alone(vm: Host, vm_address: str) -> None:
    """It listens where its documented command says, and another machine reaches it through nginx only."""
    assert "0.0.0.0:5173" in vm.check_output("ss -Hltn 'sport = :5173'")
    with another_host() as neighbour:
        assert probe(neighbour, vm_address, 80) == "open"
        assert probe(neighbour, vm_address, 5173) == "silent"


def test_hot_reload(site: Site, vm: Host) -> None:
    """What a browser does: load the modules, open the WebSocket through nginx, and hear of the change."""
    site.get("/src/main.ts")
    site.get("/src/App.vue")
    client = site.get("/@vite/client").text
    (token,) = re.findall(r'const wsToken = "([^"]+)"', client)

    async def wait_for_update() -> list[dict[str, str]]:
        async with connect(
            f"ws://{site.host}/?token={token}",
            host=site.address,
            port=80,
            origin=Origin(site.url),
            subprotocols=[Subprotocol("vite-hmr")],
            proxy=None,
        ) as socket:
            assert json.loads(await socket.recv()) == {"type": "connected"}
            with edited(vm, "frontend/src/App.vue", "<template>", "<template><!-- edited -->"):
                async with asyncio.timeout(SECONDS):
                    while (message := json.loads(await socket.recv()))["type"] != "update":
                        pass
                updates: list[dict[str, str]] = message["updates"]
                return updates

    assert [update["path"] for update in asyncio.run(wait_for_update())] == ["/src/App.vue"]


def test_django_reloads(site: Site, vm: Host) -> None:
    def version() -> str:
        answer = site.get("/api/version/")
        return str(answer.json()["version"]) if answer.status_code == 200 else f"status {answer.status_code}"

    assert version() == "1.0.0"
    with edited(vm, "backend/version.py", "1[.]0[.]0", "edited"):
        eventually(version, "edited")
    eventually(version, "1.0.0")


def test_watching_costs_little(vm: Host) -> None:
    """The reloader looks at the application's own files, not at all that it depends on."""
    reloader = vm.check_output("systemctl show --property MainPID --value 'edusphere-backend@*' | grep -v '^0*$'")
    script = 'before=$(awk "{ print \\$14 + \\$15 }" "$1"); sleep 5; awk "{ print \\$14 + \\$15 - $before }" "$1"'
    ticks = int(vm.check_output("sh -c %s sh %s", script, f"/proc/{reloader}/stat"))
    assert ticks < 20, f"{ticks / 5} % of a core, with nobody there"


def test_static_files_come_from_the_sources(site: Site, vm: Host) -> None:
    """Nobody has to collect them."""
    style = site.get("/static/admin/css/base.css")
    assert style.status_code == 200
    assert style.headers["Content-Type"].startswith("text/css")
    assert "/static/admin/css/base.css" in site.get("/admin/login/").text
    with edited(vm, "backend/static/edusphere/admin.css", "#4f46e5", "#012345"):
        assert "#012345" in site.get("/static/edusphere/admin.css").text


def test_debug(site: Site) -> None:
    answer = site.get("/api/nothing-here/")
    assert answer.status_code == 404
    assert "DEBUG = True" in answer.text


def test_two_people_talk(site: Site) -> None:
    ada, ben = Visitor(site), Visitor(site)
    room = ada.open_room()

    async def talk() -> None:
        async with ada.chat(room) as here, ben.chat(room) as there:
            await here.say("Is anybody there?")
            await there.say("I am.")
            assert await here.hear(2) == await there.hear(2) == ["Is anybody there?", "I am."]

    asyncio.run(talk())


def test_the_backends_own_tests(vm: Host) -> None:
    """With the real PostgreSQL and Redis, in a database of their own."""
    vm.check_output("runuser -u postgres -- createuser --createdb edusphere")
    try:
        # They bring host names of their own.
        run = vm.run(
            f"cd {CURRENT} && systemd-run --quiet --pipe --wait --collect --uid=edusphere --gid=edusphere --same-dir"
            " --property=EnvironmentFile=/etc/edusphere/app.env"
            " env --unset=ALLOWED_HOSTS --unset=CSRF_TRUSTED_ORIGINS DB_HOST=/run/postgresql DB_USER=edusphere"
            " .venv/bin/python manage.py test --noinput 2>&1"
        )
    finally:
        vm.check_output("runuser -u postgres -- dropuser edusphere")
    said = str(run.stdout)
    assert run.rc == 0, said[-4000:]
    ran = re.search(r"^Ran (\d+) tests.*\n\nOK$", said, re.MULTILINE)
    assert ran, said[-4000:]
    assert int(ran[1]) > 50


def test_the_frontends_own_tests(vm: Host) -> None:
    """With the Node.js that the dev server has."""
    environment = vm.check_output("systemctl show --property Environment --value edusphere-vite")
    said = as_developer(vm, f"env {environment} CI=1 NO_COLOR=1 npm --prefix frontend test 2>&1")
    assert re.search(r"Tests +\d+ passed", said)
    as_developer(vm, f"env {environment} npm --prefix frontend run typecheck")


def test_check_mode_sees_nothing_to_do() -> None:
    said = playbook("--check", "--diff").stdout
    assert re.findall(r"changed=(\d+)", said) == ["0"], said[-6000:]
