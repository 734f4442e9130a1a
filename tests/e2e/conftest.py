"""The deployed site and the browser that the tests of this directory use. scripts/e2e says which site it is."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, expect, sync_playwright

SSH_CONFIG = Path(__file__).parents[2] / ".cache/testbed/ssh/config"
# A machine that runs a whole test site may be busy.
SECONDS = 120
# Debian's Chromium as root, without a screen, without looking for its maker's servers.
FLAGS = [
    *["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"],
    *["--disable-background-networking", "--disable-component-update", "--disable-sync"],
]


@pytest.fixture(scope="session")
def url() -> str:
    """The address of the site."""
    return os.environ["EDUSPHERE_URL"]


@pytest.fixture(scope="session")
def on_host() -> Callable[[str], str]:
    """A function that runs a command on the site's host, as root, and returns what it printed."""

    def run(command: str) -> str:
        name = os.environ["EDUSPHERE_HOST"]
        return subprocess.run(
            ["ssh", "-F", SSH_CONFIG, name, f"sudo {command}"], check=True, capture_output=True, text=True
        ).stdout

    return run


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium, headless."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        expect.set_options(timeout=SECONDS * 1000)
        yield browser
        browser.close()


@pytest.fixture
def new_context(browser: Browser, url: str) -> Iterator[Callable[[], BrowserContext]]:
    """A function that opens the browser of one more person."""
    contexts: list[BrowserContext] = []

    def new() -> BrowserContext:
        context = browser.new_context(base_url=url, viewport={"width": 1280, "height": 800}, device_scale_factor=2)
        context.set_default_timeout(SECONDS * 1000)
        contexts.append(context)
        return context

    yield new
    for context in contexts:
        context.close()
