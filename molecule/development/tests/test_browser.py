"""A developer looks at the site in a browser, and edits it meanwhile: nobody restarts anything."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from behaviour.browser import SECONDS, chromium
from behaviour.developer import edited, eventually
from behaviour.platforms import Platform
from behaviour.visitor import Site
from playwright.sync_api import Page, expect
from testinfra.host import Host


@pytest.fixture
def page(site: Site) -> Iterator[Page]:
    """A page of the site, for somebody who is not logged in."""
    with chromium(f"--host-resolver-rules=MAP {site.name} {site.address}") as browser:
        page = browser.new_page(base_url=site.url)
        page.set_default_timeout(SECONDS * 1000)
        page.goto("/")
        yield page


def test_edits_show(page: Page, vm: Host, platform: Platform) -> None:
    before = platform.start
    # What is typed and what a script keeps are gone when a page is loaded again.
    page.get_by_test_id("username").fill("Ada")
    page.evaluate("window.kept = true")
    footer = page.locator("footer")
    expect(footer).to_contain_text("EduSphere 1.0.0")
    with edited(vm, "frontend/src/components/SiteFooter.vue", "EduSphere <span", "Edited <span"):
        expect(footer).to_contain_text("Edited 1.0.0")
        expect(page.get_by_test_id("username")).to_have_value("Ada")
        assert page.evaluate("window.kept") is True
    expect(footer).to_contain_text("EduSphere 1.0.0")
    with edited(vm, "backend/version.py", "1[.]0[.]0", "2.0.0-edited"):
        shown = page.get_by_test_id("version")

        def reloaded() -> str:
            page.reload()
            return shown.text_content() or ""

        eventually(reloaded, "2.0.0-edited")
    assert platform.start == before
