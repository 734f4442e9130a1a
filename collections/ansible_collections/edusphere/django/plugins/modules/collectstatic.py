#!/usr/bin/python
# Copyright: (c) 2026, EduSphere maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: collectstatic
short_description: Collect the static files of a Django project
version_added: "0.1.0"
description:
  - Brings C(STATIC_ROOT) to what Django's own finders and static files storage make of the sources.
  - Files are compared by content. Dates don't matter, so a file that is older than its copy is collected all the same,
    and one that is only newer is not.
  - A storage that changes names or contents, such as C(ManifestStaticFilesStorage), does its work in a temporary
    directory first. That is how check mode can name what it would produce, and how one that fails leaves
    C(STATIC_ROOT) as it is.
  - Each file gets to its place by one rename, the manifest last.
author:
  - EduSphere maintainers (!UNKNOWN)
extends_documentation_fragment:
  - edusphere.django.project
options:
  ignore:
    description:
      - Glob patterns of files and directories that are not collected, in addition to those of the project itself.
    type: list
    elements: str
    default: []
  prune:
    description:
      - Delete the files in C(STATIC_ROOT) that this run would not put there.
      - That takes files with hashed names along which pages of an earlier release may still refer to.
    type: bool
    default: false
notes:
  - Only storages that keep their files in a directory of the host are supported (C(FileSystemStorage) and what is
    derived from it).
  - Permissions follow C(FILE_UPLOAD_PERMISSIONS) and C(FILE_UPLOAD_DIRECTORY_PERMISSIONS) when a file is written. Those
    of a file whose content has not changed are not touched.
seealso:
  - module: edusphere.django.migrate
  - name: Django's collectstatic command
    description: What is collected, and from where.
    link: https://docs.djangoproject.com/en/stable/ref/contrib/staticfiles/#collectstatic
"""

EXAMPLES = r"""
- name: Collect the static files of the new release
  edusphere.django.collectstatic:
    project_dir: /srv/shop/releases/2024-05-01
    python: .venv/bin/python
    environment_file: /etc/shop/app.env

- name: Collect into a directory of which nothing else is kept
  edusphere.django.collectstatic:
    project_dir: /srv/shop
    python: /srv/shop/.venv/bin/python
    settings: shop.settings
    environment:
      SECRET_KEY: unused-while-collecting
    ignore:
      - "*.scss"
    prune: true
    user: shop
  become: true
"""

RETURN = r"""
unknown:
  description:
    - Whether the result could not be known, because something that a run needs does not exist yet. Only in check mode,
      with RV(ignore:changed=true) and the reason in RV(ignore:msg); no other value is returned then.
  type: bool
  returned: success
static_root:
  description: The directory of the collected files.
  type: str
  returned: success
  sample: /srv/shop/releases/2024-05-01/staticfiles
copied:
  description: Collected files that were missing or had another content.
  type: list
  elements: str
  returned: success
  sample: ["css/site.css"]
post_processed:
  description: Files that the storage made of collected ones, such as copies with hashed names and the manifest, and
    that were missing or had another content.
  type: list
  elements: str
  returned: success
  sample: ["css/site.5e0040571e1a.css", "staticfiles.json"]
unchanged:
  description: Files that are as they should be.
  type: list
  elements: str
  returned: success
  sample: ["admin/css/base.css"]
stale:
  description: Files in RV(static_root) that this run would not put there.
  type: list
  elements: str
  returned: success
  sample: ["css/old.css"]
deleted:
  description: The stale files that were deleted, none unless O(prune=true).
  type: list
  elements: str
  returned: success
exception_type:
  description: The Python type of the error.
  type: str
  returned: failure inside the project
  sample: ValueError
output:
  description: The last 16 KiB of what the project printed, secrets masked.
  type: str
  returned: failure inside the project
"""

from typing import Any

from ansible_collections.edusphere.django.plugins.module_utils.probe import collectstatic as probe
from ansible_collections.edusphere.django.plugins.module_utils.project import ProjectModule
from ansible_collections.edusphere.django.plugins.module_utils.transport import Reply

ARGUMENTS: dict[str, dict[str, Any]] = {
    "ignore": {"type": "list", "elements": "str", "default": []},
    "prune": {"type": "bool", "default": False},
}


class CollectstaticModule(ProjectModule):
    """The module, with what it can say of a run that failed half-way."""

    def partial(self, reply: Reply) -> dict[str, Any]:
        """Tell whether the error came after the first file was brought into place."""
        return {"changed": any(frame["event"] == "writing" for frame in reply.frames)}


def listing(digests: dict[str, str]) -> str:
    """Return a line for each file, with the beginning of its SHA-256."""
    return "".join(f"{name} {digest[:12]}\n" for name, digest in sorted(digests.items()))


def main() -> None:
    """Run the module."""
    this = CollectstaticModule(ARGUMENTS)
    reply = this.ask(probe, {name: this.parameters[name] for name in ARGUMENTS})
    result = reply.frames[-1]["result"]
    this.succeed(
        diff={
            "before_header": result["root"],
            "after_header": result["root"],
            "before": listing(result["before"]),
            "after": listing(result["after"]),
        },
        static_root=result["root"],
        **{key: result[key] for key in ("changed", "copied", "post_processed", "unchanged", "stale", "deleted")},
    )


if __name__ == "__main__":
    main()
