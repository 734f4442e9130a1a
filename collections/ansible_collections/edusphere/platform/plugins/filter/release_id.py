# Copyright: (c) 2026, EduSphere platform contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names of releases that follow from what a release is made of."""

from __future__ import annotations

import hashlib
import json
import re
import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.edusphere.platform.plugins.plugin_utils.values import plain

DOCUMENTATION = r"""
name: release_id
short_description: Name a release after its version and its ingredients
version_added: 0.1.0
author:
  - EduSphere platform contributors (!UNKNOWN)
description:
  - Joins a readable version and 12 hexadecimal digits of the SHA-256 of all that makes the release what it is, written
    as canonical JSON. Equal ingredients give an equal name, whatever the order of their keys.
  - The name is safe as a directory's name, and in a systemd unit or an image tag. Runs of other characters in the
    version become a hyphen, and it is cut to 40 characters.
options:
  _input:
    description: The version, for people.
    type: str
    required: true
  ingredients:
    description: What the release is made of. Dictionaries, lists, text, numbers, booleans and nulls.
    type: dict
    required: true
positional: ingredients
"""

EXAMPLES = r"""
- name: Name the release
  ansible.builtin.set_fact:
    __release_id: >-
      {{ edusphere_version | edusphere.platform.release_id({'source': __source.digest, 'architecture': 'x86_64'}) }}
"""

RETURN = r"""
_value:
  description: The name.
  type: str
  sample: 1.4.0-3f1c0a9be27d
"""

LONGEST_VERSION = 40


def release_id(version: str, ingredients: t.Mapping[str, object]) -> str:
    """``VERSION-DIGEST`` as DOCUMENTATION says; :class:`AnsibleFilterError` for what has no canonical JSON."""
    if not isinstance(ingredients, t.Mapping):
        raise AnsibleFilterError("release_id needs a dictionary of ingredients, not %s" % type(ingredients).__name__)
    try:
        canonical = json.dumps(plain(ingredients), sort_keys=True, separators=(",", ":"))
    except TypeError as error:
        raise AnsibleFilterError("release_id cannot use these ingredients: %s" % error) from error
    label = re.sub(r"[^A-Za-z0-9._]+", "-", str(version))[:LONGEST_VERSION].strip("-._")
    return "%s-%s" % (label or "release", hashlib.sha256(canonical.encode()).hexdigest()[:12])


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> t.Dict[str, t.Callable[..., str]]:
        return {"release_id": release_id}
