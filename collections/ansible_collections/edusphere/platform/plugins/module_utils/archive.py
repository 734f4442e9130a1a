# Copyright: (c) 2026, EduSphere platform contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What may be unpacked of an archive that somebody else has made: files, directories and links that stay inside."""

from __future__ import annotations

import datetime
import fnmatch
import lzma
import os
import shutil
import stat
import tarfile
import typing as t
import zipfile
import zlib
from pathlib import Path, PurePosixPath

# As many links as Linux follows in a path.
LINKS = 40
TAR_KINDS = {
    tarfile.DIRTYPE: "directory",
    tarfile.SYMTYPE: "link",
    tarfile.LNKTYPE: "hard link",
    tarfile.CHRTYPE: "character device",
    tarfile.BLKTYPE: "block device",
    tarfile.FIFOTYPE: "FIFO",
}
ZIP_KINDS = {
    stat.S_IFDIR: "directory",
    stat.S_IFLNK: "link",
    stat.S_IFCHR: "character device",
    stat.S_IFBLK: "block device",
    stat.S_IFIFO: "FIFO",
    stat.S_IFSOCK: "socket",
}


class Member(t.NamedTuple):
    """One member of an archive."""

    name: str
    """As the archive has it, or as it is after leading directories were dropped."""
    kind: str
    target: str = ""
    """Where a link leads, as it is written into it; the member's name of a hard link."""
    mode: int = 0o644
    mtime: float = 0


LONGEST_PATH = 4096
# As many problems are told.
TOLD = 20
# What reading a damaged or an encrypted archive may raise.
BROKEN = (
    EOFError,
    OSError,
    OverflowError,
    RuntimeError,
    ValueError,
    lzma.LZMAError,
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
)


class NoArchiveError(Exception):
    """A file that is none of the archives that are known."""

    def __init__(self, path: object, reason: object) -> None:
        super().__init__(
            "%s is no tar archive, as it is or with gzip, bzip2 or xz, and no zip archive: %s" % (path, reason)
        )


class RefusedError(Exception):
    """Members that stand in the way of unpacking an archive."""

    def __init__(self, path: object, problems: t.List[str]) -> None:
        more = len(problems) - TOLD
        lines = ["%s can't be unpacked. Make the archive without:" % path, *problems[:TOLD]]
        super().__init__("\n".join(lines + (["and %d more" % more] if more > 0 else [])))
        self.problems = problems


def stripped(members: t.Iterable[Member], count: int) -> t.List[t.Optional[Member]]:
    """The members without ``count`` leading directories of their names; None for those that have no more."""

    def rest(name: str) -> str:
        # A name from the root or with a way up stays what it is, for its judge to see.
        parts = [part for part in name.split("/") if part not in ("", ".")]
        return name if name.startswith("/") or ".." in parts else "/".join(parts[count:])

    found: t.List[t.Optional[Member]] = []
    for member in members:
        name = rest(member.name)
        target = rest(member.target) if member.kind == "hard link" else member.target
        found.append(member._replace(name=name, target=target) if name else None)
    return found


def judge(members: t.Sequence[Member], outside: t.Sequence[str] = ()) -> t.List[str]:
    """All that stands in the way of unpacking ``members``, by their names.

    Links whose names match one of the patterns ``outside`` may lead out.
    """
    problems: t.List[str] = []
    kinds: t.Dict[str, str] = {}
    links = {member.name: member.target for member in members if member.kind == "link"}
    for member in members:
        problems += ("%s %s" % (shown(member.name), problem) for problem in _member(member, kinds, links, outside))
        before = kinds.setdefault(member.name, member.kind)
        if before != member.kind:
            problems.append("%s is there twice, as %s and as %s" % (shown(member.name), before, member.kind))
    for name in kinds:
        above = next((str(path) for path in _above(name) if kinds.get(str(path), "directory") != "directory"), "")
        if above:
            problems.append("%s is below %s, which is a %s" % (shown(name), shown(above), kinds[above]))
    return list(dict.fromkeys(problems))


def _above(name: str) -> t.List[PurePosixPath]:
    """The directories above a member, the highest first."""
    return list(PurePosixPath(name).parents)[-2::-1]


def _member(
    member: Member, kinds: t.Mapping[str, str], links: t.Mapping[str, str], outside: t.Sequence[str]
) -> t.Iterator[str]:
    """What is wrong with one member, where ``kinds`` are those before it and ``links`` all of the archive's."""
    if member.name.startswith("/"):
        yield "is an absolute path"
    elif ".." in member.name.split("/"):
        yield "leads out of the archive"
    if "\0" in member.name + member.target:
        yield "has a null character in its name"
    if member.kind == "file" and member.mode & (stat.S_ISUID | stat.S_ISGID):
        yield "is %s" % ("setuid" if member.mode & stat.S_ISUID else "setgid")
    elif member.kind == "hard link" and kinds.get(member.target) != "file":
        yield "is a hard link to %s, which is no file before it in the archive" % shown(member.target)
    elif member.kind == "link":
        permitted = any(fnmatch.fnmatchcase(member.name, pattern) for pattern in outside)
        if not permitted and leads_out(member.name, member.target, links):
            yield "is a link that leads out of the archive (to %s)" % shown(member.target)
    elif member.kind not in ("file", "directory", "hard link"):
        yield "is a %s" % member.kind


def leads_out(name: str, target: str, links: t.Mapping[str, str]) -> bool:
    """Whether a link gets out of the archive's root, by itself or by other links that it leads through."""
    here = name.split("/")[:-1]
    ahead = target.split("/")
    followed = 0
    if target.startswith("/"):
        return True
    while ahead:
        part = ahead.pop(0)
        if part in ("", "."):
            continue
        if part == "..":
            if not here:
                return True
            here.pop()
            continue
        here.append(part)
        onward = links.get("/".join(here))
        if onward is not None:
            followed += 1
            if onward.startswith("/"):
                return True
            if followed > LINKS:
                return False  # Round and round: it leads nowhere.
            here.pop()
            ahead = onward.split("/") + ahead
    return False


def shown(name: str) -> str:
    """A name for people: in quotes where it has characters that don't show."""
    return name if name.isprintable() and name == name.strip() and name else repr(name)


class TarArchive:
    """A tar archive, compressed or not."""

    def __init__(self, path: Path) -> None:
        self._tar = tarfile.open(path)  # noqa: SIM115 - as long as the module runs
        self._infos = self._tar.getmembers()

    def members(self) -> t.List[Member]:
        """Its members, in their order."""
        return [Member(info.name, self._kind(info), info.linkname, info.mode, info.mtime) for info in self._infos]

    @staticmethod
    def _kind(info: tarfile.TarInfo) -> str:
        return "file" if info.isreg() else TAR_KINDS.get(info.type, "member of an unknown kind")

    def content(self, number: int) -> t.IO[bytes]:
        """What the file holds that is the member of that number."""
        return tarfile.ExFileObject(self._tar, self._infos[number])


class ZipArchive:
    """A zip archive."""

    def __init__(self, path: Path) -> None:
        self._zip = zipfile.ZipFile(path)
        self._infos = self._zip.infolist()

    def members(self) -> t.List[Member]:
        """Its members, in their order."""
        return [self._member(number, info) for number, info in enumerate(self._infos)]

    def _member(self, number: int, info: zipfile.ZipInfo) -> Member:
        mode = info.external_attr >> 16
        kind = "directory" if info.is_dir() else ZIP_KINDS.get(stat.S_IFMT(mode), "file")
        target = ""
        if kind == "link":
            with self.content(number) as content:
                target = os.fsdecode(content.read(LONGEST_PATH))
        return Member(info.filename.rstrip("/"), kind, target, stat.S_IMODE(mode) or 0o644, _seconds(info.date_time))

    def content(self, number: int) -> t.IO[bytes]:
        """What the file holds that is the member of that number."""
        return self._zip.open(self._infos[number])


Archive = t.Union[TarArchive, ZipArchive]


def open_archive(path: Path) -> Archive:
    """Open an archive; NoArchiveError where it is none."""
    try:
        # A tar archive may end with a zip archive, and would then pass for one.
        return TarArchive(path)
    except BROKEN as error:
        if not zipfile.is_zipfile(path):
            raise NoArchiveError(path, error) from error
    try:
        return ZipArchive(path)
    except BROKEN as error:
        raise NoArchiveError(path, error) from error


def judged(archive: Archive, path: Path, strip: int, outside: t.Sequence[str] = ()) -> t.List[t.Optional[Member]]:
    """The members of the archive at ``path`` as they are to be unpacked; RefusedError where any may not be."""
    members = stripped(archive.members(), strip)
    kept = [member for member in members if member]
    if not kept:
        raise NoArchiveError(path, "nothing is left of its paths without %d leading directories" % strip)
    problems = judge(kept, outside)
    if problems:
        raise RefusedError(path, problems)
    return members


def write(archive: Archive, members: t.Sequence[t.Optional[Member]], place: Path) -> None:
    """Write ``members``, which are those of the archive as they were judged, below the empty directory ``place``.

    Of their modes only counts whether a file may be executed, whatever the umask is.
    """
    for number, member in enumerate(members):
        if member is None:
            continue
        path = place / member.name
        for above in _above(member.name):
            _directory(place / above)
        if member.kind == "directory":
            _directory(path)
            continue
        if os.path.lexists(path):
            path.unlink()
        if member.kind == "link":
            path.symlink_to(member.target)
        elif member.kind == "hard link":
            os.link(place / member.target, path)
        else:
            with archive.content(number) as content, path.open("xb") as stream:
                shutil.copyfileobj(content, stream)
            path.chmod(0o755 if member.mode & stat.S_IXUSR else 0o644)
            os.utime(path, (member.mtime, member.mtime))


def _directory(path: Path) -> None:
    """Make a directory that everybody may read, where it is not there yet."""
    if not path.is_dir():
        path.mkdir()
        path.chmod(0o755)


def _seconds(moment: t.Tuple[int, int, int, int, int, int]) -> float:
    """A zip member's time, which has no zone, as if it were UTC; the first one that there is instead of a wrong one."""
    try:
        return datetime.datetime(*moment, tzinfo=datetime.timezone.utc).timestamp()
    except ValueError:
        return datetime.datetime(1980, 1, 1, tzinfo=datetime.timezone.utc).timestamp()
