# Copyright: (c) 2026, EduSphere platform contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Processes and their memory, as ``/proc`` tells of them (proc(5)); those of containers are seen there as well."""

from __future__ import annotations

import typing as t
from pathlib import Path


def read(path: str) -> str:
    """A file of ``/proc``; empty for a process that has ended."""
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def stat(pid: int) -> t.List[str]:
    """The fields of ``/proc/PID/stat`` after the name, which may hold blanks and brackets: state, parent, …"""
    return read("/proc/%d/stat" % pid).rpartition(")")[2].split()


def descendants(mains: t.Collection[int]) -> t.List[t.Tuple[int, int]]:
    """The processes and all below them, each with its parent; ancestors come first."""
    children: t.Dict[int, t.List[int]] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        fields = stat(int(entry.name))
        # A zombie has no descriptors any more, and is nobody's worker.
        if fields and fields[0] != "Z":
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    # systemd says 0 for a main process that there is not, and 1 is everybody's ancestor.
    found, unseen = [], [(pid, 0) for pid in mains if pid > 1]
    while unseen:
        pid, parent = unseen.pop(0)
        found.append((pid, parent))
        unseen += [(child, pid) for child in children.get(pid, [])]
    return found


def memory_of(mains: t.Collection[int]) -> int:
    """Bytes of memory that the processes and all below them have; what several share counts once (``Pss``)."""
    total = 0
    for pid, _parent in descendants(mains):
        for line in read("/proc/%d/smaps_rollup" % pid).splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1]) << 10
    return total


def memory_available() -> int:
    """Bytes of memory that could be had without swapping (``MemAvailable``)."""
    for line in read("/proc/meminfo").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) << 10
    raise OSError("/proc/meminfo does not say what memory is available")
