"""Digests of the working tree: whether what a job depends on is still what it was."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def tracked(root: Path = ROOT) -> list[str]:
    """The files that git tracks, and new ones that it does not ignore, relative to the root, in order.

    Raises OSError with what git says, where the root is no checkout or somebody else's.
    """
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=root,
        check=False,
        capture_output=True,
        text=True,
    )
    if listed.returncode:
        raise OSError(listed.stderr.strip())
    return sorted(set(filter(None, listed.stdout.split("\0"))))


def selected(files: Iterable[str], patterns: Iterable[str]) -> list[str]:
    """The files that lie under one of the patterns.

    A pattern is a path, a directory's path with a slash at its end (``./`` is the root), or one of these after an
    exclamation mark, which takes files out again. The last pattern that fits decides.
    """
    rules = [(pattern.lstrip("!").removeprefix("./"), not pattern.startswith("!")) for pattern in patterns]

    def wanted(path: str) -> bool:
        verdicts = [keep for rule, keep in rules if path == rule or (rule[-1:] in ("", "/") and path.startswith(rule))]
        return bool(verdicts) and verdicts[-1]

    return [path for path in files if wanted(path)]


def digest(patterns: Iterable[str], *words: str, root: Path = ROOT) -> str:
    """SHA-256, in hexadecimal, of the selected files' paths, modes and contents as they are now, and of the words."""
    found = hashlib.sha256("\0".join(words).encode())
    for path in selected(tracked(root), patterns):
        file = root / path
        if file.is_symlink():
            content, kind = str(file.readlink()).encode(), "link"
        elif file.is_file():
            content, kind = file.read_bytes(), "program" if file.stat().st_mode & 0o100 else "file"
        else:
            # Deleted, and not yet committed.
            continue
        found.update(f"\0{path}\0{kind}\0{len(content)}\0".encode() + content)
    return found.hexdigest()
