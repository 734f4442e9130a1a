"""The deployed site and the browser that the tests of this directory use. scripts/e2e says which site it is."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from behaviour.browser import SECONDS, chromium
from playwright.sync_api import Browser, BrowserContext

SSH_CONFIG = Path(__file__).parents[2] / ".cache/testbed/ssh/config"


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
    with chromium() as browser:
        yield browser


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
