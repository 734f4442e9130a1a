# Copyright: EduSphere Platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which of a later release's migrations an earlier one can't live with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.edusphere.platform.plugins.module_utils.rollout.records import unsafe

DOCUMENTATION = r"""
name: unsafe_migrations
short_description: The migrations that a release can't live with, of those that it does not know
version_added: "0.1.0"
author: EduSphere Platform (@edusphere)
description:
  - By a host's record C(schema.fact). Where that was lost, no migration of before then is known to be safe.
positional: schema, accepted
options:
  _input:
    description: Applied migrations that the release does not know, as C(APP.NAME).
    type: list
    elements: str
    required: true
  schema:
    description: The record, as M(edusphere.platform.site_records) returns it.
    type: dict
    required: true
  accepted:
    description: Migrations that an operator accepts.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Show what stands in the way of a rollback
  ansible.builtin.debug:
    msg: "{{ ['shop.0007_drop_slug'] | edusphere.platform.unsafe_migrations(ansible_local.schema) }}"
"""

RETURN = r"""
_value:
  description: Those that it can't live with, in their order.
  type: list
  elements: str
"""


def unsafe_migrations(foreign: Sequence[str], schema: Mapping[str, str], accepted: Sequence[str] = ()) -> list[str]:
    """As DOCUMENTATION says."""
    return unsafe(foreign, schema, accepted)


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Any]:
        return {"unsafe_migrations": unsafe_migrations}
