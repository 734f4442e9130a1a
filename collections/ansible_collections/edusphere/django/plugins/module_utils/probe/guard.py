# Copyright: (c) 2026, EduSphere maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs first in the project's interpreter: gives the program a process of its own, and ends it when the module is gone.

The module holds its end of standard input open as long as it wants an answer. The kernel closes it when the module
ends, however it ends, and so does the engine for a container. Needs nothing but the standard library.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import threading
import time
from typing import Callable

# The interpreter's command line. ``receive`` returns what the module sends next: a line with its length, then as much.
LOADER = "import sys; receive = lambda: sys.stdin.buffer.read(int(sys.stdin.buffer.readline())); exec(receive())"


def main(
    receive: Callable[[], bytes],
    sign: str,
    environment: dict[str, str] | None,
    pythonpath: list[str],
    umask: int,
    grace: float,
) -> bytes:
    """Return the program that is to be run, in a process whose standard input is empty.

    ``sign`` is the line that tells the module that its interpreter has been started. An ``environment`` that is not
    None is added to that of this process: the program is then run by an interpreter that was started with it.
    ``umask`` of -1 keeps the present one. ``grace`` is in seconds, between asking the program to stop and making it.
    """
    program = receive()
    if select.select([0], [], [], 0)[0]:
        raise SystemExit("the module ended before its program was started")
    if umask >= 0:
        os.umask(umask)
    os.write(1, sign.encode("ascii"))
    source, sink = os.pipe()
    child = os.fork()
    if child:
        os.close(source)
        supervise(child, sink, program if environment is not None else b"", grace)
    if environment is not None:
        os.dup2(source, 0)
        variables = complete({**os.environ, **environment}, pythonpath)
        os.execve(  # noqa: S606 - it is the interpreter itself once more
            sys.executable,
            [sys.executable, "-c", LOADER],
            {os.fsencode(name): value.encode("utf-8", "surrogateescape") for name, value in variables.items()},
        )
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    return program


def complete(environment: dict[str, str], pythonpath: list[str]) -> dict[str, str]:
    """Return an environment with ``pythonpath`` before what its PYTHONPATH names."""
    path = [part for part in [*pythonpath, environment.get("PYTHONPATH", "")] if part]
    return {**environment, "PYTHONPATH": os.pathsep.join(path)} if path else environment


def supervise(child: int, sink: int, program: bytes, grace: float) -> None:
    """Feed the program to the child, wait for its end or that of the module, and end as the child did.

    The child and what it starts are in this process's group, which is nobody else's: the host's transport and the
    engine both see to that.
    """
    # A container's first process gets no default actions from the kernel, any other must outlive its request to stop.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    gone = threading.Event()

    def watch() -> None:
        while os.read(0, 65536):
            pass
        gone.set()
        os.killpg(0, signal.SIGTERM)
        time.sleep(grace)
        end_all()

    threading.Thread(target=watch, daemon=True).start()
    # The child may end before it has read its program.
    with contextlib.suppress(OSError), os.fdopen(sink, "wb") as stream:
        if program:
            stream.write(b"%d\n" % len(program) + program)
    ended = status = 0
    while ended != child:
        ended, status = os.wait()
    if gone.is_set():
        end_all()
    # As shells and engines tell signals.
    os._exit(os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status))


def end_all() -> None:
    """End the whole group; a container's first process survives its own signal, and takes the rest with it."""
    os.killpg(0, signal.SIGKILL)
    os._exit(128 + signal.SIGKILL)
