# Copyright: EduSphere Platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The ACL file of a Redis whose password changes in two steps."""

from __future__ import annotations

from typing import Any

from ansible_collections.edusphere.platform.plugins.plugin_utils.redis_users import users

DOCUMENTATION = r"""
name: redis_users
short_description: The ACL file of a Redis whose password changes in two steps
version_added: "0.1.0"
author: EduSphere Platform (@edusphere)
description:
  - The file has the default user, who may do everything, with hashes of its passwords.
  - The passwords of the file that is there stay valid, until I(only) takes them away.
options:
  _input:
    description: The password that is wanted.
    type: str
    required: true
  there:
    description: The file as it is now; empty where there is none.
    type: str
    default: ""
  only:
    description: Whether no other password is valid any more.
    type: bool
    default: false
  channels:
    description: Whether the server knows rights on channels, as from Redis 6.2 on.
    type: bool
    default: true
"""

EXAMPLES = r"""
- name: Have Redis take another password besides the one that its clients have
  edusphere.platform.files:
    entries:
      - path: /etc/redis/users.acl
        content: "{{ shop_redis_password | edusphere.platform.redis_users(there=shop_redis_users) }}"
        owner: redis
        mode: "0400"
  no_log: true
"""

RETURN = r"""
_value:
  description: The file's text.
  type: str
"""


def redis_users(password: str, there: str = "", only: bool = False, channels: bool = True) -> str:
    """See DOCUMENTATION."""
    return users(password, there, only, channels)


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, Any]:
        """Name to function."""
        return {"redis_users": redis_users}
