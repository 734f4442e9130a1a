"""What the role of settings derives: URLs of the database and of Redis, and the processes that a host has."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from rendering import rendered

# Every character that a URL, a shell or a template takes for its own, and those that a URL leaves alone.
PASSWORD = "p@ss:w/o%rd ?#[]&=+\"\\'$\u00e9-._~"
SETTINGS: dict[str, Any] = {
    "edusphere_database_password": PASSWORD,
    "edusphere_redis_password": PASSWORD,
    "edusphere_private_address": "192.0.2.1",
    "edusphere_app_processes": [
        {"name": "worker", "command": ["celery", "worker"], "stop_timeout": 300},
        {"name": "beat", "command": ["celery", "beat"], "scope": "site"},
    ],
}
HOSTS: dict[str, dict[str, str]] = {
    "here": {},
    "there": {},
    "container": {"edusphere_mode": "compose"},
    "managed": {"edusphere_database_host": "fd00::2", "edusphere_redis_host": "fd00::3"},
}
GROUPS = {"app": ["there", "here", "container"], "database": ["here", "container"], "cache": ["here", "container"]}
NAMES = ("edusphere_database_url", "edusphere_redis_url", "edusphere_processes")


@pytest.fixture(scope="module")
def derived(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """By host, the variables that are looked at."""
    place = tmp_path_factory.mktemp("settings")
    template = place / "derived.j2"
    template.write_text(f"{{{{ dict({list(NAMES)} | zip([{', '.join(NAMES)}])) | to_json }}}}")
    return {name: json.loads(text) for name, text in rendered(place, template, HOSTS, GROUPS, **SETTINGS).items()}


@pytest.mark.parametrize(
    ("host", "address", "query"),
    [
        ("here", "127.0.0.1:5432", ""),
        ("there", "192.0.2.1:5432", "sslmode=require"),
        ("container", "postgres:5432", ""),
        ("managed", "[fd00::2]:5432", "sslmode=require"),
    ],
)
def test_database_url(derived: dict[str, dict[str, Any]], host: str, address: str, query: str) -> None:
    url = urlsplit(derived[host]["edusphere_database_url"])
    assert (url.scheme, url.netloc.rpartition("@")[2], url.path, url.query) == ("postgresql", address, "/coredb", query)
    assert unquote(url.password or "") == PASSWORD
    assert (url.password or "").endswith("%C3%A9-._~")
    assert "w%2Fo%25rd%20" in (url.password or "")


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("here", "127.0.0.1:6379"),
        ("there", "192.0.2.1:6379"),
        ("container", "redis:6379"),
        ("managed", "[fd00::3]:6379"),
    ],
)
def test_redis_url(derived: dict[str, dict[str, Any]], host: str, address: str) -> None:
    url = urlsplit(derived[host]["edusphere_redis_url"])
    assert (url.scheme, url.username, url.netloc.rpartition("@")[2], url.path) == ("redis", "", address, "/0")
    assert unquote(url.password or "") == PASSWORD


def test_processes_of_a_host(derived: dict[str, dict[str, Any]]) -> None:
    """What a site has once is on its first app host, and what isn't said has its default."""
    first = derived["there"]["edusphere_processes"]
    assert [process["name"] for process in first] == ["worker", "beat"]
    assert [process["stop_timeout"] for process in first] == [300, 60]
    assert [process["name"] for process in derived["here"]["edusphere_processes"]] == ["worker"]
