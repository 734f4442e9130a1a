# Copyright: (c) 2026, EduSphere platform contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# mypy: allow-untyped-calls

"""The control node's part of the module of the same name: it tries again while another program holds a lock."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import Any

from ansible.plugins.action import ActionBase

# Seconds between two attempts.
PAUSE = 2

# The words of apt and of its bindings for Python; what those say where they know no process.
HELD = re.compile(r"E: ?(Could not get lock [^\n]*)")
LOCKED = re.compile(r"(Failed to lock apt for exclusive operation[^\n]*)")


def lock(result: Mapping[str, Any]) -> str:
    """Which lock another program holds, and which program, by what a failed attempt says; else empty."""
    said = f"{result.get('msg', '')}\n{result.get('stderr', '')}" if result.get("failed") else ""
    found = HELD.search(said) or LOCKED.search(said)
    return found[1].strip() if found else ""


class ActionModule(ActionBase):
    """Runs ansible.builtin.apt until it is done, or the time is up."""

    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        arguments = {"install_recommends": False, **self._task.args}
        limit = int(arguments["lock_timeout"])
        deadline = time.monotonic() + limit
        while True:
            # It would wait for dpkg's locks alone, and look for the lists' without a pause.
            result: dict[str, Any] = self._execute_module(
                module_name="ansible.builtin.apt", module_args={**arguments, "lock_timeout": 0}, task_vars=task_vars
            )
            held = lock(result)
            if not held:
                return result
            if time.monotonic() + PAUSE > deadline:
                break
            time.sleep(PAUSE)
        result["msg"] = (
            f"Another program held a lock of apt's or dpkg's for {limit} s: {held}. "
            "No package was installed. Run this again when that program has ended, or raise edusphere_apt_lock_timeout."
        )
        return result
