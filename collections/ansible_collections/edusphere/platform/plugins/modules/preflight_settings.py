#!/usr/bin/python
# Copyright: (c) 2026, EduSphere platform contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# The work is done on the control node, by the action plugin of the same name.

from __future__ import annotations

DOCUMENTATION = r"""
module: preflight_settings
short_description: Take a host's settings, right or wrong
version_added: 0.1.0
author:
  - EduSphere platform contributors (!UNKNOWN)
description:
  - Templates every setting that the roles' C(meta/argument_specs.yml) list, checks its type, choices and range, and
    reports all problems instead of failing at the first. The host itself is not touched.
  - The range of a number, a duration or a size is the last sentence of its description, such as C(From 1 to 65535.)
  - A setting that is made of facts which have yet to be gathered is left out.
  - Of a role's own settings, those that are set are there, and those that data hang on also by their defaults.
  - The result holds secrets. Use C(no_log).
attributes:
  check_mode:
    description: Changes nothing, in check mode or not.
    support: full
  diff_mode:
    description: Changes nothing, so there is nothing to show.
    support: none
options:
  roles:
    description:
      - The directory of the roles on the control node. The role C(settings) has those settings that must be there.
    type: path
    required: true
"""

EXAMPLES = r"""
- name: Take each host's settings
  edusphere.platform.preflight_settings:
    roles: "{{ role_path | dirname }}"
  no_log: true
  register: __preflight_settings
"""

RETURN = r"""
settings:
  description: Name to value, of those that are known and right.
  returned: success
  type: dict
problems:
  description: What is wrong with the others.
  returned: success
  type: list
  elements: str
becomes:
  description: Whether the operator gives a password to become root with, or becomes root in another way than by sudo.
  returned: success
  type: bool
"""
