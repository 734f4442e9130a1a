# Copyright: EduSphere Platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Addresses under which the hosts of a group reach each other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

DOCUMENTATION = r"""
name: private_addresses
short_description: Addresses under which hosts reach each other
version_added: "0.1.0"
author: EduSphere Platform (@edusphere)
description:
  - Gives, for every host name, its C(edusphere_private_address) where the inventory sets one, else the address
    of its default IPv4 route as gathered in its facts.
positional: hostvars
options:
  _input:
    description: Host names as in the inventory.
    type: list
    elements: str
    required: true
  hostvars:
    description: The C(hostvars) variable.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show the addresses of the app tier
  ansible.builtin.debug:
    msg: "{{ groups['app'] | edusphere.platform.private_addresses(hostvars) }}"
"""

RETURN = r"""
_value:
  description: One address a host, in the order of the input.
  type: list
  elements: str
"""


def private_addresses(hosts: Iterable[str], hostvars: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Addresses of I(hosts), in their order.

    Raises AnsibleFilterError for a host whose address is neither set nor gathered, naming the variable.
    """
    addresses = []
    for host in hosts:
        variables = hostvars[host]
        address = variables.get("edusphere_private_address")
        if address is None:
            address = variables.get("ansible_facts", {}).get("default_ipv4", {}).get("address")
        if not address:
            raise AnsibleFilterError(
                f"The address of {host} is not known: set edusphere_private_address for it, or gather its facts."
            )
        addresses.append(str(address))
    return addresses


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, Any]:
        """Name to function."""
        return {"private_addresses": private_addresses}
