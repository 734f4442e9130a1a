# mypy: allow-untyped-calls
"""Imported for its effect: makes ``ansible_collections.edusphere.*`` importable from this repository."""

from __future__ import annotations

import pathlib

from ansible.utils.collection_loader._collection_finder import _AnsibleCollectionFinder

ROOT = pathlib.Path(__file__).parents[1]
COLLECTIONS = ROOT / "collections"

# The plain import system would find the ansible_collections package that comes with PyPI's `ansible` and stop there.
_AnsibleCollectionFinder(paths=[str(COLLECTIONS)])._install()
