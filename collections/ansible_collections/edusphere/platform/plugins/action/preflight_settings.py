# Copyright: (c) 2026, EduSphere platform contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# mypy: allow-untyped-calls

"""The control node's part of the module of the same name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.module_utils.common.yaml import yaml_load
from ansible.plugins.action import ActionBase
from ansible_collections.edusphere.platform.plugins.plugin_utils.orphans import ANCHORS
from ansible_collections.edusphere.platform.plugins.plugin_utils.settings import examine, examine_role, with_anchors

# The role that has the shared settings.
SHARED = "settings"
# What root installs from PyPI, which is judged with its defaults.
PINNED = ("release_uv_version", "release_uv_hashes", "frontend_node_hashes")


class ActionModule(ActionBase):
    """Templates and checks one host's settings without touching the host."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        _options, arguments = self.validate_argument_spec({"roles": {"type": "path", "required": True}})
        roles = Path(arguments["roles"])
        shared = roles / SHARED
        settings, problems = examine(
            options_of(shared), _read(shared / "defaults/main.yml"), _read(shared / "vars/main.yml"), variables,
            self._templar.template,
        )  # fmt: skip
        known = self._with_roles_own(roles, variables)
        given = with_anchors(variables, known, (*ANCHORS, *PINNED))
        template = self._templar.copy_with_new_env(available_variables=known).template
        for role in sorted(path.parents[1] for path in roles.glob("*/meta/argument_specs.yml")):
            if role != shared:
                found, wrong = examine_role(options_of(role), given, template)
                settings |= found
                problems += wrong
        result.update(changed=False, settings=settings, problems=problems, becomes=self._becomes(variables))
        return result

    def _with_roles_own(self, roles: Path, variables: dict[str, Any]) -> dict[str, Any]:
        """The host's variables, and below them those of all roles, which an operator's may be made of."""
        known: dict[str, Any] = {}
        for kind in ("vars", "defaults"):
            for path in sorted(roles.glob(f"*/{kind}/main.yml")):
                known = {**(self._loader.load_from_file(str(path), trusted_as_template=True) or {}), **known}
        return {**known, **variables}

    def _becomes(self, variables: dict[str, Any]) -> bool:
        """Whether the operator gives a password to become root with, or becomes root in another way than sudo."""
        names = ("ansible_become_password", "ansible_become_pass", "ansible_sudo_pass")
        given = any(variables.get(name) for name in names) or bool(self._play_context.become_pass)
        return given or variables.get("ansible_become_method", "sudo") != "sudo"


def options_of(role: Path) -> dict[str, dict[str, Any]]:
    """A role's settings: the options of its first entry point."""
    entries = _read(role / "meta/argument_specs.yml")["argument_specs"]
    return dict(next(iter(entries.values())).get("options") or {})


def _read(path: Path) -> dict[str, Any]:
    return dict(yaml_load(path.read_text(encoding="utf-8")) or {})
