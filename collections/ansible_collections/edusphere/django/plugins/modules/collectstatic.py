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
  - A storage that changes names or contents, such as C(ManifestStaticFilesStorage), does its work aside first, in
    memory if it is Django's own code and in a temporary directory otherwise. That is how check mode can name what it
    would produce, and how one that fails leaves C(STATIC_ROOT) as it is.
  - Each file gets to its place by one rename, the manifest last. A run that is interrupted leaves the files that the
    old manifest names, and the next one does the rest.
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
      - Delete the files in C(STATIC_ROOT) that this run would not put there. Refused where that directory also holds
        the project, its sources, C(MEDIA_ROOT) or an SQLite database.
      - Pages of an earlier release may still refer to some of them, those with hashed names above all; see
        O(keep_releases).
    type: bool
    default: false
  keep_releases:
    description:
      - The number of releases whose files O(prune) leaves, this one included. A release is what one run or several in
        a row put there under the same names; one that is deployed again counts once, as the newest.
      - With more than one, the names that each release put there are recorded in the file
        C(.edusphere-collectstatic.json) in C(STATIC_ROOT), which only the account that collects can read. What is there
        before the first record counts as one release.
    type: int
    default: 1
  lock_wait:
    description:
      - Seconds to wait for another process that is collecting into the same directory, before the task fails.
      - Check mode waits as well, as it could not tell what it will find.
    type: int
    default: 300
notes:
  - Permissions follow C(FILE_UPLOAD_PERMISSIONS) and C(FILE_UPLOAD_DIRECTORY_PERMISSIONS) when a file is written. Those
    of a file whose content has not changed are not touched.
  - Into a storage that keeps its files or its manifest somewhere else than in a directory of the host, Django's own
    command collects, with the content of a file in the place of its date. What can be known then is less. Check mode
    compares all files if the storage only copies, and is unknown if it makes more than copies, see RV(ignore:unknown).
    A file is missing while it is replaced. Stale files are not looked for. A storage that changes contents as it saves
    them looks different every time.
  - A link to a directory in C(STATIC_ROOT) is followed for files that are wanted there, and never for pruning.
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

- name: Collect, and keep what pages of the two releases before this one refer to
  edusphere.django.collectstatic:
    project_dir: /srv/shop
    python: /srv/shop/.venv/bin/python
    environment_file: /etc/shop/app.env
    prune: true
    keep_releases: 3
"""

RETURN = r"""
unknown:
  description:
    - Whether the result could not be known, because something that a run needs does not exist yet. Only in check mode,
      with RV(ignore:changed=true) and the reason in RV(ignore:msg); no other value is returned then.
  type: bool
  returned: success
static_root:
  description: The directory of the collected files. Null if the storage does not keep them in one.
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
  description: Files in RV(static_root) that this run would not put there, kept or deleted. Null if the storage does not
    keep its files in a directory.
  type: list
  elements: str
  returned: success
  sample: ["css/old.css"]
deleted:
  description: The files that were deleted. Those are stale ones if O(prune=true), and what a run that was killed left
    behind in any case.
  type: list
  elements: str
  returned: success
recorded:
  description: Whether the record of releases was written, see O(keep_releases).
  type: bool
  returned: success
duplicates:
  description: Names for which there are several sources. That is no change, as only the first is ever collected.
  type: list
  elements: dict
  returned: success
  contains:
    name:
      description: The name below RV(static_root).
      type: str
      sample: css/site.css
    used:
      description: The source that is collected.
      type: str
      sample: /srv/shop/shop/static/css/site.css
    ignored:
      description: The others.
      type: list
      elements: str
      sample: ["/srv/shop/blog/static/css/site.css"]
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
    "keep_releases": {"type": "int", "default": 1},
    "lock_wait": {"type": "int", "default": 300},
}


class CollectstaticModule(ProjectModule):
    """The module, with what it can say of a run that failed half-way."""

    def partial(self, reply: Reply) -> dict[str, Any]:
        """Tell whether the error came after the first file was brought into place."""
        return {"changed": any(frame["event"] == "writing" for frame in reply.frames)}


def listing(digests: dict[str, str]) -> str:
    """Return a line for each file, with the beginning of its SHA-256 where that is known."""
    return "".join(f"{name} {digest[:12]}".rstrip() + "\n" for name, digest in sorted(digests.items()))


def main() -> None:
    """Run the module."""
    this = CollectstaticModule(ARGUMENTS)
    found = []
    if this.parameters["keep_releases"] < 1:
        found.append("keep_releases: the release that is collected is one of them, so give at least 1")
    if this.parameters["keep_releases"] > 1 and not this.parameters["prune"]:
        found.append("keep_releases: says what prune leaves; set prune: true as well")
    if this.parameters["lock_wait"] < 0:
        found.append("lock_wait: give a number that is not negative")
    if found:
        this.fail("\n".join(found))
    reply = this.ask(probe)
    result = reply.result
    header = result["root"] or "static files"
    this.succeed(
        diff={
            "before_header": header,
            "after_header": header,
            "before": listing(result.pop("before")),
            "after": listing(result.pop("after")),
        },
        static_root=result.pop("root"),
        **result,
    )


if __name__ == "__main__":
    main()
