# mypy: allow-untyped-calls
"""Executes one module of the collection as Ansible's worker does on a host; reads the request from standard input.

The request is ``{"module": "edusphere.django.NAME", "arguments": {...}}``; the module answers on standard output.
"""

from __future__ import annotations

import json
import pathlib
import runpy
import sys

from ansible.module_utils.testing import patch_module_args
from ansible.utils.collection_loader._collection_finder import _AnsibleCollectionFinder

if __name__ == "__main__":
    _AnsibleCollectionFinder(paths=[str(pathlib.Path(__file__).parents[3] / "collections")])._install()
    request = json.load(sys.stdin)
    namespace, collection, name = request["module"].split(".")
    with patch_module_args(request["arguments"]):
        runpy.run_module(f"ansible_collections.{namespace}.{collection}.plugins.modules.{name}", run_name="__main__")
