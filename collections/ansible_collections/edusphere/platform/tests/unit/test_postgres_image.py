"""What the name of an image of PostgreSQL's says of its version and of the place of its data."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.edusphere.platform.plugins.filter.postgres_volume import postgres_volume
from ansible_collections.edusphere.platform.plugins.plugin_utils.postgres_image import major

DIGEST = "@sha256:" + "18" * 32


@pytest.mark.parametrize(
    ("image", "version"),
    [
        ("postgres:16", 16),
        ("postgres:17.2", 17),
        ("postgres:18-alpine", 18),
        ("postgres:18beta1-alpine3.22", 18),
        ("postgres:18" + DIGEST, 18),
        ("registry.example.org:5000/mirror/postgres:18.1", 18),
        ("postgis/postgis:16-3.4", 16),
        ("postgis/postgis:18-3.6-alpine", 18),
        ("pgvector/pgvector:pg17", 17),
        ("pgvector/pgvector:0.8.1-pg18-trixie", 18),
        ("timescale/timescaledb:2.14.2-pg16", 16),
        ("timescale/timescaledb:latest-pg18", 18),
        ("postgres", None),
        ("postgres:latest", None),
        ("postgres:alpine", None),
        ("postgres:trixie", None),
        ("postgres:9.6", None),
        ("postgres:2025.10", None),
        ("postgres" + DIGEST, None),
        ("registry.example.org:18/postgres", None),
        ("registry.example.org/database:1.18", None),
    ],
)
def test_versions(image: str, version: int | None) -> None:
    assert major(image) == version


@pytest.mark.parametrize(
    ("image", "place"),
    [
        ("postgres:16", "/var/lib/postgresql/data"),
        ("postgres:17-alpine", "/var/lib/postgresql/data"),
        ("postgres:18", "/var/lib/postgresql"),
        ("postgres:19rc1", "/var/lib/postgresql"),
    ],
)
def test_places(image: str, place: str) -> None:
    """https://github.com/docker-library/docs/tree/master/postgres#pgdata"""
    assert postgres_volume(image) == place


def test_an_unknown_version_is_refused() -> None:
    with pytest.raises(
        AnsibleFilterError, match=r"'postgres:latest' does not say which PostgreSQL it has.*postgres:16"
    ):
        postgres_volume("postgres:latest")
