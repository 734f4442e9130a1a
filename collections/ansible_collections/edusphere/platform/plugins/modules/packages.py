#!/usr/bin/python
# Copyright: (c) 2026, EduSphere platform contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# The work is done by the action plugin of the same name, which runs ansible.builtin.apt on the host.

from __future__ import annotations

DOCUMENTATION = r"""
module: packages
short_description: Install packages, and wait for whoever else is at it
version_added: 0.1.0
author:
  - EduSphere platform contributors (!UNKNOWN)
description:
  - Does what M(ansible.builtin.apt) does, and tries again where another program holds one of apt's or dpkg's locks.
    That module waits for dpkg's locks, and not for the one that a download of packages takes.
  - When it gives up, it says which process holds which lock.
attributes:
  check_mode:
    description: Predicts what a run would do.
    support: full
  diff_mode:
    description: Shows which packages would be installed.
    support: full
options:
  name:
    description: The packages.
    type: list
    elements: str
    required: true
  install_recommends:
    description: Whether packages come with those that they recommend.
    type: bool
    default: false
  update_cache:
    description: Whether the package lists are fetched before.
    type: bool
    default: false
  cache_valid_time:
    description: Seconds for which package lists are new enough.
    type: int
    default: 0
  update_cache_retries:
    description: How often the lists are tried to be fetched.
    type: int
    default: 5
  lock_timeout:
    description: Seconds to wait for another program that holds a lock. V(0) does not wait.
    type: int
    required: true
"""

EXAMPLES = r"""
- name: Install a server
  edusphere.platform.packages:
    name: nginx
    lock_timeout: 600
"""

RETURN = r"""
cache_updated:
  description: Whether the package lists were fetched.
  returned: success, in most cases
  type: bool
"""
