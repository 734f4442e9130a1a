# Copyright: (c) 2026, EduSphere platform contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  name:
    description:
      - The unit's name. C(.service) is added where it has no suffix.
      - An instance of a template is named in full, as in C(backend@a).
    type: str
    required: true
  restart_on:
    description:
      - Absolute paths of files, directories and shell patterns that the unit's processes read only when they start.
      - The unit's own file and its drop-ins always count and need not be listed.
      - Content, mode and owner count. A directory counts with all below it, except C(__pycache__).
      - A symbolic link to a directory counts by where it leads. A slash at its end counts what is in it instead.
      - A path that does not exist is no error. That it appears or goes away later is a change.
    type: list
    elements: path
    default: []
  reload_on:
    description:
      - The same, for what the processes read again at a reload.
      - A unit that cannot be reloaded is restarted.
    type: list
    elements: path
    default: []
  restart_pending:
    description:
      - For check mode only, where a changed template is reported but not written, so that no digest can tell.
        Say here whether an earlier task reported a change of the O(restart_on) files.
      - In a real run it is ignored.
    type: bool
    default: false
  reload_pending:
    description:
      - The same, for the O(reload_on) files.
    type: bool
    default: false
  timeout:
    description:
      - How many seconds one C(systemctl) command may take.
    type: int
    default: 120
"""
