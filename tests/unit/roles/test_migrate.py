"""What migrate.yml does with migrations that earlier code can't live with, once the live release has judged them."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from rendering import ROOT, SETTINGS

JUDGED = ("Refuse what the running code can't live with", "Record which migrations earlier releases can't live with")


def migration(name: str, accepted: bool) -> dict[str, Any]:
    """As edusphere.django.migrate judges it."""
    verdict = "compatible" if accepted else "incompatible"
    operation = {"operation": "Remove field slug", "verdict": verdict, "reasons": ["drops a column"]}
    return {"app": "shop", "name": name, "accepted": accepted, "reviewed": None, "operations": [operation]}


def judge(place: Path, accept: list[str]) -> subprocess.CompletedProcess[str]:
    """The tasks between the plan and its application."""
    tasks = yaml.safe_load((ROOT / "roles/backend/tasks/migrate.yml").read_text())
    names = [task["name"] for task in tasks]
    assert (
        names.index("Show the plan") < names.index(JUDGED[0]) < names.index(JUDGED[1]) < names.index("Apply the plan")
    )
    safety = {"migrations": [migration("0007_drop_slug", False), migration("0008_add_note", True)]}
    play = {
        "hosts": "app",
        "connection": "local",
        "gather_facts": False,
        "vars_files": [f"{ROOT}/roles/backend/{kind}/main.yml" for kind in ("defaults", "vars")],
        "tasks": [
            {"import_role": {"name": "settings", "rolespec_validate": False, "public": True}},
            *(task for task in tasks if task["name"] in JUDGED),
        ],
    }
    extra = {
        "edusphere_records": str(place),
        "__backend_judged": {"safety": safety},
        "backend_migrate_accept": accept,
    }
    (place / "play.json").write_text(json.dumps([play]))
    inventory = {"all": {"children": {"app": {"hosts": {"vm": {}}}}, "vars": SETTINGS}}
    (place / "inventory.json").write_text(json.dumps(inventory))
    return subprocess.run(
        [
            "ansible-playbook",
            f"--inventory={place}/inventory.json",
            f"--extra-vars={json.dumps(extra)}",
            f"{place}/play.json",
        ],
        env=os.environ | {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("accept", [[], ["shop.0007_drop_slug"]])
def test_unsafe_migrations(tmp_path: Path, accept: list[str]) -> None:
    """They are refused with the way out, or accepted and on record for a rollback."""
    said = judge(tmp_path, accept)
    record = tmp_path / "schema.fact"
    if accept:
        assert said.returncode == 0, said.stdout + said.stderr
        assert json.loads(record.read_text()) == {"shop.0007_drop_slug": "drops a column"}
    else:
        assert said.returncode != 0
        words = " ".join(said.stdout.split())
        assert "shop.0007_drop_slug" in words
        assert "shop.0008_add_note:" not in words
        assert '{"backend_migrate_accept": ["shop.0007_drop_slug"]}' in words
        assert not record.exists()
