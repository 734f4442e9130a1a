#!/usr/bin/python
# Copyright: (c) 2026, EduSphere platform contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# mypy: allow-untyped-calls

from __future__ import annotations

DOCUMENTATION = r"""
module: git_source
short_description: Fetch a version of a git repository, and pack it
version_added: 0.1.0
author:
  - EduSphere platform contributors (!UNKNOWN)
description:
  - Keeps bare mirrors of a repository and of its submodules, which the account that the task runs as owns and nobody
    else can enter, and writes an archive of a version with its submodules. There is no working tree, so nothing that a
    build leaves behind can run when the next version is fetched.
  - Runs nothing of a repository. Hooks, filters and file system monitors are off, and only C(file), C(git), C(http),
    C(https) and C(ssh) are fetched by; for submodules, not C(file).
  - The archive holds what a checkout would. Attributes that leave files out of archives don't count, and pointers of
    Git LFS stay pointers.
  - A password in O(repo) or in O(environment) is in no log, in no output and on no command line.
attributes:
  check_mode:
    description: Asks the repository for the version, and fetches nothing.
    support: full
  diff_mode:
    description: An archive has no readable difference.
    support: none
options:
  repo:
    description: The repository's address.
    type: str
    required: true
  version:
    description: A branch, a tag, a commit, or V(HEAD). A branch comes before a tag of the same name.
    type: str
    required: true
  mirrors:
    description: The directory of the mirrors. Mirrors of other repositories are removed from it.
    type: path
    required: true
  key_file:
    description: A private key to log in with by SSH.
    type: path
  known_hosts:
    description:
      - The file of the keys of SSH servers. A server that is not in it is added, one with another key is refused.
    type: path
    required: true
  environment:
    description: Environment of git, such as C(https_proxy).
    type: dict
    default: {}
  archive:
    description:
      - Where to write a tar archive of the version. Without it, the version is only fetched. A commit that was fetched
        before is packed without asking the repository.
    type: path
  group:
    description: The group that may read the archive.
    type: str
"""

EXAMPLES = r"""
- name: Fetch the version
  edusphere.platform.git_source:
    repo: git@git.example.org:shop.git
    version: v1.4.0
    mirrors: /srv/shop/mirrors
    key_file: /root/deploy-key
    known_hosts: /srv/shop/mirrors/known_hosts
  register: __source
"""

RETURN = r"""
after:
  description: The commit.
  returned: success
  type: str
submodules:
  description: The commits of the submodules by their directories. Not in check mode.
  returned: success
  type: dict
"""

import shlex
import shutil
import typing as t
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.edusphere.platform.plugins.module_utils.git import COMMIT, GitError, Mirrors, Part
from ansible_collections.edusphere.platform.plugins.module_utils.secrecy import hide, secrets_of, url_secrets


def ssh_command(key_file: str, known_hosts: str) -> str:
    """What git calls for SSH: it asks nobody anything, and knows servers by a file of its own."""
    options = [
        "BatchMode=yes",
        "ConnectTimeout=30",
        "ServerAliveInterval=30",
        "StrictHostKeyChecking=accept-new",
        "UserKnownHostsFile=" + known_hosts,
        *(["IdentitiesOnly=yes", "IdentityFile=" + key_file] if key_file else []),
    ]
    return shlex.join(["ssh", *(word for option in options for word in ("-o", option))])


def known(mirrors: Mirrors, version: str) -> t.List[Part]:
    """What a commit is made of, where all of it was fetched before; else nothing."""
    try:
        return mirrors.fetched(version) if COMMIT.fullmatch(version) else []
    except GitError:
        return []


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            # Not for a password's sake alone: the call is logged with all that is no secret.
            "repo": {"type": "str", "required": True, "no_log": True},
            "version": {"type": "str", "required": True},
            "mirrors": {"type": "path", "required": True},
            "key_file": {"type": "path", "no_log": False},
            "known_hosts": {"type": "path", "required": True},
            "environment": {"type": "dict", "default": {}, "no_log": True},
            "archive": {"type": "path"},
            "group": {"type": "str"},
        },
        supports_check_mode=True,
    )
    repo, version = module.params["repo"], module.params["version"]
    environment = {name: str(value) for name, value in module.params["environment"].items()}
    hide(module, url_secrets(repo) | secrets_of(environment))
    if version.startswith("-") or repo.startswith("-"):
        module.fail_json(msg="%s: neither a repository nor a version begins with a hyphen" % version)
    command = ssh_command(module.params["key_file"] or "", module.params["known_hosts"])
    mirrors = Mirrors(Path(module.params["mirrors"]), repo, {**environment, "GIT_SSH_COMMAND": command})
    try:
        if module.check_mode:
            module.exit_json(changed=False, after=mirrors.look(version), submodules={})
        archive = module.params["archive"]
        parts = known(mirrors, version) if archive else []
        if not parts:
            parts = mirrors.fetch(version)
            mirrors.remove_others()
        if archive:
            mirrors.pack(parts, Path(archive))
            if module.params["group"]:
                shutil.chown(archive, group=module.params["group"])
                Path(archive).chmod(0o640)
    except (GitError, OSError, LookupError) as error:
        module.fail_json(msg=str(error))
    submodules = {part.prefix.rstrip("/"): part.commit for part in parts[1:]}
    module.exit_json(changed=bool(module.params["archive"]), after=parts[0].commit, submodules=submodules)


if __name__ == "__main__":
    main()
