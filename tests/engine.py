"""The Docker engine of this machine and a Compose for it, as tests of more than one collection use them."""

from __future__ import annotations

import contextlib
import fcntl
import functools
import pathlib
import subprocess
from collections.abc import Iterator
from typing import Any

from docker import APIClient, from_env

ROOT = pathlib.Path(__file__).parents[1]
# A test host's image: bash, Python, procps.
IMAGE = "edusphere-testbed:trixie"


@contextlib.contextmanager
def only_one(name: str) -> Iterator[pathlib.Path]:
    """Yield a directory for what tests keep, held against the other processes that tests run in."""
    place = ROOT / ".cache/unit"
    place.mkdir(parents=True, exist_ok=True)
    with (place / f"{name}.lock").open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        yield place


@functools.cache
def api() -> APIClient:
    """Return a client of the engine in this process."""
    return from_env().api


def docker(*arguments: str, **options: Any) -> str:
    """Run a command of docker's client and return what it prints."""
    done = subprocess.run(["docker", *arguments], check=True, stdout=subprocess.PIPE, encoding="utf-8", **options)
    return str(done.stdout).strip()


def compose_client() -> dict[str, str]:
    """Return the environment in which docker's client has Compose 2: Debian 13's, as Debian 12 has no package."""
    if subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode == 0:
        return {}
    with only_one("compose") as place:
        plugin = place / "docker/cli-plugins/docker-compose"
        if not plugin.exists():
            plugin.parent.mkdir(parents=True, exist_ok=True)
            fetched = plugin.with_name("fetched")
            script = (
                "cd /tmp && { apt-get -qq update && apt-get -qq download docker-compose && dpkg -x *.deb . ;} >&2 &&"
                " cat usr/libexec/docker/cli-plugins/docker-compose"
            )
            with fetched.open("wb") as file:
                command = ["docker", "run", "--rm", "--entrypoint=sh", IMAGE, "-c", script]
                subprocess.run(command, stdout=file, check=True)
            fetched.chmod(0o755)
            fetched.rename(plugin)
    return {"DOCKER_CONFIG": str(plugin.parents[1])}
