"""Every setting of every role that is a number, a duration or a size has a range, and preflight holds it to that."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.edusphere.platform.plugins.action.preflight_settings import options_of
from ansible_collections.edusphere.platform.plugins.plugin_utils.ranges import Range, range_of
from ansible_collections.edusphere.platform.plugins.plugin_utils.settings import examine_role
from hypothesis import given
from hypothesis import strategies as st
from own_collections import ROOT
from rendering import SETTINGS

ROLES = sorted(path.parents[1] for path in ROOT.glob("roles/*/meta/argument_specs.yml"))

# What a description says of a quantity.
QUANTITY = re.compile(r"\b(?:seconds|sizes?|memory|how (?:much|many)|number of|MiB|MB)\b", re.IGNORECASE)
# A default that is one: 5, 1G, 999:999.
FIGURE = re.compile(r"\d+(?:[.:]\d+)?\s?[a-zA-Z%]{0,3}")
# What may be written in numbers, and not only whole ones.
TYPES = ("int", "float", "bytes", "bits", "str", "raw")


def flat(options: dict[str, dict[str, Any]], place: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """All options, with those that are nested in another one."""
    for name, option in options.items():
        yield place + name, option
        yield from flat(option.get("options") or {}, f"{place}{name}.")


OPTIONS = {role.name: options_of(role) for role in ROLES}
ALL = {name: option for options in OPTIONS.values() for name, option in flat(options)}
RANGES = {name: found for name, option in ALL.items() if (found := range_of(option))}


def defaults() -> dict[str, Any]:
    """The defaults that roles have, where they are no templates."""
    files = ROOT.glob("roles/*/defaults/main.yml")
    found = {name: value for path in files for name, value in (yaml.safe_load(path.read_text()) or {}).items()}
    return {name: value for name, value in found.items() if not (isinstance(value, str) and "{{" in value)}


def is_quantity(name: str, option: dict[str, Any]) -> bool:
    """Whether a setting is a number, a duration or a size, by its type, its default or its description."""
    kind = option.get("elements") if option["type"] == "list" else option["type"]
    if kind not in TYPES:
        return False
    default = defaults().get(name, option.get("default"))
    return (
        kind not in ("str", "raw")
        or FIGURE.fullmatch(str(default)) is not None
        or QUANTITY.search(str(option["description"])) is not None
    )


@pytest.mark.parametrize(
    "option",
    [
        {"type": "int", "description": "Tries."},
        {"type": "list", "elements": "int", "description": "Tries."},
        {"type": "str", "description": "Tries.", "default": "5m"},
        {"type": "str", "description": "Seconds until it is over."},
        {"type": "raw", "description": "How many at a time."},
    ],
)
def test_what_a_quantity_is(option: dict[str, Any]) -> None:
    """A new setting of any of these kinds needs a range."""
    assert is_quantity("new", option)
    assert not is_quantity("new", {"type": "str", "description": "The version of uv.", "default": "0.13.9"})


def test_every_quantity_has_a_range() -> None:
    assert len(RANGES) > 50
    assert [name for name, option in ALL.items() if is_quantity(name, option) and name not in RANGES] == []


def test_every_default_is_in_its_range() -> None:
    known = defaults()
    wrong = {name: known[name] for name, wanted in RANGES.items() if name in known and known[name] not in wanted}
    assert wrong == {}
    stated = {name: ALL[name]["default"] for name in RANGES if "default" in ALL[name]}
    assert {name: value for name, value in stated.items() if value not in RANGES[name]} == {}


def given_as(name: str, value: object) -> dict[str, Any]:
    """The variable in which an inventory says ``value`` for an option, which may be nested in another one's list."""
    outer, _dot, inner = name.partition(".")
    if not inner:
        return {name: value}
    fill = {"str": "x", "list": ["x"]}
    required = {
        key: fill.get(option["type"]) for key, option in ALL[outer]["options"].items() if option.get("required")
    }
    return {outer: [{**required, inner: value}]}


def refused(name: str, value: object) -> list[str]:
    """What preflight says of it."""
    variables = given_as(name, value)
    outer = name.partition(".")[0]
    options = next(options for options in OPTIONS.values() if outer in options)
    return examine_role(options, variables, lambda template: template)[1]


def bounds(wanted: Range) -> list[tuple[str, str]]:
    """The parts of a range as its text has them."""
    return [(low, high) for low, high in re.findall(r"(\S+) to ([^\s,]+)", wanted.text)]


@pytest.mark.parametrize("name", RANGES)
def test_the_edges_of_every_setting(name: str) -> None:
    """Both ends of each part are accepted, and their neighbours outside are not; what is no number never is."""
    edges = bounds(RANGES[name])
    assert edges
    for edge in (edge for part in edges for edge in part):
        assert refused(name, edge) == []
    for wrong in ("-1", -3, -(10**30), 10**30, "x", "1e9", 1e308, float("inf"), float("nan"), True, "0x10", " ", "1 2"):
        (problem,) = refused(name, wrong)
        assert problem.startswith(name.partition(".")[0])
        assert problem.endswith(f"must be {RANGES[name].text}")
    assert (refused(name, "") == []) == RANGES[name].text.endswith("or empty")


@given(st.data())
def test_numbers_are_accepted_inside_their_range_alone(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from([name for name, wanted in RANGES.items() if not wanted.notation]))
    parts = [(int(low), int(high)) for low, high in bounds(RANGES[name]) if (low + high).isdigit()]
    near = st.sampled_from([edge + step for part in parts for edge in part for step in (-1, 0, 1)] or [0])
    number = data.draw(near | st.integers() | st.integers(min_value=0, max_value=100_000))
    inside = any(low <= number <= high for low, high in parts)
    assert (refused(name, str(number)) == []) == inside
    if ALL[name]["type"] != "str":
        assert (refused(name, number) == []) == inside


@given(st.data())
def test_sizes_are_accepted_inside_their_range_alone(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from([name for name, wanted in RANGES.items() if wanted.notation]))
    units = {"b": 0, "k": 1, "m": 2, "g": 3, "t": 4}
    low, high = (
        (int(re.findall(r"\d+", edge)[0]), edge.strip("0123456789").lower()[:1]) for edge in bounds(RANGES[name])[0]
    )
    least, most = (number * 1024 ** units[unit] for number, unit in (low, high))
    number = data.draw(
        st.sampled_from([least - 1, least, most, most + 1]) | st.integers(min_value=-1, max_value=2 * most)
    )
    assert (refused(name, str(number)) == []) == (least <= number <= most)


@given(
    st.sampled_from(list(RANGES)), st.text(max_size=8) | st.from_regex(r"-?[0-9]{1,5}[a-zA-Z%:. ]{1,3}", fullmatch=True)
)
def test_no_text_ends_the_examination(name: str, text: str) -> None:
    """Whatever is given, there is at most one problem, which names the setting."""
    for problem in refused(name, text):
        assert problem.startswith(name.partition(".")[0])


def test_preflight_tells_them_all_at_once(tmp_path: Path) -> None:
    """In a run of Ansible: shared settings and those of the roles, made of others' defaults too."""
    wrong = {
        "edusphere_drain_time": "{{ -3 }}",
        "edusphere_keep_releases": -1,
        "backend_ready_timeout": -5,
        "edusphere_app_upload_limit": 0,
        "nginx_open_files": "{{ nginx_worker_connections // 4096 }}",
        "edusphere_app_processes": [{"name": "worker", "command": ["celery"], "stop_timeout": 0}],
        "docker_address_pools": [{"base": "10.200.0.0/16", "size": 240}],
        "edusphere_rollout_serial": [1, "0%"],
        "edusphere_http_port": "{{ '1e999999999' }}",
        "postgresql_memory_mb": "{{ ansible_facts.memtotal_mb // 4 }}",
        "postgresql_data_directory": "/data/{{ postgresql_cluster }}",
    }
    task = {"edusphere.platform.preflight_settings": {"roles": str(ROOT / "roles")}, "register": "found"}
    write = {"ansible.builtin.copy": {"content": "{{ found | to_json }}", "dest": f"{tmp_path}/found", "mode": "0600"}}
    play = {
        "hosts": "localhost",
        "connection": "local",
        "gather_facts": False,
        "vars": SETTINGS | wrong,
        "tasks": [{"import_role": {"name": "settings", "rolespec_validate": False, "public": True}}, task, write],
    }
    (tmp_path / "play.json").write_text(json.dumps([play]))
    run = subprocess.run(
        ["ansible-playbook", "--inventory", "localhost,", tmp_path / "play.json"],
        env=os.environ | {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout + run.stderr
    found = json.loads((tmp_path / "found").read_text())
    assert sorted(problem.partition(": is ")[0] for problem in found["problems"]) == [
        "backend_ready_timeout",
        "docker_address_pools[0].size",
        "edusphere_app_processes[0].stop_timeout",
        "edusphere_app_upload_limit",
        "edusphere_drain_time",
        "edusphere_http_port",
        "edusphere_keep_releases",
        "edusphere_rollout_serial",
        "nginx_open_files",
    ]
    assert found["settings"]["postgresql_data_directory"] == "/data/main"
