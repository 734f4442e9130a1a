# Copyright: (c) 2026, EduSphere platform contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# mypy: allow-untyped-calls

"""The control node's part of the module of the same name."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from ansible.errors import AnsibleError
from ansible.module_utils.compat.version import LooseVersion
from ansible.plugins.action import ActionBase
from ansible.release import __version__ as ansible_version
from ansible_collections.edusphere.platform.plugins.plugin_utils.preflight import (
    Host,
    Repository,
    Site,
    judge,
    judge_removal,
)
from ansible_collections.edusphere.platform.plugins.plugin_utils.survey import Survey, parse

# A repository that takes longer to list its branches is one that does not answer.
REPOSITORY_SECONDS = 30


class ActionModule(ActionBase):
    """Judges all hosts of the play at once without touching them."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        _options, arguments = self.validate_argument_spec(
            {
                "purpose": {"type": "str", "choices": ["site", "removal"], "default": "site"},
                "surveys": {"type": "str", "required": True},
                "settings": {"type": "str", "required": True},
                "minimum_disk_mb": {"type": "int", "required": True},
                "minimum_memory_mb": {"type": "int", "required": True},
            }
        )
        hosts = [
            host(name, variables["hostvars"][name], arguments["surveys"], arguments["settings"])
            for name in variables["ansible_play_hosts_all"]
        ]
        if arguments["purpose"] == "removal":
            return self._told(result, judge_removal(hosts))
        site = Site(
            hosts=hosts,
            groups={name: list(members) for name, members in variables["groups"].items()},
            minimum_disk_mb=arguments["minimum_disk_mb"],
            minimum_memory_mb=arguments["minimum_memory_mb"],
            files=self._files(hosts),
            repositories={source: repository(source) for source in repositories(hosts)},
        )
        problems, notices = judge(site)
        if notices:
            result["warnings"] = notices
        return self._told(result, [*too_old(ansible_version), *problems], notices)

    def _told(self, result: dict[str, Any], problems: Sequence[str], notices: Sequence[str] = ()) -> dict[str, Any]:
        """The task's result, which fails with all problems in one list."""
        result.update(changed=False, notices=list(notices))
        if problems:
            count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
            listing = "\n".join(f"{number:2}. {problem}" for number, problem in enumerate(problems, start=1))
            result.update(failed=True, msg=f"Preflight found {count}, and nothing was changed:\n{listing}")
        return result

    def _files(self, hosts: list[Host]) -> dict[str, bytes]:
        """The certificates and keys that the settings name by path, decrypted where ansible-vault encrypted them."""
        files: dict[str, bytes] = {}
        names = ("edusphere_tls_certificate", "edusphere_tls_private_key")
        paths = {str(host.settings[name]) for host in hosts for name in names if host.settings.get(name)}
        paths |= {path for host in hosts for path in host.settings.get("edusphere_ca_certificates", [])}
        for path in paths:
            try:
                found = self._loader.get_real_file(self._find_needle("files", path))
                files[path] = Path(found).read_bytes()
            except (AnsibleError, OSError):
                continue  # Judged as a file that cannot be read.
        return files


def host(name: str, variables: Mapping[str, Any], surveys: str, settings: str) -> Host:
    """A host from what the role's earlier tasks have registered for it."""
    known = variables.get(settings, {})
    survey, unreachable = look(variables.get(surveys, {}))
    return Host(
        name=name,
        settings=known.get("settings", {}),
        problems=known.get("problems", []),
        survey=survey,
        unreachable=unreachable,
        becomes=bool(known.get("becomes", False)),
    )


def repositories(hosts: Iterable[Host]) -> set[str]:
    """The git repositories that releases come from; a path is one of the builder, and cannot be seen from here."""
    return {
        host.settings["edusphere_app_source"]
        for host in hosts
        if host.settings.get("edusphere_app_source_type") == "git"
        and re.match(r"(?:https?|ssh|git)://|[^/]+@", host.settings.get("edusphere_app_source") or "")
    }


def repository(source: str) -> Repository:
    """Ask a repository for its branches and tags, without ever asking a person for a password."""
    environment = {
        **os.environ,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_SSH_COMMAND": "ssh -oBatchMode=yes -oConnectTimeout=10",
        "LC_ALL": "C",
    }
    try:
        run = subprocess.run(
            ["git", "ls-remote", "--quiet", "--heads", "--tags", "--", source],
            capture_output=True, text=True, env=environment, timeout=REPOSITORY_SECONDS, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        return Repository(None, str(error))
    if run.returncode != 0:
        return Repository(None, next(iter(run.stderr.splitlines()), f"git ended with {run.returncode}"))
    whole = {line.split("\t", 1)[1].removesuffix("^{}") for line in run.stdout.splitlines()}
    return Repository(frozenset(whole | {name.split("/", 2)[2] for name in whole}))


def look(result: Mapping[str, Any]) -> tuple[Survey | None, str]:
    """The survey in the result of the task that took it, or why there is none."""
    if result.get("unreachable"):
        said = str(result.get("msg", "")).removeprefix("Task failed: ").strip()
        return None, f"cannot be reached; is it up, and are its ansible_host, ansible_user and key right? {said}"
    if result.get("timedout"):
        return (
            None,
            "did not come to the end of the survey; can that user log in and run a command there (ssh HOST true)?",
        )
    try:
        return parse(str(result.get("stdout", ""))), ""
    except (ValueError, IndexError, KeyError) as error:
        said = str(result.get("stderr", "")).strip() or f"status {result.get('rc')}"
        return None, f"cannot be surveyed ({error}): a login shell that runs POSIX sh is needed; it said: {said}"


def too_old(version: str) -> Iterator[str]:
    """A problem when this ansible-core is older than the one in the collection's meta/runtime.yml."""
    runtime = Path(__file__).parents[2] / "meta" / "runtime.yml"
    wanted = yaml.safe_load(runtime.read_text(encoding="utf-8"))["requires_ansible"].removeprefix(">=")
    if LooseVersion(re.split(r"[a-z]", version, maxsplit=1)[0]) < LooseVersion(wanted):
        yield f"ansible-core: {version} runs on the control node and {wanted} is needed; scripts/bootstrap gets it"
