"""Who touches what of a source that somebody else has made."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml
from rendering import ROOT


def tasks(entries: list[dict[str, Any]], account: str = "") -> Iterator[tuple[dict[str, Any], str]]:
    """All tasks, those in blocks too, each with the account that it becomes."""
    for task in entries:
        becomes = task.get("become_user", account)
        yield task, becomes
        for part in ("block", "rescue", "always"):
            yield from tasks(task.get(part, []), becomes)


def test_root_unpacks_no_archive() -> None:
    """The account that builds does, and only what was judged."""
    unpacking = []
    for file in sorted(ROOT.glob("roles/*/tasks/**/*.yml")):
        for task, account in tasks(yaml.safe_load(file.read_text()) or []):
            assert "ansible.builtin.unarchive" not in task, f"{file}: {task['name']}"
            if "edusphere.platform.unpack" in task:
                unpacking.append(file.name)
                assert account == "{{ __release_build_user }}", f"{file}: {task['name']}"
    assert unpacking == ["receive_native.yml", "unpack_archive.yml", "unpack_folder.yml", "unpack_git.yml"]


def test_every_source_is_checked_before_it_is_built() -> None:
    """By the account that builds, after it was put in place and before anything reads it."""
    steps = yaml.safe_load((ROOT / "roles/release/tasks/build_steps.yml").read_text())
    (check,) = (number for number, step in enumerate(steps) if "edusphere.platform.source_check" in step)
    assert "unpack_" in str(steps[check - 1]["ansible.builtin.include_tasks"])
    assert "when" not in steps[check]
    assert steps[check]["become_user"] == "{{ __release_build_user }}"
