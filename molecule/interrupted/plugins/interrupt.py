"""A callback plugin for tests: ends ansible-playbook, and all its processes here, with SIGKILL at a task of choice.

That is what a control node does that loses power.  What a killed task has begun on a managed host goes on there.  The
environment names the task as the output has it ("role : name"); a run that never comes to it is not killed.

INTERRUPT_BEFORE   the task that is not begun any more
INTERRUPT_DURING   the task that has been begun, once the command in INTERRUPT_WHEN succeeds
"""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

from ansible.playbook.task import Task
from ansible.plugins.callback import CallbackBase


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


def kill_when(command: str) -> None:
    """Kill the process that started this one as soon as ``command`` succeeds; give up where it has ended."""
    victim = os.getppid()
    while os.getppid() == victim:
        if subprocess.run(shlex.split(command), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0:
            kill(victim)
            return
        time.sleep(0.1)


class CallbackModule(CallbackBase):
    """Watches for the task."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "interrupt"

    def v2_playbook_on_task_start(self, task: Task, is_conditional: bool) -> None:  # noqa: ARG002 Ansible's signature
        """Kill at once, or after a while."""
        name = task.get_name()
        if name == os.environ.get("INTERRUPT_BEFORE"):
            kill(os.getpid())
            os.kill(os.getpid(), signal.SIGKILL)
        if name == os.environ.get("INTERRUPT_DURING"):
            # A process and not a thread: a worker that is forked while a thread starts a command keeps the pipe open
            # by which the thread learns that the command has started.
            subprocess.Popen([sys.executable, __file__, os.environ["INTERRUPT_WHEN"]], stdin=subprocess.DEVNULL)


if __name__ == "__main__":
    kill_when(sys.argv[1])
