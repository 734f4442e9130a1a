"""Preflight's survey: the script as it runs here, and its answers as the control node reads them."""

from __future__ import annotations

import socket
import subprocess

import pytest
from ansible_collections.edusphere.platform.plugins.plugin_utils.survey import Account, Group, Listener, parse
from own_collections import ROOT

SCRIPT = ROOT / "roles/preflight/files/survey.sh"

ANSWER = """\
@@ user
deploy
@@ root
sudo
@@ os
PRETTY_NAME="Debian GNU/Linux 13 (trixie)"
VERSION_ID="13"
# a comment
ID=debian
@@ machine
x86_64
@@ systemd
yes
@@ python3
@@ memory
MemTotal:         987136 kB
@@ disks
Filesystem     1024-blocks    Used Available Capacity Mounted on
/dev/vda1         10218772 4194304   5242880      45% /
/dev/vdb1         10218772 4194304  10485760      45% /srv
/dev/vdc1         10218772 4194304     10240      45% /mnt/two words
@@ links
/bin usr/bin
/srv /home/srv
/opt/sites ../srv/sites
/var/a /var/b
/var/b /var/a
@@ address
192.0.2.1 via 10.0.0.1 dev eth0 src 10.0.0.7 uid 0 \\    cache
@@ accounts
root:0:0:root:/root:/bin/bash
postgres:106:112:PostgreSQL administrator,,,:/var/lib/postgresql:/bin/bash
edusphere:995:994:edusphere service account:/srv/edusphere:/usr/sbin/nologin
+:::::
@@ groups
root:0:
sudo:27:deploy,admin
@@ listeners
   0: 0100007F:1538 00000000:0000 0A 00000000:00000000 00:00000000 00000000   106        0 5 1 0 100 0 0 10 0
   1: 00000000000000000000000000000000:0050 00000000000000000000000000000000:0000 0A 0:0 00:0 0     0        0 6 1
   2: 00000000:1F40 00000000:0000 0A 00000000:00000000 00:00000000 00000000   998        0 7 1 0 100 0 0 10 0
@@ processes
LISTEN 0      511          0.0.0.0:80        0.0.0.0:*    users:(("nginx",pid=7,fd=6),("nginx",pid=8,fd=6))
LISTEN 0      200             [::]:5432         [::]:*    users:(("postgres",pid=9,fd=6))
@@ end
"""


def test_an_answer() -> None:
    survey = parse(ANSWER)
    assert (survey.user, survey.root, survey.architecture) == ("deploy", "sudo", "x86_64")
    assert (survey.systemd, survey.python3, survey.memory_mb, survey.address) == (True, False, 964, "10.0.0.7")
    assert survey.os["PRETTY_NAME"] == "Debian GNU/Linux 13 (trixie)"
    assert [account.name for account in survey.accounts] == ["root", "postgres", "edusphere"]
    service = ("edusphere", 995, 994, "edusphere service account", "/srv/edusphere", "/usr/sbin/nologin")
    assert survey.accounts[2] == Account(*service)
    assert survey.groups == (Group("root", 0, ()), Group("sudo", 27, ("deploy", "admin")))
    assert survey.listeners == (
        Listener(80, "root", "nginx"),
        Listener(5432, "postgres", "postgres"),
        Listener(8000, "998", ""),
    )


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/srv/edusphere", ("/srv", 10240)),
        ("/var/lib/postgresql", ("/", 5120)),
        ("/srv", ("/srv", 10240)),
        ("/mnt/two words/x", ("/mnt/two words", 10)),
    ],
)
def test_free_space(path: str, expected: tuple[str, int]) -> None:
    assert parse(ANSWER).free_mb(path) == expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/etc/edusphere", "/etc/edusphere"),
        ("/bin/sh", "/usr/bin/sh"),
        ("/srv/edusphere", "/home/srv/edusphere"),
        ("/srv", "/home/srv"),
        ("/opt/sites/edusphere", "/home/srv/sites/edusphere"),
        ("/var/a/x", "/var/a/x"),
    ],
)
def test_links_are_followed(path: str, expected: str) -> None:
    assert parse(ANSWER).real(path) == expected


def test_lines_of_a_terminal() -> None:
    assert parse(ANSWER.replace("\n", "\r\n")) == parse(ANSWER)


@pytest.mark.parametrize("text", ["", "This account is not available.", ANSWER.partition("@@ listeners")[0]])
def test_what_is_no_answer(text: str) -> None:
    with pytest.raises((ValueError, KeyError)):
        parse(text)


@pytest.mark.parametrize("shell", ["sh", "bash", "dash"])
def test_the_script_here(shell: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        done = subprocess.run([shell, "-c", SCRIPT.read_text()], capture_output=True, text=True, check=True)
        port = server.getsockname()[1]
    survey = parse(done.stdout)
    assert done.stderr == ""
    assert survey.python3
    assert survey.memory_mb > 100
    assert Account("root", 0, 0, "root", "/root", "/bin/bash") in survey.accounts
    assert "root" in [group.name for group in survey.groups]
    assert survey.free_mb("/srv/edusphere")[1] > 0
    assert port in [listener.port for listener in survey.listeners]
    assert survey.os["ID"]


def test_the_script_changes_nothing() -> None:
    words = SCRIPT.read_text().replace("2>/dev/null", "").replace(">/dev/null", "")
    assert ">" not in words.replace("&gt;", "")
