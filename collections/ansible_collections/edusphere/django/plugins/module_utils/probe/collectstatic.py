# Copyright: (c) 2026, EduSphere maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# mypy: allow-untyped-calls
"""Runs inside the project: brings STATIC_ROOT to what Django's finders and storage make of the sources, by content."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any, Iterator

from ansible_collections.edusphere.django.plugins.module_utils.probe.core import Project, RefusedError

# What manage.py would be called with.
COMMAND = "collectstatic"
# Beginning of the name of the working directory in STATIC_ROOT: on its file system, so that files get to their places
# by rename.
STAGING = ".edusphere-collectstatic-"
BLOCK = 1024 * 1024


def run(project: Project, parameters: dict[str, Any]) -> dict[str, Any]:
    """Compare, and outside of check mode bring into place, what ``parameters`` ask for.

    Keys of ``parameters``: ignore (list of glob patterns), prune.
    """
    command = load_command()
    storage, root = destination(command)
    file_mode, directory_mode = storage.file_permissions_mode, storage.directory_permissions_mode
    with contextlib.ExitStack() as stack:
        if not project.check_mode:
            make_directories(root, directory_mode)
            stack.enter_context(locked(root))
            # What an earlier run that was killed left behind.
            for directory in root.glob(STAGING + "*"):
                shutil.rmtree(directory)

        def staging() -> Path:
            place = None if project.check_mode else root
            return Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=STAGING, dir=place)))

        if copies_only(command, storage):
            collected = wanted = found(parameters["ignore"])
        else:
            collected, wanted = rehearse(command, storage, staging(), parameters["ignore"])
        work = Work(root, collected, wanted, getattr(storage, "manifest_name", None), parameters["prune"])
        result = work.result()
        if result["changed"] and not project.check_mode:
            project.channel.send("writing")
            work.apply(staging(), file_mode, directory_mode)
    return result


def load_command() -> Any:
    """Return the project's collectstatic command."""
    from django.core.checks import Tags
    from django.core.management import get_commands, load_command_class

    commands = get_commands()
    if "collectstatic" not in commands:
        raise RefusedError("settings: INSTALLED_APPS lacks django.contrib.staticfiles, so there is nothing to collect")
    command: Any = commands["collectstatic"]
    if isinstance(command, str):
        command = load_command_class(command, "collectstatic")
    command.check(tags=[Tags.staticfiles])
    return command


def destination(command: Any) -> tuple[Any, Path]:
    """Return the storage behind STATIC_ROOT and its directory."""
    from django.core.files.storage import FileSystemStorage

    storage = command.storage
    if not isinstance(storage, FileSystemStorage):
        raise RefusedError(
            "settings: the staticfiles storage {} does not keep files in a directory of the host;"
            " collecting into others is not supported".format(type(getattr(storage, "_wrapped", storage)).__qualname__)
        )
    manifest_storage = getattr(storage, "manifest_storage", None)
    if manifest_storage is not None and manifest_storage is not getattr(storage, "_wrapped", storage):
        raise RefusedError("settings: a staticfiles storage whose manifest_storage is another storage is not supported")
    # The storage says so itself when STATIC_ROOT is not set.
    storage.path("")
    return storage, Path(storage.location).absolute()


def copies_only(command: Any, storage: Any) -> bool:
    """Tell whether a run would store each source byte for byte under its own name, and nothing else."""
    from django.contrib.staticfiles.management.commands.collectstatic import Command
    from django.contrib.staticfiles.storage import StaticFilesStorage
    from django.core.files.storage import FileSystemStorage

    # Not isinstance(): what is derived from them may do more.
    kind = type(getattr(storage, "_wrapped", storage))
    return command.__class__ is Command and kind in (StaticFilesStorage, FileSystemStorage)


def found(ignore: list[str]) -> dict[str, Source]:
    """Return the source of each file that Django's finders offer; of several for one name, the first wins."""
    from django.apps import apps
    from django.contrib.staticfiles.finders import get_finders

    patterns = [os.path.normpath(pattern) for pattern in [*ignore, *apps.get_app_config("staticfiles").ignore_patterns]]
    sources: dict[str, Source] = {}
    for finder in get_finders():
        for path, storage in finder.list(patterns):
            prefix = getattr(storage, "prefix", None)
            name = f"{prefix}/{path}" if prefix else path
            sources.setdefault(name, Source(storage, path))
    return sources


def rehearse(
    command: Any, storage: Any, staging: Path, ignore: list[str]
) -> tuple[dict[str, Source], dict[str, Source]]:
    """Run the project's own collectstatic into an empty directory; return what was collected, and all that came out.

    The storage may change names and contents as it likes (hashed names, compressed copies), and may fail on a broken
    reference: the directory that is being served does not see any of it.
    """
    from django.core.files.storage import FileSystemStorage
    from django.core.management import call_command

    out = staging / "out"
    out.mkdir()
    storage._location = str(out)
    for cached in ("base_location", "location"):
        getattr(storage, "_wrapped", storage).__dict__.pop(cached, None)
    call_command(
        command, interactive=False, verbosity=1, ignore_patterns=list(ignore), skip_checks=True, post_process=True
    )
    stage = FileSystemStorage(location=out)
    wanted = {name: Source(stage, name) for name in files_below(out)}
    names = {*command.copied_files, *command.unmodified_files, *command.symlinked_files}
    # A storage may have dropped the originals once their copies with hashed names were there.
    return {name: wanted[name] for name in names if name in wanted}, wanted


class Source:
    """A file as a storage of Django holds it."""

    def __init__(self, storage: Any, name: str) -> None:
        self.storage = storage
        self.name = name

    @property
    def path(self) -> Path | None:
        """Where the file is, or None where the storage does not keep it in a directory."""
        try:
            return Path(self.storage.path(self.name))
        except NotImplementedError:
            return None

    def chunks(self) -> Iterator[bytes]:
        """Yield the content."""
        with self.storage.open(self.name) as file:
            while chunk := file.read(BLOCK):
                yield chunk


class Work:
    """The difference between what is wanted and what STATIC_ROOT holds."""

    def __init__(
        self, root: Path, collected: dict[str, Source], wanted: dict[str, Source], manifest: str | None, prune: bool
    ) -> None:
        self.root = root
        self.wanted = wanted
        self.prune = prune
        self.manifest = manifest
        present = set(files_below(root))
        self.changed = sorted(name for name in wanted if not self._same(name))
        self.copied = [name for name in self.changed if name in collected]
        self.post_processed = [name for name in self.changed if name not in collected]
        self.unchanged = sorted(set(wanted).difference(self.changed))
        self.stale = sorted(present.difference(wanted))
        self.deleted = self.stale if prune else []
        self._present = present

    def result(self) -> dict[str, Any]:
        """Return the work as JSON."""
        before, after = {}, {}
        for name in self.changed:
            after[name] = digest(self.wanted[name].chunks())
        for name in [*self.changed, *self.deleted]:
            if name in self._present:
                before[name] = digest(read(self.root / name))
        return {
            "changed": bool(self.changed or self.deleted),
            "root": str(self.root),
            "copied": self.copied,
            "post_processed": self.post_processed,
            "unchanged": self.unchanged,
            "stale": self.stale,
            "deleted": self.deleted,
            "before": before,
            "after": after,
        }

    def apply(self, staging: Path, file_mode: int | None, directory_mode: int | None) -> None:
        """Bring the changed files into place, each by one rename, and then delete what is to go.

        The manifest, which names the others, comes last: a run that is interrupted leaves the old one, and all that
        the old one names.
        """
        incoming = staging / "in"
        for name in sorted(self.changed, key=lambda name: (name == self.manifest, name)):
            target = self.root / name
            make_directories(target.parent, directory_mode)
            with incoming.open("wb") as file:
                for chunk in self.wanted[name].chunks():
                    file.write(chunk)
            if file_mode is not None:
                incoming.chmod(file_mode)
            incoming.replace(target)
        for name in self.deleted:
            (self.root / name).unlink()
        for directory in {(self.root / name).parent for name in self.deleted}:
            remove_empty(self.root, directory)

    def _same(self, name: str) -> bool:
        target = self.root / name
        if target.is_symlink() or not target.is_file():
            return False
        source = self.wanted[name]
        if name == self.manifest:
            # The order of its entries is that of a directory listing, which is no difference.
            return same_json(b"".join(source.chunks()), target.read_bytes())
        path = source.path
        if path is not None and path.stat().st_size != target.stat().st_size:
            return False
        return digest(source.chunks()) == digest(read(target))


def same_json(one: bytes, other: bytes) -> bool:
    """Tell whether two texts are the same JSON."""
    try:
        return bool(json.loads(one) == json.loads(other))
    except ValueError:
        return one == other


def read(path: Path) -> Iterator[bytes]:
    """Yield the content of a file; of a symbolic link, where it leads."""
    if path.is_symlink():
        yield b"link to " + os.fsencode(path.readlink())
        return
    with path.open("rb") as file:
        while chunk := file.read(BLOCK):
            yield chunk


def digest(chunks: Iterator[bytes]) -> str:
    """Return the SHA-256 of a content."""
    hasher = hashlib.sha256()
    for chunk in chunks:
        hasher.update(chunk)
    return hasher.hexdigest()


def files_below(root: Path) -> list[str]:
    """Return the names, relative to ``root``, of all files and links below it, without our working directories."""
    names = []
    for directory, directories, files in os.walk(root):
        if directory == str(root):
            directories[:] = [name for name in directories if not name.startswith(STAGING)]
        here = Path(directory)
        links = [name for name in directories if (here / name).is_symlink()]
        names += [(here / name).relative_to(root).as_posix() for name in [*files, *links]]
    return names


@contextlib.contextmanager
def locked(root: Path) -> Iterator[None]:
    """Hold the directory against a second run at the same time; the lock leaves no file and ends with the process."""
    descriptor = os.open(root, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def make_directories(path: Path, mode: int | None) -> None:
    """Make a directory and those above it, where they are missing."""
    missing = []
    while not path.is_dir():
        missing.append(path)
        path = path.parent
    for directory in reversed(missing):
        directory.mkdir()
        if mode is not None:
            directory.chmod(mode)


def remove_empty(root: Path, directory: Path) -> None:
    """Remove a directory and those above it, up to ``root``, as far as they are empty."""
    while directory != root:
        if directory.is_dir():
            if any(directory.iterdir()):
                return
            directory.rmdir()
        directory = directory.parent
