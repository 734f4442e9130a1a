#!/usr/bin/python
# Copyright: (c) 2026, EduSphere platform contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# The work is done on the control node, by the action plugin of the same name.

from __future__ import annotations

DOCUMENTATION = r"""
module: preflight
short_description: Judge the hosts and the settings of a site
version_added: 0.1.0
author:
  - EduSphere platform contributors (!UNKNOWN)
description:
  - Looks at what the tasks before it have registered for all hosts of the play, and fails with one numbered list of all
    problems. Each names the variable or the host, and what to do.
  - Nothing is touched, neither on the hosts nor on the control node. Certificates, hooks and local sources are read.
attributes:
  check_mode:
    description: Changes nothing, in check mode or not.
    support: full
  diff_mode:
    description: Changes nothing, so there is nothing to show.
    support: none
options:
  purpose:
    description:
      - V(site) judges everything that the site needs.
      - V(removal) judges only the accounts and directories that are removed with the site, on the hosts that answer.
    type: str
    choices: [site, removal]
    default: site
  surveys:
    description: The variable in which each host's survey was registered.
    type: str
    required: true
  settings:
    description: The variable in which M(edusphere.platform.preflight_settings) was registered.
    type: str
    required: true
  minimum_disk_mb:
    description: Free disk space in MiB that releases and the database's data need.
    type: int
    required: true
  minimum_memory_mb:
    description: Memory in MiB that each host needs.
    type: int
    required: true
"""

EXAMPLES = r"""
- name: Judge the hosts and the settings
  edusphere.platform.preflight:
    surveys: __preflight_survey
    settings: __preflight_settings
    minimum_disk_mb: 3072
    minimum_memory_mb: 900
  run_once: true
"""

RETURN = r"""
notices:
  description: What is no problem, and worth knowing.
  returned: always
  type: list
  elements: str
"""
