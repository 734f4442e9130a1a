# Copyright: (c) 2026, EduSphere platform contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether this run of ansible-playbook has changed anything.

The callback ``run_changes`` notes it in the run's own process. Action plugins run in processes that are forked from it,
and see what was noted until then.
"""

from __future__ import annotations

CHANGED: set[str] = set()
"""The names of the tasks that have changed something; empty as well where the callback is not enabled."""
