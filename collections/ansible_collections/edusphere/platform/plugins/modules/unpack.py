#!/usr/bin/python
# Copyright: (c) 2026, EduSphere platform contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# mypy: allow-untyped-calls

from __future__ import annotations

DOCUMENTATION = r"""
module: unpack
short_description: Unpack an archive that somebody else has made
version_added: 0.1.0
author:
  - EduSphere platform contributors (!UNKNOWN)
description:
  - Reads the list of an archive's members first, and refuses, all of them at once and by name, devices, FIFOs, setuid
    and setgid files, absolute paths, paths and links that lead out, and what is below a link. Then it unpacks the
    archive. Nothing is written where anything is refused.
  - What is unpacked belongs to the account that the task runs as. Run it as one without rights of its own
    (C(become_user)). Owners in the archive don't count, and of modes only whether a file may be executed; times are
    kept.
  - A tar archive may be compressed with gzip, bzip2 or xz. The other kind is a zip archive.
attributes:
  check_mode:
    description: Judges the archive, and unpacks nothing.
    support: full
  diff_mode:
    description: An archive has no readable difference.
    support: none
options:
  src:
    description: The archive, on the host.
    type: path
    required: true
  dest:
    description: The directory to unpack it in. It must be there, and empty.
    type: path
    required: true
  strip:
    description: Leading directories to drop from the paths of the archive.
    type: int
    default: 0
  outside:
    description: Shell patterns of the paths of links that may lead out.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Unpack a source
  edusphere.platform.unpack:
    src: /srv/shop/releases/.source
    dest: /srv/shop/releases/.building
    strip: 1
  become: true
  become_user: shop-build
"""

RETURN = r"""
members:
  description: How many members were unpacked.
  returned: success
  type: int
refused:
  description: All that stands in the way.
  returned: when the archive is refused
  type: list
  elements: str
"""

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.edusphere.platform.plugins.module_utils.archive import (
    BROKEN,
    NoArchiveError,
    RefusedError,
    judged,
    open_archive,
    write,
)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "src": {"type": "path", "required": True},
            "dest": {"type": "path", "required": True},
            "strip": {"type": "int", "default": 0},
            "outside": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    src, dest = Path(module.params["src"]), Path(module.params["dest"])
    try:
        archive = open_archive(src)
        members = judged(archive, src, module.params["strip"], module.params["outside"])
        if not module.check_mode:
            if any(dest.iterdir()):
                raise FileExistsError("dest: %s is not empty" % dest)
            write(archive, members, dest)
    except NoArchiveError as error:
        module.fail_json(msg="src: %s" % error)
    except RefusedError as error:
        module.fail_json(msg="src: %s" % error, refused=error.problems)
    except BROKEN as error:
        module.fail_json(msg="src: %s could not be unpacked: %s" % (src, error))
    module.exit_json(changed=True, members=len([member for member in members if member]))


if __name__ == "__main__":
    main()
