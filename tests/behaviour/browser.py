"""A real browser: Debian's Chromium, which scripts/chromium installs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, expect, sync_playwright

# A machine that runs a whole test site may be busy.
SECONDS = 120
# As root, without a screen, without looking for its maker's servers.
FLAGS = [
    *["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"],
    *["--disable-background-networking", "--disable-component-update", "--disable-sync"],
]


@contextmanager
def chromium(*flags: str) -> Iterator[Browser]:
    """Chromium, headless, for as long as the context lasts. Meanwhile no other event loop can run in this thread."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=[*FLAGS, *flags])
        expect.set_options(timeout=SECONDS * 1000)
        try:
            yield browser
        finally:
            browser.close()
