"""compose.yaml, as a run would write it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from rendering import ROOT, rendered


def test_the_volume_of_postgresql(tmp_path: Path) -> None:
    """Where an image of its major version has one: from 18 on, one directory higher."""
    places = {
        "postgres:16": "/var/lib/postgresql/data",
        "postgres:17-alpine": "/var/lib/postgresql/data",
        "postgres:18": "/var/lib/postgresql",
    }
    hosts = {f"host{number}": {"edusphere_image_postgres": image} for number, image in enumerate(places)}
    stacks = rendered(
        tmp_path,
        ROOT / "roles/compose/templates/compose.yaml.j2",
        hosts,
        {"database": list(hosts)},
        role="compose",
        edusphere_mode="compose",
        edusphere_database_clients=[],
    )
    for host, place in zip(hosts, places.values(), strict=True):
        stack = yaml.safe_load(stacks[host])
        assert f"postgres_data:{place}" in stack["services"]["postgres"]["volumes"]


@pytest.fixture
def stack(tmp_path: Path) -> Any:
    """The stack of one host that has all of a site, in development, which has all services."""
    written = rendered(
        tmp_path,
        ROOT / "roles/compose/templates/compose.yaml.j2",
        {"vm": {}},
        {group: ["vm"] for group in ("edge", "app", "database", "cache")},
        role="compose",
        edusphere_mode="compose",
        edusphere_environment="development",
        edusphere_app_processes=[{"name": "worker", "command": ["python", "worker.py"]}],
        ansible_facts={"processor_vcpus": 2, "memtotal_mb": 1000},
    )
    return yaml.safe_load(written["vm"])


def test_every_container_has_a_limit_of_processes(stack: Any) -> None:
    limits = {name: service["pids_limit"] for name, service in stack["services"].items()}
    assert limits == dict.fromkeys(("postgres", "redis", "backend", "worker", "frontend", "nginx"), 4096)


def test_what_nginx_serves_from_is_written_by_who_publishes_alone(stack: Any) -> None:
    """The others have no such variable, and may read."""
    for name in ("backend", "worker"):
        assert "staticfiles:/srv/releases:${PUBLISHED_ACCESS:-ro}" in stack["services"][name]["volumes"]
    assert "staticfiles:/srv/releases:ro" in stack["services"]["nginx"]["volumes"]
    publishing = {
        path.name
        for path in (ROOT / "roles/backend/tasks/compose").glob("*.yml")
        if "__backend_publishing" in path.read_text()
    }
    assert publishing == {"prepare.yml", "complete.yml"}


def test_the_database_is_made_by_a_superuser_of_its_own(stack: Any) -> None:
    """Not by the application's user, who could no longer lose that right; nor with the application's password."""
    assert stack["services"]["postgres"]["environment"] == {
        "POSTGRES_DB": "coredb",
        "POSTGRES_USER": "postgres",
        "POSTGRES_PASSWORD_FILE": "/etc/postgresql/superuser-password",
        "POSTGRES_INITDB_ARGS": "--data-checksums",
    }
