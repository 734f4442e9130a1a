# Copyright: EduSphere Platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Requirements that pin a program of PyPI by hashes."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.edusphere.platform.plugins.plugin_utils.pinned import requirements

DOCUMENTATION = r"""
name: pinned
short_description: Requirements that pin a program of PyPI by hashes
version_added: "0.1.0"
author: EduSphere Platform (@edusphere)
description:
  - Of a table of requirements by version, those of one version, if they pin it and all that it needs by hashes.
options:
  _input:
    description: By version, what C(uv pip compile --generate-hashes) prints.
    type: dict
    required: true
  package:
    description: The program's package.
    type: str
    required: true
  version:
    description: Its version.
    type: str
    required: true
  setting:
    description: The table's name, for the refusal.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Say what pins uv
  ansible.builtin.debug:
    msg: "{{ release_uv_hashes | edusphere.platform.pinned('uv', '0.13.9', 'release_uv_hashes') }}"
"""

RETURN = r"""
_value:
  description: The requirements.
  type: str
"""


def pinned(hashes: dict[str, str], package: str, version: str, setting: str) -> str:
    """The requirements of I(version); AnsibleFilterError where they are none with hashes."""
    try:
        return requirements(hashes, package, version, setting)
    except ValueError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, Any]:
        """Name to function."""
        return {"pinned": pinned}
