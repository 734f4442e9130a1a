"""Root follows no link in a directory that another account can write to: a rule for every task of every role.

What an unprivileged account can write to, it can replace by a link to ``/etc`` between two tasks. So a task that writes
there, or reads what is there and uses it, runs as that account. What root may do all the same is listed, and why.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from rendering import ROOT

# Variables with a place below which the account that builds, or people in development, can write.
OTHERS = {
    "__release_aside",
    "__release_cache",
    "__release_work",
    "frontend_context",
    "frontend_release_path",
    "__frontend_directory",
}
# What reads or writes what a path leads to. `stat` and `find` follow no link unless told to.
MODULES = {
    "assemble", "blockinfile", "copy", "fetch", "file", "files", "get_url", "git", "ini_file", "lineinfile", "download",
    "replace", "slurp", "synchronize", "template", "unarchive", "unpack", "source_check", "command", "shell", "raw",
}  # fmt: skip
# The commands of root's that may work there, by their file and task. None follows a link, or it is the engine's.
ALLOWED = {
    ("release/tasks/build_steps.yml", "Remove what an earlier build left"): "removes; its parents are root's",
    ("release/tasks/build_steps.yml", "Create the places of releases and of the build"): "was just removed",
    ("release/tasks/receive_native.yml", "Remove what an interrupted shipment left"): "removes; its parent is root's",
    ("release/tasks/receive_native.yml", "Create the places of releases and of the shipment"): "was just removed",
    ("release/tasks/receive_native.yml", "Hand the release over"): "chown --no-dereference",
    ("release/tasks/receive_native.yml", "Put the release in place"): "renames",
    ("release/tasks/package_native.yml", "Hand the release over"): "chown --no-dereference, chmod --recursive",
    ("release/tasks/package_native.yml", "Put the release in place"): "renames",
    ("release/tasks/sources.yml", "Hand the sources over"): "chown --no-dereference, chmod --recursive",
    ("release/tasks/sources.yml", "Put the sources in place"): "renames",
    ("release/tasks/package_compose.yml", "Build the backend's image"): "the engine's client follows none in a context",
    ("release/tasks/package_compose.yml", "Remove the source, which the image has"): "removes; its parent is root's",
    ("release/tasks/check_served.yml", "Find where the directories that nginx serves really are"): "says only where",
    (
        "release/tasks/builder.yml",
        "Create the places of caches and mirrors",
    ): "root's directory, strangers were removed",
    ("frontend/tasks/image.yml", "Build the frontend's image"): "the engine's client follows none in a context",
    ("frontend/tasks/modules.yml", "Check Node.js against the frontend's needs"): "in a container",
    ("frontend/tasks/modules.yml", "Install the package manager"): "in a container",
    ("frontend/tasks/modules.yml", "Install the frontend's dependencies"): "in a container",
}
WORD = re.compile(r"[A-Za-z_]\w*")


class Found(NamedTuple):
    """A task, where it stands, and as whom it runs; empty for root."""

    file: str
    name: str
    module: str
    arguments: str
    account: str


@functools.cache
def variables() -> Mapping[str, str]:
    """The roles' own variables, as text."""
    found: dict[str, str] = {}
    for path in ROOT.glob("roles/*/vars/main.yml"):
        found |= {name: str(value) for name, value in (yaml.safe_load(path.read_text()) or {}).items()}
    return found


def reaches(text: str, seen: frozenset[str] = frozenset()) -> set[str]:
    """The places of others that a text names, or a variable in it."""
    words = set(WORD.findall(text)) - seen
    found = words & OTHERS
    for word in words & variables().keys() - OTHERS:
        found |= reaches(variables()[word], seen | words)
    return found


def included(task: Mapping[str, Any], role: str) -> Iterator[tuple[str, str]]:
    """The files of tasks that a task includes, and the account that it gives them."""
    for kind in ("include_tasks", "import_tasks", "include_role", "import_role"):
        given = task.get(f"ansible.builtin.{kind}")
        if given is None:
            continue
        words = {"file": given} if isinstance(given, str) else given
        apply = {**task.get("args", {}), **words}.get("apply", {})
        account = apply.get("become_user", task.get("become_user", "") if kind.startswith("import") else "")
        name = words.get("name", role) if kind.endswith("role") else role
        file = words.get("tasks_from", "main") + ".yml" if kind.endswith("role") else words["file"]
        pattern = re.sub(r"\{\{.*?\}\}", "*", file)
        for path in filter(Path.is_file, sorted(ROOT.glob(f"roles/{name}/tasks/{pattern}"))):
            yield str(path.relative_to(ROOT / "roles")), account


def walk(file: str, entries: list[dict[str, Any]], account: str, seen: set[tuple[str, str]]) -> Iterator[Found]:
    """All tasks of a file and of those that it includes."""
    for task in entries:
        becomes = task.get("become_user", account)
        becomes = "" if becomes == "root" else becomes
        for part in ("block", "rescue", "always"):
            yield from walk(file, task.get(part, []), becomes, seen)
        for inner, given in included(task, file.partition("/")[0]):
            yield from tasks(inner, given or becomes, seen)
        for key, arguments in task.items():
            module = key.rpartition(".")[2]
            if "." in key and module in MODULES:
                yield Found(file, task["name"], module, f"{arguments} {task.get('loop', '')}", becomes)


def tasks(file: str, account: str, seen: set[tuple[str, str]]) -> Iterator[Found]:
    """All tasks that a file leads to, once for each account that it may run as."""
    if (file, account) not in seen:
        seen.add((file, account))
        yield from walk(file, yaml.safe_load((ROOT / "roles" / file).read_text()) or [], account, seen)


def everything() -> list[Found]:
    """All tasks of all roles, starting where playbooks do; a file that nothing includes is started, too."""
    seen: set[tuple[str, str]] = set()
    found = [task for path in sorted(ROOT.glob("roles/*/tasks/main.yml")) for task in tasks(_name(path), "", seen)]
    for path in sorted(ROOT.glob("roles/*/tasks/**/*.yml")):
        if not any(name == _name(path) for name, _account in seen):
            found += tasks(_name(path), "", seen)
    return found


def _name(path: Any) -> str:
    return str(path.relative_to(ROOT / "roles"))


def test_root_works_in_no_place_of_others() -> None:
    found = {
        (task.file, task.name)
        for task in everything()
        if not task.account and reaches(task.arguments) and (task.file, task.name) not in ALLOWED
    }
    assert found == set()


def test_every_exception_is_needed() -> None:
    there = {(task.file, task.name) for task in everything() if not task.account and reaches(task.arguments)}
    assert set(ALLOWED) - there == set()


def test_commands_of_a_build_are_confined() -> None:
    """What runs code of a source or of its dependencies has a unit of its own, and root starts it."""
    confined = []
    for path in sorted(ROOT.glob("roles/*/tasks/**/*.yml")):
        for task in _all(yaml.safe_load(path.read_text()) or []):
            if "edusphere.platform.build_command" in task:
                confined.append(task["name"])
                assert "confinement" in task["edusphere.platform.build_command"]
    assert confined == [
        "Check Node.js against the frontend's needs",
        "Install the frontend's dependencies",
        "Build the frontend",
        "Install the package manager",
        "Run the application's own steps",
        "Create the Python environment",
        "Install the application's requirements",
        "Check that there are settings",
        "Collect static files",
    ]


def test_the_account_that_builds_runs_nothing_unconfined() -> None:
    """But for programs of the host's, with nothing of a source to say what they do."""
    found = {
        (task.file, task.name)
        for task in everything()
        if task.module in ("command", "shell", "raw") and "build_user" in task.account
    }
    assert found == {
        ("release/tasks/package_native.yml", "Link the built files whose names change with their content"),
        ("release/tasks/package_compose.yml", "Have the engine look into every file"),
    }


def test_no_environment_is_on_a_command_line() -> None:
    """That of a task becomes a part of the command that sudo logs."""
    found = []
    for path in sorted(ROOT.glob("roles/*/tasks/**/*.yml")):
        for task in _all(yaml.safe_load(path.read_text()) or []):
            words = WORD.findall(str(task.get("environment", "")) + str(task.get("apply", {})))
            secret = {"release_build_environment", "__release_proxies", "edusphere_app_frontend_environment"}
            if secret & set(words) or "edusphere_process_environment" in words:
                found.append((str(path), task["name"]))
    assert found == []


def _all(entries: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for task in entries:
        yield task
        for part in ("block", "rescue", "always"):
            yield from _all(task.get(part, []))
