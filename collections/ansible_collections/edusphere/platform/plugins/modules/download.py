#!/usr/bin/python
# Copyright: (c) 2026, EduSphere platform contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# mypy: allow-untyped-calls

from __future__ import annotations

DOCUMENTATION = r"""
module: download
short_description: Fetch a file whose hash is known
version_added: 0.1.0
author:
  - EduSphere platform contributors (!UNKNOWN)
description:
  - Does what M(ansible.builtin.get_url) does with a checksum. But a proxy's address, which may hold a password, comes
    with the options and not with the task's environment, which is part of a command line that sudo logs.
  - A password in O(url) or in O(environment) is in no log and in no output.
attributes:
  check_mode:
    description: Nothing is fetched.
    support: full
  diff_mode:
    description: A file that is fetched has no readable difference.
    support: none
options:
  url:
    description: Where it is.
    type: str
    required: true
  dest:
    description: Where to put it. It belongs to the account that the task runs as.
    type: path
    required: true
  sha256:
    description: The SHA-256 of its content. A file with another one is not kept.
    type: str
    required: true
  group:
    description: The group that may read it.
    type: str
  environment:
    description: Environment of the download, such as C(https_proxy).
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Fetch the archive
  edusphere.platform.download:
    url: https://files.example.org/shop-1.4.0.tar.gz
    dest: /srv/shop/releases/.archive
    sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
    environment: {https_proxy: "http://proxy.example.org:3128"}
"""

RETURN = r"""
size:
  description: How many bytes it has.
  returned: success
  type: int
"""

import hashlib
import os
import shutil
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.urls import fetch_url
from ansible_collections.edusphere.platform.plugins.module_utils.secrecy import (
    hide,
    secrets_of,
    url_secrets,
    without_userinfo,
)

CHUNK = 1 << 20
HTTP_OK = 200


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "url": {"type": "str", "required": True, "no_log": True},
            "dest": {"type": "path", "required": True},
            "sha256": {"type": "str", "required": True},
            "group": {"type": "str"},
            "environment": {"type": "dict", "default": {}, "no_log": True},
        },
        supports_check_mode=True,
    )
    url, dest = module.params["url"], Path(module.params["dest"])
    environment = {name: str(value) for name, value in module.params["environment"].items()}
    hide(module, url_secrets(url) | secrets_of(environment))
    shown = without_userinfo(url)
    if module.check_mode:
        module.exit_json(changed=True)
    os.environ.update(environment)
    answer, info = fetch_url(module, url, timeout=30)
    if answer is None or info["status"] != HTTP_OK:
        module.fail_json(msg="url: %s can't be fetched: %s" % (shown, info["msg"]))
    digest, size = hashlib.sha256(), 0
    # Nobody else's until it is known to be right.
    with os.fdopen(os.open(dest, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600), "wb") as stream:
        dest.chmod(0o600)
        for chunk in iter(lambda: answer.read(CHUNK), b""):
            digest.update(chunk)
            size += len(chunk)
            stream.write(chunk)
    if digest.hexdigest() != module.params["sha256"].lower():
        dest.unlink()
        module.fail_json(
            msg="sha256: %s has the SHA-256 %s, and %s is wanted. It was not kept."
            % (shown, digest.hexdigest(), module.params["sha256"])
        )
    if module.params["group"]:
        shutil.chown(dest, group=module.params["group"])
        dest.chmod(0o640)
    module.exit_json(changed=True, size=size)


if __name__ == "__main__":
    main()
