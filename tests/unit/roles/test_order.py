"""In which order site.yml works: what may fail, and touches nothing of the live site, comes first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from rendering import ROOT

CALLS = ("import_role", "include_role")


def called(tasks: list[dict[str, Any]]) -> Iterator[str]:
    """The roles that tasks call, in their order; of one that starts elsewhere, with its file: `compose/pull`."""
    for task in tasks:
        for part in ("block", "rescue", "always"):
            yield from called(task.get(part, []))
        for call in CALLS:
            if told := task.get(f"ansible.builtin.{call}"):
                yield "/".join([told["name"], *([told["tasks_from"]] if "tasks_from" in told else [])])


def roles_of(playbook: str) -> Iterator[str]:
    """The roles of a playbook and of those that it imports, in their order."""
    path = ROOT / "playbooks" / playbook
    for play in yaml.safe_load(path.read_text()):
        if "import_playbook" in play:
            yield from roles_of(play["import_playbook"])
        else:
            yield from (role["role"] for role in play.get("roles", []))
            yield from called(play.get("tasks", []))


@pytest.mark.parametrize("tier", ["firewall", "compose", "postgresql", "redis"])
def test_the_release_is_built_before_a_tier_is_changed(tier: str) -> None:
    """A build that fails leaves ports, passwords, and settings of the live site as they are."""
    roles = [*roles_of("site.yml")]
    assert roles.index("compose/pull") < roles.index("release") < roles.index(tier) < roles.index("backend")


def test_an_upgrade_leaves_the_tiers_alone() -> None:
    roles = [*roles_of("upgrade.yml")]
    assert not {"common", "firewall", "postgresql", "redis"} & {*roles}
    assert roles.index("release") < roles.index("backend")
