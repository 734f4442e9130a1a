"""What edusphere.platform takes connections away with, on real processes: a server with workers, and its clients."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from ansible_collections.edusphere.platform.plugins.module_utils import drain

# A main process that passes its socket on to workers, and starts another one where one ends, as uvicorn does. A worker
# keeps what it accepts until it is told to end.
SERVER = r"""
import os, signal, socket, sys, time
listening = socket.socket(socket.AF_UNIX) if sys.argv[1].startswith("/") else socket.socket()
listening.bind(sys.argv[1] if sys.argv[1].startswith("/") else ("127.0.0.1", 0))
listening.listen()
open(sys.argv[2], "w").write(str(listening.getsockname()))
def work():
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    kept = []
    while True:
        connection = listening.accept()[0]
        kept.append(connection)
        connection.sendall(str(os.getpid()).encode())
def start():
    pid = os.fork()
    return pid or work()
workers = [start() for _ in range(int(sys.argv[3]))]
signal.signal(signal.SIGTERM, lambda *_: (os.killpg(0, signal.SIGKILL)))
if not workers:
    work()
while True:
    ended = os.wait()[0]
    workers[workers.index(ended)] = start()
"""


class Server:
    """A server that runs."""

    def __init__(self, process: subprocess.Popen[bytes], address: str | tuple[str, int]) -> None:
        self.process = process
        self.address = address

    def connect(self) -> tuple[socket.socket, int]:
        """A client, and the worker that has it."""
        client = socket.socket(socket.AF_UNIX if isinstance(self.address, str) else socket.AF_INET)
        client.connect(self.address)
        return client, int(client.recv(100))


@contextmanager
def server(tmp_path: Path, where: str, workers: int) -> Iterator[Server]:
    """A server for as long as the context lasts."""
    ready = tmp_path / "ready"
    process = subprocess.Popen([sys.executable, "-c", SERVER, where, ready, str(workers)], start_new_session=True)
    try:
        while not (ready.exists() and ready.read_text()):
            assert process.poll() is None
            time.sleep(0.02)
        text = ready.read_text()
        yield Server(process, text if where.startswith("/") else ("127.0.0.1", int(text.strip("()").split(", ")[1])))
    finally:
        process.terminate()
        process.wait()


def is_closed(client: socket.socket) -> bool:
    client.settimeout(0.05)
    try:
        return client.recv(1) == b""
    except TimeoutError:
        return False


@pytest.fixture(params=["unix", "tcp"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path / "http.sock") if request.param == "unix" else "tcp"


def test_connections_are_counted_by_worker(tmp_path: Path, where: str) -> None:
    with server(tmp_path, where, 2) as there:
        clients = [there.connect() for _number in range(5)]
        found = {process.pid: process.connections for process in drain.servers([there.process.pid])}
    pids = [pid for _client, pid in clients]
    expected = {pid: pids.count(pid) for pid in pids}
    assert {pid: count for pid, count in found.items() if count} == expected
    assert found[there.process.pid] == 0
    assert len(found) == 3


def test_workers_are_ended_one_after_the_other(tmp_path: Path, where: str) -> None:
    """And none is started in its place meanwhile."""
    with server(tmp_path, where, 2) as there:
        clients: dict[int, socket.socket] = {}
        while len(clients) < 2:
            client, pid = there.connect()
            clients[pid] = client
        started = time.monotonic()
        ended = drain.drain([there.process.pid], 1.0)
        assert time.monotonic() - started >= 1.0
        assert [worker.connections > 0 for worker in ended] == [True, True]
        assert (ended[0].seconds >= 0.5, ended[1].seconds >= 1.0) == (True, True)
        assert ended[1].seconds - ended[0].seconds >= 0.3
        assert {worker.pid for worker in ended} == set(clients)
        assert all(is_closed(client) for client in clients.values())
        # The main process goes on, so that it can be stopped as ever.
        assert there.process.poll() is None


def test_a_worker_without_connections_is_not_waited_for(tmp_path: Path, where: str) -> None:
    with server(tmp_path, where, 2) as there:
        _client, pid = there.connect()
        first, last = drain.drain([there.process.pid], 6)
    assert (first.connections, last.pid, last.connections) == (0, pid, 1)
    assert first.seconds < 3 <= last.seconds


def test_a_server_of_one_process_is_waited_for(tmp_path: Path, where: str) -> None:
    with server(tmp_path, where, 0) as there:
        client, pid = there.connect()
        assert pid == there.process.pid
        ended = drain.drain([pid], 0.5)
        assert [worker.connections for worker in ended] == [1]
        assert not is_closed(client)
        assert there.process.poll() is None


def test_what_has_ended_needs_nothing() -> None:
    process = subprocess.Popen(["true"])
    process.wait()
    assert drain.drain([process.pid], 60) == []


@contextmanager
def titled(title: str) -> Iterator[int]:
    """A process that shows a title, as nginx' workers do."""
    process = subprocess.Popen([title, "-c", "import time; time.sleep(60)"], executable=sys.executable)
    try:
        while not Path(f"/proc/{process.pid}/cmdline").read_text().startswith(title):
            time.sleep(0.01)
        yield process.pid
    finally:
        process.kill()
        process.wait()


def test_nginx_is_settled_when_its_old_workers_leave(tmp_path: Path) -> None:
    site = tmp_path / "site.conf"
    with titled("nginx: worker process") as before:
        time.sleep(0.05)
        site.write_text("new")
        with titled("nginx: worker process") as after, titled("nginx: worker process is shutting down") as leaving:
            assert drain.stale_nginx_workers([before, after, leaving], [str(site)]) == [before]
            assert drain.settle([before, after], [str(site)], 0.2) is False
            os.kill(before, signal.SIGKILL)
            assert drain.settle([before, after], [str(site)], 5) is True


def test_an_nginx_that_passes_nothing_on_is_settled(tmp_path: Path) -> None:
    with titled("nginx: worker process") as worker:
        assert drain.settle([worker], [str(tmp_path / "missing.conf")], 0) is True
