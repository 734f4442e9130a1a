"""A callback plugin for tests: ends ansible-playbook, and all its processes here, with SIGKILL at a task of choice.

That is what a control node does that loses power.  What a killed task has begun on a managed host goes on there.  The
environment names the task as the output has it ("role : name"); a run that never comes to it is not killed.

INTERRUPT_BEFORE   the task that is not begun any more, the first time that the command in INTERRUPT_WHEN succeeds
INTERRUPT_DURING   the task that has been begun, once the command in INTERRUPT_WHEN succeeds
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

from ansible.playbook.task import Task
from ansible.plugins.callback import CallbackBase

KILL = Path(__file__).parents[1] / "kill.py"


def kill_when(command: str) -> subprocess.Popen[bytes]:
    """Start what kills this process as soon as ``command`` succeeds.

    A process and not a thread: a worker that is forked while a thread starts a command would keep the pipe open by
    which the thread learns that the command has started, and the thread would wait for the very task to end.
    """
    nowhere = subprocess.DEVNULL
    return subprocess.Popen(
        [sys.executable, KILL, str(os.getpid()), command], stdin=nowhere, stdout=nowhere, stderr=nowhere
    )


def succeeds(command: str) -> bool:
    """Ask once."""
    return subprocess.run(shlex.split(command), capture_output=True).returncode == 0


class CallbackModule(CallbackBase):
    """Watches for the task."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "interrupt"

    def v2_playbook_on_task_start(self, task: Task, is_conditional: bool) -> None:  # noqa: ARG002 Ansible's signature
        """Kill at once, or after a while."""
        name = task.get_name()
        if name == os.environ.get("INTERRUPT_BEFORE") and succeeds(os.environ["INTERRUPT_WHEN"]):
            kill_when("true").wait()
        if name == os.environ.get("INTERRUPT_DURING"):
            kill_when(os.environ["INTERRUPT_WHEN"])
