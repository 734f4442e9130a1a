"""What a run would write on hosts, written here: templates, with the roles' own variables filled in and no host."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
# Settings without a default, which no template here looks at.
SETTINGS = {
    "edusphere_domain": "edusphere.test",
    "edusphere_app_source": "unused",
    "edusphere_secret_key": "unused",
    "edusphere_database_password": "unused",
    "edusphere_redis_password": "unused",
    "ansible_python_interpreter": sys.executable,
}


def rendered(
    place: Path,
    template: Path,
    hosts: Mapping[str, Mapping[str, Any]],
    groups: Mapping[str, Sequence[str]] | None = None,
    role: str | None = None,
    facts: bool = False,
    **variables: Any,
) -> dict[str, str]:
    """Fill in a template for each host, in an empty directory, with the shared settings and the variables of a role.

    `hosts` has the variables of each, `variables` those of all. With `facts`, they know the network of this machine.
    """
    files = [f"{ROOT}/roles/{role}/vars/main.yml"] if role else []
    # Below all that a host's own variables say, as they are in a run.
    defaults = ROOT / f"roles/{role}/defaults/main.yml"
    known = yaml.safe_load(defaults.read_text()) or {} if role and defaults.exists() else {}
    write = {"src": str(template), "dest": f"{place}/{{{{ inventory_hostname }}}}", "mode": "0600"}
    play = {
        "hosts": "all",
        "connection": "local",
        "gather_facts": facts,
        "gather_subset": ["!all", "network"],
        "vars_files": files,
        "tasks": [
            {"import_role": {"name": "settings", "rolespec_validate": False, "public": True}},
            {"ansible.builtin.template": write},
        ],
    }
    children: dict[str, Any] = {
        group: {"hosts": {name: {} for name in names}} for group, names in (groups or {}).items()
    }
    inventory = {"all": {"hosts": hosts, "children": children, "vars": known | SETTINGS | variables}}
    (place / "inventory.json").write_text(json.dumps(inventory))
    (place / "play.json").write_text(json.dumps([play]))
    run = subprocess.run(
        ["ansible-playbook", "--inventory", place / "inventory.json", place / "play.json"],
        env=os.environ | {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return {name: (place / name).read_text() for name in hosts}
