"""What nginx serves and refuses, asked of the oldest nginx that is accepted, Debian 13's, and Compose mode's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from web_server import LIVE, PREVIOUS, SERVERS, WebServer, running

SETTINGS = {
    "edusphere_app_aliases": [
        {"path": "/avatars/", "directory": "media/avatars"},
        {"path": "/downloads/", "directory": "downloads"},
        {"path": "/data/", "directory": "data"},
        {"path": "/logo.svg", "directory": "public/logo.svg"},
    ],
    "edusphere_app_shared_directories": ["media", "data/exports", "logs"],
}


@pytest.fixture(
    scope="module",
    params=[
        "debian12",
        pytest.param("debian13", marks=pytest.mark.exhaustive("Debian 13's nginx serves the same as Debian 12's.")),
        "compose",
    ],
)
def server(
    request: pytest.FixtureRequest, host_image: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[WebServer]:
    """One that serves a site with one live and one previous release."""
    assert host_image
    assert request.param in SERVERS
    with running(request.param, tmp_path_factory.mktemp(request.param), SETTINGS) as one:
        one.write("frontend/dist/index.html", "the page")
        yield one


def link(path: Path, target: str) -> None:
    """Make a link, and the directory that it is in."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target)


# By path of a visitor: what is a link, below the releases or the shared directories, and to what.
LINKS = {
    "/media/file.png": ("shared/media/file.png", "/etc/passwd"),
    "/media/directory/passwd": ("shared/media/directory", "/etc"),
    "/media/a/b/relative.png": ("shared/media/a/b/relative.png", "../../../../../../../../etc/passwd"),
    "/avatars/passwd": ("shared/media/avatars", "/etc"),
    "/downloads/file.pdf": (f"releases/{LIVE}/downloads/file.pdf", "/etc/passwd"),
    "/data/exports/passwd": ("shared/data/exports/passwd", "/etc/passwd"),
    "/logo.svg": (f"releases/{LIVE}/public/logo.svg", "/etc/passwd"),
    "/static/file.css": (f"releases/{LIVE}/staticfiles/file.css", "/etc/passwd"),
    "/static/directory/passwd": (f"releases/{LIVE}/staticfiles/directory", "/etc"),
    "/static/a.0123456789ab.css": (f"releases/{PREVIOUS}/staticfiles/a.0123456789ab.css", "/etc/passwd"),
    "/file.js": (f"releases/{LIVE}/frontend/dist/file.js", "/etc/passwd"),
    "/file": (f"releases/{LIVE}/frontend/dist/file", "/etc/passwd"),
    "/directory/passwd": (f"releases/{LIVE}/frontend/dist/directory", "/etc"),
    "/assets/a-Ab12Cd34.js": (f"releases/{PREVIOUS}/frontend/dist/assets/a-Ab12Cd34.js", "/etc/passwd"),
    "/assets/b-Ab12Cd34.js": (f"releases/{LIVE}/.hashed/assets/b-Ab12Cd34.js", "/etc/passwd"),
}


@pytest.mark.parametrize("path", LINKS)
def test_no_link_is_followed(server: WebServer, path: str) -> None:
    """A backend that is taken over could make one to a key, wherever it can write."""
    place, target = LINKS[path]
    link(server.releases.parent / place, target)
    answer = server.get(path)
    assert b"root:" not in answer.body
    # A path of the frontend that isn't there is the application's.
    assert (answer.status in (403, 404)) or answer.body == b"the page"


def test_a_link_in_the_place_of_a_directory_that_is_served(server: WebServer) -> None:
    """In Compose mode the backend can write to all that is published."""
    elsewhere = server.releases.parent / "elsewhere"
    for name in ("staticfiles/c.0123456789ab.css", "frontend/dist/assets/c-Ab12Cd34.js"):
        server.write(name, release=PREVIOUS)
    release = server.releases / PREVIOUS
    paths = ["/static/c.0123456789ab.css", "/assets/c-Ab12Cd34.js"]
    assert [server.get(path).status for path in paths] == [200, 200]
    release.rename(elsewhere)
    release.symlink_to("../elsewhere")
    try:
        assert [server.get(path).status for path in paths] == [404, 404]
    finally:
        release.unlink()
        elsewhere.rename(release)


def test_the_links_of_releases_work(server: WebServer) -> None:
    """A shared directory is served where it is, also where an operator has it lead to another disk."""
    server.share("media/picture.png", "of media")
    assert server.get("/media/picture.png").body == b"of media"
    disk = server.releases.parent / "disk"
    (server.shared / "media").rename(disk)
    (server.shared / "media").symlink_to("../disk")
    try:
        assert server.get("/media/picture.png").body == b"of media"
    finally:
        (server.shared / "media").unlink()
        disk.rename(server.shared / "media")


def test_what_is_below_an_alias(server: WebServer) -> None:
    """Of the release, but for what releases share."""
    server.write("downloads/manual.pdf", "of the release")
    server.write("data/list.csv", "of the release")
    server.share("data/exports/all.csv", "of all releases")
    assert server.get("/downloads/manual.pdf").body == b"of the release"
    assert server.get("/data/list.csv").body == b"of the release"
    assert server.get("/data/exports/all.csv").body == b"of all releases"
