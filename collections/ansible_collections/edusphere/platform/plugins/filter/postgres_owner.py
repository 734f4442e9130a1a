# Copyright: EduSphere Platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a server of PostgreSQL lacks of the application's database and its owner, as SQL."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.edusphere.platform.plugins.plugin_utils.postgres_owner import State, statements

DOCUMENTATION = r"""
name: postgres_owner
short_description: SQL that makes a role the owner of a database, and no superuser
version_added: "0.1.0"
author: EduSphere Platform (@edusphere)
description:
  - Of what a server has, the SQL that is missing until a role owns its database, has no rights beyond that, and no
    other role may use the database. An empty list if nothing is missing.
options:
  _input:
    description: What the server has, as the question of the role C(postgresql) answers.
    type: dict
    required: true
  owner:
    description: The role.
    type: str
    required: true
  database:
    description: The database.
    type: str
    required: true
  creates_databases:
    description: Whether the role may create databases, as tests do.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Say what is missing
  ansible.builtin.debug:
    msg: "{{ state | edusphere.platform.postgres_owner('db_user', 'coredb') }}"
  vars:
    state: {role: null, database: {owner: postgres, public: false}}
"""

RETURN = r"""
_value:
  description: Statements, in their order, without semicolons.
  type: list
  elements: str
"""


def postgres_owner(state: State, owner: str, database: str, creates_databases: bool = False) -> list[str]:
    """The statements that are missing; AnsibleFilterError where the owner can't be made less than a superuser."""
    try:
        return statements(state, owner, database, creates_databases)
    except ValueError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, Any]:
        """Name to function."""
        return {"postgres_owner": postgres_owner}
