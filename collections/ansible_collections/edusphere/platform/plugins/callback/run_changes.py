# Copyright: (c) 2026, EduSphere platform contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# mypy: allow-untyped-calls

"""Notes which tasks of a run have changed something, for the line that it leaves in the history."""

from __future__ import annotations

DOCUMENTATION = r"""
name: run_changes
type: aggregate
short_description: Notes whether a run has changed anything
description:
  - The action plugin of M(edusphere.platform.deployment) asks for it when a run ends that has switched to no other
    release, so that one that has mended something leaves a line in the history as well.
  - Without this plugin such a run leaves none.
requirements:
  - enabled by C(callbacks_enabled)
"""

from typing import Any

from ansible.plugins.callback import CallbackBase
from ansible_collections.edusphere.platform.plugins.plugin_utils.run_changes import CHANGED


class CallbackModule(CallbackBase):
    """In the process that workers are forked from."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "edusphere.platform.run_changes"
    CALLBACK_NEEDS_ENABLED = True

    def v2_runner_on_ok(self, result: Any) -> None:
        """Of a loop, when all of it has ended."""
        if result.is_changed():
            CHANGED.add(str(result.task_name))
