"""compose.yaml, as a run would write it."""

from __future__ import annotations

from pathlib import Path

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
