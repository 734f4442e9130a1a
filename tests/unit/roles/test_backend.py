"""What the role backend takes the containers for that it finds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from rendering import rendered

# The record of a host without one names no release, and so does the image of what serves there.
SERVING, OTHER = "edusphere/backend:", "edusphere/backend:v2"


def containers(**images: str) -> list[dict[str, Any]]:
    """As the module describes them, by name."""
    return [{"name": name, "image": image, "id": f"id of {name}"} for name, image in images.items()]


CASES: dict[str, tuple[dict[str, str], dict[str, str], list[str]]] = {
    "beside one that was never ready": ({"a": SERVING}, {"b": OTHER}, ["a"]),
    "and the stack is described anew": ({}, {"a": SERVING, "b": OTHER}, ["a"]),
    "of a run that was killed before its record": ({"b": OTHER}, {"a": SERVING}, ["a"]),
    "of a run that was killed before the old one went": ({"b": SERVING}, {"a": SERVING}, ["b"]),
    "nothing serves": ({}, {"a": OTHER}, []),
}


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """By case: the containers that serve. Each case is a host, as a run of Ansible takes long to start."""
    directory = tmp_path_factory.mktemp("names")
    template = directory / "names.j2"
    template.write_text("{{ __backend_before_names | to_json }}")
    (place := directory / "place").mkdir()
    hosts = {
        name.replace(" ", "-"): {
            "__backend_before": {
                "services": {"backend": {"current": containers(**current), "outdated": containers(**outdated)}}
            }
        }
        for name, (current, outdated, _expected) in CASES.items()
    }
    said = rendered(place, template, hosts, {"app": list(hosts)}, role="backend")
    return {name: json.loads(said[name.replace(" ", "-")]) for name in CASES}


@pytest.mark.parametrize("case", CASES)
def test_what_serves(names: dict[str, list[str]], case: str) -> None:
    """nginx asks no other."""
    assert names[case] == CASES[case][2]


FAILURES: dict[str, tuple[dict[str, object], dict[str, object], list[object]]] = {
    "and-a-host-has-it": (
        {"edusphere_database_password_before": "SCRAM", "edusphere_changed_tiers": ["PostgreSQL"]},
        {"edusphere_switched_to": {"release": "v2"}},
        ["This run has changed PostgreSQL, which stays as the inventory has it.", True, True],
    ),
    "and-that-host-was-put-back": (
        {"edusphere_database_password_before": "SCRAM"},
        {"edusphere_switched_to": {"release": "v1"}, "edusphere_put_back": True},
        ["", True, False],
    ),
}


@pytest.mark.parametrize("case", ["and-a-host-has-it", "and-that-host-was-put-back"])
def test_what_a_failed_rollout_leaves_below(tmp_path: Path, case: str) -> None:
    """The database gets the password of what serves back, unless a host serves with the new one."""
    template = tmp_path / "failure.j2"
    names = ("__backend_tiers_words", "__backend_password_changed", "__backend_followed_somewhere")
    template.write_text(f"{{{{ [{', '.join(names)}] | to_json }}}}")
    (place := tmp_path / "place").mkdir()
    database, other, expected = FAILURES[case]
    hosts = {"failed": {}, "other": other, "database": database}
    groups = {"app": ["failed", "other"], "database": ["database"]}
    assert json.loads(rendered(place, template, hosts, groups, role="backend")["failed"]) == expected
