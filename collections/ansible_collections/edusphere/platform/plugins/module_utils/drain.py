# Copyright: (c) 2026, EduSphere platform contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Taking a server's connections away, worker by worker, before it is stopped.

A server that is stopped closes all of its WebSockets in one moment, and all of their clients come back in the next
one.  So its workers are ended one after the other, each as soon as it has no connection left, or when its share of the
time is over.

A worker is a process that holds a listening socket and has no child that does; its parent holds one too, and would
start another worker in its place, so it is held (SIGSTOP) meanwhile.  Everything is read from ``/proc`` as proc(5)
describes it, which shows the processes of containers as well.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import time
import typing as t
from pathlib import Path

from ansible_collections.edusphere.platform.plugins.module_utils.processes import descendants, read, stat

# What both modules that stop servers take; the documentation fragment of this name says what it means.
PARAMETERS: t.Dict[str, t.Dict[str, t.Any]] = {
    "drain_time": {"type": "float", "default": 0},
    "drain_proxy": {"type": "str"},
    "drain_proxy_files": {"type": "list", "elements": "path", "default": []},
}

POLL = 0.1  # Seconds between two looks.

# How long nginx may take to reload. It is done in a second, unless the machine is busy.
SETTLE_SECONDS = 60

UNSETTLED = "%s still serves by an earlier configuration a minute after its last change, so %s was not stopped"

# The kernel stamps files with its coarse clock, and processes with ticks: 10 ms each at the lowest CONFIG_HZ, 100.
CLOCK_TICKS = 0.02

# The title of nginx' workers, and what it becomes when they accept no connection any more.
NGINX_WORKER = "nginx: worker process"
NGINX_LEAVES = "shutting down"

# States in /proc/net/tcp and /proc/net/unix.
TCP_ESTABLISHED, TCP_LISTEN, UNIX_CONNECTED = "01", "0A", "03"
UNIX_ACCEPTS = 0x10000  # __SO_ACCEPTCON among a unix socket's flags.


class Sockets(t.NamedTuple):
    """What a process has of the sockets that it serves."""

    listening: t.FrozenSet[str]
    """Their addresses: a path, or a port in hexadecimal digits."""
    connected: t.Tuple[str, ...]
    """For each connection, the address that it came in by; of others it has made itself, an address of no server."""


class Process(t.NamedTuple):
    """One process of a server."""

    pid: int
    parent: int
    sockets: Sockets

    @property
    def connections(self) -> int:
        """How many connections of clients it has."""
        return sum(address in self.sockets.listening for address in self.sockets.connected)


class Ended(t.NamedTuple):
    """A worker whose connections were taken away."""

    pid: int
    connections: int
    """How many were open when it was ended."""
    seconds: float
    """After how long."""


def _tables(pid: int) -> t.Tuple[t.Dict[str, str], t.Dict[str, str]]:
    """The listening and the connected sockets of a process's network namespace: inode to address."""
    listening: t.Dict[str, str] = {}
    connected: t.Dict[str, str] = {}
    for protocol in ("tcp", "tcp6"):
        for line in read("/proc/%d/net/%s" % (pid, protocol)).splitlines()[1:]:
            fields = line.split()
            port, state, inode = fields[1].rpartition(":")[2], fields[3], fields[9]
            if state in (TCP_LISTEN, TCP_ESTABLISHED):
                (listening if state == TCP_LISTEN else connected)[inode] = port
    for line in read("/proc/%d/net/unix" % pid).splitlines()[1:]:
        fields = line.split(maxsplit=7)
        if len(fields) == 8:
            if int(fields[3], 16) & UNIX_ACCEPTS:
                listening[fields[6]] = fields[7]
            elif fields[5] == UNIX_CONNECTED:
                connected[fields[6]] = fields[7]
    return listening, connected


def sockets(pid: int) -> Sockets:
    """What one process has open; nothing when it has ended."""
    inodes = set()
    with contextlib.suppress(OSError):
        for descriptor in Path("/proc/%d/fd" % pid).iterdir():
            with contextlib.suppress(OSError):
                target = str(descriptor.readlink())
                if target.startswith("socket:["):
                    inodes.add(target[len("socket:[") : -1])
    if not inodes:
        return Sockets(frozenset(), ())
    listening, connected = _tables(pid)
    return Sockets(
        frozenset(listening[inode] for inode in inodes & listening.keys()),
        tuple(connected[inode] for inode in inodes & connected.keys()),
    )


def servers(mains: t.Collection[int]) -> t.List[Process]:
    """The processes, the given ones and those below, that hold a listening socket."""
    found = [Process(pid, parent, sockets(pid)) for pid, parent in descendants(mains)]
    return [process for process in found if process.sockets.listening]


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def drain(mains: t.Collection[int], seconds: float) -> t.List[Ended]:
    """End the workers below servers' main processes, spread over a time; a server of one process is only waited for.

    Returns once no connection is left, or after ``seconds``.  The servers are to be stopped then: they go on, and
    may start workers anew.
    """
    found = servers(mains)
    masters = {process.parent for process in found} & {process.pid for process in found}
    # Those with few connections first: they may soon have none.
    waiting = sorted((p for p in found if p.pid not in masters), key=lambda process: process.connections)
    shares = {process.pid: seconds * (place + 1) / len(waiting) for place, process in enumerate(waiting)}
    started, ended = time.monotonic(), []
    for master in masters:
        _signal(master, signal.SIGSTOP)
    try:
        while waiting:
            passed = time.monotonic() - started
            for process in list(waiting):
                now = process._replace(sockets=sockets(process.pid))
                if now.connections == 0 or passed >= shares[process.pid]:
                    if process.parent in masters:
                        _signal(process.pid, signal.SIGTERM)
                    ended.append(Ended(process.pid, now.connections, round(passed, 1)))
                    waiting.remove(process)
            time.sleep(POLL)
    finally:
        for master in masters:
            _signal(master, signal.SIGCONT)
    return ended


def started_at(pid: int) -> t.Optional[float]:
    """When a process started, in seconds since the epoch; ``None`` when it has ended."""
    fields = stat(pid)
    if len(fields) < 20:
        return None
    since_boot = int(fields[19]) / os.sysconf("SC_CLK_TCK")
    return time.time() - (time.clock_gettime(time.CLOCK_BOOTTIME) - since_boot)


def stale_nginx_workers(mains: t.Collection[int], files: t.Iterable[str]) -> t.List[int]:
    """The nginx workers that still accept connections and were started before the last change of the files.

    A reload lets new workers read them, and tells the others to leave: until they have heard it they go on as before.
    """
    # Without any of them, nginx passes nothing on yet.
    changed = max((Path(path).stat().st_ctime for path in files if Path(path).exists()), default=0.0)
    stale = []
    for pid, _parent in descendants(mains):
        title = re.sub(r"\0+", " ", read("/proc/%d/cmdline" % pid))
        if title.startswith(NGINX_WORKER) and NGINX_LEAVES not in title:
            started = started_at(pid)
            if started is not None and started < changed - CLOCK_TICKS:
                stale.append(pid)
    return stale


def settle(mains: t.Collection[int], files: t.Sequence[str], seconds: float = SETTLE_SECONDS) -> bool:
    """Wait until nginx, whose main processes are given, accepts connections by what its files say; whether it does."""
    deadline = time.monotonic() + seconds
    while stale_nginx_workers(mains, files):
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL)
    return True
