# Copyright: (c) 2026, EduSphere platform contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# mypy: allow-untyped-calls

"""The control node's part of the module of the same name: which run this is, and whether the lock's still goes on."""

from __future__ import annotations

import getpass
import hashlib
import os
import socket
from pathlib import Path
from typing import Any, NamedTuple

from ansible.plugins.action import ActionBase
from ansible_collections.edusphere.platform.plugins.plugin_utils.run_changes import CHANGED


class Process(NamedTuple):
    """One process of one start of one machine, as nothing else is called."""

    machine: str
    """The kernel's id of this start, and of the namespace in which the process has its number."""
    pid: int
    started: str
    """In ticks since the machine's start, as proc(5) has it."""

    @property
    def name(self) -> str:
        """Short enough to be typed."""
        return hashlib.sha256(repr(tuple(self)).encode()).hexdigest()[:8]


def machine() -> str:
    """What two processes share that can see each other; the host's name where there is no ``/proc``."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip() + str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return socket.gethostname()


def process(pid: int) -> Process | None:
    """The process that has a number now."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        if Path("/proc/self/stat").exists():
            return None
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return None
        return Process(machine(), pid, "")
    return None if fields[0] == "Z" else Process(machine(), pid, fields[19])


def goes_on(lock: dict[str, Any]) -> bool | None:
    """Whether the run that holds a lock still runs; ``None`` where it can't be known from here."""
    place = lock.get("place") or {}
    if place.get("machine") != machine():
        return None
    found = process(int(place["pid"]))
    return found is not None and found.name == lock["id"]


class ActionModule(ActionBase):
    """Runs the module, and once more where it stumbles over a lock whose holder is known to this control node."""

    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        # This is a worker, and the run is the process that started it.
        own = process(os.getppid()) or Process(machine(), os.getppid(), "")
        who = f"{os.environ.get('SUDO_USER') or getpass.getuser()}@{socket.gethostname()}"
        place = {"machine": own.machine, "pid": own.pid}
        run: dict[str, Any] = {"id": own.name, "who": who, "place": place}
        result = self._ask(run, task_vars)
        lock = result.get("lock") or {}
        known = goes_on(lock) if lock else None
        if known is not None:
            result = self._ask({**run, "alive" if known else "ended": [lock["id"]]}, task_vars)
        return result

    def _ask(self, run: dict[str, Any], task_vars: dict[str, Any] | None) -> dict[str, Any]:
        arguments = {**self._task.args, "run": run}
        if CHANGED and arguments.get("outcome") == "unchanged":
            arguments["outcome"] = arguments.get("outcome_of_changes", "unchanged")
        return dict(self._execute_module(module_args=arguments, task_vars=task_vars))
