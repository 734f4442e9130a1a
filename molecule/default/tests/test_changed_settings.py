"""A changed setting that would part the live site from its data is refused, with a record of it or without."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from behaviour.hosts import playbook
from testinfra.host import Host

RECORD = "/var/lib/edusphere-platform/sites/edusphere.json"
ASIDE = "/root/edusphere.json"


def said(**changes: Any) -> str:
    """What preflight says of the site with other settings, in one line."""
    run = playbook(f"--extra-vars={json.dumps(changes)}", name="playbooks/preflight.yml", check=False)
    assert run.returncode != 0, run.stdout
    return " ".join(run.stdout.split())


def refused(name: str, new: str, old: str) -> str:
    return f"{name}: is '{new}', and the site was deployed with '{old}'."


@pytest.fixture(scope="module")
def other_mode(settings: dict[str, Any]) -> str:
    return {"native": "compose", "compose": "native"}[settings["edusphere_mode"]]


@pytest.fixture
def without_record(vm: Host) -> Iterator[None]:
    """The host as one that was deployed before there were records."""
    vm.check_output(f"mv {RECORD} {ASIDE}")
    yield
    vm.check_output(f"mv {ASIDE} {RECORD}")


def test_all_changes_are_told(vm: Host, settings: dict[str, Any]) -> None:
    assert json.loads(vm.file(RECORD).content_string)["edusphere_mode"] == settings["edusphere_mode"]
    told = said(
        edusphere_database_name="other",
        edusphere_database_user="other_user",
        edusphere_root="/srv/other",
        edusphere_app_shared_directories=["media"],
    )
    assert refused("edusphere_database_name", "other", "coredb") in told
    assert refused("edusphere_database_user", "other_user", "db_user") in told
    assert refused("edusphere_root", "/srv/other", "/srv/edusphere") in told
    assert "edusphere_app_shared_directories: is ['media']" in told


@pytest.mark.exhaustive("the site under another name is no second site")
def test_another_name_is_told() -> None:
    assert refused("edusphere_name", "renamed", "edusphere") in said(edusphere_name="renamed")


def test_the_other_mode_is_told(settings: dict[str, Any], other_mode: str) -> None:
    told = said(edusphere_mode=other_mode)
    assert refused("edusphere_mode", other_mode, settings["edusphere_mode"]) in told
    assert "is taken by" not in told


@pytest.mark.usefixtures("without_record")
@pytest.mark.exhaustive("a site that was deployed before there were records is known by its units or containers")
def test_without_a_record(settings: dict[str, Any], other_mode: str) -> None:
    told = said(edusphere_mode=other_mode, edusphere_database_name="other")
    assert refused("edusphere_mode", other_mode, settings["edusphere_mode"]) in told
    assert refused("edusphere_database_name", "other", "coredb") in told
    assert "is taken by" not in told
