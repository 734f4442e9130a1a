# Copyright: EduSphere Platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Fingerprints of OpenPGP keys, such as the one that signs a repository."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.edusphere.platform.plugins.plugin_utils.openpgp import fingerprints

DOCUMENTATION = r"""
name: openpgp_fingerprints
short_description: Fingerprints of armored OpenPGP keys
version_added: "0.1.0"
author: EduSphere Platform (@edusphere)
description:
  - Reads keys as they are published for repositories of packages, without GnuPG.
options:
  _input:
    description: The armored keys.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Check a repository's key
  ansible.builtin.assert:
    that: key.content | edusphere.platform.openpgp_fingerprints == ['9DC858229FC7DD38854AE2D88D81803C0EBFCD88']
"""

RETURN = r"""
_value:
  description: Of each key, its fingerprint, 40 hexadecimal digits in capitals.
  type: list
  elements: str
"""


def openpgp_fingerprints(text: str) -> list[str]:
    """The fingerprints in I(text); AnsibleFilterError where there is no key that is understood."""
    try:
        return fingerprints(text)
    except ValueError as error:
        raise AnsibleFilterError(f"openpgp_fingerprints: {error}") from error


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, Any]:
        """Name to function."""
        return {"openpgp_fingerprints": openpgp_fingerprints}
