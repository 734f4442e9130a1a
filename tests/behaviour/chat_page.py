"""The sample application's page, as somebody at a browser uses it."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from behaviour.visitor import PASSWORD


class ChatPage:
    """A page with the log-in form, or with a room."""

    def __init__(self, page: Page, name: str) -> None:
        """`name` is the account that it is used with."""
        self.page = page
        self.name = name
        self.complaints: list[str] = []
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def send_log_in_form(self) -> None:
        """Fill in the form that is there, to log in or to open an account, and send it."""
        self.page.get_by_test_id("username").fill(self.name)
        self.page.get_by_test_id("password").fill(PASSWORD)
        self.page.get_by_test_id("auth-submit").click()
        expect(self.page.get_by_test_id("my-username")).to_have_text(self.name)

    def is_connected(self) -> None:
        """Wait until the room is live."""
        expect(self.page.get_by_test_id("connection-state")).to_have_attribute("data-status", "online")

    def say(self, text: str) -> None:
        """Write a message."""
        self.page.get_by_test_id("message-input").fill(text)
        self.page.get_by_test_id("send").click()

    def sees(self, texts: list[str]) -> None:
        """Wait until the room has exactly these messages, in this order, and none that waits to be sent."""
        expect(self.page.get_by_test_id("message-body")).to_have_text(texts)
        expect(self.page.get_by_test_id("pending-message")).to_have_count(0)
