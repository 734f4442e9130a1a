"""The collection as an archive: what is in it, and that it works where nothing else of the repository is."""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tarfile
from typing import Any

import yaml

COLLECTION = pathlib.Path(__file__).parents[2]
MODULES = sorted(path.stem for path in (COLLECTION / "plugins/modules").glob("*.py"))
# What work in a checkout leaves lying about.
LITTER = [
    "tests/output/junit/report.xml",
    "tests/unit/conftest.py",
    ".mypy_cache/3.11/cache.json",
    ".ruff_cache/cache",
    "changelogs/.plugin-cache.yaml",
    "changelogs/fragments/not-released.yml",
    "plugins/modules/__pycache__/info.cpython-311.pyc",
    "edusphere-django-0.0.1.tar.gz",
]


def run(*command: str | pathlib.Path, home: pathlib.Path) -> str:
    """Run a program of Ansible's that knows of no collections but those below ``home``."""
    return subprocess.run(
        [pathlib.Path(sys.executable).with_name(str(command[0])), *command[1:]],
        cwd=home,
        # There is no ansible.cfg in that home, and none of the repository's may be found.
        env={name: value for name, value in os.environ.items() if name != "ANSIBLE_CONFIG"}
        | {"HOME": str(home), "ANSIBLE_COLLECTIONS_PATH": str(home / "collections")},
        check=True,
        capture_output=True,
        text=True,
    ).stdout


def test_archive_installs_and_documents_itself(tmp_path: pathlib.Path) -> None:
    source = shutil.copytree(COLLECTION, tmp_path / "source", ignore=shutil.ignore_patterns("__pycache__", "tests"))
    belongs = {path.relative_to(source).as_posix() for path in source.glob("plugins/**/*.py")} | {
        "README.md", "CHANGELOG.md", "LICENSE", "MANIFEST.json", "FILES.json",
        "meta/runtime.yml", "changelogs/changelog.yaml", "changelogs/config.yaml",
    }  # fmt: skip
    for path in LITTER:
        (source / path).parent.mkdir(parents=True, exist_ok=True)
        (source / path).write_text("litter")
    run("ansible-galaxy", "collection", "build", source, "--output-path", tmp_path, home=tmp_path)
    (archive,) = tmp_path.glob("edusphere-django-*.tar.gz")
    with tarfile.open(archive) as tar:
        assert {member.name for member in tar if member.isfile()} == belongs

    shutil.rmtree(source)
    run("ansible-galaxy", "collection", "install", "--offline", archive, "-p", tmp_path / "collections", home=tmp_path)
    names = [f"edusphere.django.{name}" for name in MODULES]
    assert len(names) >= 4
    pages: dict[str, Any] = json.loads(run("ansible-doc", "--type", "module", "--json", *names, home=tmp_path))
    for name in names:
        assert pages[name]["doc"]["filename"].startswith(str(tmp_path / "collections"))
        assert {"project_dir", "python"} <= set(pages[name]["doc"]["options"])
        assert pages[name]["examples"].count(f"  {name}:") >= 2
        assert pages[name]["return"]
    arguments = "project_dir=/no/such python=python3 settings=none"
    answer = run("ansible", "localhost", "-m", "edusphere.django.info", "-a", arguments, "--check", home=tmp_path)
    assert "there is no directory /no/such" in answer


def test_action_group_names_every_module() -> None:
    """Parameters that module_defaults sets for the group must reach each of them."""
    runtime = yaml.safe_load((COLLECTION / "meta/runtime.yml").read_text())
    assert sorted(runtime["action_groups"]["project"]) == MODULES


def test_release_notes_are_those_of_the_changelog(tmp_path: pathlib.Path) -> None:
    """CHANGELOG.md is generated from changelogs/changelog.yaml, and names every module."""
    source = shutil.copytree(COLLECTION, tmp_path / "ansible_collections/edusphere/django")
    subprocess.run(
        [pathlib.Path(sys.executable).with_name("antsibull-changelog"), "generate"],
        cwd=source,
        check=True,
        capture_output=True,
    )
    assert (source / "CHANGELOG.md").read_text() == (COLLECTION / "CHANGELOG.md").read_text(), (
        "CHANGELOG.md is stale: run `antsibull-changelog generate` in the collection and commit it."
    )
    text = (COLLECTION / "CHANGELOG.md").read_text().replace("\\", "")
    assert [name for name in MODULES if f"edusphere.django.{name} " not in text] == []
