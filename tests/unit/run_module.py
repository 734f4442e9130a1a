# mypy: allow-untyped-calls
"""Executes one module of a collection as Ansible's worker does on a host; reads the request from standard input.

The request is ``{"module": "edusphere.django.NAME", "arguments": {...}}``; the module answers on standard output. It
runs as the account ``uid``, if the request has one. ``places`` are the directories of its records, by the constants
that name them.
"""

from __future__ import annotations

import importlib
import json
import os
import pathlib
import sys

from ansible.module_utils.testing import patch_module_args
from ansible.utils.collection_loader._collection_finder import _AnsibleCollectionFinder

if __name__ == "__main__":
    _AnsibleCollectionFinder(paths=[str(pathlib.Path(__file__).parents[2] / "collections")])._install()
    request = json.load(sys.stdin)
    namespace, collection, name = request["module"].split(".")
    module = importlib.import_module(f"ansible_collections.{namespace}.{collection}.plugins.modules.{name}")
    for constant, directory in request.get("places", {}).items():
        owner, _, attribute = constant.rpartition(".")
        setattr(importlib.import_module(f"ansible_collections.{owner}"), attribute, directory)
    if request.get("uid") is not None:
        os.setgroups([])
        os.setuid(request["uid"])
    with patch_module_args(request["arguments"]):
        module.main()
