#!/usr/bin/python
# Copyright: (c) 2026, EduSphere platform contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# mypy: allow-untyped-calls

from __future__ import annotations

DOCUMENTATION = r"""
module: source_archive
short_description: Pack a source folder into a reproducible archive
version_added: 0.1.0
author:
  - EduSphere platform contributors (!UNKNOWN)
description:
  - Packs a folder into a gzipped tar whose bytes follow from the folder's contents alone, and computes their digest.
    Paths, contents, whether a file is executable, and symbolic links count. Times, owners and other modes do not.
  - In a git work tree the files are those that git knows, together with new ones that it does not ignore, so that the
    project's own C(.gitignore) decides. Elsewhere, in a folder that the work tree ignores, and where git is not
    installed, all files are taken. O(exclude) applies in both cases.
  - It is meant to run on the control node (C(delegate_to=localhost)).
attributes:
  check_mode:
    description: Computes the digest, writes nothing.
    support: full
  diff_mode:
    description: An archive has no readable difference.
    support: none
options:
  path:
    description: The folder.
    type: path
    required: true
  dest:
    description:
      - The archive to write. Its folder is made where it is missing.
      - When it is not given, only the digest is computed.
    type: path
  exclude:
    description:
      - Shell patterns of what to leave out. A pattern without a slash is matched against each name on the way to a
        file, one with a slash against the path from the folder. A match leaves out all that is below.
    type: list
    elements: str
    default:
      - .git
      - .hg
      - .svn
      - .venv
      - node_modules
      - __pycache__
      - "*.pyc"
      - .mypy_cache
      - .pytest_cache
      - .ruff_cache
      - .DS_Store
"""

EXAMPLES = r"""
- name: Pack the source
  edusphere.platform.source_archive:
    path: "{{ edusphere_app_source }}"
    dest: "{{ __release_cache }}/source.tar.gz"
  delegate_to: localhost
  become: false
  run_once: true
  register: __release_source
"""

RETURN = r"""
digest:
  description: The SHA-256 of the contents, in hexadecimal.
  returned: success
  type: str
files:
  description: How many files and symbolic links there are.
  returned: success
  type: int
listed_by:
  description: Who said which files there are, V(git) or V(walk).
  returned: success
  type: str
dest:
  description: The archive.
  returned: success
  type: str
"""

import fnmatch
import gzip
import hashlib
import io
import os
import stat
import tarfile
import typing as t
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

# The oldest time that a zip file can hold, 1980-01-01: Python's build tools refuse older sources.
EPOCH = 315532800


class SourceError(Exception):
    """A problem whose text is meant for the operator."""


def excluded(path: str, patterns: t.Sequence[str]) -> bool:
    """Whether ``path``, relative to the folder, or a directory above it matches one of ``patterns``."""
    parts = path.split("/")
    for depth, name in enumerate(parts, start=1):
        above = "/".join(parts[:depth])
        for pattern in patterns:
            if fnmatch.fnmatchcase(above if "/" in pattern else name, pattern.strip("/")):
                return True
    return False


def walk(folder: Path, patterns: t.Sequence[str], prefix: str = "") -> t.Iterator[str]:
    """The paths, relative to the first folder, of all files and symbolic links below ``folder``."""
    for entry in sorted(folder.iterdir()):
        path = prefix + entry.name
        if excluded(path, patterns):
            continue
        if entry.is_dir() and not entry.is_symlink():
            yield from walk(entry, patterns, path + "/")
        else:
            yield path


def git_files(module: AnsibleModule, folder: Path) -> t.Optional[t.List[str]]:
    """What git has or would take in ``folder``; ``None`` where git has no say.

    A submodule, or a repository inside this one, is listed as a directory.
    """
    git = module.get_bin_path("git")
    if git is None:
        return None
    # The operator names this folder: another owner, as under sudo, is no reason to refuse. Nothing of the repository's
    # own configuration is to run.
    command = [git, "-c", "safe.directory=*", "-c", "core.fsmonitor=false", "-C", str(folder)]
    # 0: the folder is ignored, 1: it is not, 128: there is no work tree.
    if module.run_command([*command, "check-ignore", "--quiet", "."])[0] != 1:
        return None
    rc, out, err = module.run_command(
        [*command, "ls-files", "--cached", "--others", "--exclude-standard", "-z"], errors="surrogateescape"
    )
    if rc != 0:
        raise SourceError("git cannot list the files of %s: %s" % (folder, err.strip()))
    return sorted({path.rstrip("/") for path in out.split("\0") if path})


def listing(module: AnsibleModule, folder: Path, patterns: t.Sequence[str]) -> t.Tuple[t.List[str], str]:
    """The sorted paths of the source's files, and who listed them."""
    known = git_files(module, folder)
    if known is None:
        return sorted(walk(folder, patterns)), "walk"
    paths: t.List[str] = []
    for path in known:
        inner = folder / path
        if excluded(path, patterns):
            continue
        if inner.is_symlink() or inner.is_file():
            paths.append(path)
        elif inner.is_dir():
            paths += ["%s/%s" % (path, name) for name in listing(module, inner, patterns)[0]]
        elif inner.exists():
            paths.append(path)  # Refused below, by name; what git knows and is no longer there is simply gone.
    return sorted(paths), "git"


def check(folder: Path, paths: t.Sequence[str]) -> None:
    """Raise :class:`SourceError` for what an archive cannot carry to another machine."""
    root = folder.resolve()
    problems = []
    for path in paths:
        file = folder / path
        if file.is_symlink():
            target = str(file.readlink())
            end = (file.parent / target).resolve()
            if target.startswith("/") or not (end == root or root in end.parents):
                problems.append("%s is a symbolic link that leads out of the folder (to %s)" % (path, target))
        elif not file.is_file():
            problems.append("%s is neither a file nor a symbolic link" % path)
    if problems:
        raise SourceError("path: %s cannot be packed: %s" % (folder, "; ".join(problems)))


def members(folder: Path, paths: t.Sequence[str]) -> t.Iterator[t.Tuple[tarfile.TarInfo, bytes]]:
    """The archive's members and their contents, with all that does not count set to one value."""
    for path in paths:
        file = folder / path
        info = tarfile.TarInfo(path)
        info.mtime = EPOCH
        content = b""
        if file.is_symlink():
            info.type, info.linkname, info.mode = tarfile.SYMTYPE, str(file.readlink()), 0o777
        else:
            content = file.read_bytes()
            info.size = len(content)
            info.mode = 0o755 if file.stat().st_mode & stat.S_IXUSR else 0o644
        yield info, content


class Sink(io.RawIOBase):
    """Takes bytes, keeps their SHA-256, and passes them on to ``target`` if there is one."""

    def __init__(self, target: t.Optional[t.BinaryIO] = None) -> None:
        super().__init__()
        self.digest = hashlib.sha256()
        self._target = target

    def writable(self) -> bool:
        return True

    def write(self, data: t.Any) -> int:
        self.digest.update(data)
        if self._target is not None:
            self._target.write(data)
        return len(data)


def pack(folder: Path, paths: t.Sequence[str], target: t.Optional[t.BinaryIO]) -> t.Tuple[str, str]:
    """Write the archive to ``target``; the digest of the contents, and that of the archive's bytes."""
    contents, archive = hashlib.sha256(), Sink(target)
    with (
        gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=archive, mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for info, content in members(folder, paths):
            tar.addfile(info, io.BytesIO(content))
            for part in (os.fsencode(info.name), info.type, b"%o" % info.mode, os.fsencode(info.linkname), content):
                contents.update(b"%d:" % len(part) + part)
    return contents.hexdigest(), archive.digest.hexdigest()


def run(module: AnsibleModule) -> t.Dict[str, t.Any]:
    """Pack the folder; the module's result."""
    folder = Path(module.params["path"])
    if not folder.is_dir():
        raise SourceError("path: %s is no folder on this machine" % folder)
    paths, listed_by = listing(module, folder, module.params["exclude"])
    if not paths:
        raise SourceError("path: %s has no files" % folder)
    check(folder, paths)
    result = {"files": len(paths), "listed_by": listed_by, "changed": False}
    if module.params["dest"] is None:
        return {**result, "digest": pack(folder, paths, None)[0]}
    dest = Path(module.params["dest"])
    result["dest"] = str(dest)
    there = module.sha256(str(dest)) if dest.is_file() else None
    if module.check_mode:
        digest, archive = pack(folder, paths, None)
        return {**result, "digest": digest, "changed": archive != there}
    dest.parent.mkdir(parents=True, exist_ok=True)
    new = Path(module.tmpdir) / "source.tar.gz"
    with new.open("wb") as stream:
        digest, archive = pack(folder, paths, stream)
    if archive == there:
        new.unlink()
        return {**result, "digest": digest}
    module.atomic_move(str(new), str(dest))
    return {**result, "digest": digest, "changed": True}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "dest": {"type": "path"},
            "exclude": {
                "type": "list",
                "elements": "str",
                "default": [
                    ".git",
                    ".hg",
                    ".svn",
                    ".venv",
                    "node_modules",
                    "__pycache__",
                    "*.pyc",
                    ".mypy_cache",
                    ".pytest_cache",
                    ".ruff_cache",
                    ".DS_Store",
                ],
            },
        },
        supports_check_mode=True,
    )
    try:
        module.exit_json(**run(module))
    except (SourceError, OSError) as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
