#!/usr/bin/python
# Copyright: (c) 2026, EduSphere platform contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# mypy: allow-untyped-calls

from __future__ import annotations

DOCUMENTATION = r"""
module: source_check
short_description: Refuse a source that is not whole or leads out of itself
version_added: 0.1.0
author:
  - EduSphere platform contributors (!UNKNOWN)
description:
  - Looks at all files of an unpacked source, and fails with all that it finds. Pointers of Git LFS stand for files that
    were not fetched, and would be deployed in their place. Links that lead out of the source would have whoever follows
    them read or write elsewhere.
  - It changes nothing, and follows no link.
attributes:
  check_mode:
    description: There is nothing to change.
    support: full
  diff_mode:
    description: There is nothing to change.
    support: none
options:
  path:
    description: The source's directory, on the host.
    type: path
    required: true
"""

EXAMPLES = r"""
- name: Check the source
  edusphere.platform.source_check:
    path: /srv/shop/releases/.building
  become: true
  become_user: shop-build
"""

RETURN = r"""
pointers:
  description: Paths of Git LFS pointers, sorted.
  returned: always
  type: list
  elements: str
links:
  description: Paths of links that lead out, sorted, each with where it leads.
  returned: always
  type: dict
"""

import os
import re
import stat
import typing as t
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.edusphere.platform.plugins.module_utils.archive import TOLD, leads_out, shown

# https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md: a pointer is shorter, and its first line is this one. The
# other names are those that earlier versions of Git LFS wrote.
LONGEST_POINTER = 1023
POINTER = re.compile(
    rb"version (?:https://git-lfs\.github\.com/spec/|https://hawser\.github\.com/spec/|http://git-media\.io/v/)\S+\r?\n"
    rb"(?=(?:.*\n)*?oid sha256:[0-9a-f]{64}\r?\n)(?=(?:.*\n)*?size [0-9]+\r?(?:\n|\Z))"
)


class Found(t.NamedTuple):
    """What is wrong with a source."""

    pointers: t.List[str]
    links: t.Dict[str, str]


def is_pointer(content: bytes) -> bool:
    """Whether a file's content stands for another file, which Git LFS keeps elsewhere."""
    return len(content) <= LONGEST_POINTER and POINTER.match(content) is not None


def look(root: Path) -> Found:
    """Look at all files below ``root``."""
    pointers: t.List[str] = []
    links: t.Dict[str, str] = {}
    for place, directories, files in os.walk(root, onerror=_fail):
        for name in directories + files:
            path = Path(place) / name
            relative = str(path.relative_to(root))
            found = path.lstat()
            if stat.S_ISLNK(found.st_mode):
                links[relative] = os.readlink(path)  # noqa: PTH115 - as it is written
            elif stat.S_ISREG(found.st_mode) and found.st_size <= LONGEST_POINTER and is_pointer(path.read_bytes()):
                pointers.append(relative)
    out = {name: target for name, target in sorted(links.items()) if leads_out(name, target, links)}
    return Found(sorted(pointers), out)


def _fail(error: OSError) -> None:
    """A directory that can't be read is not passed over."""
    raise error


def problems(found: Found) -> t.Iterator[str]:
    """What is wrong, and what to do about it, for the operator."""
    if found.pointers:
        yield (
            "Git LFS has not fetched these files, and pointers are in their place: %s. Run `git lfs pull` in a "
            "checkout, and deploy that folder (edusphere_app_source_type: folder) or an archive of it."
            % _listed(found.pointers)
        )
    if found.links:
        links = ["%s (to %s)" % (shown(name), shown(target)) for name, target in found.links.items()]
        yield "These links lead out of the source: %s. Remove them from it." % _listed(links, show=str)


def _listed(names: t.Sequence[str], show: t.Callable[[str], str] = shown) -> str:
    more = len(names) - TOLD
    return ", ".join(show(name) for name in names[:TOLD]) + (" and %d more" % more if more > 0 else "")


def main() -> None:
    module = AnsibleModule(argument_spec={"path": {"type": "path", "required": True}}, supports_check_mode=True)
    try:
        found = look(Path(module.params["path"]))
    except OSError as error:
        module.fail_json(msg="path: %s" % error, pointers=[], links={})
    wrong = list(problems(found))
    if wrong:
        module.fail_json(msg="\n".join(wrong), pointers=found.pointers, links=found.links)
    module.exit_json(changed=False, pointers=[], links={})


if __name__ == "__main__":
    main()
