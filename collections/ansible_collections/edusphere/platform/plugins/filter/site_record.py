# Copyright: EduSphere Platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a host keeps of its settings when a deployment is complete."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.edusphere.platform.plugins.plugin_utils.orphans import record

DOCUMENTATION = r"""
name: site_record
short_description: The settings that a host's data hang on
version_added: "0.1.0"
author: EduSphere Platform (@edusphere)
description:
  - Chooses from a host's settings those with whose change its data would be left behind, by its tiers and its mode, and
    what tells the site from another one. No secret is among them.
  - M(edusphere.platform.preflight) refuses such a change.
positional: groups
options:
  _input:
    description: The settings, as M(edusphere.platform.preflight_settings) returns them.
    type: dict
    required: true
  groups:
    description: The groups that the host is in.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Show what the data hang on
  ansible.builtin.debug:
    msg: "{{ found.settings | edusphere.platform.site_record(group_names) }}"
"""

RETURN = r"""
_value:
  description: A JSON object in one line, by which a survey without Python can tell records apart.
  type: str
"""


def site_record(settings: Mapping[str, Any], groups: Sequence[str]) -> str:
    """Say in one line which I(settings) the data of a host in I(groups) hang on."""
    return json.dumps(record(settings, groups)) + "\n"


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Any]:
        return {"site_record": site_record}
