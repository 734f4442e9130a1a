"""Tabs that were opened before an upgrade go on after it, in a real browser: nobody loads a page again."""

from __future__ import annotations

import re

from playwright.sync_api import Browser, Response, expect

from behaviour.browser import SECONDS
from behaviour.chat_page import ChatPage
from behaviour.visitor import Site, Visitor


class Tab(ChatPage):
    """A tab that is never loaded again."""

    def __init__(self, browser: Browser, site: Site, visitor: Visitor) -> None:
        """Open the start page."""
        super().__init__(browser.new_context(base_url=site.url).new_page(), visitor.name)
        self.answers: dict[str, int] = {}
        self.page.set_default_timeout(SECONDS * 1000)
        self.page.on("response", self._note)
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
        self.send_log_in_form()
        self.page.get_by_test_id(f"room-{room}").click()
        self.is_connected()

    def is_content(self) -> None:
        """Assert that it is the page that was opened, and has nothing to complain of."""
        assert self.page.evaluate("window.kept") is True
        assert not self.complaints
        assert {status for url, status in self.answers.items() if "/assets/" in url} <= {200, 304}, self.answers


def lazy_chunk(site: Site) -> str:
    """The file of the chat room that the page's script would load now."""
    (script,) = re.findall(r'src="(/assets/[^"]+\.js)"', site.get("/").text)
    (chunk,) = re.findall(r'"\./(ChatRoom-[\w-]+\.js)"', site.get(script).text)
    return f"/assets/{chunk}"


class OldTabs:
    """Two tabs with the pages of what serves now: one is in a room, the other has only the log-in form."""

    def __init__(self, browser: Browser, site: Site) -> None:
        """Open them."""
        self.site = site
        self.chunk = lazy_chunk(site)
        ada, ben = Visitor(site), Visitor(site)
        self.room = ada.open_room()
        self.talking, self.waiting = Tab(browser, site, ada), Tab(browser, site, ben)
        self.talking.log_in(self.room)
        self.said: list[str] = []
        self.say(self.talking, "before")
        expect(self.waiting.page.get_by_test_id("auth-form")).to_be_visible()
        assert not self.waiting.chunks

    def say(self, tab: Tab, text: str) -> None:
        """Have one of them say something, which those who are in the room see, with all that was said before."""
        tab.say(text)
        self.said.append(text)
        for each in (self.talking, self.waiting):
            if each.chunks:
                each.sees(self.said)
                each.is_content()

    def go_on(self) -> None:
        """After another release has come, which has another chunk: the chat goes on, and the second one logs in."""
        assert lazy_chunk(self.site) != self.chunk
        self.say(self.talking, "after")
        self.waiting.log_in(self.room)
        assert self.waiting.chunks == {self.chunk: 200}
        self.say(self.waiting, "an answer")

    def go_on_again(self) -> None:
        """After the first release has come back."""
        assert lazy_chunk(self.site) == self.chunk
        self.say(self.talking, "back again")
