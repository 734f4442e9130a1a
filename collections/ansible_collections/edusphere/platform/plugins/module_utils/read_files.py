# Copyright: (c) 2026, EduSphere platform contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files that a running process has read, against those that are there now.

They are compared with a record of their digests, made when the process had read them.  Where somebody else started
the process there is none; then their change times are compared with the time it was started.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import typing as t
from pathlib import Path

# Systemd's generators write these unit files anew, with the same content, at every daemon-reload: their times say
# nothing.
GENERATED_PREFIX = "/run/systemd/generator"

# The kernel stamps files with its coarse clock, which lags by up to one tick (10 ms at the lowest CONFIG_HZ, 100).
CLOCK_TICK = 0.01


class Entry(t.NamedTuple):
    """One path that a process depends on."""

    digest: str
    """Of content, mode and owner; of the target for a symbolic link to a directory."""
    changed: float
    """When it last changed (``st_ctime``): seconds since the epoch."""


Files = t.Dict[str, Entry]


def start_time(
    wall: t.Optional[float], monotonic: t.Optional[float], now: float, now_monotonic: float
) -> t.Optional[float]:
    """When a process began to start, on the clock that stamps files; all in seconds.

    ``wall`` is what the clock said then.  If the clock was set since, files written in the meantime carry times that
    do not compare with it; the way back from now by the monotonic clock shows that.  The earlier of the two is taken,
    so that doubt ends in a restart or a reload and never in a process that runs old files.
    """
    if wall is None or not monotonic:
        return wall
    return min(wall, now - (now_monotonic - monotonic))


def compare(before: t.Mapping[str, str], now: Files) -> t.List[str]:
    """How the files differ from the recorded digests, in words."""
    differences = []
    for path in sorted(set(before) | set(now)):
        if path not in now:
            differences.append("%s was removed" % path)
        elif path not in before:
            differences.append("%s was added" % path)
        elif before[path] != now[path].digest:
            differences.append("%s changed" % path)
    return differences


def newer(started: t.Optional[float], files: Files, before: t.Mapping[str, str]) -> t.List[str]:
    """Which files changed after ``started``, in words; ``before`` names those that a record knows."""
    if started is None:
        return ["it is unknown when it was started: its files may have changed"]
    differences = []
    for path in sorted(set(files) | set(before)):
        if path in files:
            if not path.startswith(GENERATED_PREFIX) and files[path].changed >= started - CLOCK_TICK:
                differences.append("%s changed" % path)
        elif _directory_time(path) >= started - CLOCK_TICK:
            differences.append("%s was removed" % path)
    return differences


def _directory_time(path: str) -> float:
    """When the nearest directory above ``path`` that exists last changed."""
    for parent in Path(path).parents:
        try:
            return parent.stat().st_ctime
        except OSError:
            continue
    return 0.0


def listing(differences: t.List[str], most: int = 5) -> str:
    rest = len(differences) - most
    return "; ".join(differences[:most]) + ("; and %d more" % rest if rest > 0 else "")


def survey(paths: t.Iterable[str]) -> Files:
    """The files behind ``paths``: files, directories (with all below them) and glob patterns.

    A symbolic link to a file counts as that file.  One to a directory counts by where it leads, and what is in the
    directory does not; a path that ends in a slash counts the contents as well.  ``__pycache__`` is left out: it
    follows from the sources.  What does not exist is simply not in the answer.
    """
    files: Files = {}
    for path in paths:
        if "*" not in path and "?" not in path and "[" not in path:
            _add(files, Path(path), _links_above(Path(path)), contents=path.endswith("/"))
            continue
        directory = Path(re.split(r"[*?[]", path, maxsplit=1)[0] + "_").parent
        if directory.is_dir():
            # A file that leaves the directory leaves its trace there, and in no file that the pattern still finds.
            files["%s/" % directory] = Entry("the directory of %s" % path, directory.stat().st_ctime)
        for found in sorted(Path("/").glob(path.lstrip("/"))):
            _add(files, found, _links_above(found))
    return files


def _add(files: Files, path: Path, since: float, contents: bool = False) -> None:
    """Add ``path`` and all below it; ``since`` is when the way to it last changed."""
    is_link = path.is_symlink()
    try:
        since = max(since, path.lstat().st_ctime)
        if is_link and path.is_dir() and not contents:
            files[str(path)] = Entry("-> %s" % path.resolve(), since)
            return
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        if is_link:  # It leads nowhere, which is worth remembering.
            files[str(path)] = Entry("-> %s" % path.readlink(), since)
        return
    changed = max(since, status.st_ctime)
    # Mode and owner count: what makes a task report a change has to make a difference here, or check mode would not
    # predict what a run does.
    rights = "%o %d %d" % (status.st_mode, status.st_uid, status.st_gid)
    if stat.S_ISREG(status.st_mode):
        files[str(path)] = Entry("%s %s" % (rights, _sha256(path)), changed)
    elif stat.S_ISDIR(status.st_mode):
        files[str(path)] = Entry(rights, changed)
        for inner in sorted(path.iterdir()):
            if inner.name != "__pycache__":
                _add(files, inner, since if is_link else 0.0)


def _links_above(path: Path) -> float:
    """When the youngest symbolic link among the directories above ``path`` was made; 0 without one."""
    return max((parent.lstat().st_ctime for parent in path.parents if parent.is_symlink()), default=0.0)


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        for block in iter(lambda: stream.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def digests(files: Files) -> t.Dict[str, str]:
    """Path to digest, as a record keeps it."""
    return {path: entry.digest for path, entry in files.items()}


def write_record(path: str, text: str) -> None:
    """Keep ``text``, readable by root alone; it appears whole or not at all."""
    target = Path(path)
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = target.with_name(target.name + ".new")
    new.unlink(missing_ok=True)
    descriptor = os.open(str(new), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text)
    new.replace(target)
