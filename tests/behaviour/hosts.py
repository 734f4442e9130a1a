"""Looks at hosts that several scenarios' tests take."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import testinfra
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from ansible.vars.manager import VariableManager
from testinfra.backend.base import CommandResult
from testinfra.host import Host

ROOT = Path(__file__).parents[2]
SSH_CONFIG = ROOT / ".cache/testbed/ssh/config"
# In each direction: a port that drops packets looks like a slow one until then.
CONNECT_SECONDS = 2
# The first processes of what a site is made of beside its application, in both modes, as `processes` finds them.
SERVICES = "nginx: master|redis-server|postgres.*(config_file|-D)"
# One line, because it travels as an argument. Answers are yes, refused (nothing listens) and silence (dropped).
PROBE = (
    "import socket, sys\n"
    "try: socket.create_connection((sys.argv[1], int(sys.argv[2])), float(sys.argv[3])).close(); print('open')\n"
    "except ConnectionRefusedError: print('refused')\n"
    "except TimeoutError: print('silent')\n"
)
# Runs on the host: a command with the environment that a process has. Its passwords are then in no argument.
WITH_ENVIRONMENT = """
import os, sys
lines = open(f"/proc/{sys.argv[1]}/environ", "rb").read().split(b"\\0")
os.environb.update(line.split(b"=", 1) for line in lines if line)
os.environ["REDISCLI_AUTH"], os.environ["PGPASSWORD"] = os.environ["REDIS_PASSWORD"], os.environ["DB_PASSWORD"]
os.execvp(sys.argv[2], sys.argv[2:])
"""
AsApplication: TypeAlias = Callable[..., CommandResult]


def inventories() -> list[str]:
    """The arguments that name the scenario's inventory to Ansible, in molecule's order."""
    return [
        f"--inventory={ROOT}/molecule/shared/inventory",
        f"--inventory={os.environ['MOLECULE_SCENARIO_DIRECTORY']}/inventory",
    ]


def variables_of(name: str, *wanted: str) -> dict[str, Any]:
    """Variables of one host as the inventory has them, with their templates filled in."""
    loader = DataLoader()
    manager = InventoryManager(loader, sources=[argument.partition("=")[2] for argument in inventories()])
    found = VariableManager(loader, manager).get_vars(host=manager.get_host(name))
    templar = Templar(loader, found)
    return {key: templar.template(found[key]) for key in wanted}


def address_of(name: str) -> str:
    """A host's IPv4 address."""
    settings = subprocess.run(["ssh", "-F", SSH_CONFIG, "-G", name], check=True, capture_output=True, text=True)
    return next(line.split()[1] for line in settings.stdout.splitlines() if line.startswith("hostname "))


def _run(*command: str, check: bool, **environment: str) -> subprocess.CompletedProcess[str]:
    run = subprocess.run(
        command,
        cwd=ROOT,
        # Without the table of durations.
        env=os.environ
        | {
            "ANSIBLE_CONFIG": f"{ROOT}/ansible.cfg",
            "ANSIBLE_CALLBACKS_ENABLED": ",".join(
                f"edusphere.platform.{name}" for name in ("module_cache", "gc_freeze", "run_changes")
            ),
            # molecule asks for colours, which what reads the output would have to know.
            "ANSIBLE_FORCE_COLOR": "0",
            "ANSIBLE_NOCOLOR": "1",
        }
        | environment,
        capture_output=True,
        text=True,
    )
    assert not check or run.returncode == 0, f"{' '.join(command)}\n{run.stdout[-6000:]}\n{run.stderr[-2000:]}"
    return run


def playbook(
    *arguments: str, name: str = "site.yml", check: bool = True, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run a playbook on the scenario's hosts, named as from the repository's root.

    With `check`, a run that fails raises AssertionError with the end of what it said.
    """
    return _run("ansible-playbook", name, *inventories(), *arguments, check=check, **environment)


def tasks(said: str, *outcomes: str) -> set[str]:
    """The names of the tasks that ended with one of these words (ok, changed) on any host, of what a run said."""
    return {
        name
        for name, body in re.findall(r"^TASK \[(.*?)\] \**\n((?:.+\n)*)", said, re.MULTILINE)
        if re.search(rf"^({'|'.join(outcomes)}):", body, re.MULTILINE)
    }


def ansible(pattern: str, module: str, **arguments: object) -> None:
    """Run one module on the scenario's hosts that the pattern names; AssertionError when it fails."""
    _run("ansible", pattern, *inventories(), "--module-name", module, "--args", json.dumps(arguments), check=True)


@contextmanager
def another_host() -> Iterator[Host]:
    """A machine on the hosts' network that belongs to no site, for as long as the context lasts."""
    name = f"edusphere-outsider-{uuid.uuid4().hex[:8]}"
    subprocess.run(
        [
            # It may set routes of its own.
            *["docker", "run", "--detach", "--rm", "--init", "--cap-add", "NET_ADMIN", "--name", name],
            *["--network", "edusphere-testbed"],
            *["--label", "org.edusphere.testbed=host", "edusphere-testbed:trixie", "sleep", "infinity"],
        ],
        check=True,
        capture_output=True,
    )
    try:
        yield testinfra.get_host(f"docker://{name}")
    finally:
        subprocess.run(["docker", "rm", "--force", name], check=True, capture_output=True)


def environment_of(host: Host, pid: int) -> dict[str, str]:
    """A process's environment, as the kernel has it."""
    read = "import sys; print(open(f'/proc/{sys.argv[1]}/environ', 'rb').read().hex())"
    lines = bytes.fromhex(host.check_output("python3 -c %s %s", read, str(pid))).decode().split("\0")
    return dict(line.split("=", 1) for line in lines if line)


def with_environment_of(host: Host, pid: int) -> AsApplication:
    """A function that runs a command, word by word, with the environment of a process of the application.

    redis-cli and psql find their passwords in it.
    """

    def run(*command: str) -> CommandResult:
        words = " ".join(["python3 -c %s %s", *["%s"] * len(command)])
        return host.run(words, WITH_ENVIRONMENT, str(pid), *command)

    return run


def processes(host: Host, pattern: str) -> str:
    """The processes whose command lines match a regular expression, each with its start.

    Not one that is as its parent: PostgreSQL's are so for a moment before they say what they are.
    """
    lines = [line.split(maxsplit=7) for line in host.check_output("ps -eo pid=,ppid=,lstart=,args=").splitlines()]
    found = {pid: (" ".join(start), args, parent) for pid, parent, *start, args in lines if re.search(pattern, args)}
    return "\n".join(
        f"{start} {pid} {args}"
        for pid, (start, args, parent) in found.items()
        if found.get(parent, ("", "", ""))[1] != args
    )


def write_secretly(name: str, path: str, text: str) -> None:
    """Write a file that only root reads, without its text being on a command line, which sudo would log."""
    command = f"sudo sh -c 'umask 077; cat > {path}'"
    subprocess.run(["ssh", "-F", SSH_CONFIG, name, command], input=text, text=True, check=True, capture_output=True)


def probe(origin: Host, address: str, port: int) -> str:
    """What a TCP connection from `origin` meets: "open", "refused" (nothing listens) or "silent" (it is dropped)."""
    return str(origin.check_output("python3 -c %s %s %s %s", PROBE, address, str(port), str(CONNECT_SECONDS)))


@contextmanager
def tunnel(through: str, address: str, port: int) -> Iterator[int]:
    """A port of this machine that leads to an address, as a host sees it, for as long as the context lasts."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        here: int = free.getsockname()[1]
    forward = ["-N", "-o", "ExitOnForwardFailure=yes", "-L", f"127.0.0.1:{here}:{address}:{port}"]
    process = subprocess.Popen(["ssh", "-F", SSH_CONFIG, "-S", "none", *forward, through])
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", here), timeout=5).close()
                break
            except ConnectionRefusedError:
                assert process.poll() is None, "the tunnel ended"
                assert time.monotonic() < deadline, "no tunnel"
                time.sleep(0.1)
        yield here
    finally:
        process.terminate()
        process.wait()
