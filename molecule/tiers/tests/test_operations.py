"""What an operator does with a site that runs."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from behaviour.hosts import playbook
from behaviour.visitor import Site
from testinfra.host import Host

CHANGED = re.compile(r"^\S+ +: ok=\d+ +changed=(\d+)", re.M)


def changes(recap: str) -> int:
    """How many tasks changed something, on all hosts together."""
    counts = CHANGED.findall(recap)
    assert counts, recap
    return sum(map(int, counts))


def block(table: str, host: str) -> dict[str, str]:
    """What the table of status.yml says of one host, by its labels."""
    found = re.search(rf"^ *Host +{re.escape(host)}$", table, re.M)
    assert found, table
    rows = table[found.start() :].partition("\n\n")[0].splitlines()
    return {row.split(maxsplit=1)[0]: row.split(maxsplit=1)[1].strip() for row in rows}


def test_overlay_module_is_in_force(site: Site) -> None:
    assert site.get("/api/version/").headers["Referrer-Policy"] == "no-referrer"


def test_service_accounts_have_one_number(connect: Callable[[str], Host]) -> None:
    """Or the owner of a shared file would be another account on the other host."""
    assert {connect(name).user("edusphere").uid for name in ("tiers-app1", "tiers-app2", "tiers-app3")} == {880}


def test_a_redirect_of_nginx_names_no_host(site: Site) -> None:
    """On the front it would be the front's port, which nobody outside reaches."""
    assert site.get("/admin").headers["Location"] == "/admin/"


def test_status() -> None:
    run = playbook(name="playbooks/status.yml")
    assert changes(run.stdout) == 0
    app, edge, database = (block(run.stdout, f"tiers-{name}") for name in ("app1", "edge", "database"))
    assert (app["Tiers"], app["Health"], app["Migrations"]) == ("app", "ready", "none pending")
    assert re.fullmatch(r"nginx running, edusphere-backend@[ab] running", app["Services"])
    assert re.fullmatch(r"until \d{4}-\d\d-\d\d", edge["Certificate"])
    assert re.fullmatch(r"postgresql@\d+-main running", database["Services"])


def test_migrate_has_nothing_to_do() -> None:
    run = playbook(name="playbooks/migrate.yml")
    assert changes(run.stdout) == 0
    assert "Nothing is pending." in run.stdout


@pytest.mark.exhaustive("superuser.yml on a site of six hosts")
def test_superuser_is_made_once() -> None:
    assert changes(playbook("--diff", name="playbooks/superuser.yml").stdout) == 1
    run = playbook("--diff", name="playbooks/superuser.yml")
    assert changes(run.stdout) == 0
    assert "test-only-Superuser-1" not in run.stdout


def test_teardown_wants_the_right_name() -> None:
    run = playbook("--extra-vars", "edusphere_teardown_data=another", name="playbooks/teardown.yml", check=False)
    assert run.returncode != 0
    assert "the site's name is edusphere" in " ".join(run.stdout.split())
    assert changes(run.stdout) == 0
