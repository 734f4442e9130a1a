"""Redis' configuration, asked of a real Redis: it is tried first, and its password changes in two steps."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.edusphere.platform.plugins.filter.redis_users import redis_users
from rendering import ROOT, rendered

SCRIPT = (ROOT / "roles/redis/files/try_redis.sh").read_text()
OLD, NEW = "an old 'password' é", 'a "new" $one'


def cli(port: int, password: str, *command: str) -> str:
    """What redis-cli says."""
    words = ["redis-cli", "-p", str(port), *command]
    environment = os.environ | {"REDISCLI_AUTH": password}
    return subprocess.run(words, env=environment, capture_output=True, text=True, check=False).stdout


@pytest.fixture(scope="module")
def port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        number: int = free.getsockname()[1]
        return number


@pytest.fixture(scope="module")
def configuration(tmp_path_factory: pytest.TempPathFactory, port: int) -> Path:
    """What the role writes natively, with its files in a directory of the test."""
    place = tmp_path_factory.mktemp("redis")
    template = place / "redis.conf.j2"
    # All but what follows from the memory of a host.
    template.write_text(
        "{% for name, value in __redis_settings_of.native.items() %}{{ name }} {{ value }}\n{% endfor %}"
        "{% for name in ['aclfile', 'save', 'appendonly'] %}"
        "{{ name }} {{ __redis_settings_always[name] }}\n{% endfor %}"
    )
    (there := place / "there").mkdir()
    groups = {"app": ["vm"], "cache": ["vm"]}
    text = rendered(there, template, {"vm": {}}, groups, "redis", edusphere_redis_port=port)["vm"]
    (place / "redis-edusphere.acl").write_text(redis_users(OLD))
    here = text.replace("/etc/redis/", f"{place}/").replace("/run/redis-edusphere", str(place))
    (place / "redis.conf").write_text(here)
    return place / "redis.conf"


@pytest.fixture
def server(configuration: Path, port: int) -> Iterator[int]:
    """A Redis that runs with it; its port."""
    process = subprocess.Popen(["redis-server", configuration, "--daemonize", "no"], stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 30
    while "PONG" not in cli(port, OLD, "PING"):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    yield port
    process.kill()
    process.wait()


def tried(file: Path) -> subprocess.CompletedProcess[str]:
    words = ["sh", "-c", SCRIPT, "try-redis", str(file)]
    return subprocess.run(words, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("", ""),
        ("maxmemmory-policy noeviction\n", "'maxmemmory-policy noeviction'"),
        ("maxmemory much\n", "'maxmemory much'"),
    ],
)
def test_a_configuration_is_tried_beside_the_one_that_runs(
    configuration: Path, server: int, tmp_path: Path, line: str, said: str
) -> None:
    """What is refused is told with its line, and the Redis that runs is the one that it was."""
    before = cli(server, OLD, "CLIENT", "ID")
    (tmp_path / "redis.conf").write_text(configuration.read_text() + line)
    run = tried(tmp_path / "redis.conf")
    assert (run.returncode == 0) == (not said), run.stdout
    assert said in run.stdout
    assert int(cli(server, OLD, "CLIENT", "ID")) > int(before)


def test_a_password_changes_in_two_steps(configuration: Path, server: int) -> None:
    """Both are valid in the meantime, and who is logged in with the old one stays so."""
    users = configuration.with_name("redis-edusphere.acl")
    listener = subprocess.Popen(
        ["redis-cli", "-p", str(server), "SUBSCRIBE", "room"],
        env=os.environ | {"REDISCLI_AUTH": OLD},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert listener.stdout is not None
    assert [listener.stdout.readline().strip() for _ in range(3)] == ["subscribe", "room", "1"]
    both = redis_users(NEW, there=redis_users(OLD))
    for text, logged_in, valid in ((both, OLD, [OLD, NEW]), (redis_users(NEW, both, only=True), NEW, [NEW])):
        users.write_text(text)
        assert cli(server, logged_in, "ACL", "LOAD") == "OK\n"
        assert [each for each in (OLD, NEW) if "PONG" in cli(server, each, "PING")] == valid
        assert cli(server, NEW, "PUBLISH", "room", "hello") == "1\n"
        assert [listener.stdout.readline().strip() for _ in range(3)] == ["message", "room", "hello"]
    listener.kill()
    listener.wait()
    users.write_text(redis_users(OLD))
