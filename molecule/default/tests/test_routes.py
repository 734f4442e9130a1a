"""What the site answers to whom, seen from outside."""

from __future__ import annotations

import hashlib
import re
import socket

import pytest
import requests
from behaviour.platforms import Platform
from behaviour.visitor import Site
from testinfra.host import Host

MEBIBYTE = 1024 * 1024
IMMUTABLE = "public, max-age=31536000, immutable"


@pytest.fixture(scope="session")
def page(site: Site) -> requests.Response:
    """The page of the single-page application."""
    return site.get("/")


@pytest.fixture(scope="session")
def assets(page: requests.Response) -> list[str]:
    """The paths of the page's bundles."""
    found = re.findall(r'(?:src|href)="(/assets/[^"]+)"', page.text)
    assert {path.rpartition(".")[2] for path in found} == {"js", "css"}
    return found


@pytest.fixture(scope="session")
def admin_assets(site: Site) -> list[str]:
    """The paths of the admin's static files, as its log-in page names them."""
    found = re.findall(r'"(/static/[^"]+)"', site.get("/admin/login/").text)
    assert any(path.endswith(".css") for path in found)
    return found


def test_the_page(page: requests.Response) -> None:
    assert page.status_code == 200
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert '<div id="app"></div>' in page.text


@pytest.mark.parametrize("path", ["/rooms/lobby", "/rooms/a/b/c", "/apiary", "/index.html", "/any?query=1"])
def test_deep_links_lead_to_the_page(site: Site, page: requests.Response, path: str) -> None:
    answer = site.get(path)
    assert (answer.status_code, answer.content) == (200, page.content)
    assert answer.headers["Cache-Control"] == "no-cache"


@pytest.mark.parametrize(
    "path",
    [
        "/assets/gone-Ab12Cd34.js",
        "/.vite/manifest.json",
        "/gone.css",
        "/static/gone.css",
        "/media/gone.png",
        "/media/avatars/",
        "/api/gone/",
    ],
)
def test_what_is_missing_is_missing(site: Site, page: requests.Response, path: str) -> None:
    """And not the page under another name."""
    answer = site.get(path)
    assert answer.status_code in (403, 404)
    assert answer.content != page.content
    assert "Cache-Control" not in answer.headers or answer.headers["Cache-Control"] != IMMUTABLE


@pytest.mark.parametrize(
    "path",
    ["/manage.py", "/.release.json", "/.env", "/static../manage.py", "/media../manage.py", "/static/%2e%2e/manage.py"],
)
def test_the_release_is_not_for_visitors(site: Site, path: str) -> None:
    answer = site.get(path)
    assert "DJANGO_SETTINGS_MODULE" not in answer.text
    assert "made_of" not in answer.text


def test_version_is_what_the_host_serves(site: Site, live: dict[str, str]) -> None:
    assert site.get("/api/version/").json() == {"name": "EduSphere", "version": "1.0.0", "release": live["release"]}


def test_health(site: Site) -> None:
    assert site.get("/api/health/live/").json() == {"status": "alive"}
    checks = {"database": "ok", "redis": "ok", "migrations": "ok"}
    assert site.get("/api/health/ready/").json() == {"status": "ready", "checks": checks}


def test_admin(site: Site) -> None:
    answer = site.get("/admin/")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/admin/login/?next=/admin/")
    answer = site.get(answer.headers["Location"])
    assert answer.status_code == 200
    assert 'name="csrfmiddlewaretoken"' in answer.text


def test_static_files_are_those_on_the_host(site: Site, vm: Host, platform: Platform, admin_assets: list[str]) -> None:
    for path in admin_assets:
        answer = site.get(path)
        assert answer.status_code == 200
        on_host = vm.file(platform.published(f"staticfiles/{path.removeprefix('/static/')}"))
        assert hashlib.sha256(answer.content).hexdigest() == on_host.sha256sum
        assert answer.headers["Content-Type"].partition(";")[0] in ("text/css", "application/javascript")


def test_bundles_are_those_on_the_host(site: Site, vm: Host, platform: Platform, assets: list[str]) -> None:
    for path in assets:
        on_host = vm.file(platform.published(f"frontend/dist{path}"))
        assert hashlib.sha256(site.get(path).content).hexdigest() == on_host.sha256sum


def test_hashed_names_are_kept_for_ever(site: Site, assets: list[str], admin_assets: list[str]) -> None:
    for path in assets + admin_assets:
        assert site.get(path).headers["Cache-Control"] == IMMUTABLE, path


def test_other_names_are_asked_for_again(site: Site) -> None:
    for path in ["/", "/index.html", "/favicon.svg", "/static/admin/css/base.css", "/static/staticfiles.json"]:
        answer = site.get(path)
        assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-cache"), path
        again = site.get(path, headers={"If-None-Match": answer.headers["ETag"]})
        assert again.status_code == 304, path


def test_what_compresses_is_compressed(site: Site, assets: list[str], admin_assets: list[str]) -> None:
    for path in assets + [path for path in admin_assets if path.endswith(".css")] + ["/admin/login/"]:
        plain = site.get(path, headers={"Accept-Encoding": "identity"})
        packed = site.get(path, headers={"Accept-Encoding": "gzip"})
        assert "Content-Encoding" not in plain.headers, path
        if len(plain.content) >= 1024:
            assert packed.headers["Content-Encoding"] == "gzip", path
            assert "Accept-Encoding" in packed.headers["Vary"], path
        if not plain.text.count("csrfmiddlewaretoken"):  # which is another one each time
            assert packed.content == plain.content, path


@pytest.mark.parametrize("path", ["/", "/gone.js", "/api/version/", "/api/gone/", "/admin/login/", "/static/gone.css"])
def test_no_version_is_told(site: Site, path: str) -> None:
    answer = site.get(path)
    assert answer.headers["Server"] == "nginx"
    assert "X-Powered-By" not in answer.headers
    assert not re.search(r"nginx/\d|uvicorn|Python/\d", answer.text + str(answer.headers))


@pytest.mark.parametrize(
    ("size", "status"),
    [
        (10 * MEBIBYTE, 403),  # got to Django, which misses the CSRF token
        (10 * MEBIBYTE + 1, 413),
    ],
)
def test_upload_limit(site: Site, size: int, status: int) -> None:
    assert site.request("POST", "/api/me/avatar/", data=bytes(size)).status_code == status


@pytest.mark.parametrize("request_lines", ["GET / HTTP/1.1\r\nHost: other.test", "GET / HTTP/1.0"])
def test_other_names_get_no_answer(vm_address: str, request_lines: str) -> None:
    with socket.create_connection((vm_address, 80), timeout=5) as connection:
        connection.sendall(f"{request_lines}\r\n\r\n".encode())
        assert connection.recv(1) == b""


def test_headers_of_protection(site: Site, page: requests.Response) -> None:
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    assert page.headers["X-Frame-Options"] == "SAMEORIGIN"
    assert site.get("/admin/login/").headers["X-Frame-Options"] == "DENY"


def test_a_client_cannot_make_up_where_it_comes_from(site: Site, platform: Platform) -> None:
    """Neither its address nor that it came over TLS, which would make the site's cookies useless to it."""
    answer = site.get("/api/csrf/", headers={"X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.9"})
    assert "Secure" not in answer.headers["Set-Cookie"]
    assert "203.0.113.9" not in platform.log_of_requests()
