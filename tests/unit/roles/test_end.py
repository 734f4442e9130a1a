"""How a run ends: what it leaves in the history, and that it lets others in, wherever it failed."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from rendering import ROOT, SETTINGS

# In the order of most inventories.
HOSTS = {"edge": ["edge-1"], "app": ["app-1", "app-2"], "database": ["database-1"]}
ALONE = {"edge": ["vm"], "app": ["vm"], "database": ["vm"]}
KEPT = [{"release": f"{version}-abc", "version": version} for version in ("v4", "v3", "v2", "v1")]


def run(
    place: Path, what: str, plays: Sequence[Mapping[str, Any]], groups: Mapping[str, Sequence[str]], **variables: object
) -> subprocess.CompletedProcess[str]:
    """What a playbook does between its begin and its end, on this machine."""
    play = [
        {"import_playbook": f"{ROOT}/playbooks/begin.yml", "vars": {"deployment_what": what}},
        *plays,
        {"import_playbook": f"{ROOT}/playbooks/end.yml"},
    ]
    (place / "play.json").write_text(json.dumps(play))
    children: dict[str, Any] = {name: {"hosts": {host: {} for host in hosts}} for name, hosts in groups.items()}
    inventory = {"all": {"children": children, "vars": SETTINGS | {"ansible_connection": "local"}}}
    (place / "inventory.json").write_text(json.dumps(inventory))
    extra = {
        "edusphere_records": str(place / "records"),
        "edusphere_site_record": f"{place}/sites/{{{{ inventory_hostname }}}}.json",
        "ansible_become": False,
    } | variables
    return subprocess.run(
        [
            "ansible-playbook",
            *("--inventory", place / "inventory.json"),
            f"--extra-vars={json.dumps(extra)}",
            place / "play.json",
        ],
        env=os.environ | {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def outcomes(place: Path) -> list[str]:
    """Of the lines in the history, when nobody has the lock any more."""
    assert not (place / "records/lock.json").exists()
    path = place / "records/history.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    return [json.loads(line)["outcome"] for line in lines]


def part(playbook: str, name: str) -> Any:
    """One play of a playbook."""
    (found,) = (play for play in yaml.safe_load((ROOT / playbook).read_text()) if play["name"] == name)
    return found


def failing(host: str) -> dict[str, Any]:
    return {"ansible.builtin.fail": {"msg": "It is to."}, "when": f"inventory_hostname == '{host}'"}


@pytest.mark.parametrize(
    ("fails", "switched", "outcome"),
    [
        ("", "app-2", "done"),
        ("edge-1", "app-1", "failed"),
        *(
            pytest.param(
                *each,
                "failed",
                marks=pytest.mark.exhaustive("A run in which any app host fails is in the history as failed."),
            )
            for each in (("app-1", "app-2"), ("app-2", ""))
        ),
    ],
)
def test_the_outcome(tmp_path: Path, fails: str, switched: str, outcome: str) -> None:
    """Of whatever tier a host is that has failed after something was switched."""
    switch = {
        "ansible.builtin.set_fact": {"edusphere_switched_to": {"release": "v2-abc"}},
        "when": f"inventory_hostname == '{switched}'",
    }
    work = {"name": "Work", "hosts": "all", "gather_facts": False, "tasks": [switch, failing(fails)]}
    ended = run(tmp_path, "deploy", [work], HOSTS)
    assert (ended.returncode != 0) == bool(fails), ended.stdout + ended.stderr
    assert outcomes(tmp_path) == [outcome], ended.stdout
    said = f"{switched}: v2-abc serves now, after nothing" in ended.stdout
    assert said == (switched not in ("", fails)), ended.stdout


@pytest.mark.parametrize(("mends", "lines"), [("edge-1", ["done"]), ("", [])])
def test_a_run_that_switches_nothing(tmp_path: Path, mends: str, lines: list[str]) -> None:
    """It leaves a line where it has changed something all the same, as one that completes a killed run does."""
    mend = {
        "ansible.builtin.copy": {"content": "mended", "dest": f"{tmp_path}/mended", "mode": "0644"},
        "when": f"inventory_hostname == '{mends}'",
    }
    work = {"name": "Work", "hosts": "all", "gather_facts": False, "tasks": [mend]}
    ended = run(tmp_path, "deploy", [work], HOSTS)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert outcomes(tmp_path) == lines, ended.stdout


@pytest.mark.parametrize("tier", ["Database", "Edge"])
def test_a_tier_that_fails(tmp_path: Path, tier: str) -> None:
    """On its last host, after which no play comes to the run's end: it is in the history, and lets others in."""
    play = part("playbooks/site.yml", tier)
    play["hosts"] = "all"
    play["tasks"][0]["block"] = [failing("vm")]
    ended = run(tmp_path, "deploy", [play], ALONE)
    assert ended.returncode != 0
    assert outcomes(tmp_path) == ["failed"], ended.stdout


@pytest.mark.parametrize(
    ("fails", "groups"),
    [
        ("vm", ALONE),
        *(
            pytest.param(
                *each,
                marks=pytest.mark.exhaustive("The history is right for what follows the switch on several hosts."),
            )
            for each in (("app-2", HOSTS), ("", HOSTS))
        ),
    ],
)
def test_what_follows_the_switch(tmp_path: Path, fails: str, groups: dict[str, list[str]]) -> None:
    """It fails, also on the only app host, after which no play comes to its end."""
    completion = part("playbooks/rollout.yml", "Completion")
    completion["tasks"][0]["block"] = [failing(fails)]
    ended = run(tmp_path, "deploy", [completion], groups)
    assert (ended.returncode != 0) == bool(fails), ended.stdout + ended.stderr
    assert outcomes(tmp_path) == (["failed"] if fails else []), ended.stdout


@pytest.mark.parametrize(
    ("kept", "words"),
    [
        (KEPT, "keeps v3-abc, v2-abc, v1-abc. Name one: -e edusphere_rollback_to=v3-abc. Nothing was changed."),
        pytest.param(
            KEPT[:1],
            "keeps no other. Nothing was changed.",
            marks=pytest.mark.exhaustive("A rollback on a site that has one release says so."),
        ),
    ],
)
def test_a_refused_rollback(tmp_path: Path, kept: list[dict[str, str]], words: str) -> None:
    """It says once what could be chosen, and is no line in the history."""
    records = tmp_path / "records"
    records.mkdir()
    (records / "live.fact").write_text(json.dumps(KEPT[0] | {"slot": "a"}))
    (records / "releases.fact").write_text(json.dumps(kept))
    ended = run(tmp_path, "rollback", [part("playbooks/rollback.yml", "Choice")], ALONE, edusphere_rollback_to="v9")
    assert ended.returncode != 0
    said = " ".join((ended.stdout + ended.stderr).split())
    # As Ansible prints any failure: in its own line, and in the host's result.
    assert said.count(words) == 2, said
    assert said.count("fatal: [") == 1, said
    assert outcomes(tmp_path) == []


@pytest.mark.parametrize(
    ("what", "reminds"),
    [
        ("rollback", True),
        pytest.param(
            *("deploy", False),
            marks=pytest.mark.exhaustive("A deployment that is no rollback asks for no change of the inventory."),
        ),
    ],
)
def test_what_serves_now(tmp_path: Path, what: str, reminds: bool) -> None:
    """It is said with what served when the run began, and in a rollback with what has to be written down."""
    records = tmp_path / "records"
    records.mkdir()
    (records / "live.fact").write_text(json.dumps(KEPT[0]))
    facts: dict[str, Any] = {"edusphere_switched_to": {"release": "v3-abc"}}
    if what == "rollback":
        facts["edusphere_rollback"] = {"release": "v3-abc", "version": "v3"}
    tasks = [
        {"ansible.builtin.setup": {"gather_subset": ["!all", "!min", "local"], "fact_path": str(records)}},
        {"ansible.builtin.set_fact": facts},
        {"ansible.builtin.copy": {"content": "{}", "dest": str(records / "live.fact"), "mode": "0644"}},
    ]
    work = {"name": "Work", "hosts": "app", "gather_facts": False, "tasks": tasks}
    ended = run(tmp_path, what, [work], ALONE, edusphere_version="v4")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    said = " ".join(ended.stdout.split())
    assert "vm: v3-abc serves now, after v4-abc" in said.replace("'", ""), said
    assert ("Set edusphere_version to v3 in the inventory." in said) == reminds, said
    assert outcomes(tmp_path) == ["done"]


@pytest.mark.parametrize(
    ("fails", "live", "recorded"),
    [
        ("", ["app-2"], True),
        ("", [], False),
        ("edge-1", ["app-1"], False),
    ],
)
def test_the_settings_that_data_hang_on(tmp_path: Path, fails: str, live: list[str], recorded: bool) -> None:
    """Each host keeps its own, once a release is live and the whole run was good; the next run has nothing to write."""
    switch = {
        "ansible.builtin.set_fact": {"edusphere_switched_to": {"release": "v2-abc"}},
        "when": f"inventory_hostname in {live}",
    }
    work = {"name": "Work", "hosts": "all", "gather_facts": False, "tasks": [switch, failing(fails)]}
    ended = run(tmp_path, "deploy", [work], HOSTS, edusphere_database_name="lessons", postgresql_version="16")
    assert (ended.returncode != 0) == bool(fails), ended.stdout + ended.stderr
    found = {path.stem: json.loads(path.read_text()) for path in (tmp_path / "sites").glob("*.json")}
    assert set(found) == ({host for hosts in HOSTS.values() for host in hosts} if recorded else set()), ended.stdout
    if recorded:
        assert all(record["edusphere_name"] == "edusphere" for record in found.values())
        named = {host for host, record in found.items() if record.get("edusphere_database_name") == "lessons"}
        assert named == {"app-1", "app-2", "database-1"}
        assert {host for host, record in found.items() if "postgresql_version" in record} == {"database-1"}
        assert found["database-1"]["postgresql_data_directory"] == "/var/lib/postgresql/16/main"
        assert "unused" not in json.dumps(found), "a secret"
        again = run(tmp_path, "deploy", [work], HOSTS, edusphere_database_name="lessons", postgresql_version="16")
        assert "Record the settings that the site's data hang on" in again.stdout
        assert set(re.findall(r"changed=(\d+)", again.stdout)) == {"0"}, again.stdout
