"""What runs of site.yml say that they change."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from behaviour.hosts import playbook

Changes: TypeAlias = list[tuple[str, list[Any]]]


def changes(output: str) -> Changes:
    """The tasks of a run that report a change, each with what of it changed, from the output of the JSON callback."""
    # What -v has to say comes before it.
    report = json.loads(output[output.index("\n{\n") if not output.startswith("{") else 0 :])
    assert report["plays"]
    found: Changes = []
    for task in (task for play in report["plays"] for task in play["tasks"]):
        for result in task["hosts"].values():
            if result.get("changed"):
                items = [entry.get("item") for entry in result.get("results", []) if entry.get("changed")]
                items += result.get("changed_paths", [])
                found.append((task["task"]["name"], items))
    return found


def run(values: Mapping[str, object], *arguments: str) -> Changes:
    """What a run of site.yml with these variables reports."""
    said = playbook(
        f"--extra-vars={json.dumps(values)}", *arguments, ANSIBLE_STDOUT_CALLBACK="ansible.posix.json"
    ).stdout
    return changes(said)


def distinct(found: Iterable[tuple[str, list[Any]]]) -> set[tuple[str, str]]:
    """The changes without their order, each once."""
    return {(task, json.dumps(items)) for task, items in found}


def run_that_nginx_rejects() -> None:
    """Have a run deploy another environment behind a configuration that nginx rejects, and fail saying so."""
    wrong = {"nginx_server_extra": "no_such_word on;", "edusphere_app_environment": {"NEVER": "in force"}}
    refused = playbook(f"--extra-vars={json.dumps(wrong)}", "--tags=app", check=False)
    assert refused.returncode != 0
    said = " ".join(refused.stdout.split())
    for told in ('unknown directive "no_such_word"', "Everything was put back as it was", "The backend's last lines"):
        assert told in said, said[-6000:]
