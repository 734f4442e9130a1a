# mypy: allow-untyped-calls
"""Modules executed as Ansible's worker executes them on a host, each in a process of its own.

These processes are forked from one that has loaded Ansible, because to load it takes longer than most modules run.
"""

from __future__ import annotations

import functools
import gc
import importlib
import json
import os
import pathlib
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from own_collections import COLLECTIONS

# A request with the largest environment of a test is a few kilobytes.
LARGEST = 1 << 17
# Seconds that a module may take.
PATIENCE = 120


class Call:
    """A module that runs."""

    def __init__(self, request: Mapping[str, Any], *secrets: str) -> None:
        """Start it. The request is ``execute``'s; the secrets may be nowhere in what it answers."""
        self._secrets = secrets
        (out, theirs_out), (err, theirs_err) = os.pipe(), os.pipe()
        server = _server()
        socket.send_fds(server, [json.dumps(request).encode()], [theirs_out, theirs_err])
        os.close(theirs_out)
        os.close(theirs_err)
        self.pid = int(server.recv(64))
        # The server leaves the process to its next request, so the number is no other's yet.
        self._process = os.pidfd_open(self.pid)
        self._pipes = {out: bytearray(), err: bytearray()}

    def wait_until(self, true: Callable[[], object]) -> None:
        """Wait until something is true, or the module has ended."""
        while not (select.select([self._process], [], [], 0.01)[0] or true()):
            pass

    def kill(self) -> None:
        """Kill its process and no other."""
        signal.pidfd_send_signal(self._process, signal.SIGKILL)

    def wait(self) -> tuple[str, str]:
        """Wait for its end, and return its standard output and error."""
        opened, end = set(self._pipes), time.monotonic() + PATIENCE
        while opened:
            readable, _, _ = select.select(list(opened), [], [], max(0.0, end - time.monotonic()))
            if not readable:
                pytest.fail(f"the module has not ended after {PATIENCE} s")
            for pipe in readable:
                if chunk := os.read(pipe, 1 << 16):
                    self._pipes[pipe] += chunk
                else:
                    opened.remove(pipe)
        for descriptor in (self._process, *self._pipes):
            os.close(descriptor)
        out, err = (bytes(read).decode() for read in self._pipes.values())
        return out, err

    def result(self) -> dict[str, Any]:
        """Wait for its answer."""
        out, err = self.wait()
        for secret in self._secrets:
            assert secret not in out + err
            assert json.dumps(secret)[1:-1] not in out + err
        try:
            answer: dict[str, Any] = json.loads(out)
        except ValueError:
            pytest.fail(f"no answer:\n{out}\n{err}")
        return answer


@functools.cache
def _server() -> socket.socket:
    """Start the process that forks, once for each process that tests run in; it ends with it."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    for end in (ours, theirs):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, LARGEST)
    command = [sys.executable, str(pathlib.Path(__file__)), str(theirs.fileno())]
    subprocess.Popen(command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, cwd="/", start_new_session=True)
    theirs.close()
    return ours


def _serve(server: socket.socket) -> dict[str, Any] | None:
    """Fork for each request, and return it in the new process; return None at the end."""
    # The first one reads tens of thousands of lines of YAML, what ansible.builtin says of itself.
    with patch_module_args({}):
        pass
    while True:
        message, descriptors, _, _ = socket.recv_fds(server, LARGEST, 2)
        if not message:
            return None
        request: dict[str, Any] = json.loads(message)
        _module(request["module"])
        while _ended_child():
            pass
        # Collecting what the new process does not use would only copy it.
        gc.freeze()
        pid = os.fork()
        if pid == 0:
            os.setsid()
            for descriptor, standard in zip(descriptors, (1, 2), strict=True):
                os.dup2(descriptor, standard)
        for descriptor in descriptors:
            os.close(descriptor)
        if pid == 0:
            server.close()
            return request
        server.send(str(pid).encode())


def _ended_child() -> bool:
    try:
        return os.waitpid(-1, os.WNOHANG)[0] != 0
    except ChildProcessError:
        return False


def _module(name: str) -> Any:
    """Import a collection's module by its full name."""
    namespace, collection, plugin = name.split(".")
    return importlib.import_module(f"ansible_collections.{namespace}.{collection}.plugins.modules.{plugin}")


def execute(request: Mapping[str, Any]) -> None:
    """Execute ``{"module": "edusphere.django.NAME", "arguments": {...}, "environment": {...}}``.

    As the account ``uid`` and with the supplementary ``groups``, if the request has them. ``places`` are the
    directories of the module's records, by the constants that name them.
    """
    for constant, directory in request.get("places", {}).items():
        owner, _, attribute = constant.rpartition(".")
        setattr(importlib.import_module(f"ansible_collections.{owner}"), attribute, directory)
    os.environ.clear()
    os.environ.update(request["environment"])
    if os.geteuid() == 0:
        os.setgroups(request.get("groups", []))
    if request.get("uid") is not None:
        os.setgroups([])
        os.setuid(request["uid"])
    with patch_module_args(request["arguments"]):
        _module(request["module"]).main()


if __name__ == "__main__":
    assert COLLECTIONS.is_dir()
    if (received := _serve(socket.socket(fileno=int(sys.argv[1])))) is not None:
        execute(received)
