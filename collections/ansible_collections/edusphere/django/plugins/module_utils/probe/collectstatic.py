# Copyright: (c) 2026, EduSphere maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# mypy: allow-untyped-calls
"""Runs inside the project: brings STATIC_ROOT to what Django's finders and storage make of the sources, by content.

A storage that keeps files in a directory never works on the directory that is served: what it makes of the sources is
found out aside (:func:`outcome`), compared, and brought into place (:class:`Work`). Any other storage works on its own
place, by Django's command, and is watched (:func:`collect_elsewhere`).
"""

from __future__ import annotations

import contextlib
import copy
import fcntl
import hashlib
import io
import json
import os
import posixpath
import secrets
import stat
import sys
import tempfile
import time
import types
from pathlib import Path
from typing import Any, Callable, Iterable, Iterator

from ansible_collections.edusphere.django.plugins.module_utils.probe.core import Project, RefusedError, UnknownError

# What manage.py would be called with.
COMMAND = "collectstatic"
# Beginning of the name that a file has in its directory until it is complete and renamed.
INCOMING = ".edusphere-collectstatic-"
# In STATIC_ROOT, so that it lives as long as the files and where they do: the names that the last releases put there.
RECORD = ".edusphere-collectstatic.json"
BLOCK = 1024 * 1024
# Seconds between two attempts to get the lock.
LOCK_INTERVAL = 0.2
# So many of the problems with a directory are told.
PROBLEMS = 10


def run(project: Project, parameters: dict[str, Any]) -> dict[str, Any]:
    """Compare, and outside of check mode bring into place, what ``parameters`` ask for.

    Keys of ``parameters``: ignore (list of glob patterns), prune, keep_releases, lock_wait (seconds).
    """
    command = load_command()
    storage = actual(command.storage)
    root = directory_of(storage)
    sources, duplicates = find(parameters["ignore"])
    if root is None:
        result = collect_elsewhere(project, command, storage, sources, parameters)
    else:
        keep = parameters["keep_releases"] if parameters["prune"] else None
        if parameters["prune"]:
            refuse_to_prune_others(root, sources)
        with tempfile.TemporaryDirectory(prefix=INCOMING) as aside:
            collected, wanted = outcome(command, storage, sources, Path(aside), parameters["ignore"])
            result = bring(project, root, Wanted(storage, collected, wanted), keep, parameters["lock_wait"])
    return {**result, "duplicates": duplicates}


def refuse_to_prune_others(root: Path, sources: dict[str, Source]) -> None:
    """Raise RefusedError where ``root`` holds more than collected files: all that is not collected would be deleted."""
    from django.conf import settings

    others: dict[str, Any] = {"the project itself": Path.cwd(), "MEDIA_ROOT": settings.MEDIA_ROOT}
    for alias, database in settings.DATABASES.items():
        if str(database.get("ENGINE", "")).endswith("sqlite3"):
            others[f"the database {alias}"] = database.get("NAME")
    for source in sources.values():
        location = getattr(source.storage, "location", None)
        others[f"the sources in {location}"] = location
    place = root.resolve()
    found = [what for what, path in others.items() if path and place in (there := Path(path).resolve(), *there.parents)]
    if found:
        raise RefusedError(
            f"prune: STATIC_ROOT {root} also holds {', '.join(found)}, which pruning would delete;"
            " give the collected files a directory of their own"
        )


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


def actual(storage: Any) -> Any:
    """Return the storage itself, if it is a lazy one, made."""
    from django.utils.functional import LazyObject, empty

    if not isinstance(storage, LazyObject):
        return storage
    if storage._wrapped is empty:
        storage._setup()
    return storage._wrapped


def directory_of(storage: Any) -> Path | None:
    """Return the directory that a storage keeps its files in, its manifest as well; None when it does not."""
    from django.core.files.storage import FileSystemStorage

    if not isinstance(storage, FileSystemStorage):
        return None
    if not isinstance(actual(getattr(storage, "manifest_storage", storage)), FileSystemStorage):
        return None
    # The storage says so itself when STATIC_ROOT is not set.
    storage.path("")
    return Path(storage.location).absolute()


class Content:
    """What a file holds: a file at ``path``, some ``data``, or what ``open_`` opens."""

    def __init__(
        self, path: str | None = None, data: bytes | None = None, open_: Callable[[], Any] | None = None
    ) -> None:
        self.path = path
        self.data = data
        self._open = open_

    def open(self) -> Any:
        """Return it as a readable binary file."""
        if self._open:
            return self._open()
        return io.BytesIO(self.data) if self.data is not None else io.FileIO(self.path or "")

    def chunks(self) -> Iterator[bytes]:
        """Yield it in blocks."""
        with self.open() as file:
            while chunk := file.read(BLOCK):
                yield chunk

    def is_in(self, target: str) -> bool:
        """Tell whether a regular file, and no link to one, holds the same."""
        try:
            status = os.lstat(target)
        except (FileNotFoundError, NotADirectoryError):
            return False
        if not stat.S_ISREG(status.st_mode):
            return False
        left = status.st_size
        with self.open() as one:
            if self.data is not None:
                size = len(self.data)
            elif self.path is not None:
                size = os.fstat(one.fileno()).st_size
            else:
                size = left
            if size != left:
                return False
            with io.FileIO(target) as other:
                return equal(one, other, left)


def equal(one: Any, other: Any, size: int) -> bool:
    """Tell whether two binary files hold the same, of which ``size`` bytes are expected."""
    while True:
        # Asking for what is expected and not for a whole block saves making one for each small file.
        ours = one.read(min(size, BLOCK) or 1)
        theirs = other.read(len(ours) or 1)
        while 0 < len(theirs) < len(ours) and (more := other.read(len(ours) - len(theirs))):
            theirs += more
        if ours != theirs:
            return False
        if not ours:
            return True
        size = max(size - len(ours), 0)


def digest(chunks: Iterator[bytes]) -> str:
    """Return the SHA-256 of a content."""
    hasher = hashlib.sha256()
    for chunk in chunks:
        hasher.update(chunk)
    return hasher.hexdigest()


class Source:
    """A file that a finder offers: the finder's storage, its name there, and its content."""

    def __init__(self, storage: Any, name: str) -> None:
        self.storage = storage
        self.name = name

    @property
    def content(self) -> Content:
        """What it holds."""
        from django.core.files.storage import FileSystemStorage

        if is_stock(type(self.storage), FileSystemStorage):
            # What path() returns, without its check for names that lead out of the directory: finders list what is in.
            return Content(path=f"{self.storage.location}/{self.name}")
        try:
            return Content(path=self.storage.path(self.name))
        except NotImplementedError:
            return Content(open_=lambda: self.storage.open(self.name))

    @property
    def place(self) -> str:
        """Where it is, for people."""
        try:
            return str(self.storage.path(self.name))
        except NotImplementedError:
            return f"{type(self.storage).__qualname__}: {self.name}"


def find(ignore: list[str]) -> tuple[dict[str, Source], list[dict[str, Any]]]:
    """Return the source of each file that Django's finders offer, and the names for which there are several.

    As in Django, the first one wins.
    """
    from django.apps import apps
    from django.contrib.staticfiles.finders import get_finders

    patterns = [os.path.normpath(pattern) for pattern in [*ignore, *apps.get_app_config("staticfiles").ignore_patterns]]
    sources: dict[str, Source] = {}
    losers: dict[str, list[str]] = {}
    for finder in get_finders():
        for path, storage in finder.list(patterns):
            prefix = getattr(storage, "prefix", None)
            name = f"{prefix}/{path}" if prefix else path
            source = Source(storage, path)
            if name not in sources:
                sources[name] = source
            # Two finders may find the same file.
            elif source.place not in [sources[name].place, *losers.get(name, [])]:
                losers.setdefault(name, []).append(source.place)
    return sources, [
        {"name": name, "used": sources[name].place, "ignored": ignored} for name, ignored in sorted(losers.items())
    ]


def is_stock(kind: type, *bases: type) -> bool:
    """Tell whether a class is one of ``bases``, or derived from one by classes that hold nothing but settings."""
    if not issubclass(kind, bases):
        return False
    for each in kind.__mro__:
        if each.__module__.split(".")[0] in ("django", "builtins"):
            continue
        for name, value in vars(each).items():
            code = isinstance(value, types.FunctionType) if name.startswith("__") else hasattr(type(value), "__get__")
            # Python 3.14 has a function there for annotations.
            if code and not name.startswith("__annotate"):
                return False
    return True


def outcome(
    command: Any, storage: Any, sources: dict[str, Source], aside: Path, ignore: list[str]
) -> tuple[set[str], dict[str, Content]]:
    """Return the names of the files that are collected, and all files that the project's collectstatic makes.

    The storage may change names and contents as it likes (hashed names, compressed copies), and may fail on a broken
    reference. What is Django's own code is run on a directory that is in memory, anything else on one ``aside``. A
    manifest that has a place of its own goes by its absolute path.
    """
    from django.contrib.staticfiles.management.commands.collectstatic import Command
    from django.core.files.storage import FileSystemStorage

    manifest_storage = actual(getattr(storage, "manifest_storage", storage))
    if (
        command.__class__ is Command
        and is_stock(type(storage), FileSystemStorage)
        and is_stock(type(manifest_storage), FileSystemStorage)
    ):
        return set(sources), rehearse_in_memory(storage, manifest_storage, sources)
    return rehearse_aside(command, storage, manifest_storage, aside, ignore)


def rehearse_in_memory(storage: Any, manifest_storage: Any, sources: dict[str, Source]) -> dict[str, Content]:
    """Return what a storage of Django's own code makes of the sources, without writing anything."""
    contents = {name: source.content for name, source in sources.items()}
    if not hasattr(storage, "post_process"):
        return contents
    double = in_memory(storage, contents)
    if manifest_storage is storage:
        double.manifest_storage = double
        manifests: dict[str, Content] = {}
    else:
        manifests = {}
        double.manifest_storage = in_memory(manifest_storage, manifests)
    found = {name: (source.storage, source.name) for name, source in sources.items()}
    for name, _processed_name, processed in double.post_process(found, dry_run=False):
        if isinstance(processed, Exception):
            sys.stderr.write(f"Post-processing {name!r} failed!\n")
            raise processed
    location = manifest_storage.location
    return {**contents, **{f"{location}/{name}": content for name, content in manifests.items()}}


def in_memory(storage: Any, contents: dict[str, Content]) -> Any:
    """Return a double of a storage that keeps its files in ``contents``."""
    from django.core.files.base import ContentFile

    kind = type(storage)
    paths = {content.path for content in contents.values() if content.path is not None}

    def exists(_self: Any, name: str) -> bool:
        return posixpath.normpath(name) in contents

    def open_(_self: Any, name: str, _mode: str = "rb") -> Any:
        content = contents.get(posixpath.normpath(name))
        if content is None:
            raise FileNotFoundError(name)
        return ContentFile(b"".join(content.chunks()), name=name)

    def save(_self: Any, name: str, content: Any) -> str:
        # A source as it is need not be kept twice.
        path = getattr(content.file, "name", None)
        saved = Content(path=path) if path in paths else Content(data=b"".join(content.chunks()))
        contents[posixpath.normpath(name)] = saved
        return name

    def delete(_self: Any, name: str) -> None:
        contents.pop(posixpath.normpath(name), None)

    double = copy.copy(storage)
    # Its name stands in Django's messages.
    double.__class__ = type(
        kind.__name__,
        (kind,),
        {"__module__": kind.__module__, "exists": exists, "_open": open_, "_save": save, "delete": delete},
    )
    return double


def rehearse_aside(
    command: Any, storage: Any, manifest_storage: Any, aside: Path, ignore: list[str]
) -> tuple[set[str], dict[str, Content]]:
    """Run the project's own collectstatic into an empty directory; see :func:`outcome`."""
    from django.core.management import call_command

    out, manifests = aside / "out", aside / "manifest"
    location = manifest_storage.location
    redirect(storage, out)
    if manifest_storage is not storage:
        redirect(manifest_storage, manifests)
    call_command(
        command, interactive=False, verbosity=1, ignore_patterns=list(ignore), skip_checks=True, post_process=True
    )
    wanted = {name: Content(path=f"{out}/{name}") for name in files_below(out)}
    names = {*command.copied_files, *command.unmodified_files, *command.symlinked_files}
    for name in files_below(manifests) if manifests.exists() else ():
        wanted[f"{location}/{name}"] = Content(path=f"{manifests}/{name}")
    # A storage may have dropped the originals once their copies with hashed names were there.
    return names & set(wanted), wanted


def redirect(storage: Any, directory: Path) -> None:
    """Make a storage keep its files in another directory."""
    directory.mkdir()
    storage._location = str(directory)
    for cached in ("base_location", "location"):
        storage.__dict__.pop(cached, None)
    if Path(storage.path("x")).parent != directory:
        raise RefusedError(
            f"settings: the staticfiles storage {type(storage).__qualname__} has a location of its own making, so it"
            " can't be tried out in another directory; let it take its location from FileSystemStorage"
        )


class Wanted:
    """What a directory is to hold, and how it is to be kept there."""

    def __init__(self, storage: Any, collected: set[str], contents: dict[str, Content]) -> None:
        self.collected = collected
        self.contents = contents
        self.file_mode: int | None = storage.file_permissions_mode
        self.directory_mode: int | None = storage.directory_permissions_mode
        manifest = getattr(storage, "manifest_name", None)
        # The manifest's own place makes an absolute path of its name.
        self.manifests = {name for name in contents.keys() - collected if name == manifest or name.startswith("/")}
        outside = sorted(name for name in contents if name not in self.manifests and is_outside(name))
        if outside:
            raise RefusedError(f"settings: a finder offers names that lead out of STATIC_ROOT: {', '.join(outside)}")


def is_outside(name: str) -> bool:
    """Tell whether a name leads out of the directory that it is to be in."""
    return name.startswith("/") or ".." in name.split("/")


def bring(project: Project, root: Path, wanted: Wanted, keep: int | None, wait: float) -> dict[str, Any]:
    """Compare the directory with what is wanted, and outside of check mode bring the difference into place."""
    with contextlib.ExitStack() as stack:
        if wanted.contents and not project.check_mode and not root.is_dir():
            refuse_if(obstacles(root, ["x"], []))
            make_directories(root, wanted.directory_mode)
        if root.is_dir():
            stack.enter_context(locked(root, fcntl.LOCK_SH if project.check_mode else fcntl.LOCK_EX, wait))
        work = Work(root, wanted, keep)
        refuse_if(obstacles(root, [*work.changed, *([RECORD] if work.recorded else [])], work.deleted))
        result = work.result()
        if result["changed"] and not project.check_mode:
            project.channel.send("writing")
            work.apply()
    return result


class Work:
    """The difference between what is wanted and what a directory holds.

    ``keep`` is None to delete nothing, and otherwise the number of releases whose files stay.
    """

    def __init__(self, root: Path, wanted: Wanted, keep: int | None) -> None:
        self.root = root
        self._wanted = wanted
        names = sorted(wanted.contents)
        present = set(files_below(root)) if root.is_dir() else set()
        # What a run that was killed left behind.
        leftovers = {name for name in present if name.rpartition("/")[2].startswith(INCOMING)}
        self._present = present
        self.changed = [name for name in names if not self._same(name)]
        # A link to a directory counts as a file, but files that are wanted may be behind it.
        self.stale = sorted(present.difference(names, leftovers, [RECORD], directories_of(names)))
        self._record = root / RECORD
        self._releases = self._read_record() if RECORD in present else None
        self._new_releases: list[list[str]] | None = None
        if (keep or 0) > 1 or (self._releases is not None and keep is None):
            # Without a record, all that is there may be of the release before this one.
            before = self._releases if self._releases is not None else [sorted(present - leftovers)] if present else []
            mine = [name for name in names if not name.startswith("/")]
            self._new_releases = [mine, *(release for release in before if release != mine)][:keep]
        kept = {name for release in self._new_releases or () for name in release}
        kept |= directories_of(kept)
        self.deleted = sorted(leftovers)
        if keep is not None:
            self.deleted = sorted(leftovers.union(name for name in self.stale if name not in kept))
            if self._new_releases is None and RECORD in present:
                self.deleted.append(RECORD)

    @property
    def recorded(self) -> bool:
        """Whether the record of releases is to be written."""
        return self._new_releases is not None and self._new_releases != self._releases

    def result(self) -> dict[str, Any]:
        """Return the work as JSON."""
        contents, collected = self._wanted.contents, self._wanted.collected
        before, after = {}, {}
        for name in self.changed:
            after[name] = digest(contents[name].chunks())
        for name in [*self.changed, *self.deleted]:
            if os.path.lexists(self.root / name):
                before[name] = digest(read(self.root / name))
        if self.recorded:
            if RECORD in self._present:
                before[RECORD] = digest(read(self._record))
            after[RECORD] = digest(iter([record(self._new_releases or [])]))
        return {
            "changed": bool(self.changed or self.deleted or self.recorded),
            "root": str(self.root),
            "copied": [name for name in self.changed if name in collected],
            "post_processed": [name for name in self.changed if name not in collected],
            "unchanged": sorted(set(contents).difference(self.changed)),
            "stale": self.stale,
            "deleted": self.deleted,
            "recorded": self.recorded,
            "before": before,
            "after": after,
        }

    def apply(self) -> None:
        """Bring the changed files into place, each by one rename, and then delete what is to go.

        The manifest, which names the others, comes last: a run that is interrupted leaves the old one, and all that
        the old one names.
        """
        wanted = self._wanted
        if self.changed and self._new_releases and self._releases:
            # Should this run be killed, nobody knows which of the two releases was served then: both count as one.
            self._write_record([sorted({*self._releases[0], *self._new_releases[0]}), *self._releases[1:]])
        for name in sorted(self.changed, key=lambda name: (name in wanted.manifests, name)):
            target = self.root / name
            make_directories(target.parent, wanted.directory_mode)
            with replacement(target, wanted.file_mode) as file:
                for chunk in wanted.contents[name].chunks():
                    file.write(chunk)
        if self.recorded:
            self._write_record(self._new_releases or [])
        for name in self.deleted:
            (self.root / name).unlink()
        for directory in {(self.root / name).parent for name in self.deleted}:
            remove_empty(self.root, directory)

    def _same(self, name: str) -> bool:
        content, target = self._wanted.contents[name], f"{self.root}/{name}"
        if name.startswith("/"):
            target = name
        if content.is_in(target):
            return True
        if name not in self._wanted.manifests or not Path(target).is_file() or Path(target).is_symlink():
            return False
        # The order of its entries is that of a directory listing, which is no difference.
        return same_json(b"".join(content.chunks()), Path(target).read_bytes())

    def _read_record(self) -> list[list[str]]:
        try:
            return [[str(name) for name in release] for release in json.loads(self._record.read_bytes())["releases"]]
        except (ValueError, LookupError, TypeError):
            raise RefusedError(
                f"keep_releases: the record {self._record} is damaged; remove it, and all files that are there now"
                " count as one release"
            ) from None

    def _write_record(self, releases: list[list[str]]) -> None:
        # Of no use to anybody else, and a server that runs as another account can't serve it.
        with replacement(self._record, 0o600) as file:
            file.write(record(releases))


def record(releases: list[list[str]]) -> bytes:
    """Return the text of a record."""
    return json.dumps({"releases": releases}).encode("ascii")


@contextlib.contextmanager
def replacement(target: Path, mode: int | None) -> Iterator[Any]:
    """Yield a file that gets to ``target`` by one rename."""
    incoming = target.with_name(INCOMING + secrets.token_hex(8))
    try:
        with incoming.open("wb") as file:
            yield file
        if mode is not None:
            incoming.chmod(mode)
        incoming.replace(target)
    except BaseException:
        incoming.unlink(missing_ok=True)
        raise


def obstacles(root: Path, written: list[str], deleted: list[str]) -> list[str]:
    """Return why files below ``root`` can't be written or deleted."""
    problems = [f"{root / name} is a directory, where a file is to go" for name in written if is_directory(root / name)]
    for directory in sorted({(root / name).parent for name in [*written, *deleted]}):
        there = directory
        while not os.path.lexists(there):
            there = there.parent
        if not there.is_dir():
            problems.append(f"{there} is no directory, and {directory} is to be one")
        elif not os.access(there, os.W_OK | os.X_OK):
            problems.append(f"{there} can't be written to by the account with the number {os.geteuid()}")
    return list(dict.fromkeys(problems))


def is_directory(path: Path) -> bool:
    """Tell whether it is one, and no link to one."""
    return path.is_dir() and not path.is_symlink()


def refuse_if(problems: list[str]) -> None:
    """End with these problems, if there are any."""
    if problems:
        more = [f"and {len(problems) - PROBLEMS} more"] if len(problems) > PROBLEMS else []
        raise RefusedError(
            "settings: STATIC_ROOT can't be brought up to date: " + "; ".join(problems[:PROBLEMS] + more)
        )


def collect_elsewhere(
    project: Project, command: Any, storage: Any, sources: dict[str, Source], parameters: dict[str, Any]
) -> dict[str, Any]:
    """Collect into a storage that keeps its files, or its manifest, in no directory that could be compared.

    Django's own command does it; only whether a file is to be copied is told by its content and not by its date.
    """
    from django.contrib.staticfiles.management.commands.collectstatic import Command
    from django.core.management import call_command

    kind = type(storage).__qualname__
    if parameters["prune"]:
        raise RefusedError(f"prune: the staticfiles storage {kind} does not keep files in a directory of the host")
    stock = command.__class__ is Command
    if project.check_mode and (not stock or hasattr(storage, "post_process")):
        raise UnknownError(
            f"the staticfiles storage {kind} does not keep files in a directory of the host, and makes more than copies"
        )
    watched = Watched(storage, getattr(storage, "manifest_storage", storage))
    if project.check_mode:
        copied = [name for name, source in sources.items() if not stored(storage, name, source)]
        unchanged = set(sources).difference(copied)
    else:

        def delete_file(path: str, name: str, source_storage: Any) -> bool:
            """Stand in for Django's method, which compares dates: tell whether the file is to be copied."""
            if stored(storage, name, Source(source_storage, path)):
                command.unmodified_files.append(name)
                return False
            project.channel.send("writing")
            if storage.exists(name):
                storage.delete(name)
            return True

        if stock:
            command.delete_file = delete_file
        else:
            project.channel.send("writing")
        with watched:
            call_command(
                command,
                interactive=False,
                verbosity=1,
                ignore_patterns=list(parameters["ignore"]),
                skip_checks=True,
                post_process=True,
            )
        copied, unchanged = command.copied_files, set(command.unmodified_files)
    # What it made without its own save() can only be told by what it says.
    made = watched.changed if watched.saved else command.post_processed_files
    post_processed = sorted(set(made).difference(copied))
    return {
        "changed": bool(copied or post_processed),
        "root": None,
        "copied": sorted(copied),
        "post_processed": post_processed,
        "unchanged": sorted(unchanged.difference(post_processed)),
        "stale": None,
        "deleted": [],
        "recorded": False,
        "before": {},
        "after": dict.fromkeys([*copied, *post_processed], ""),
    }


def stored(storage: Any, name: str, source: Source) -> bool:
    """Tell whether a storage holds a file with the content of the source."""
    if not storage.exists(name):
        return False
    with source.content.open() as one, storage.open(name) as other:
        return equal(one, other, BLOCK)


class Watched:
    """While it is entered, notes what storages save and delete, and what was there before."""

    def __init__(self, *storages: Any) -> None:
        self._storages = list({id(actual(storage)): actual(storage) for storage in storages}.values())
        self._before: dict[tuple[int, str], str | None] = {}
        self._after: dict[tuple[int, str], str | None] = {}
        self.saved = False

    @property
    def changed(self) -> list[str]:
        """The names of the files that are there now and had another content, or none, before."""
        return [key[1] for key, now in self._after.items() if now is not None and now != self._before[key]]

    def __enter__(self) -> None:
        for storage in self._storages:
            self._watch(storage, storage._save, storage.delete)

    def __exit__(self, *_error: object) -> None:
        for storage in self._storages:
            del storage._save, storage.delete

    def _watch(self, storage: Any, save: Callable[[str, Any], str], delete: Callable[[str], None]) -> None:
        def note(name: str) -> None:
            key = (id(storage), name)
            if key not in self._before:
                there = Content(open_=lambda: storage.open(name)) if storage.exists(name) else None
                self._before[key] = None if there is None else digest(there.chunks())

        def watched_save(name: str, content: Any) -> str:
            note(name)
            now = digest(content.chunks())
            content.seek(0)
            saved = save(name, content)
            self._before.setdefault((id(storage), saved), None)
            self._after[(id(storage), saved)] = now
            self.saved = True
            return saved

        def watched_delete(name: str) -> None:
            note(name)
            delete(name)
            self._after[(id(storage), name)] = None

        storage._save, storage.delete = watched_save, watched_delete


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
    else:
        yield from Content(path=str(path)).chunks()


def files_below(root: Path) -> list[str]:
    """Return the names, relative to ``root``, of all files and links below it.

    A link to a directory is not followed, and counts as a file.
    """

    def refuse(error: OSError) -> None:
        raise error

    names: list[str] = []
    start = len(str(root)) + 1
    for directory, directories, files in os.walk(root, onerror=refuse):
        prefix = f"{directory}/"[start:]
        names += [prefix + name for name in files]
        names += [prefix + name for name in directories if (Path(directory) / name).is_symlink()]
    return names


def directories_of(names: Iterable[str]) -> set[str]:
    """Return the names of all directories on the way to some names."""
    found: set[str] = set()
    for name in names:
        directory = posixpath.dirname(name)
        while directory and directory not in found:
            found.add(directory)
            directory = posixpath.dirname(directory)
    return found


@contextlib.contextmanager
def locked(root: Path, kind: int, wait: float) -> Iterator[None]:
    """Hold the directory against a second run at the same time; the lock leaves no file and ends with the process.

    Raises RefusedError when that has not ended after ``wait`` seconds.
    """
    descriptor = os.open(root, os.O_RDONLY)
    deadline = time.monotonic() + wait
    try:
        while True:
            try:
                fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise RefusedError(
                        "lock_wait: another process has been collecting into {} for longer than {:g} seconds; wait for"
                        " it to end, or raise lock_wait".format(root, wait)
                    ) from None
                time.sleep(LOCK_INTERVAL)
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
        # Two runs may begin at once.
        directory.mkdir(exist_ok=True)
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
