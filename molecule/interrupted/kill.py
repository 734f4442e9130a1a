"""Ends a process and all below it once a command succeeds: kill.py PROCESS COMMAND. Gives up where it has ended."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path


def descendants(ancestor: int) -> list[int]:
    """The ids of all processes below ``ancestor``, which may have made sessions of their own."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            # The name, in parentheses, may hold anything; the parent's id is the second word after it.
            parent = int((entry / "stat").read_text(errors="replace").rpartition(")")[2].split()[1])
        except OSError:
            continue  # It has just ended.
        children.setdefault(parent, []).append(int(entry.name))
    found, unseen = [], [ancestor]
    while unseen:
        below = children.get(unseen.pop(), [])
        found += below
        unseen += below
    return found


def kill(victim: int) -> None:
    """End a process and all below it but this one, at once and without a last word."""
    for process in [*descendants(victim), victim]:
        # It may have ended since it was found.
        if process != os.getpid():
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)


def main() -> None:
    """Ask again and again."""
    victim, command = int(sys.argv[1]), shlex.split(sys.argv[2])
    # It started this one.
    while os.getppid() == victim:
        if subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0:
            kill(victim)
            return
        time.sleep(0.1)


if __name__ == "__main__":
    main()
