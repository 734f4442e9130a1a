"""edusphere.platform.gc_freeze, by a real run of ansible-playbook on this machine."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

LOOKUP = """
import gc

from ansible.plugins.lookup import LookupBase


class LookupModule(LookupBase):
    def run(self, terms, variables=None, **kwargs):
        return [gc.get_freeze_count(), *gc.get_threshold()]
"""
PLAY = [
    {
        "hosts": "localhost",
        "connection": "local",
        "gather_facts": False,
        "tasks": [{"ansible.builtin.debug": {"msg": "<{{ query('collector') | join(' ') }}>"}}],
    }
]


def of_a_worker(path: Path, enabled: str) -> list[int]:
    """How many objects a task's process leaves alone, and what its collector's thresholds are."""
    (path / "lookup_plugins").mkdir()
    (path / "lookup_plugins/collector.py").write_text(LOOKUP)
    (path / "play.yml").write_text(json.dumps(PLAY))
    done = subprocess.run(
        ["ansible-playbook", "play.yml"],
        cwd=path,
        env=os.environ | {"ANSIBLE_CALLBACKS_ENABLED": enabled},
        capture_output=True,
        text=True,
        check=True,
    )
    return [int(number) for number in done.stdout.split("<")[1].split(">")[0].split()]


@pytest.mark.parametrize(
    ("enabled", "objects", "thresholds"),
    [
        ("edusphere.platform.gc_freeze", range(10_000, 10_000_000), [100_000, 50, 50]),
        ("ansible.posix.timer", range(1), [700, 10, 10]),
    ],
    ids=["on", "off"],
)
def test_workers_leave_alone_what_was_loaded(
    tmp_path: Path, enabled: str, objects: range, thresholds: list[int]
) -> None:
    """By the process that runs a task; without the plugin nothing is changed."""
    frozen, *found = of_a_worker(tmp_path, enabled)
    assert frozen in objects
    assert found == thresholds
