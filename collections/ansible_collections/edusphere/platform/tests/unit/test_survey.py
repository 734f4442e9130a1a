"""Preflight's survey: the script as it runs here, and its answers as the control node reads them."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from pathlib import Path

import pytest
from ansible_collections.edusphere.platform.plugins.plugin_utils.survey import (
    Account,
    Cluster,
    Group,
    Listener,
    Redis,
    Survey,
    WebSite,
    parse,
)
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
silent /srv/shop/shared
silent /mnt/two more words
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
@@ compose
@@ compose_package
installed 1.29.2-3
@@ databases
shop postgres:16
wiki 0a1b2c3d4e5f
@@ nginx
/etc/nginx/conf.d/own.conf listen 80 default_server
/etc/nginx/conf.d/own.conf server_name A.test  "b.test"
/etc/nginx/conf.d/own.conf listen [::]:443 ssl
/etc/nginx/sites-enabled/default listen 80 default_server
/etc/nginx/sites-enabled/default sample
@@ redis
/etc/redis/redis.conf # Redis configuration file example.
/etc/redis/redis.conf port 6379
/etc/redis/redis-shop.conf # Ansible managed
/etc/redis/redis-shop.conf port 6380
@@ clusters
17 main 5432 online postgres /var/lib/postgresql/17/main /var/log/postgresql/postgresql-17-main.log
@@ published
shop 0.0.0.0:80->80/tcp, [::]:80->80/tcp, 127.0.0.1:8000-8001->8000-8001/tcp
wiki 5432/tcp
@@ records
@@ units
@@ stacks

@@ environments
@@ silent
links
sudo
@@ end
"""
UNITS = "/etc/systemd/system/multi-user.target.wants"


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
    assert (survey.compose, survey.compose_package, survey.silent) == ("", "1.29.2-3", ("links", "sudo"))
    assert survey.databases == {"shop": "postgres:16", "wiki": "0a1b2c3d4e5f"}


def test_neighbours() -> None:
    """What else nginx, Redis, PostgreSQL and containers of the host are for."""
    survey = parse(ANSWER)
    assert survey.web_sites == (
        WebSite("/etc/nginx/conf.d/own.conf", ("80", "[::]:443"), ("80",), ("a.test", "b.test")),
        WebSite("/etc/nginx/sites-enabled/default", ("80",), ("80",), sample=True),
    )
    assert survey.redis == (
        Redis("/etc/redis/redis.conf", 6379, ours=False),
        Redis("/etc/redis/redis-shop.conf", 6380, ours=True),
    )
    assert survey.clusters == (Cluster("17", "main", 5432),)
    assert survey.published == (("shop", 80), ("shop", 8000), ("shop", 8001))


@pytest.mark.parametrize("masked", [False, True])
def test_the_script_finds_neighbours(tmp_path: Path, masked: bool) -> None:
    """However an operator writes a server, and nothing of what is a comment, a password, or can't run."""
    script = SCRIPT.read_text()
    for place in ("/etc/nginx/conf.d", "/etc/nginx/sites-enabled", "/etc/redis", "/etc/systemd/system"):
        assert place in script
        script = script.replace(place, f"{tmp_path}{place}")
        (tmp_path / place[1:]).mkdir(parents=True)
    (own := tmp_path / "etc/nginx/conf.d/own.conf").write_text(
        "server { listen 80 default_server; server_name a.test\n\tb.test; # c.test;\n"
        "  listen [::]:443 ssl; }\n# listen 81;\n"
    )
    (redis := tmp_path / "etc/redis/redis-shop.conf").write_text(
        '# Ansible managed\nrequirepass "a secret"\nport 6380\n'
    )
    (package := tmp_path / "etc/redis/redis.conf").write_text("# Redis configuration file example.\nport 6379\n")
    if masked:
        (tmp_path / "etc/systemd/system/redis-server.service").symlink_to("/dev/null")
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    survey = parse(done.stdout)
    assert survey.web_sites == (WebSite(str(own), ("80", "[::]:443"), ("80",), ("a.test", "b.test")),)
    assert [*survey.redis] == [Redis(str(redis), 6380, ours=True)] + [Redis(str(package), 6379, ours=False)] * (
        not masked
    )
    assert (done.stderr, "a secret" in done.stdout) == ("", False)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("2.26.1\n@@ compose_package\ninstalled 2.26.1-4", ("2.26.1", "2.26.1-4")),
        ("@@ compose_package", ("", "")),
        ("@@ compose_package\nconfig-files 1.29.2-3", ("", "")),
    ],
)
def test_compose(lines: str, expected: tuple[str, str]) -> None:
    survey = parse(ANSWER.replace("@@ compose_package\ninstalled 1.29.2-3", lines))
    assert (survey.compose, survey.compose_package) == expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/srv/shop", ("/srv/shop/shared",)),
        ("/srv/shop/shared/media", ("/srv/shop/shared",)),
        ("/srv/shopping", ()),
        ("/mnt/two more words", ("/mnt/two more words",)),
        ("/", ("/srv/shop/shared", "/mnt/two more words")),
    ],
)
def test_storage_that_does_not_answer(path: str, expected: tuple[str, ...]) -> None:
    assert parse(ANSWER).silent_at(path) == expected


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


def with_sites(**sections: str) -> str:
    """The answer of a host that has sites."""
    text = ANSWER
    for name, lines in sections.items():
        text = text.replace(f"@@ {name}\n", f"@@ {name}\n{lines}\n")
    return text


def unit(slot: str, site: str = "learn", working_directory: str = "/srv/learn/slots/%i") -> str:
    path = f"{UNITS}/{site}-backend@{slot}.service"
    return "\n".join(
        [
            f"{path}:User=teacher",
            f"{path}:Group=school",
            f"{path}:WorkingDirectory={working_directory}",
            f"{path}:EnvironmentFile=/etc/{site}/slot-%i.env",
        ]
    )


LEARN = {
    "edusphere_name": "learn",
    "edusphere_mode": "native",
    "edusphere_root": "/srv/learn",
    "edusphere_user": "teacher",
    "edusphere_group": "school",
}


def test_a_site_by_its_units() -> None:
    text = with_sites(
        units=unit("b"),
        environments='/etc/learn/slot-b.env:DB_NAME="a \\"b\\" \\$c"\n/etc/learn/slot-b.env:DB_USER="owner"\n'
        '/etc/learn/slot-b.env:DB_HOST="127.0.0.1"',
    )
    database = {"edusphere_database_name": 'a "b" $c', "edusphere_database_user": "owner", "own_database": True}
    assert parse(text).sites == (LEARN | database,)
    # Its environment is for root alone.
    assert parse(with_sites(units=unit("a"))).sites == (LEARN,)


@pytest.mark.parametrize(
    "lines", [unit("a", working_directory="/opt/other"), f"{UNITS}/x-backend@a.service:User=x", "?"]
)
def test_units_of_others(lines: str) -> None:
    assert parse(with_sites(units=lines)).sites == ()


def test_a_site_by_its_containers() -> None:
    text = with_sites(
        stacks="learn /srv/learn/stack\nshop /opt/shop",
        environments='/srv/learn/stack/.env.docker:DB_NAME="coredb"\n/srv/learn/stack/.env.docker:DB_HOST="10.0.0.4"',
    )
    site = {"edusphere_name": "learn", "edusphere_mode": "compose", "edusphere_root": "/srv/learn"}
    assert parse(text).sites == (site | {"edusphere_database_name": "coredb", "own_database": False},)


def test_a_record_knows_better() -> None:
    text = with_sites(units=unit("a"), records='{"edusphere_name": "learn", "edusphere_mode": "compose"}')
    assert parse(text).sites == ({"edusphere_name": "learn", "edusphere_mode": "compose"},)


@pytest.mark.parametrize(
    "record",
    [
        "",
        "{",
        '{"edusphere_name": "learn", "edusphere_m',
        "null",
        "[]",
        "7",
        "{}",
        '{"edusphere_name": ["learn"]}',
        "\0",
    ],
)
def test_a_damaged_record(record: str) -> None:
    """It is taken for none."""
    assert parse(with_sites(units=unit("a"), records=record)).sites == (LEARN,)
    assert parse(with_sites(records=record)).sites == ()


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
    assert (survey.silent, survey.silent_mounts) == ((), ())


def survey_with(place: Path, **programs: str) -> tuple[Survey, str]:
    """The survey of this machine where some programs are others, and what it said beside."""
    for name, script in programs.items():
        (place / name).write_text(f"#!/bin/sh\n{script}\n")
        (place / name).chmod(0o755)
    environment = os.environ | {"PATH": f"{place}:/usr/bin:/bin"}
    done = subprocess.run(
        ["sh", "-c", SCRIPT.read_text()], env=environment, capture_output=True, text=True, timeout=60, check=True
    )
    return parse(done.stdout), done.stderr


def test_a_question_that_is_not_answered(tmp_path: Path) -> None:
    """It is named, what it started ends with it, and the others are answered."""
    survey, _said = survey_with(tmp_path, uname="sleep 4713 | cat", id='[ "$1" = -u ] && echo 0 || sleep 4713')
    assert survey.silent == ("user", "machine")
    assert survey.memory_mb > 100
    end = time.monotonic() + 10
    # What is killed may take a moment to be gone.
    while subprocess.run(["pgrep", "--full", "^sleep 4713$"], stdout=subprocess.DEVNULL, check=False).returncode == 0:
        assert time.monotonic() < end
        time.sleep(0.1)


def test_databases_in_containers(tmp_path: Path) -> None:
    """Asked with a format of Go's, and only of an engine that runs."""
    # The client's answer to the one question that it can be asked here: with another format it would print that.
    wanted = '{{ .Label "com.docker.compose.project" }} {{ .Image }}'
    docker = f"""[ "$1 $6" = 'ps {wanted}' ] && echo shop postgres:16"""
    assert survey_with(tmp_path, systemctl="exit 0", docker=docker)[0].databases == {"shop": "postgres:16"}
    assert survey_with(tmp_path, systemctl="exit 3", docker=docker)[0].databases == {}


def test_a_storage_that_does_not_answer(tmp_path: Path) -> None:
    """As a network storage whose server is gone: df hangs for it and for all together."""
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    dead = next(place for _device, place, kind, *_rest in mounts if kind == "tmpfs")
    survey, _said = survey_with(
        tmp_path, df=f'case "$*" in -Pk | "-Pk {dead}") sleep 60 ;; *) exec /usr/bin/df "$@" ;; esac'
    )
    assert survey.silent_mounts == (dead,)
    assert survey.disks["/"] > 0
    assert survey.silent_at(f"{dead}/x") == (dead,)


def test_the_script_finds_sites(tmp_path: Path) -> None:
    """One with a record, one with an enabled unit, one with containers, and one that never had a live release."""
    script = SCRIPT.read_text()
    for place in ("/var/lib/edusphere-platform", "/etc/systemd/system", "/run/docker.pid"):
        assert place in script
        script = script.replace(place, f"{tmp_path}{place}")
    # An engine that runs, which is asked for its backends.
    docker = f'#!/bin/sh\nfor site in new shop shop; do echo "$site {tmp_path}/srv/$site/stack"; done\n'
    enabled = "etc/systemd/system/multi-user.target.wants/learn-backend@a.service"
    files = {
        "bin/docker": docker,
        "run/docker.pid": "",
        "var/lib/edusphere-platform/sites/known.json": '{"edusphere_name": "known", "edusphere_mode": "native"}\n',
        enabled: f"[Service]\nUser=learn\nGroup=learn\nWorkingDirectory=/srv/learn/slots/%i\n"
        f"EnvironmentFile={tmp_path}/slot-%i.env\n",
        enabled.replace(
            "multi-user.target.wants/learn", "killed"
        ): "[Service]\nWorkingDirectory=/srv/killed/slots/%i\n",
        "slot-a.env": 'DB_NAME="learn"\nDB_PASSWORD="a secret"\n',
        "srv/shop/records/live.fact": "{}",
        "srv/shop/stack/.env.docker": 'DB_NAME="shop"\nDB_HOST="postgres"\nDB_PASSWORD="a secret"\n',
        "srv/new/stack/.env.docker": 'DB_NAME="new"\n',
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "bin/docker").chmod(0o755)
    environment = os.environ | {"PATH": f"{tmp_path}/bin:{os.environ['PATH']}"}
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True, env=environment)
    sites = {site["edusphere_name"]: site for site in parse(done.stdout).sites}
    assert set(sites) == {"known", "learn", "shop"}
    assert (sites["learn"]["edusphere_root"], sites["learn"]["edusphere_database_name"]) == ("/srv/learn", "learn")
    assert sites["shop"] == {
        "edusphere_name": "shop",
        "edusphere_mode": "compose",
        "edusphere_root": f"{tmp_path}/srv/shop",
        "edusphere_database_name": "shop",
        "own_database": True,
    }
    assert (done.stderr, "a secret" in done.stdout) == ("", False)


def test_the_script_changes_nothing() -> None:
    words = SCRIPT.read_text().replace("2>/dev/null", "").replace(">/dev/null", "")
    assert ">" not in words.replace("&gt;", "")
