# Copyright: EduSphere Platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where the directories are that releases share, and who reads them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

DOCUMENTATION = r"""
name: shared_places
short_description: Where the directories are that releases share, and who reads them
version_added: "0.1.0"
author: EduSphere Platform (@edusphere)
description:
  - Says for each shared directory its path, or C(volume:NAME) where it is in a volume of Docker. Before one that nginx
    serves as a whole stands C(served:).
positional: served, parent, volumes_of
options:
  _input:
    description: The directories by the names of their volumes, as C(edusphere_shared_volumes) has them.
    type: dict
    required: true
  served:
    description: Directories that nginx serves, as paths of a release.
    type: list
    elements: str
    required: true
  parent:
    description: The directory on the host that they are in.
    type: str
    required: true
  volumes_of:
    description: The name of the Compose project whose volumes they are in; empty where they are on the host.
    type: str
    default: ''
"""

EXAMPLES = r"""
- name: Show them
  ansible.builtin.debug:
    msg: "{{ {'media': 'media'} | edusphere.platform.shared_places(['media'], '/srv/shop/shared') }}"
"""

RETURN = r"""
_value:
  description: The places, in the order of the directories.
  type: list
  elements: str
  sample: ["served:/srv/shop/shared/media", "/srv/shop/shared/logs"]
"""


def shared_places(volumes: Mapping[str, str], served: Sequence[str], parent: str, volumes_of: str = "") -> list[str]:
    """As DOCUMENTATION says."""
    places = []
    for volume, directory in volumes.items():
        read = any(directory == each or directory.startswith(each.rstrip("/") + "/") for each in served if each)
        place = f"volume:{volumes_of}_{volume}" if volumes_of else f"{parent}/{directory}"
        places.append(("served:" if read else "") + place)
    return places


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Any]:
        return {"shared_places": shared_places}
