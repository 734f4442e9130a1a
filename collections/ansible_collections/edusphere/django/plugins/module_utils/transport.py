# Copyright: (c) 2026, EduSphere maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a program in a project's own interpreter and reads its answer.

The program travels over standard input, so that nothing of it is on a command line or needs installing. Its answers
(frames) come back on standard output, each a line of ``TOKEN JSON``. The token is random, so that whatever else ends
up on standard output can't be taken for a frame.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import subprocess
import threading
from collections import deque
from dataclasses import dataclass, field
from typing import IO, Any, Protocol

# What a project printed is kept for the error message: its last part, as that is where the reason stands.
NOISE_BYTES = 16 * 1024
# How long a program may take to leave once it has given its last frame, or was asked to stop, in seconds.
GRACE = 5.0


class TransportError(Exception):
    """The program could not be started."""


@dataclass
class Reply:
    """What came back from one run of a program."""

    frames: list[dict[str, Any]] = field(default_factory=list)
    noise: str = ""
    returncode: int | None = None
    timed_out: bool = False

    @property
    def final(self) -> dict[str, Any] | None:
        """The frame that ended the run, or None when the program died before it could say anything."""
        if self.frames and is_final(self.frames[-1]):
            return self.frames[-1]
        return None


class Transport(Protocol):
    """A way to reach the interpreter of a project."""

    def run(self, program: str, token: str, timeout: float | None) -> Reply:
        """Run ``program`` and return its frames; ``timeout`` is in seconds, None waits for ever."""


@dataclass
class Account:
    """The account that a program runs as: numeric ids, and the umask of its process (None keeps the present one)."""

    uid: int | None = None
    gid: int | None = None
    groups: list[int] | None = None
    umask: int = -1


@dataclass
class HostTransport:
    """Runs programs with an interpreter of this host."""

    python: str
    directory: str
    environment: dict[str, str]
    account: Account

    def run(self, program: str, token: str, timeout: float | None) -> Reply:
        """See :meth:`Transport.run`."""
        try:
            process = subprocess.Popen(
                [self.python, "-"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=self.directory,
                env={
                    os.fsencode(name): value.encode("utf-8", "surrogateescape")
                    for name, value in self.environment.items()
                },
                user=self.account.uid,
                group=self.account.gid,
                extra_groups=self.account.groups,
                umask=self.account.umask,
                # A group of its own, so that a timeout ends what the project started as well.
                start_new_session=True,
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise TransportError(str(error)) from error
        return converse(process, program, token, timeout)


def new_token() -> str:
    """Return a token that no project can print by accident."""
    return "edusphere-django-" + secrets.token_hex(16)


def is_final(frame: dict[str, Any]) -> bool:
    """Tell whether ``frame`` ends a run."""
    return frame.get("event") in ("result", "unknown", "error")


def converse(process: subprocess.Popen[bytes], program: str, token: str, timeout: float | None) -> Reply:
    """Feed ``program`` to a started interpreter and collect its frames and noise until it has ended."""
    if not (process.stdin and process.stdout and process.stderr):
        raise ValueError("all three streams of the process must be pipes")
    reply = Reply()
    finished = threading.Event()
    noise = _Tail(NOISE_BYTES)

    def write(stream: IO[bytes]) -> None:
        # An interpreter may end before it has read its program: its return code and noise say why.
        with contextlib.suppress(OSError):
            stream.write(program.encode("utf-8"))
            stream.close()

    def read_frames(stream: IO[bytes]) -> None:
        marker = token.encode("ascii") + b" "
        for line in stream:
            _before, found, text = line.partition(marker)
            if not found:
                noise.add(line)
                continue
            try:
                reply.frames.append(json.loads(text))
            except ValueError:
                noise.add(line)  # Somebody wrote into the middle of it, or the program was killed there.
                continue
            if is_final(reply.frames[-1]):
                finished.set()
        finished.set()

    def read_noise(stream: IO[bytes]) -> None:
        while True:
            chunk = os.read(stream.fileno(), 65536)
            if not chunk:
                break
            noise.add(chunk)

    threads = [
        threading.Thread(target=target, args=(stream,), daemon=True)
        for target, stream in (
            (write, process.stdin),
            (read_frames, process.stdout),
            (read_noise, process.stderr),
        )
    ]
    for thread in threads:
        thread.start()
    reply.timed_out = not finished.wait(timeout)
    try:
        if reply.timed_out:
            _signal(process, signal.SIGTERM)
        process.wait(GRACE)
    except subprocess.TimeoutExpired:
        _signal(process, signal.SIGKILL)
        process.wait()
    for thread in threads:
        # A process that the project left behind may hold the streams open: what it prints is no business of ours.
        thread.join(1.0)
    reply.returncode = process.returncode
    reply.noise = noise.text()
    return reply


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)


class _Tail:
    """Keeps the last bytes of a stream."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._size = 0
        self._cut = False
        self._chunks: deque[bytes] = deque()
        self._lock = threading.Lock()

    def add(self, chunk: bytes) -> None:
        with self._lock:
            self._chunks.append(chunk)
            self._size += len(chunk)
            while self._size - len(self._chunks[0]) >= self._limit:
                self._size -= len(self._chunks.popleft())
                self._cut = True

    def text(self) -> str:
        with self._lock:
            data = b"".join(self._chunks)
        cut = self._cut or len(data) > self._limit
        text = data[-self._limit :].decode("utf-8", "replace").strip()
        return ("[…] " if cut else "") + text
