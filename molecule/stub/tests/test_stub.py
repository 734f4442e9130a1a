"""A site of the reference application's layout, from inventories/prod: over TLS, under a public name.

Only domain, secrets, hosts and where the source comes from are others.
"""

from __future__ import annotations

import asyncio
import json
import re
import ssl
from typing import Any

import pytest
import requests
from behaviour.browser import SECONDS, chromium
from behaviour.hosts import playbook
from behaviour.platforms import Platform
from behaviour.visitor import Site
from playwright.sync_api import expect
from testinfra.host import Host
from websockets.asyncio.client import connect

MIB = 1024**2
PASSWORD = "test-only-Superuser-1"


def post(session: requests.Session, site: Site, path: str, **kwargs: Any) -> requests.Response:
    """POST as a page of the site does: with the token of the cookie."""
    token = session.get(f"{site.url}/api/csrf/", timeout=SECONDS).json()["csrfToken"]
    headers = {"X-CSRFToken": token, "Referer": f"{site.url}/"}
    return session.post(site.url + path, headers=headers, timeout=SECONDS, **kwargs)


def test_paths_of_the_backend(site: Site) -> None:
    """Under a name that its settings don't know."""
    assert set(site.get("/api/csrf/").json()) == {"csrfToken"}
    assert site.get("/graphql/").json() == {"data": {"rooms": []}}
    assert "csrfmiddlewaretoken" in site.get("/admin/login/").text
    assert site.get("/static/admin/css/base.css").status_code == 200


def test_paths_of_the_page(site: Site) -> None:
    page = site.get("/").text
    assert site.get("/any/page/of/it").text == page
    assert site.get("/assets/missing.js").status_code == 404
    assert site.get("/media/missing.png").status_code == 404


def test_everybody_comes_by_tls(site: Site, vm_address: str) -> None:
    plain = Site(f"http://{site.name}", vm_address).get("/api/csrf/?a=b")
    assert (plain.status_code, plain.headers["Location"]) == (301, f"{site.url}/api/csrf/?a=b")
    with pytest.raises(requests.exceptions.SSLError):
        Site("https://another.test", vm_address, authority=site.authority).get("/")


def test_a_post_needs_the_sites_own_page(site: Site) -> None:
    with site.session() as session:
        answer = post(session, site, "/graphql/", json={"variables": {"name": "By a program"}})
        assert {"name": "By a program"} in answer.json()["data"]["rooms"]
        foreign = {"Origin": "https://elsewhere.test"}
        session.headers.update(foreign)
        assert post(session, site, "/graphql/", json={"variables": {"name": "From elsewhere"}}).status_code == 403


def test_uploads(site: Site) -> None:
    """Of 10 MiB with the form that they come in; in a directory that nginx has to be able to look into."""
    data = b"x" * (10 * MIB - 1024)
    with site.session() as session:
        answer = post(session, site, "/api/upload/", files={"file": ("large.txt", data)})
        assert answer.status_code == 201
        assert site.get(answer.json()["url"]).content == data
        assert post(session, site, "/api/upload/", files={"file": ("larger.txt", bytes(10 * MIB))}).status_code == 413


def test_the_bundle_knows_the_site(site: Site) -> None:
    (script,) = re.findall(r'src="(/assets/[^"]+\.js)"', site.get("/").text)
    text = site.get(script).text
    assert f"://{site.host}/ws" in text
    assert "localhost/ws" not in text


def test_talk(site: Site) -> None:
    """Through a Redis whose password its settings don't know. A page of another site may not."""

    def enter(origin: str) -> connect:
        return connect(
            f"wss://{site.host}/ws/room/",
            host=site.address,
            port=443,
            ssl=ssl.create_default_context(cafile=site.authority),
            origin=origin,  # type: ignore[arg-type]  # a NewType of str
            proxy=None,
        )

    async def talk() -> Any:
        async with enter(site.url) as here, enter(site.url) as there:
            await here.send(json.dumps({"text": "Hello"}))
            return json.loads(await asyncio.wait_for(there.recv(), SECONDS))

    assert asyncio.run(talk()) == {"text": "Hello"}


def test_the_superuser(site: Site) -> None:
    """Who logs in by e-mail, and whose name has another field. Made once."""
    arguments = [f"--extra-vars=edusphere_superuser_password={PASSWORD}"]
    assert re.search(r"changed=1\b", playbook(*arguments, name="playbooks/superuser.yml").stdout)
    assert re.search(r"changed=0\b", playbook(*arguments, name="playbooks/superuser.yml").stdout)
    with site.session() as session:
        form = session.get(f"{site.url}/admin/login/", timeout=SECONDS).text
        (token,) = re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', form)
        answer = session.post(
            f"{site.url}/admin/login/?next=/admin/",
            data={"username": f"admin@{site.name}", "password": PASSWORD, "csrfmiddlewaretoken": token},
            headers={"Referer": f"{site.url}/admin/login/"},
            timeout=SECONDS,
        )
        assert "Site administration" in answer.text


def test_logs_outlive_releases(vm: Host, platform: Platform) -> None:
    """The file that its settings open is where releases share it, and the application's own."""
    log = vm.file(platform.shared("logs/backend.log"))
    assert (log.exists, log.uid) == (True, platform.uid)


def test_a_secret_that_it_would_read_as_a_reference_is_refused(platform: Platform) -> None:
    start = platform.start
    run = playbook("--extra-vars", json.dumps({"edusphere_secret_key": "$" + "k" * 60}), check=False)
    assert run.returncode != 0
    assert "edusphere_secret_key" in run.stdout + run.stderr
    assert platform.start == start


def test_in_a_browser(site: Site) -> None:
    """Its page talks through both of its WebSockets, and opens a room."""
    with chromium(f"--host-resolver-rules=MAP {site.name} {site.address}", "--ignore-certificate-errors") as browser:
        page = browser.new_page(base_url=site.url, ignore_https_errors=True)
        page.set_default_timeout(SECONDS * 1000)
        page.goto("/")
        expect(page.get_by_test_id("lobby")).to_contain_text("lobby")
        expect(page.get_by_test_id("hall")).to_contain_text("hall")
        page.get_by_test_id("name").fill("By a person")
        page.get_by_test_id("create").click()
        expect(page.get_by_test_id("rooms")).to_contain_text("By a person")
