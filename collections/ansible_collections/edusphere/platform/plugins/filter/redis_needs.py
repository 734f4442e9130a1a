# Copyright: EduSphere Platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a running Redis needs to take the passwords of its ACL file."""

from __future__ import annotations

from typing import Any

from ansible_collections.edusphere.platform.plugins.plugin_utils.redis_users import needed

DOCUMENTATION = r"""
name: redis_needs
short_description: What a running Redis needs to take the passwords of its ACL file
version_added: "0.1.0"
author: EduSphere Platform (@edusphere)
description:
  - Compares what the server answers to C(ACL LIST) with the file, so that a run that was killed between the two is
    made good by the next one.
options:
  _input:
    description: The server's answer.
    type: str
    required: true
  file:
    description: The file's text.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Have Redis read its passwords
  ansible.builtin.command:
    argv: [redis-cli, ACL, LOAD]
  when: shop_redis_list.stdout | edusphere.platform.redis_needs(shop_redis_users) == 'load'
"""

RETURN = r"""
_value:
  description: V(none), V(load), or V(restart) where the server refuses the login.
  type: str
"""


def redis_needs(answer: str, file: str) -> str:
    """See DOCUMENTATION."""
    return needed(answer, file)


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, Any]:
        """Name to function."""
        return {"redis_needs": redis_needs}
