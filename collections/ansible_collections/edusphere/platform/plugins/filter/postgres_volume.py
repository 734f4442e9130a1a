# Copyright: EduSphere Platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where a container of PostgreSQL's has its data, by the name of its image."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.edusphere.platform.plugins.plugin_utils.postgres_image import volume

DOCUMENTATION = r"""
name: postgres_volume
short_description: Where an image of PostgreSQL wants its volume
version_added: "0.1.0"
author: EduSphere Platform (@edusphere)
description:
  - Up to PostgreSQL 17 the images have a volume at C(/var/lib/postgresql/data). From 18 on it is one directory higher,
    with a directory for each major version in it, and an image that finds one at the old place does not start.
options:
  _input:
    description: The image, with a tag that says its major version.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Say where the data is
  ansible.builtin.debug:
    msg: "{{ 'postgres:18-alpine' | edusphere.platform.postgres_volume }}"  # /var/lib/postgresql
"""

RETURN = r"""
_value:
  description: The directory in the container.
  type: str
"""


def postgres_volume(image: str) -> str:
    """The directory of I(image) that is a volume; AnsibleFilterError where the tag says no version."""
    try:
        return volume(image)
    except ValueError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, Any]:
        """Name to function."""
        return {"postgres_volume": postgres_volume}
