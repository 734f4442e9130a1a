"""PostgreSQL 15 on Debian 13: from a repository that is trusted by its signature, and from no other."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from testinfra.host import Host

SCENARIO = Path(__file__).parents[1]


def deploy(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the scenario's playbook."""
    inventories = [f"--inventory={SCENARIO.parent / 'shared/inventory'}", f"--inventory={SCENARIO / 'inventory'}"]
    command = ["ansible-playbook", *inventories, str(SCENARIO / "converge.yml"), *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True)


@pytest.fixture
def database(connect: Callable[[str], Host]) -> Host:
    return connect("postgresql-database")


@pytest.fixture
def sql(database: Host) -> Callable[[str], str]:
    """A function: a query to PostgreSQL's answer to its administrator."""

    def ask(query: str) -> str:
        return str(database.check_output("runuser -u postgres -- psql -X -A -t -c %s coredb", query))

    return ask


def test_it_is_the_version_asked_for(sql: Callable[[str], str], database: Host) -> None:
    assert sql("SELECT version()").startswith("PostgreSQL 15.")
    assert database.file("/etc/debian_version").content_string.startswith("13")
    clusters = database.check_output("pg_lsclusters --no-header").splitlines()
    assert [line.split()[:4] for line in clusters] == [["15", "main", "5432", "online"]]


def test_it_came_from_the_repository(database: Host) -> None:
    versions = database.check_output("apt-cache policy postgresql-15")
    assert re.search(r"http://\S+/signed trixie-pgdg/main", versions)


def test_the_cluster_is_made_as_the_role_says(sql: Callable[[str], str]) -> None:
    assert sql("SHOW data_directory") == "/srv/postgresql/15"
    assert sql("SHOW data_checksums") == "on"
    assert sql("SELECT datcollate FROM pg_database WHERE datname = 'coredb'") == "C.UTF-8"
    assert sql("SELECT rolpassword LIKE 'SCRAM-SHA-256$%' FROM pg_authid WHERE rolname = 'db_user'") == "t"


def test_another_version_is_refused_while_this_one_has_the_port(database: Host) -> None:
    attempt = deploy("--extra-vars=postgresql_version=17 postgresql_data_directory=/srv/postgresql/17")
    assert attempt.returncode != 0
    assert "edusphere_database_port: port 5432 belongs to the PostgreSQL cluster 15/main" in attempt.stdout
    assert "postgresql_version: 15" in attempt.stdout
    assert not database.package("postgresql-17").is_installed


@pytest.mark.parametrize(
    ("repository", "complaint"), [("forged", "public key|NO_PUBKEY|Missing key"), ("unsigned", "is not signed")]
)
def test_what_the_key_did_not_sign_is_refused(connect: Callable[[str], Host], repository: str, complaint: str) -> None:
    mirror = "http://{{ hostvars['postgresql-mirror'].testbed_address }}/"
    attempt = deploy(
        "--extra-vars=target=postgresql-wary", f'--extra-vars={{"postgresql_repository_uri": "{mirror}{repository}"}}'
    )
    assert attempt.returncode != 0
    assert re.search(complaint, attempt.stdout), attempt.stdout
    wary = connect("postgresql-wary")
    assert not wary.package("postgresql-15").is_installed
    assert not wary.file("/srv/postgresql").exists
