"""A value that is wrong ends a deployment before anything that serves is touched.

It says the variable's name, and the tool's own words.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from behaviour.hosts import SERVICES, playbook, processes
from behaviour.platforms import Platform
from behaviour.visitor import Site
from depth import chosen
from testinfra.host import Host

SOURCE = Path(__file__).parents[3] / "examples/studio"


# What is wrong elsewhere is found sooner without it.
NO_FRONTEND = {"edusphere_app_frontend": False}


class Wrong(NamedTuple):
    """What is said wrongly, and what a run says of it."""

    name: str
    values: dict[str, Any]
    says: list[str]


WRONG = [
    Wrong(
        "no such settings module",
        {"edusphere_app_settings_module": "studio.no_settings", **NO_FRONTEND},
        ["edusphere_app_settings_module", "no module studio.no_settings in the application"],
    ),
    Wrong(
        "a build command that fails",
        # What is said of the command itself doesn't have these words.
        {"edusphere_app_build_commands": [["python", "-c", "raise SystemExit('the reason' + ' why')"]], **NO_FRONTEND},
        ["edusphere_app_build_commands", "the reason why"],
    ),
    Wrong(
        "an output directory that is not there",
        {"edusphere_app_frontend_dist": "web/elsewhere"},
        ["edusphere_app_frontend_dist", "web/elsewhere"],
    ),
    Wrong(
        "a deploy key that cannot be read",
        {
            "edusphere_app_source_type": "git",
            "edusphere_app_source": "git@forge.test:studio.git",
            "release_git_key_file": "/root/no-key",
        },
        ["release_git_key_file", "/root/no-key"],
    ),
]


@pytest.fixture(autouse=True)
def untouched(vm: Host, platform: Platform, site: Site) -> Iterator[None]:
    """Fail unless what serves is as it was, and nothing half-made can be chosen."""
    everything = f"{SERVICES}|uvicorn|celery --app studio (worker|beat)"
    before = platform.live, platform.releases, processes(vm, everything)
    yield
    assert (platform.live, platform.releases, processes(vm, everything)) == before
    assert site.get("/").status_code == 200


def refused(**values: Any) -> str:
    """Why a run with these values fails, as it must: its last message, without the tasks that Ansible quotes."""
    run = playbook(f"--extra-vars={json.dumps(values)}", "--tags=app", check=False)
    assert run.returncode != 0
    return " ".join(run.stdout.rpartition("fatal: ")[2].partition("msg: ")[2].split()).replace("''", "'")


@pytest.mark.parametrize(
    "wrong",
    chosen(WRONG, WRONG[:1], "each kind of wrong value is refused with its variable and reason"),
    ids=lambda wrong: wrong.name,
)
def test_a_wrong_value(wrong: Wrong) -> None:
    said = refused(**wrong.values)
    assert [words for words in wrong.says if words not in said] == []


@pytest.mark.parametrize(
    ("file", "old", "new", "says", "values"),
    [
        (
            "pyproject.toml",
            '"channels (',
            '"channels-redis-fork", "channels (',
            ["edusphere_app_requirements", "poetry lock"],
            NO_FRONTEND,
        ),
        pytest.param(
            "web/package.json",
            '"vue":',
            '"left-pad": "1.3.0", "vue":',
            ["edusphere_app_frontend_install_command", "ERR_PNPM_OUTDATED_LOCKFILE"],
            {},
            marks=pytest.mark.exhaustive("a frontend's lock that is out of step is refused"),
        ),
    ],
)
def test_a_lock_out_of_step(
    tmp_path: Path, file: str, old: str, new: str, says: list[str], values: dict[str, Any]
) -> None:
    """With what pins the Python environment, and with the frontend's."""
    source = tmp_path / "studio"
    shutil.copytree(SOURCE, source, ignore=shutil.ignore_patterns("node_modules", ".venv", "build", "__pycache__"))
    manifest = source / file
    assert old in manifest.read_text()
    manifest.write_text(manifest.read_text().replace(old, new, 1))
    said = refused(edusphere_app_source=str(source), **values)
    assert [words for words in says if words not in said] == []
