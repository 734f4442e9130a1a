"""What nginx serves and refuses, asked of the oldest nginx that is accepted, Debian 13's, and Compose mode's."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from web_server import DOMAIN, LIVE, PREVIOUS, SERVERS, WebServer, running

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


@contextmanager
def link(path: Path, target: str) -> Iterator[None]:
    """A link for as long as it is looked at: what another test writes would follow it, on this machine."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target)
    try:
        yield
    finally:
        path.unlink()


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
    with link(server.releases.parent / place, target):
        answer = server.get(path)
    assert b"root:" not in answer.body
    # A path of the frontend that isn't there is the application's.
    assert (answer.status in (403, 404)) or answer.body == b"the page"


def test_a_link_in_the_place_of_a_directory_that_is_served(server: WebServer) -> None:
    """In Compose mode an application's own code publishes its files."""
    elsewhere = server.releases.parent / "elsewhere"
    for name in ("staticfiles/c.0123456789ab.css", "frontend/dist/assets/c-Ab12Cd34.js"):
        server.write(name, release=PREVIOUS)
    release = server.releases / PREVIOUS
    paths = ["/static/c.0123456789ab.css", "/assets/c-Ab12Cd34.js"]
    assert [server.get(path).status for path in paths] == [200, 200]
    release.rename(elsewhere)
    with link(release, "../elsewhere"):
        assert [server.get(path).status for path in paths] == [404, 404]
    elsewhere.rename(release)


def test_the_links_of_releases_work(server: WebServer) -> None:
    """A shared directory is served where it is, also where an operator has it lead to another disk."""
    server.share("media/picture.png", "of media")
    assert server.get("/media/picture.png").body == b"of media"
    disk = server.releases.parent / "disk"
    (server.shared / "media").rename(disk)
    with link(server.shared / "media", "../disk"):
        assert server.get("/media/picture.png").body == b"of media"
    disk.rename(server.shared / "media")


def test_what_is_below_an_alias(server: WebServer) -> None:
    """Of the release, but for what releases share."""
    server.write("downloads/manual.pdf", "of the release")
    server.write("data/list.csv", "of the release")
    server.share("data/exports/all.csv", "of all releases")
    assert server.get("/downloads/manual.pdf").body == b"of the release"
    assert server.get("/data/list.csv").body == b"of the release"
    assert server.get("/data/exports/all.csv").body == b"of all releases"


HIDDEN = {
    "/.env": "frontend/dist/.env",
    "/%2eenv": "frontend/dist/.env",
    "//.env": "frontend/dist/.env",
    "/.git/config": "frontend/dist/.git/config",
    "/.vite/manifest.json": "frontend/dist/.vite/manifest.json",
    "/assets/.hidden-Ab12Cd34.js": "frontend/dist/assets/.hidden-Ab12Cd34.js",
    "/.hidden/a-Ab12Cd34.js": "frontend/dist/.hidden/a-Ab12Cd34.js",
    "/.well-known/.hidden": "frontend/dist/.well-known/.hidden",
    "/.well-known.js": "frontend/dist/.well-known.js",
    "/a/.well-known/a.js": "frontend/dist/a/.well-known/a.js",
    "/static/.hidden": "staticfiles/.hidden",
    "/static/a/.hidden/a.0123456789ab.css": "staticfiles/a/.hidden/a.0123456789ab.css",
    "/static/.well-known/a": "staticfiles/.well-known/a",
    "/downloads/.htpasswd": "downloads/.htpasswd",
    "/downloads/.git/config": "downloads/.git/config",
}


@pytest.mark.parametrize("path", HIDDEN)
def test_hidden_files_are_not_served(server: WebServer, path: str) -> None:
    """Nor a page in the place of one."""
    server.write(HIDDEN[path], "secret")
    assert server.get(path).status == 404


@pytest.mark.parametrize("path", ["/media/.trash/a.png", "/media/.a.png", "/avatars/.a.png", "/data/exports/.a.csv"])
def test_hidden_uploads_are_not_served(server: WebServer, path: str) -> None:
    server.share(path.replace("/avatars", "/media/avatars").removeprefix("/"), "secret")
    assert server.get(path).status == 404


@pytest.mark.parametrize("path", ["/.well-known/security.txt", "/.well-known/a/b.json", "/.well-known/assetlinks"])
def test_what_is_well_known_is_served(server: WebServer, path: str) -> None:
    server.write(f"frontend/dist{path}", "known")
    assert server.get(path).body == b"known"


def test_names_with_dots_are_not_hidden(server: WebServer) -> None:
    server.write("frontend/dist/a.b/c..d.js", "shown")
    assert server.get("/a.b/c..d.js").body == b"shown"
    assert server.get("/users/a.b").body == b"the page"
    # What the backend answers is its own business.
    assert asked(server, "/api/.hidden")["line"] == "GET /api/.hidden HTTP/1.1"


def asked(server: WebServer, target: str, host: str = DOMAIN, **headers: str) -> dict[str, str]:
    """What the backend is asked when a visitor asks for that."""
    return dict(json.loads(server.get(target, host, **headers).body))


HOSTS = {
    "plain": ("/api/", DOMAIN, DOMAIN),
    "with a port": ("/api/", f"{DOMAIN}:8080", f"{DOMAIN}:8080"),
    "in capitals": ("/api/", f"{DOMAIN.upper()}:8080", f"{DOMAIN}:8080"),
    "with a dot at the end": ("/api/", f"{DOMAIN}.:8080", f"{DOMAIN}:8080"),
    "with a port that is none": ("/api/", f"{DOMAIN}:a'b", DOMAIN),
    "of an address": (f"http://{DOMAIN}/api/", "evil.test", DOMAIN),
    "of an address, and a port": (f"http://{DOMAIN}/api/", "evil.test:8080", DOMAIN),
    "of an address, named alike": (f"http://{DOMAIN}/api/", f"{DOMAIN}.evil.test:8080", DOMAIN),
    "of an address, with it before": (f"http://{DOMAIN}/api/", f"{DOMAIN}:80@evil.test:8080", DOMAIN),
    "of an address, the same": (f"http://{DOMAIN}:8080/api/", f"{DOMAIN}:8080", f"{DOMAIN}:8080"),
}

# Which a newer nginx refuses.
NO_HOSTS = {"with a port that is none", "of an address, with it before"}


@pytest.mark.parametrize("case", HOSTS)
@pytest.mark.parametrize("prefix", ["/api/", "/ws/"])
def test_the_backend_gets_the_host_that_nginx_chose_by(server: WebServer, case: str, prefix: str) -> None:
    """Where a request's line names another host than its header, the line counts. The port is the browser's word."""
    target, host, expected = HOSTS[case]
    answer = server.get(target.replace("/api/", prefix), host, Upgrade="websocket", Connection="upgrade")
    if answer.status == 400:
        assert case in NO_HOSTS
        return
    got = json.loads(answer.body)
    assert got["host"] == expected
    assert got["line"] == f"GET {prefix} HTTP/1.1"
    assert got["upgrade"] == ("websocket" if prefix == "/ws/" else "")


@pytest.mark.parametrize("name", ["X_Forwarded_Host", "Forwarded", "X_Forwarded_Port"])
def test_nobody_else_says_where_a_visitor_came_to(server: WebServer, name: str) -> None:
    assert asked(server, "/api/", **{name: "host=evil.test"})[name.replace("_", "-").lower()] == ""


def test_redirects_name_no_host(server: WebServer) -> None:
    """nginx' own are to another path. Whatever a request names, a visitor stays where it is."""
    server.write("staticfiles/admin/base.css")
    for target, host in (("/static/admin", DOMAIN), (f"http://{DOMAIN}/static/admin", "evil.test")):
        answer = server.get(target, host)
        assert (answer.status, answer.headers["Location"]) == (301, "/static/admin/")


def test_an_address_of_another_host_gets_no_answer(server: WebServer) -> None:
    with pytest.raises(http.client.RemoteDisconnected):
        server.get("http://evil.test/api/", DOMAIN)


# What Vite knows as assets (its KNOWN_ASSET_TYPES), and what it makes itself.
TYPES = {
    "application/javascript": "js mjs cjs",
    "application/json": "json map",
    "application/manifest+json": "webmanifest",
    "application/pdf": "pdf",
    "application/vnd.ms-fontobject": "eot",
    "application/wasm": "wasm",
    "audio/aac": "aac",
    "audio/flac": "flac",
    "audio/mp4": "m4a",
    "audio/mpeg": "mp3",
    "audio/ogg": "ogg opus",
    "audio/wav": "wav",
    "font/otf": "otf",
    "font/ttf": "ttf",
    "font/woff": "woff",
    "font/woff2": "woff2",
    "image/apng": "apng",
    "image/avif": "avif",
    "image/bmp": "bmp",
    "image/gif": "gif",
    "image/jpeg": "jpg jpeg jfif pjpeg pjp",
    "image/jxl": "jxl",
    "image/png": "png",
    "image/svg+xml": "svg",
    "image/webp": "webp",
    "image/x-icon": "ico cur",
    "text/css": "css",
    "text/plain": "txt",
    "text/vtt": "vtt",
    "video/mp4": "mp4",
    "video/quicktime": "mov",
    "video/webm": "webm",
}
EXTENSIONS = {extension: media_type for media_type, names in TYPES.items() for extension in names.split()}


@pytest.mark.parametrize("extension", EXTENSIONS)
def test_every_type_of_a_build_has_its_own(server: WebServer, extension: str) -> None:
    """Browsers are told not to guess, and take no script or style of another type."""
    name = f"type.{extension}"
    server.write(f"frontend/dist/{name}")
    server.write(f"staticfiles/{name}")
    server.share(f"media/{name}")
    for path in (f"/{name}", f"/static/{name}", f"/media/{name}"):
        answer = server.get(path)
        assert (answer.status, answer.type) == (200, EXTENSIONS[extension])
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    # What is missing is not the page by its name.
    assert server.get(f"/missing.{extension}").status == 404
    assert server.get(f"/missing.{extension.upper()}").status == 404


def test_other_types(server: WebServer) -> None:
    """Of uploads and of downloads, as nginx' own list has them, and those that it lacks."""
    expected = {
        "html": "text/html",
        "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "zip": "application/zip",
        "csv": "text/csv",
        "ics": "text/calendar",
        "heic": "image/heic",
        "mkv": "video/x-matroska",
        "bin": "application/octet-stream",
        "unknown": "application/octet-stream",
    }
    for extension in expected:
        server.share(f"media/other.{extension}")
    assert {extension: server.get(f"/media/other.{extension}").type for extension in expected} == expected


FOR_EVER, ASK_AGAIN = "public, max-age=31536000, immutable", "no-cache"


def test_what_is_surely_hashed_is_kept_for_a_year(server: WebServer) -> None:
    """nginx looks where a built file is, which was decided when it was built. Of static files, names tell."""
    for name in ("assets/known-homepage.js", "deeper/known.js", "assets/known-homepage.glb"):
        server.write(f".hashed/{name}", "known", PREVIOUS)
    server.write("staticfiles/base.0123456789ab.css")
    server.write("staticfiles/a/base.0123456789ab.PNG", release=PREVIOUS)
    for path in (
        *("/assets/known-homepage.js", "/deeper/known.js", "/assets/known-homepage.glb"),
        *("/static/base.0123456789ab.css", "/static/a/base.0123456789ab.PNG"),
    ):
        answer = server.get(path)
        assert (answer.status, answer.headers.get_all("Cache-Control")) == (200, [FOR_EVER]), path
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("release", [LIVE, PREVIOUS])
def test_what_may_be_hashed_is_there_and_asked_for_again(server: WebServer, release: str) -> None:
    """A page of a previous release may want it."""
    names = {
        **{f"assets/{name}": f"frontend/dist/assets/{name}" for name in ("hero-homepage.jpg", "inter-semibold.woff2")},
        **{
            f"assets/{name}": f"frontend/dist/assets/{name}"
            for name in ("index-abcdefgh.js.map", "a/index.abcdefgh.js")
        },
        **{f"static/{name}": f"staticfiles/{name}" for name in ("data.202401011200.csv", "site.defacedecade.css")},
    }
    for path, file in names.items():
        server.write(file, release, release)
        answer = server.get(f"/{path}")
        assert (answer.status, answer.headers.get_all("Cache-Control")) == (200, [ASK_AGAIN]), path
        (server.releases / release / file).unlink()
        gone = server.get(f"/{path}")
        assert (gone.status, gone.headers["Cache-Control"]) == (404, None), path


def test_other_files_are_asked_for_again(server: WebServer) -> None:
    """And are those of the pages' release alone."""
    for name in ("service-worker.js", "favicon.ico", "index.html"):
        server.write(f"frontend/dist/{name}", "old", PREVIOUS)
    assert server.get("/service-worker.js").status == 404
    for name in ("service-worker.js", "favicon.ico", "index.html"):
        server.write(f"frontend/dist/{name}", "the page")
    for path in ("/", "/rooms/a", "/service-worker.js", "/favicon.ico", "/index.html"):
        answer = server.get(path)
        assert (answer.body, answer.headers.get_all("Cache-Control")) == (b"the page", [ASK_AGAIN]), path
