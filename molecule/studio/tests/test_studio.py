"""Studio differs from EduSphere in all that variables can say, and is deployed by them alone."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import ssl
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
from behaviour.browser import SECONDS, chromium
from behaviour.hosts import ROOT, SERVICES, playbook, processes, variables_of
from behaviour.picture import png
from behaviour.platforms import Platform, Stack
from behaviour.visitor import Site
from playwright.sync_api import expect
from testinfra.host import Host
from websockets.asyncio.client import ClientConnection, connect

MIB = 1024**2
WORK_SECONDS = 60
WORK = ("worker", "beat")
# Of each process that beats, how often its sign of life is seen in some seconds.
BEAT_SECONDS = 8


class Guest:
    """Somebody who has joined under a name."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.name = f"guest-{uuid.uuid4().hex[:8]}"
        self.session = site.session()
        self.ask("mutation ($name: String!) { join(name: $name) }", name=self.name)

    def post(self, path: str, **kwargs: Any) -> requests.Response:
        """POST as the page does: with the token of the cookie."""
        self.session.get(f"{self.site.url}/graphql", timeout=SECONDS).raise_for_status()
        headers = {"X-CSRFToken": self.session.cookies["csrftoken"], "Referer": f"{self.site.url}/"}
        return self.session.post(self.site.url + path, headers=headers, timeout=SECONDS, **kwargs)

    def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        """Ask GraphQL, which must have an answer."""
        answer = self.post("/graphql", json={"query": query, "variables": variables})
        answer.raise_for_status()
        body = answer.json()
        assert "errors" not in body, body
        return dict(body["data"])

    def live(self) -> connect:
        """The wall's WebSocket."""
        cookies = "; ".join(f"{cookie.name}={cookie.value}" for cookie in self.session.cookies)
        return connect(
            f"wss://{self.site.host}/live",
            host=self.site.address,
            port=443,
            ssl=ssl.create_default_context(cafile=self.site.authority),
            origin=self.site.url,  # type: ignore[arg-type]  # a NewType of str
            additional_headers={"Cookie": cookies},
            proxy=None,
        )


def until(met: Callable[[], bool], seconds: float = WORK_SECONDS) -> None:
    """Wait for something that others do."""
    deadline = time.monotonic() + seconds
    while not met():
        assert time.monotonic() < deadline, "it does not happen"
        time.sleep(0.5)


@pytest.fixture(scope="module")
def guest(site: Site) -> Guest:
    """One guest for many tests."""
    return Guest(site)


def beats(guest: Guest) -> set[str]:
    """Who has given a sign of life lately."""
    before = {entry["at"] for entry in guest.ask("{ heartbeats { at } }")["heartbeats"]}
    time.sleep(BEAT_SECONDS)
    found = guest.ask("{ heartbeats { beat at } }")["heartbeats"]
    return {entry["beat"] for entry in found if entry["at"] not in before}


@pytest.mark.parametrize("path", ["/", "/admin", "/admin/", "/api/", "/graphqlx", "/livewire", "/-/ready"])
def test_paths_of_the_page(site: Site, path: str) -> None:
    """Also those that other applications have for other things, and what only the backend answers inside."""
    answer = site.get(path)
    assert answer.status_code == 200
    assert '<div id="app">' in answer.text


def test_paths_of_the_backend(site: Site) -> None:
    assert site.get("/graphql").text.lstrip().startswith("type Query")
    # Django's refusal of a POST without a token.
    assert site.request("POST", "/upload").status_code == 403
    assert site.get("/avatars/none.png").status_code == 404


def test_the_bundle_knows_the_site(site: Site) -> None:
    (script,) = re.findall(r'src="(/assets/[^"]+\.js)"', site.get("/").text)
    text = site.get(script).text
    assert f"wss://{site.host}/live" in text
    assert "studio.invalid" not in text


def test_values_arrive_byte_for_byte(guest: Guest, vm_name: str, environment: dict[str, str]) -> None:
    """By a settings module that a variable of the environment chose; addresses of the database and Redis among them."""
    wanted = variables_of(vm_name, "edusphere_app_environment")["edusphere_app_environment"]
    assert guest.ask("{ site { motto stage } }")["site"] == {
        "motto": wanted["STUDIO_MOTTO"],
        "stage": wanted["STUDIO_STAGE"],
    }
    assert {key: environment[key] for key in wanted} == wanted


def test_compiled_before_it_was_released(site: Site) -> None:
    """The repository has no compiled messages."""
    german = Guest(site)
    german.session.headers["Accept-Language"] = "de"
    assert german.ask("{ site { greeting } }") != Guest(site).ask("{ site { greeting } }")


def test_seeded_once(guest: Guest) -> None:
    notes = guest.ask("{ notes { author body } }")["notes"]
    assert [note["body"] for note in notes if note["author"] == "Studio"] == ["This wall is yours."]


def test_news(site: Site) -> None:
    """Through the WebSocket of a path without a slash, from one to the other."""
    ada, ben = Guest(site), Guest(site)

    async def talk() -> dict[str, Any]:
        async with ada.live() as here, ben.live() as there:
            await here.send(json.dumps({"body": "Hello"}))
            socket: ClientConnection = there
            return dict(json.loads(await asyncio.wait_for(socket.recv(), SECONDS)))

    note = asyncio.run(talk())["note"]
    assert (note["author"], note["body"]) == (ada.name, "Hello")


def test_a_picture_as_large_as_may_be(guest: Guest, site: Site) -> None:
    """It is stored, served by its alias, and the worker has looked at it."""
    picture = png(lambda x, y: (int(abs(x) * 255), int(abs(y) * 255), 0))
    picture += bytes(10 * MIB - len(picture))
    answer = guest.post("/upload", files={"file": ("large.png", picture, "image/png")})
    assert answer.status_code == 201, answer.text
    path = answer.json()["url"]
    assert path.startswith("/avatars/")
    assert site.get(path).content == picture

    def examined() -> bool:
        found = guest.ask("{ pictures { url sha256 } }")["pictures"]
        digest = {entry["url"]: entry["sha256"] for entry in found}[path]
        return bool(digest == hashlib.sha256(picture).hexdigest())

    until(examined)
    assert guest.post("/upload", files={"file": ("larger.png", bytes(11 * MIB + 1), "image/png")}).status_code == 413


def test_one_beats(guest: Guest) -> None:
    assert len(beats(guest)) == 1


def test_status_shows_the_processes(platform: Platform) -> None:
    """And that the worker, which can be asked, is well."""
    services = "".join(
        line for line in playbook(name="playbooks/status.yml").stdout.splitlines() if re.match(r" *Services ", line)
    )
    well = {"worker": "healthy", "beat": "running"} if isinstance(platform, Stack) else dict.fromkeys(WORK, "running")
    for name, state in well.items():
        assert re.search(rf"edusphere-{name}[-@]\w+ {state}(,|$)", services), services
    assert "unhealthy" not in services


@pytest.fixture
def unmoved(vm: Host) -> Iterator[None]:
    """Fail if what doesn't read the environment was started anew."""
    before = processes(vm, SERVICES)
    yield
    assert processes(vm, SERVICES) == before


@pytest.mark.usefixtures("unmoved")
@pytest.mark.exhaustive("a changed value restarts what reads it, and two beats never run")
def test_a_plain_value_changes(guest: Guest, platform: Platform) -> None:
    """What reads it starts again, the extra processes with it, and two beats never are."""
    start, before = platform.start, beats(guest)
    values = {"edusphere_app_environment": {"STUDIO_STAGE": "production", "STUDIO_MOTTO": "#1"}}
    said = playbook("--tags=app", f"--extra-vars={json.dumps(values)}").stdout
    assert "failed=0" in said
    assert platform.start != start
    assert guest.ask("{ site { motto } }")["site"]["motto"] == "#1"
    after = beats(guest)
    assert (len(after), after & before) == (1, set())
    playbook("--tags=app")


def work(vm: Host) -> set[str]:
    """How the processes beside the backend were started, as every account of the host sees it."""
    return {line for line in vm.check_output("ps -eo args").splitlines() if re.match(r"\S*python\S* \S*celery ", line)}


def test_an_upgrade_that_fails_leaves_the_processes(guest: Guest, vm: Host, platform: Platform, vm_name: str) -> None:
    """They were changed, added and removed by the time it failed."""
    before, release = work(vm), platform.live["release"]
    assert {word for line in before for word in WORK if f" {word} " in line} == set(WORK)
    (worker, _beat) = variables_of(vm_name, "edusphere_app_processes")["edusphere_app_processes"]
    changed = {**worker, "command": [*worker["command"], "--task-events"], "environment": {"NEW": "1"}}
    values = {
        "edusphere_app_processes": [changed, {"name": "another", "command": [*worker["command"], "--queues", "none"]}],
        "edusphere_app_environment": {"STUDIO_STAGE": "production", "STUDIO_MOTTO": "#2"},
        "edusphere_hook_after_switch": [str(ROOT / "molecule/rolling/hooks/fails.yml")],
    }
    run = playbook(f"--extra-vars={json.dumps(values)}", name="playbooks/upgrade.yml", check=False)
    assert run.returncode
    assert "This failure is made up" in run.stdout, run.stdout[-6000:]
    assert "On the way back" not in run.stdout, run.stdout[-6000:]
    assert platform.live["release"] == release
    until(lambda: work(vm) == before)
    assert len(beats(guest)) == 1
    assert guest.ask("{ site { motto } }")["site"]["motto"] != "#2"


def test_in_a_browser(site: Site) -> None:
    """Join, write, and look at the page whose path other applications have for Django's admin."""
    with chromium(f"--host-resolver-rules=MAP {site.name} {site.address}", "--ignore-certificate-errors") as browser:
        page = browser.new_page(base_url=site.url, ignore_https_errors=True)
        page.set_default_timeout(SECONDS * 1000)
        page.goto("/")
        page.get_by_test_id("name").fill("Ada")
        page.get_by_test_id("join").click()
        page.get_by_test_id("body").fill("From a browser")
        page.get_by_test_id("write").click()
        expect(page.get_by_test_id("note").first).to_contain_text("From a browser")
        page.goto("/admin")
        expect(page.get_by_test_id("heartbeat").first).to_be_visible()
