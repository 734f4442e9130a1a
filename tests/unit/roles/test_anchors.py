"""The settings that data hang on, as a deployment records them and as the next run's preflight knows them."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.edusphere.platform.plugins.plugin_utils.orphans import ANCHORS, IDENTITY, record
from own_collections import ROOT
from rendering import SETTINGS

GROUPS = ("edge", "app", "database", "cache")
# In the mode native, of what a distribution has.
OF_FACTS = {"postgresql_version", "postgresql_data_directory"}


def found(place: Path, mode: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The records of a host of all tiers, made of its settings without facts and with them."""
    task = {"edusphere.platform.preflight_settings": {"roles": str(ROOT / "roles")}, "register": "found"}
    play = {
        "hosts": "app",
        "connection": "local",
        "gather_facts": False,
        "vars": SETTINGS | {"edusphere_mode": mode},
        "tasks": [
            {"import_role": {"name": "settings", "rolespec_validate": False, "public": True}},
            task,
            {"ansible.builtin.copy": {"content": "{{ found | to_json }}", "dest": f"{place}/before", "mode": "0600"}},
            {"ansible.builtin.setup": {"gather_subset": ["!all", "!min", "distribution"]}},
            task,
            {"ansible.builtin.copy": {"content": "{{ found | to_json }}", "dest": f"{place}/after", "mode": "0600"}},
        ],
    }
    (place / "play.json").write_text(json.dumps([play]))
    (place / "hosts.json").write_text(
        json.dumps({"all": {"children": {group: {"hosts": {"localhost": {}}} for group in GROUPS}}})
    )
    run = subprocess.run(
        ["ansible-playbook", "--inventory", place / "hosts.json", place / "play.json"],
        env=os.environ | {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout + run.stderr
    before, after = (json.loads((place / name).read_text())["settings"] for name in ("before", "after"))
    return record(before, GROUPS), record(after, GROUPS)


@pytest.mark.parametrize("mode", ["native", "compose"])
def test_defaults_are_recorded_and_known(tmp_path: Path, mode: str) -> None:
    """Also those of the roles; what is made of facts, preflight leaves alone."""
    before, after = found(tmp_path, mode)
    wanted = {name for name, anchor in ANCHORS.items() if anchor.mode in ("", mode)} - {
        "edusphere_uid",
        "edusphere_gid",
    }
    assert set(after) == wanted | {*IDENTITY}
    assert before == {name: value for name, value in after.items() if name not in OF_FACTS}
    if mode == "native":
        version = after["postgresql_version"]
        assert version.isdigit()
        assert after["postgresql_data_directory"] == f"/var/lib/postgresql/{version}/main"
