# Copyright: (c) 2026, EduSphere platform contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which package manager builds a frontend."""

from __future__ import annotations

import typing as t

from ansible_collections.edusphere.platform.plugins.plugin_utils.package_manager import Release, choose

DOCUMENTATION = r"""
name: package_manager
short_description: Which package manager builds a frontend
version_added: 0.1.0
author:
  - EduSphere platform contributors (!UNKNOWN)
description:
  - Reads C(packageManager) from the text of a C(package.json), holds it against the operator's settings, and says what
    is to be installed. Only V(npm), V(pnpm) and V(yarn) in an exact version are taken, with a hash or without.
options:
  _input:
    description: Text of a C(package.json).
    type: str
    required: true
  name:
    description: The package manager that the operator has set.
    type: str
    required: true
  version:
    description: The version that the operator has set, with its hash or without; empty for that of C(package.json).
    type: str
    required: true
positional: name, version
"""

EXAMPLES = r"""
- name: Refuse what is no package manager
  ansible.builtin.assert:
    that: __manager.problems | length == 0
    fail_msg: "{{ __manager.problems | join(' ') }}"
  vars:
    __manager: "{{ lookup('ansible.builtin.file', 'package.json') | edusphere.platform.package_manager('pnpm', '') }}"
"""

RETURN = r"""
_value:
  description:
    - RV(_value.version), empty for the npm that comes with Node.js.
    - RV(_value.kind), V(npm), V(pnpm), V(yarn) or, for Yarn from 2 on, V(yarn-berry).
    - RV(_value.package), what the npm registry calls it.
    - RV(_value.algorithm) and RV(_value.digest) of its hash, empty where none is known; RV(_value.hashed), the file of
      the package that the hash is of, empty for the package's archive.
    - RV(_value.problems), all that is wrong with what is said of it.
  type: dict
  sample:
    version: 9.15.4
    kind: pnpm
    package: pnpm
    algorithm: ""
    digest: ""
    hashed: ""
    problems: []
"""


def package_manager(package_json: str, name: str, version: str) -> t.Dict[str, t.Any]:
    """What DOCUMENTATION says."""
    manager, problems = choose(str(package_json), str(name), str(version))
    release = manager.release or Release("")
    return {
        "version": release.version,
        "kind": "yarn-berry" if manager.is_berry else manager.name,
        "package": manager.package,
        "algorithm": release.algorithm,
        "digest": release.digest,
        "hashed": manager.hashed,
        "problems": problems,
    }


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> t.Dict[str, t.Callable[..., t.Dict[str, t.Any]]]:
        return {"package_manager": package_manager}
