# Copyright: (c) 2026, EduSphere platform contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# mypy: allow-untyped-calls

"""The control node's part of the module of the same name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase
from ansible_collections.edusphere.platform.plugins.plugin_utils.settings import examine

# What other roles say, and preflight wants to know where the inventory says it.
FURTHER = ("docker_data_root", "postgresql_data_directory")


class ActionModule(ActionBase):
    """Templates and checks one host's settings without touching the host."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        _options, arguments = self.validate_argument_spec({"role": {"type": "path", "required": True}})
        role = Path(arguments["role"])
        options = _read(role / "meta/argument_specs.yml")["argument_specs"]["validate"]["options"]
        derived = _read(role / "vars/main.yml")
        defaults = _read(role / "defaults/main.yml")
        settings, problems = examine(options, defaults, derived, variables, self._templar.template)
        for name in FURTHER:
            if name in variables:
                try:
                    settings[name] = str(self._templar.template(variables[name]))
                except AnsibleError:
                    continue  # The role that owns it says so.
        result.update(changed=False, settings=settings, problems=problems, becomes=self._becomes(variables))
        return result

    def _becomes(self, variables: dict[str, Any]) -> bool:
        """Whether the operator gives a password to become root with, or becomes root in another way than sudo."""
        names = ("ansible_become_password", "ansible_become_pass", "ansible_sudo_pass")
        given = any(variables.get(name) for name in names) or bool(self._play_context.become_pass)
        return given or variables.get("ansible_become_method", "sudo") != "sudo"


def _read(path: Path) -> dict[str, Any]:
    return dict(yaml.safe_load(path.read_text(encoding="utf-8")) or {})
