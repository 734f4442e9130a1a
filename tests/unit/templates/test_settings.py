"""What the role of settings derives: URLs of the database and of Redis, and the processes that a host has."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
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
HOSTS: dict[str, dict[str, Any]] = {
    "here": {},
    "there": {},
    "container": {"edusphere_mode": "compose"},
    "slow": {"edusphere_backend_start_timeout": 90},
    "told": {"edusphere_app_environment": {"UVICORN_TIMEOUT_WORKER_HEALTHCHECK": 7}},
    "managed": {"edusphere_database_host": "fd00::2", "edusphere_redis_host": "fd00::3"},
}
GROUPS = {"app": ["there", "here", "container"], "database": ["here", "container"], "cache": ["here", "container"]}
NAMES = ("edusphere_database_url", "edusphere_redis_url", "edusphere_processes", "edusphere_process_environment")
# Prints how long uvicorn, told to run an application, lets a worker be silent.
ASK_UVICORN = """
import sys
import uvicorn.main
command = sys.modules["uvicorn.main"].main
print(command.make_context("uvicorn", ["site:application"]).params.get("timeout_worker_healthcheck"))
"""


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


@pytest.mark.parametrize(
    ("host", "version", "seconds"),
    [
        ("here", "0.40.0", "60"),
        ("slow", "0.37.0", "90"),
        pytest.param(
            *("slow", "0.36.0", "None"),
            marks=pytest.mark.exhaustive("A uvicorn that can't be told how long a worker may be silent starts."),
        ),
        pytest.param(
            *("told", "0.40.0", "7"),
            marks=pytest.mark.exhaustive("An application's own word on how long a worker may be silent counts."),
        ),
    ],
)
def test_a_worker_may_import_for_as_long_as_a_start_may_take(
    derived: dict[str, dict[str, Any]], host: str, version: str, seconds: str
) -> None:
    """By the environment: what a version doesn't know there, it ignores."""
    uv = Path(sys.executable).with_name("uv")
    options = ["--quiet", "--isolated", "--no-project", f"--python={sys.executable}", f"--with=uvicorn=={version}"]
    environment = os.environ | {"UV_NATIVE_TLS": "1"} | derived[host]["edusphere_process_environment"]
    asked = subprocess.run(
        [uv, "run", *options, "python", "-c", ASK_UVICORN], env=environment, check=True, capture_output=True, text=True
    )
    assert asked.stdout.strip() == seconds
