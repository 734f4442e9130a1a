# Copyright: (c) 2026, EduSphere platform contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# mypy: allow-untyped-calls

"""Modules are packed once, not once a run."""

from __future__ import annotations

DOCUMENTATION = r"""
name: module_cache
type: aggregate
short_description: Keeps packed modules from run to run
description:
  - Before a module runs on a host, Ansible packs it with all the Python that it imports. It does so once a run for each
    module, which is much of what a short run costs the control node. With this plugin it does so once.
  - That goes for modules of ansible-core and of the collections of C(edusphere), as long as none of their files has
    changed. Nothing is kept or taken where a playbook, a role or the configuration has a folder C(module_utils) of its
    own, since what is in it takes the place of Ansible's.
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

import base64
import hashlib
import io
import json
import os
import pickle
import re
import shutil
import tempfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ansible
from ansible import constants
from ansible.plugins.callback import CallbackBase
from ansible.release import __version__
from ansible.utils.collection_loader import AnsibleCollectionConfig  # type: ignore[attr-defined]

CORE = Path(ansible.__file__).parent
NAMESPACE = "edusphere"
# What an earlier version, or a checkout that is gone, has left.
UNUSED_SECONDS = 30 * 86400
# Within the kernel's clock tick a file may change twice and show one time. A tick is 10 ms at the most (HZ=100).
TICKS_NS = 100_000_000


def files() -> Iterator[Path]:
    """Everything that a packed module may be made of, and what packs it."""
    places = [CORE / "modules", CORE / "module_utils", CORE / "_internal/_ansiballz"]
    yield from (CORE / "executor/module_common.py", CORE / "config/ansible_builtin_runtime.yml")
    for path in AnsibleCollectionConfig.collection_paths:
        for collection in sorted(Path(path, "ansible_collections", NAMESPACE).glob("*/")):
            places += [collection / "plugins/modules", collection / "plugins/module_utils"]
            yield collection / "meta/runtime.yml"
    for place in places:
        for directory, _folders, names in os.walk(place):
            yield from (Path(directory, name) for name in names if not name.endswith(".pyc"))


def digest() -> str:
    """Of the files: 64 hexadecimal digits that stay as long as none has changed; empty where one changes just now.

    A time of change (``st_ctime``), unlike one of modification, can't be set.
    """
    found: list[tuple[str, int, int, int]] = []
    latest = 0
    for path in files():
        try:
            seen = os.stat(path)  # noqa: PTH116 # a thousand times a run
        except FileNotFoundError:
            continue
        found.append((str(path), seen.st_size, seen.st_ctime_ns, seen.st_ino))
        latest = max(latest, seen.st_ctime_ns)
    if latest > time.time_ns() - TICKS_NS:
        return ""
    return hashlib.sha256(json.dumps([__version__, sorted(found)]).encode()).hexdigest()


def overridden(playbook: str) -> bool:
    """Whether a folder of somebody's own takes part: a playbook's, as its directory is given, a role's or a user's."""
    # Constants are made as Ansible loads its configuration, where no type checker sees them.
    roles = [*constants.DEFAULT_ROLES_PATH, f"{playbook}/roles"]  # type: ignore[attr-defined]
    places = [*constants.DEFAULT_MODULE_UTILS_PATH, f"{playbook}/module_utils"]  # type: ignore[attr-defined]
    return any(Path(place).is_dir() for place in places) or any(
        place for role in roles for place in Path(role).glob("*/module_utils")
    )


def known(packed: bytes) -> bool:
    """Whether a packed module is made of what ``files`` has, and of nothing else."""
    # Ansible's own pickle, which this very run has written.
    with zipfile.ZipFile(io.BytesIO(base64.b64decode(pickle.loads(packed).zip_data))) as archive:  # noqa: S301
        names = archive.namelist()
    own = re.compile(rf"ansible/(__init__|modules/|module_utils/)|ansible_collections/(__init__|{NAMESPACE}/)")
    return all(own.match(name) for name in names)


def ours(path: Path) -> None:
    """Make a directory, or raise PermissionError where somebody else might write to it."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = path.lstat()
    if found.st_uid != os.geteuid() or found.st_mode & 0o022:
        raise PermissionError(f"{path} is not this user's alone")


def write(path: Path, content: bytes) -> None:
    """Write a file that is whole, or not there, whenever it is looked at."""
    descriptor, name = tempfile.mkstemp(prefix=".", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink()
        raise


class Cache:
    """Packed modules, a file each: the SHA-256 of all that follows, and then what Ansible has in its own cache."""

    def __init__(self, path: Path, run: Path) -> None:
        """Of the directory of all that is kept, and of this run's own cache, which Ansible removes at its end."""
        self.path, self.run = path, run
        self.digest = digest()
        self.taken: set[str] = set()

    @property
    def kept(self) -> Path:
        """Where those are that are made of the files as they are."""
        return self.path / self.digest

    def take(self) -> None:
        """Give the run what it would make."""
        ours(self.path)
        ours(self.kept)
        os.utime(self.kept)
        self.run.mkdir(parents=True, exist_ok=True)
        for path in self.kept.glob("[!.]*"):
            said, packed = (content := path.read_bytes())[:32], content[32:]
            # Else it was cut short.
            if hashlib.sha256(packed).digest() == said:
                write(self.run / path.name, packed)
                self.taken.add(path.name)

    def keep(self) -> None:
        """Keep what the run has made."""
        # What changed meanwhile may be in it or not.
        if digest() == self.digest:
            for path in self.run.glob("[!.]*"):
                if path.suffix != ".lock" and path.name not in self.taken and known(packed := path.read_bytes()):
                    write(self.kept / path.name, hashlib.sha256(packed).digest() + packed)
        for other in self.path.iterdir():
            if re.fullmatch("[0-9a-f]{64}", other.name) and time.time() - other.stat().st_mtime > UNUSED_SECONDS:
                shutil.rmtree(other)


class CallbackModule(CallbackBase):
    """Fills Ansible's own cache of packed modules, which it makes for each run, and reads it when the run has ended."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "edusphere.platform.module_cache"
    CALLBACK_NEEDS_ENABLED = True

    cache: Cache | None = None

    def v2_playbook_on_start(self, playbook: Any) -> None:
        """Before any module runs."""
        if overridden(playbook._basedir):
            return
        try:
            run = Path(constants.DEFAULT_LOCAL_TMP, "ansiballz_cache")  # type: ignore[attr-defined]
            made = Cache(Path(self.get_option("path")), run)
            if made.digest:
                made.take()
                self.cache = made
        except OSError as error:
            self._display.warning(f"edusphere.platform.module_cache: packed modules are not kept: {error}")

    def v2_playbook_on_stats(self, _stats: Any) -> None:
        """When all plays have ended."""
        if self.cache:
            try:
                self.cache.keep()
            except OSError as error:
                self._display.warning(f"edusphere.platform.module_cache: packed modules could not be kept: {error}")
