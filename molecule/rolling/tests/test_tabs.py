"""Tabs that were opened before an upgrade go on after it, in a real browser: nobody loads a page again."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from behaviour.browser import SECONDS, chromium
from behaviour.load import Figures, Load
from behaviour.platforms import Platform
from behaviour.rolling import conclude, rollback, serves, upgrade
from behaviour.visitor import PASSWORD, Site, Visitor
from playwright.sync_api import Browser, Page, Response, expect


class Tab:
    """A tab that is never loaded again."""

    def __init__(self, browser: Browser, site: Site, visitor: Visitor) -> None:
        """Open the start page."""
        self.visitor = visitor
        self.answers: dict[str, int] = {}
        self.complaints: list[str] = []
        self.page: Page = browser.new_context(base_url=site.url).new_page()
        self.page.set_default_timeout(SECONDS * 1000)
        self.page.on("response", self._note)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.goto("/")
        self.page.evaluate("window.kept = true")

    def _note(self, response: Response) -> None:
        self.answers[response.url] = response.status

    @property
    def chunks(self) -> dict[str, int]:
        """The files of the chat room that it has loaded, which come after the log-in, with the answers' status."""
        return {
            found[0]: status
            for url, status in self.answers.items()
            if (found := re.search(r"/assets/ChatRoom-[\w-]+\.js", url))
        }

    def log_in(self, room: str) -> None:
        """Log in, and enter a room."""
        self.page.get_by_test_id("username").fill(self.visitor.name)
        self.page.get_by_test_id("password").fill(PASSWORD)
        self.page.get_by_test_id("auth-submit").click()
        self.page.get_by_test_id(f"room-{room}").click()
        expect(self.page.get_by_test_id("connection-state")).to_have_attribute("data-status", "online")

    def say(self, text: str) -> None:
        """Write a message."""
        self.page.get_by_test_id("message-input").fill(text)
        self.page.get_by_test_id("send").click()

    def sees(self, texts: list[str]) -> None:
        """Wait until the room has exactly these messages, in this order, and none that waits to be sent."""
        expect(self.page.get_by_test_id("message-body")).to_have_text(texts)
        expect(self.page.get_by_test_id("pending-message")).to_have_count(0)

    def is_content(self) -> None:
        """Assert that it is the page that was opened, and has nothing to complain of."""
        assert self.page.evaluate("window.kept") is True
        assert not self.complaints
        assert {status for url, status in self.answers.items() if "/assets/" in url} <= {200, 304}, self.answers


@pytest.fixture
def browser(site: Site) -> Iterator[Browser]:
    """Chromium, which finds the site."""
    with chromium(f"--host-resolver-rules=MAP {site.name} {site.address}") as started:
        yield started


def lazy_chunk(site: Site) -> str:
    """The file of the chat room that the page's script would load now."""
    (script,) = re.findall(r'src="(/assets/[^"]+\.js)"', site.get("/").text)
    (chunk,) = re.findall(r'"\./(ChatRoom-[\w-]+\.js)"', site.get(script).text)
    return f"/assets/{chunk}"


def test_old_tabs(visitors: Load, calm: Figures, browser: Browser, site: Site, platform: Platform) -> None:
    serves(platform, site, "v1")
    old = lazy_chunk(site)
    ada, ben = Visitor(site), Visitor(site)
    room = ada.open_room()
    # One is in the room; the other has only the log-in form.
    talking, waiting = Tab(browser, site, ada), Tab(browser, site, ben)
    talking.log_in(room)
    talking.say("before")
    talking.sees(["before"])
    expect(waiting.page.get_by_test_id("auth-form")).to_be_visible()
    assert not waiting.chunks

    with visitors.watched() as window:
        run = upgrade("v2")
    serves(platform, site, "v2")
    assert lazy_chunk(site) != old
    talking.say("after")
    talking.sees(["before", "after"])
    waiting.log_in(room)
    assert waiting.chunks == {old: 200}
    waiting.sees(["before", "after"])
    waiting.say("an answer")
    for tab in (talking, waiting):
        tab.sees(["before", "after", "an answer"])
        tab.is_content()
    conclude(visitors, window, "to v2, with tabs that were open", run, calm=calm)

    with visitors.watched() as window:
        run = rollback()
    serves(platform, site, "v1")
    talking.say("back again")
    for tab in (talking, waiting):
        tab.sees(["before", "after", "an answer", "back again"])
        tab.is_content()
    conclude(visitors, window, "to v1, with tabs that were open", run, calm=calm)
