"""How the application runs on its host."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
from behaviour.visitor import Site
from testinfra.host import Host

# Runs on the host as root: what the kernel says of a process and its children.
LOOK = """
import json, pathlib, pwd, sys

def look(pid):
    proc = pathlib.Path("/proc", pid)
    status = dict(line.split(":", 1) for line in proc.joinpath("status").read_text().splitlines())
    maps = proc.joinpath("maps").read_text()
    limits = proc.joinpath("limits").read_text()
    return {
        "command": proc.joinpath("cmdline").read_bytes().decode().split("\\0")[:-1],
        "users": sorted({pwd.getpwuid(int(uid)).pw_name for uid in status["Uid"].split()}),
        "capabilities": int(status["CapEff"], 16) | int(status["CapBnd"], 16),
        "no_new_privileges": status["NoNewPrivs"].strip(),
        "seccomp": status["Seccomp"].strip(),
        "umask": status["Umask"].strip(),
        "files": int(limits.partition("Max open files")[2].split()[0]),
        "root_is_read_only": any(
            line.split()[1] == "/usr" and "ro" in line.split()[3].split(",")
            for line in proc.joinpath("mounts").read_text().splitlines()
        ) or any(
            line.split()[1] == "/" and "ro" in line.split()[3].split(",")
            for line in proc.joinpath("mounts").read_text().splitlines()
        ),
        "fast": "/uvloop/" in maps and "/httptools/" in maps,
    }

main = sys.argv[1]
children = pathlib.Path("/proc", main, "task", main, "children").read_text().split()
print(json.dumps([look(main)] + [look(child) for child in children]))
"""


@pytest.fixture
def processes(vm: Host, main_pid: int) -> list[dict[str, Any]]:
    """The processes of what serves, the first one first."""
    return list(json.loads(vm.check_output("python3 -c %s %s", LOOK, str(main_pid))))


def test_several_workers_with_uvloop_and_httptools(vm: Host, processes: list[dict[str, Any]]) -> None:
    """The compiled parts are in the workers' memory, in each of them."""
    wanted = min(max(int(vm.check_output("nproc")), 2), 8)
    workers = [process for process in processes[1:] if "spawn_main" in " ".join(process["command"])]
    assert len(workers) == wanted
    assert all(worker["fast"] for worker in workers)


def test_nothing_runs_with_more_rights_than_it_needs(processes: list[dict[str, Any]]) -> None:
    for process in processes:
        assert process["users"] == ["edusphere"]
        assert process["capabilities"] == 0
        assert process["no_new_privileges"] == "1"
        assert process["seccomp"] == "2"  # a filter
        assert process["umask"] == "0022"
        assert process["files"] == 16384
        assert process["root_is_read_only"]


def test_the_service_may_write_what_releases_share_and_nothing_else(vm: Host, main_pid: int) -> None:
    """In its own view of the file system, with its own account."""
    enter = f"nsenter --target {main_pid} --mount setpriv --reuid edusphere --regid edusphere --clear-groups"
    assert vm.run(f"{enter} touch /srv/edusphere/shared/media/.probe").succeeded
    assert vm.run(f"{enter} rm /srv/edusphere/shared/media/.probe").succeeded
    for place in ["/srv/edusphere/current/backend", "/etc", "/var/lib", "/home", "/usr/local", "/etc/edusphere"]:
        assert vm.run(f"{enter} touch {place}/.probe").failed, place
        # Even root's own files could not be written there.
        assert vm.run(f"nsenter --target {main_pid} --mount touch {place}/.probe").failed, place


def test_hardening(vm: Host, unit: str) -> None:
    """systemd's own judgement (0 is best, 10 is none), as a guard against what gets lost."""
    verdict = vm.check_output("systemd-analyze security --no-pager %s", unit).splitlines()[-1]
    score = float(verdict.partition(":")[2].split()[0])
    assert score <= 2.5, verdict


def test_the_environment_arrives_byte_for_byte(environment: dict[str, str], secrets: dict[str, str]) -> None:
    assert {name: environment[name] for name in secrets} == secrets
    assert environment["DEBUG"] == "False"
    assert environment["DJANGO_SETTINGS_MODULE"] == "backend.config.settings"


def test_only_nginx_reaches_the_socket(vm: Host, live: dict[str, str]) -> None:
    socket = f"/run/edusphere-backend-{live['slot']}/http.sock"
    ask = (
        "import socket, sys; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); "
        "s.sendall(b'GET /api/health/live/ HTTP/1.0\\r\\nHost: edusphere.test\\r\\n\\r\\n'); print(s.recv(12).decode())"
    )
    assert vm.check_output("runuser -u www-data -- python3 -c %s %s", ask, socket) == "HTTP/1.1 200"
    assert "PermissionError" in vm.run("runuser -u nobody -- python3 -c %s %s", ask, socket).stderr


def test_the_journal_has_the_log(site: Site, vm: Host, unit: str) -> None:
    marker = uuid.uuid4().hex
    assert site.get(f"/api/{marker}/").status_code == 404
    log = vm.check_output("journalctl --quiet --no-pager --output cat --unit %s --grep %s", unit, marker)
    assert f"Not Found: /api/{marker}/" in log
    assert vm.run(f"grep -F 'GET /api/{marker}/ ' /var/log/nginx/access.log").succeeded
    # It is there after a restart of the host too.
    assert vm.check_output("ls /var/log/journal/*/system.journal")


def test_the_account_has_no_shell(vm: Host) -> None:
    for name in ("edusphere", "edusphere-build"):
        assert vm.user(name).shell == "/usr/sbin/nologin"
        assert vm.user(name).password == "!" or vm.user(name).password.startswith("!")
        assert vm.run(f"su {name} -c id").failed


def test_one_slot_runs(vm: Host, live: dict[str, str]) -> None:
    other = "b" if live["slot"] == "a" else "a"
    assert vm.check_output("readlink --canonicalize /srv/edusphere/current").endswith(f"/{live['release']}")
    for slot, serves in ((live["slot"], True), (other, False)):
        # After a first installation the other one has no unit yet.
        for question in ("is-active", "is-enabled"):
            assert vm.run(f"systemctl {question} edusphere-backend@{slot}").succeeded == serves, question
