# Copyright: (c) 2026, EduSphere platform contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# mypy: allow-untyped-calls

"""Modules are packed once, not once a run."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import io
import json
import os
import pickle
import shutil
import tempfile
import time
import zipfile
from functools import cache
from pathlib import Path
from typing import Any

import ansible
from ansible import constants
from ansible.plugins.callback import CallbackBase
from ansible.release import __version__
from ansible.utils.collection_loader import AnsibleCollectionConfig  # type: ignore[attr-defined]

DOCUMENTATION = r"""
name: module_cache
type: aggregate
short_description: Keeps packed modules from run to run
description:
  - Before a module runs on a host, Ansible packs it with all the Python that it imports. It does so once a run for each
    module, which is much of what a short run costs the control node. With this plugin it does so once.
  - A packed module is taken again as long as every file that it was made of is as it was, by its size and the time of
    its last change, and the same ansible-core finds the same collections. Else Ansible packs it again, as it does each
    time where a folder C(module_utils) of a playbook's or of a role's has a part in it.
  - Runs at the same time may share a directory.
requirements:
  - enabled by C(callbacks_enabled)
options:
  path:
    description:
      - Where packed modules are kept, in a directory of the user's own. They are what runs on all hosts, so one that
        somebody else owns, or may write to, is not used.
    type: path
    default: ~/.ansible/module_cache
    env:
      - name: EDUSPHERE_MODULE_CACHE
    ini:
      - section: callback_module_cache
        key: path
"""

# What an earlier version of Ansible, or a checkout that is gone, has left.
UNUSED_SECONDS = 30 * 86400

Source = list[int] | None


@cache
def look(path: Path) -> Source:
    """A file's size in bytes and the time of its last change in nanoseconds; ``None`` if there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return [found.st_size, found.st_mtime_ns]


@cache
def home(namespace: str, collection: str) -> Path:
    """The folder of ``ansible_collections`` in which Ansible finds a collection, or would look for it last."""
    for path in (Path(each, "ansible_collections") for each in AnsibleCollectionConfig.collection_paths):
        if (path / namespace / collection).is_dir():
            break
    return path


def source(name: str) -> Path:
    """The file that is packed under a name."""
    top, *parts = name.split("/")
    if top == "ansible":
        return Path(ansible.__file__).parent.joinpath(*parts)
    return home(*parts[:2]).joinpath(*parts)


def sources(packed: bytes) -> dict[str, Source] | None:
    """What a packed module was made of: of each name how its file looks; ``None`` if that can't be told.

    That is so where a file has changed since, and where what is packed is not from a collection or Ansible itself.
    """
    found = {}
    with zipfile.ZipFile(io.BytesIO(base64.b64decode(pickle.loads(packed).zip_data))) as archive:  # noqa: S301
        for name in archive.namelist():
            package = name.endswith("/__init__.py")
            if package and name.count("/") < 3:
                continue  # Ansible writes those at the top, whatever they are on this machine
            file = source(name)
            found[name] = look(file)
            if not found[name] and package:
                continue
            if not found[name] or file.read_bytes() != archive.read(name):
                return None
    return found


def surroundings() -> str:
    """What decides, beside the files, which of them a module is made of, as a digest in hexadecimal."""
    collections = {
        path: sorted(str(each) for each in Path(path, "ansible_collections").glob("[!.]*/[!.]*/"))
        for path in AnsibleCollectionConfig.collection_paths
    }
    found = [__version__, ansible.__file__, [each for each in collections.values() if each]]
    return hashlib.sha256(json.dumps(found).encode()).hexdigest()


class Cache:
    """Packed modules, a file each: a line of JSON that says what it was made of, and then itself.

    Those of the same surroundings are in one directory.
    """

    def __init__(self, path: Path, run: Path) -> None:
        """Of the directory of all that is kept, and of this run's.

        Raises:
            PermissionError: Others may write to it.
        """
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = path.lstat()
        if found.st_uid != os.geteuid() or found.st_mode & 0o022:
            raise PermissionError(f"{path} is not this user's alone")
        self.path, self.run = path, run
        self.kept = path / surroundings()
        self.taken: set[str] = set()

    def take(self) -> None:
        """Give the run what is as it would make it."""
        self.kept.mkdir(exist_ok=True)
        os.utime(self.kept)
        self.run.mkdir(parents=True, exist_ok=True)
        for path in self.kept.glob("[!.]*"):
            # What isn't whole is made anew.
            with contextlib.suppress(FileNotFoundError, ValueError), path.open("rb") as file:
                if any(look(source(name)) != was for name, was in json.loads(file.readline()).items()):
                    continue
                (self.run / path.name).write_bytes(file.read())
                self.taken.add(path.name)

    def keep(self) -> None:
        """Keep what the run has made."""
        look.cache_clear()
        for path in self.run.iterdir():
            if path.suffix == ".lock" or path.name in self.taken:
                continue
            packed = path.read_bytes()
            made_of = sources(packed)
            if made_of is None:
                continue
            # Other runs read it meanwhile.
            with tempfile.TemporaryDirectory(dir=self.kept, prefix=".") as place:
                whole = Path(place, path.name)
                with whole.open("wb") as file:
                    file.write(json.dumps(made_of).encode() + b"\n" + packed)
                    file.flush()
                    os.fsync(file.fileno())
                whole.replace(self.kept / path.name)
        for other in self.path.iterdir():
            if time.time() - other.stat().st_mtime > UNUSED_SECONDS:
                shutil.rmtree(other)


class CallbackModule(CallbackBase):
    """Fills Ansible's own cache of packed modules, which it makes for each run, and reads it when the run has ended."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "edusphere.platform.module_cache"
    CALLBACK_NEEDS_ENABLED = True

    cache: Cache | None = None

    def v2_playbook_on_start(self, _playbook: Any) -> None:
        """Before any module runs."""
        try:
            run = Path(constants.DEFAULT_LOCAL_TMP, "ansiballz_cache")  # type: ignore[attr-defined]
            made = Cache(Path(self.get_option("path")), run)
            made.take()
        except OSError as error:
            self._display.warning(f"edusphere.platform.module_cache: packed modules are not kept: {error}")
        else:
            self.cache = made

    def v2_playbook_on_stats(self, _stats: Any) -> None:
        """When all plays have ended."""
        if self.cache:
            try:
                self.cache.keep()
            except OSError as error:
                self._display.warning(f"edusphere.platform.module_cache: packed modules could not be kept: {error}")
