# Copyright: (c) 2026, EduSphere maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a program in a project's own interpreter and reads its answer.

The program travels over standard input, so that nothing of it is on a command line or needs installing. Standard input
then stays open as long as the answer is wanted: its end tells the interpreter's side (probe/guard.py) to end the
program and what that has started. Answers (frames) come back on standard output, each a line of ``TOKEN JSON``. The
token is random, so that whatever else ends up on standard output can't be taken for a frame.
"""

from __future__ import annotations

import contextlib
import inspect
import json
import os
import secrets
import signal
import subprocess
import threading
from collections import deque
from dataclasses import dataclass, field
from typing import IO, Any, Callable, Protocol

from ansible_collections.edusphere.django.plugins.module_utils.probe import guard

# How much of what a project printed is kept: its end, as that is where the reason of an error stands. Twice what is
# shown (project.py), so that no part of a secret of which the beginning is lost gets into that.
NOISE_BYTES = 32 * 1024
# How long a program may take to leave once it has given its last frame, or was asked to stop, in seconds.
GRACE = 5.0
# What the guard answers before it starts the program.
REACHED = "reached"


class TransportError(Exception):
    """The program could not be started; the message names the parameter."""


class NotYetError(Exception):
    """Something that a run needs does not exist, which in check mode only means that it may be made before a run."""


@dataclass
class Reply:
    """What came back from one run of a program."""

    frames: list[dict[str, Any]] = field(default_factory=list)
    # The end of what the project printed, with the secrets in it.
    noise: str = ""
    returncode: int | None = None
    timed_out: bool = False

    @property
    def result(self) -> Any:
        """What the action returned, of a run that came to its result."""
        return self.frames[-1]["result"]

    @property
    def final(self) -> dict[str, Any] | None:
        """The frame that ended the run, or None when the program died before it could say anything."""
        if self.frames and is_final(self.frames[-1]):
            return self.frames[-1]
        return None


class Transport(Protocol):
    """A way to reach the interpreter of a project."""

    def run(self, program: str, token: str, timeout: float | None) -> Reply:
        """Run ``program`` and return its frames; ``timeout`` is in seconds, None waits for ever.

        Raises :class:`TransportError` or :class:`NotYetError` when it could not be started.
        """


@dataclass
class Account:
    """The account that a program runs as: numeric ids, and the umask of its process (None keeps the present one)."""

    uid: int | None = None
    gid: int | None = None
    groups: list[int] | None = None
    umask: int = -1


@dataclass
class HostTransport:
    """Runs programs with an interpreter of this host, with exactly this environment."""

    python: str
    directory: str
    environment: dict[str, str]
    account: Account

    def run(self, program: str, token: str, timeout: float | None) -> Reply:
        """See :meth:`Transport.run`."""
        environment = {
            os.fsencode(name): value.encode("utf-8", "surrogateescape") for name, value in self.environment.items()
        }
        try:
            process = subprocess.Popen(
                [self.python, "-c", guard.LOADER],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=self.directory,
                env=environment,
                user=self.account.uid,
                group=self.account.gid,
                extra_groups=self.account.groups,
                umask=self.account.umask,
                # A group of its own, so that what the project started ends with it.
                start_new_session=True,
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise TransportError(f"python: {self.python} can't be run: {error}") from error

        def abort() -> None:
            os.killpg(process.pid, signal.SIGKILL)

        return converse(process, letter(program, token), token, timeout, abort)


def letter(
    program: str,
    token: str,
    environment: dict[str, str] | None = None,
    pythonpath: list[str] | None = None,
    umask: int = -1,
) -> bytes:
    """Return what is sent to the loader: the guard and the program; see :func:`guard.main` for the arguments."""
    arguments = {
        "sign": "\n{} {}\n".format(token, json.dumps({"event": REACHED})),
        "environment": environment,
        "pythonpath": pythonpath or [],
        "umask": umask,
        "grace": GRACE,
    }
    first = f"{inspect.getsource(guard)}\nexec(main(receive, **{arguments!r}))\n"
    parts = [part.encode("utf-8") for part in (first, program)]
    return b"".join(b"%d\n" % len(part) + part for part in parts)


def new_token() -> str:
    """Return a token that no project can print by accident."""
    return "edusphere-django-" + secrets.token_hex(16)


def is_final(frame: dict[str, Any]) -> bool:
    """Tell whether ``frame`` ends a run."""
    return frame.get("event") in ("result", "unknown", "error")


def converse(
    process: subprocess.Popen[bytes], sent: bytes, token: str, timeout: float | None, abort: Callable[[], None]
) -> Reply:
    """Send a :func:`letter` to a loader that was started, and collect frames and noise until it has ended.

    All three streams of ``process`` must be pipes. ``abort`` is called when the guard does not do its duty.
    """
    if not (process.stdin and process.stdout and process.stderr):
        raise ValueError("all three streams of the process must be pipes")
    reply = Reply()
    answered, dismissed, ended = threading.Event(), threading.Event(), threading.Event()
    noise = _Tail(NOISE_BYTES)

    def write(stream: IO[bytes]) -> None:
        # An interpreter may end before it has read its program: its return code and noise say why.
        with contextlib.suppress(OSError):
            data = memoryview(sent)
            while data:
                data = data[os.write(stream.fileno(), data) :]
        dismissed.wait()
        stream.close()

    def read_frames(stream: IO[bytes]) -> None:
        marker = token.encode("ascii") + b" "
        for line in stream:
            _before, found, text = line.partition(marker)
            if not found:
                # A frame begins with a newline, as there may be a part of a line before it.
                if line != b"\n":
                    noise.add(line)
                continue
            try:
                reply.frames.append(json.loads(text))
            except ValueError:
                noise.add(line)  # Somebody wrote into the middle of it, or the program was killed there.
                continue
            if is_final(reply.frames[-1]):
                answered.set()

    def read_noise(stream: IO[bytes]) -> None:
        while chunk := os.read(stream.fileno(), 65536):
            noise.add(chunk)

    def watch() -> None:
        process.wait()
        ended.set()
        join(readers)
        answered.set()

    readers = [
        threading.Thread(target=read_frames, args=[process.stdout], daemon=True),
        threading.Thread(target=read_noise, args=[process.stderr], daemon=True),
    ]
    for thread in (
        threading.Thread(target=write, args=[process.stdin], daemon=True),
        *readers,
        threading.Thread(target=watch, daemon=True),
    ):
        thread.start()
    reply.timed_out = not answered.wait(timeout)
    if not reply.timed_out:
        ended.wait(GRACE)
    dismissed.set()
    # The guard asks the program to leave, and makes it leave.
    if not ended.wait(2 * GRACE):
        abort()
        ended.wait()
    join(readers)
    reply.returncode = process.returncode
    reply.noise = noise.text()
    return reply


def join(readers: list[threading.Thread]) -> None:
    """Wait until all is read; a process that the project left behind may hold the streams open and print for ever."""
    for reader in readers:
        reader.join(1.0)


class _Tail:
    """Keeps the last bytes of a stream."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._size = 0
        self._chunks: deque[bytes] = deque()
        self._lock = threading.Lock()

    def add(self, chunk: bytes) -> None:
        with self._lock:
            self._chunks.append(chunk)
            self._size += len(chunk)
            while self._size - len(self._chunks[0]) >= self._limit:
                self._size -= len(self._chunks.popleft())

    def text(self) -> str:
        with self._lock:
            return b"".join(self._chunks)[-self._limit :].decode("utf-8", "replace")
