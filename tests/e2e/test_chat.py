"""Two people use the site in two browsers."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
from behaviour.chat_page import ChatPage
from behaviour.picture import Colour, portrait
from playwright.sync_api import BrowserContext, ConsoleMessage, Page, expect

# Where a picture of the site is written, if it is asked for: it needs a new site, where nobody has the plain names yet.
SCREENSHOT = os.environ.get("EDUSPHERE_SCREENSHOT")
UNIQUE = "" if SCREENSHOT else f" {uuid.uuid4().hex[:6]}"


class Person(ChatPage):
    """Somebody at a browser, which must not complain of anything."""

    def __init__(self, page: Page, name: str) -> None:
        super().__init__(page, name)
        page.on("console", self._listen)

    def _listen(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.complaints.append(message.text)

    def register(self) -> None:
        """Open an account on the start page."""
        self.page.goto("/")
        self.page.get_by_test_id("tab-register").click()
        self.send_log_in_form()

    def log_in(self) -> None:
        """Log in on the start page."""
        self.page.goto("/")
        self.send_log_in_form()

    def show(self, ground: Colour, figure: Colour) -> str:
        """Upload a picture and return its path."""
        picture = {"name": "me.png", "mimeType": "image/png", "buffer": portrait(ground, figure)}
        self.page.get_by_test_id("avatar-input").set_input_files(picture)  # type: ignore[arg-type] # a TypedDict
        image = self.page.locator("img[data-testid=my-avatar]")
        expect(image).to_have_js_property("naturalWidth", 96)
        return str(image.get_attribute("src"))


@pytest.fixture
def ada(new_context: Callable[[], BrowserContext]) -> Person:
    """The first person."""
    return Person(new_context().new_page(), f"Ada{UNIQUE}".replace(" ", "."))


@pytest.fixture
def ben(new_context: Callable[[], BrowserContext]) -> Person:
    """The second person, in a browser of his own."""
    return Person(new_context().new_page(), f"Ben{UNIQUE}".replace(" ", "."))


def test_two_people(ada: Person, ben: Person, on_host: Callable[[str], str], url: str) -> None:
    ada.register()
    ben.register()
    ben.page.get_by_test_id("logout").click()
    expect(ben.page.get_by_test_id("auth-form")).to_be_visible()
    ben.log_in()

    # A room of their own, which the other finds by its address: a deep link.
    room = f"Linear algebra{UNIQUE}"
    ada.page.get_by_test_id("new-room-name").fill(room)
    ada.page.get_by_test_id("new-room-submit").click()
    expect(ada.page.get_by_test_id("room-title")).to_contain_text(room)
    ben.page.goto(ada.page.url)
    for person in (ada, ben):
        person.is_connected()
        expect(person.page.get_by_test_id("presence-count")).to_have_text("2")

    path = ada.show((79, 70, 200), (250, 224, 200))
    ben.show((20, 120, 110), (240, 230, 215))
    stored = ada.page.request.get(path)
    assert stored.ok
    assert stored.body() == portrait((79, 70, 200), (250, 224, 200))
    for person in (ada, ben):
        person.is_connected()

    said = [
        "Does anybody have the notes on eigenvalues?",
        "I do! Chapter 5, and the exercises from Tuesday.",
        "You are a star. Shall we go through exercise 7 together?",
    ]
    ada.say(said[0])
    ben.sees(said[:1])
    ben.say(said[1])
    ada.sees(said[:2])
    ada.say(said[2])
    ben.sees(said)

    # The backend restarts under them: each connection is gone and comes back; what was said meanwhile arrives, once.
    live = json.loads(on_host("cat /srv/edusphere/records/live.fact"))
    assert [ada.complaints, ben.complaints] == [[], []]
    for person in (ada, ben):
        person.page.evaluate(
            """() => {
              const state = document.querySelector("[data-testid=connection-state]");
              window.statuses = [];
              const note = () => window.statuses.push(state.dataset.status);
              new MutationObserver(note).observe(state, { attributes: true });
            }"""
        )
    on_host(f"systemctl restart --no-block edusphere-backend@{live['slot']}")
    for person in (ada, ben):
        person.page.wait_for_function("window.statuses.includes('reconnecting')")
    ben.say("Gladly. Three o'clock in the library?")
    ada.say("I'll bring the coffee.")
    for person in (ada, ben):
        person.is_connected()
        expect(person.page.get_by_test_id("message")).to_have_count(5)
        expect(person.page.get_by_test_id("pending-message")).to_have_count(0)
    texts = ada.page.get_by_test_id("message-body").all_text_contents()
    assert sorted(texts[3:]) == ["Gladly. Three o'clock in the library?", "I'll bring the coffee."]
    ben.sees(texts)
    expect(ada.page.get_by_test_id("presence-count")).to_have_text("2")

    # The server has the same, in the same order, and whoever comes anew sees it.
    slug = ada.page.url.rpartition("/")[2]
    history = ada.page.request.get(f"{url}/api/rooms/{slug}/messages/").json()["messages"]
    assert [message["body"] for message in history] == texts
    assert [message["sequence"] for message in history] == [1, 2, 3, 4, 5]
    if SCREENSHOT:
        Path(SCREENSHOT).write_bytes(ada.page.screenshot())
    ben.page.reload()
    ben.sees(texts)
