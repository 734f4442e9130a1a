"""What stands in the way of a PostgreSQL cluster, and what its pid file says.  Making one is tested on real hosts."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.edusphere.platform.plugins.modules import postgresql_cluster
from ansible_collections.edusphere.platform.plugins.modules.postgresql_cluster import (
    Cluster,
    clear,
    conflicts,
    parse_pid_file,
)

WANTED = Cluster("17", "main", 5432, "/var/lib/postgresql/17/main")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("4711\n/var/lib/postgresql/17/main\n1795375200\n5433\n/run/postgresql\n", (4711, 5433)),
        ("4711\n/var/lib/postgresql/17/main\n1795375200\n", (4711, 0)),
        ("", (0, 0)),
    ],
)
def test_pid_file(text: str, expected: tuple[int, int]) -> None:
    assert parse_pid_file(text) == expected


def test_nothing_is_in_the_way_of_an_empty_host_or_of_the_cluster_itself() -> None:
    assert conflicts(WANTED, [], None, data_is_there=False) == []
    assert conflicts(WANTED, [WANTED], WANTED, data_is_there=True) == []


def test_a_cluster_may_have_another_port() -> None:
    assert conflicts(WANTED, [Cluster("15", "main", 5433, "/data")], None, data_is_there=False) == []


def test_all_problems_are_told_at_once_with_the_variable_that_solves_them() -> None:
    other = Cluster("15", "main", 5432, "/data/15")
    own = WANTED._replace(port=5440, data_directory="/data/17")
    port, directory = conflicts(WANTED, [other, own], own, data_is_there=True)
    assert port.startswith("edusphere_database_port: ")
    assert "postgresql_version: 15" in port
    assert "postgresql_data_directory: /data/17" in directory


def test_data_of_nobody_known_is_not_touched() -> None:
    (problem,) = conflicts(WANTED, [], None, data_is_there=True)
    assert "pg_createcluster --datadir=/var/lib/postgresql/17/main --port=5432 17 main" in problem


def test_clear_follows_no_link_and_keeps_the_directory(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").touch()
    data = tmp_path / "data"
    (data / "base/1").mkdir(parents=True)
    (data / "pg_wal").symlink_to(outside)
    clear(str(data))
    assert list(data.iterdir()) == []
    assert (outside / "kept").exists()


def test_a_cluster_is_made_whatever_the_umask_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or the server would not get through the directories above its own."""
    seen = []

    def run(_module: object) -> dict[str, Any]:
        seen.append(os.umask(0o022))
        return {}

    monkeypatch.setattr(postgresql_cluster, "run", run)
    before = os.umask(0o077)
    try:
        with patch_module_args({"version": "17", "port": 5432}), pytest.raises(SystemExit):
            postgresql_cluster.main()
    finally:
        os.umask(before)
    assert seen == [0o022]
