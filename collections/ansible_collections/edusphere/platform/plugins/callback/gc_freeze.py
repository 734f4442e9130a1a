# Copyright: (c) 2026, EduSphere platform contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# mypy: allow-untyped-calls

"""The garbage collector leaves alone what Ansible has loaded."""

from __future__ import annotations

DOCUMENTATION = r"""
name: gc_freeze
type: aggregate
short_description: Spares the control node searches for garbage
description:
  - Ansible forks for each task and each host. Each search for garbage looks at all that was loaded before, which takes
    time, and makes the kernel copy what the fork shares with its parent. With this plugin a search leaves alone what is
    there when a playbook starts, and comes less often.
  - It costs some megabytes of memory, and changes nothing else.
requirements:
  - enabled by C(callbacks_enabled)
"""

import gc
from typing import Any

from ansible.plugins.callback import CallbackBase

# How many more objects than before bring a search of the youngest, and how many searches one of the older ones. Of
# Python's own, 700, 10 and 10, a worker would make dozens of searches, and it ends before they would save anything.
THRESHOLDS = (100_000, 50, 50)


class CallbackModule(CallbackBase):
    """Freezes when the playbook is loaded, as the documentation of ``gc.freeze`` advises to before forks."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "edusphere.platform.gc_freeze"
    CALLBACK_NEEDS_ENABLED = True

    def v2_playbook_on_start(self, _playbook: Any) -> None:
        """Before any worker is forked."""
        gc.freeze()
        gc.set_threshold(*THRESHOLDS)
