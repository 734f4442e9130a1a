"""A site in development: what is edited on the host shows at once."""

from __future__ import annotations

import asyncio
import base64
import json
import re

from behaviour.developer import CURRENT, SECONDS, edited, eventually
from behaviour.hosts import playbook
from behaviour.visitor import Site, Visitor
from testinfra.host import Host
from websockets.asyncio.client import connect
from websockets.typing import Origin, Subprotocol


def test_the_page_is_vites(site: Site) -> None:
    page = site.get("/")
    assert page.status_code == 200
    assert '<script type="module" src="/@vite/client"></script>' in page.text
    assert site.get("/src/App.vue").headers["Content-Type"] == "text/javascript"
    assert site.get("/rooms/lobby").status_code == 200


def test_browsers_know_the_sources(site: Site, vm: Host) -> None:
    """A browser's debugger shows the file that people edit."""
    module = site.get("/src/App.vue").text
    encoded = re.search(r"sourceMappingURL=data:application/json;base64,([A-Za-z0-9+/=]+)", module)
    assert encoded
    source_map = json.loads(base64.b64decode(encoded[1]))
    assert vm.file(f"{CURRENT}/frontend/src/App.vue").content_string in source_map["sourcesContent"]


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
    reloader = vm.check_output("pgrep --newest --full '[u]vicorn .*--reload'")
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


def test_other_directories_come_from_the_sources(site: Site, vm: Host) -> None:
    with edited(vm, "frontend/public/favicon.svg", "#4f46e5", "#012345"):
        assert "#012345" in site.get("/icons/favicon.svg").text


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


def test_check_mode_sees_nothing_to_do() -> None:
    said = playbook("--check", "--diff").stdout
    assert re.findall(r"changed=(\d+)", said) == ["0"], said[-6000:]
