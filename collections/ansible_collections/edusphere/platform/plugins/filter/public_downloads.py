# Copyright: (c) 2026, EduSphere platform contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What of the environment of downloads may stand in an image's history."""

from __future__ import annotations

import typing as t

from ansible_collections.edusphere.platform.plugins.module_utils.secrecy import has_secret

DOCUMENTATION = r"""
name: public_downloads
short_description: Name the variables of downloads that hold no password
version_added: 0.1.0
author:
  - EduSphere platform contributors (!UNKNOWN)
description:
  - Returns the names of the variables that may be an image's build arguments, which stay in its history. The others are
    called like secrets, or are URLs with a user or a password.
options:
  _input:
    description: The environment of the build's downloads.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Tell which variables are build arguments
  ansible.builtin.debug:
    msg: "{{ {'HTTPS_PROXY': 'http://proxy:3128', 'TOKEN': 'secret'} | edusphere.platform.public_downloads }}"
"""

RETURN = r"""
_value:
  description: The names, sorted.
  type: list
  elements: str
"""


def public_downloads(environment: t.Mapping[str, object]) -> t.List[str]:
    """The names of the variables that hold no password."""
    return sorted(name for name, value in environment.items() if not has_secret(name, str(value)))


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> t.Dict[str, t.Callable[..., t.List[str]]]:
        return {"public_downloads": public_downloads}
