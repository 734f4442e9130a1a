# Copyright: EduSphere Platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What another app host remembers, which was asked without Python."""

from __future__ import annotations

from typing import Any

from ansible_collections.edusphere.platform.plugins.module_utils.rollout.records import peer

DOCUMENTATION = r"""
name: peer_records
short_description: The records of an app host that was asked without Python
version_added: "0.1.0"
author: EduSphere Platform (@edusphere)
description:
  - Reads C(live.fact), C(schema.fact) and the names of slots, each after a line C(@@). What is damaged, or missing
    where there are slots, is of the release C(unknown), and so is the answer of a host that gave none.
options:
  _input:
    description: What the host has said.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Show what a peer serves
  ansible.builtin.debug:
    msg: "{{ (said.stdout | edusphere.platform.peer_records).live }}"
"""

RETURN = r"""
_value:
  description: C(live) and C(schema), null where the host has none.
  type: dict
"""


def peer_records(text: str) -> dict[str, Any]:
    """As DOCUMENTATION says."""
    return peer(text)


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Any]:
        return {"peer_records": peer_records}
