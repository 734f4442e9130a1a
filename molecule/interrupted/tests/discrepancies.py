"""Runs on a host of the site: prints, as a JSON list, where what runs differs from what the files say."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path("/srv/edusphere")
DOMAIN = "edusphere.test"
# Redis' configuration counts in powers of 1024 where the unit ends in a b.
REDIS_UNITS = {"kb": 1024, "mb": 1024**2, "gb": 1024**3}


def output(*command: str, **environment: str) -> str:
    """What a command says; one that fails says it as well."""
    run = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True)
    return (run.stdout if run.returncode == 0 else f"{run.stdout}{run.stderr}").rstrip("\n")


def redis() -> Iterator[str]:
    """Every line of Redis' configuration, against what the server answers; and the passwords that it takes."""
    password = environment()[b"REDIS_PASSWORD"].decode()
    lines = [shlex.split(line) for line in Path("/etc/redis/redis-edusphere.conf").read_text().splitlines()]
    said = {name: " ".join(words) for name, *words in (line for line in lines if line and not line[0].startswith("#"))}
    for name, value in said.items():
        size = re.fullmatch(r"(\d+)([kmg]b)", value)
        expected = str(int(size[1]) * REDIS_UNITS[size[2]]) if size else value
        runs = output("redis-cli", "-p", said["port"], "config", "get", name, REDISCLI_AUTH=password)
        if runs.partition("\n")[2] != expected:
            yield f"redis: {name} is {runs!r}, the file says {value!r}"
    passwords = re.compile(r"#[0-9a-f]{64}")
    takes = passwords.findall(output("redis-cli", "-p", said["port"], "acl", "list", REDISCLI_AUTH=password))
    if sorted(takes) != sorted(passwords.findall(Path(said["aclfile"]).read_text())):
        yield "redis: it takes other passwords than the file says"


def postgresql() -> Iterator[str]:
    """Every setting in conf.d, as the server's program reads it from there, against what the server runs with."""
    (configuration,) = Path("/etc/postgresql").glob("*/main")
    program = f"/usr/lib/postgresql/{configuration.parent.name}/bin/postgres"
    asked = "select name || '=' || setting from pg_settings"
    runs = dict(
        line.split("=", 1)
        for line in output("runuser", "-u", "postgres", "--", "psql", "-AtXc", asked).splitlines()
        if "=" in line
    )
    for name in re.findall(r"^(\w+) = ", (configuration / "conf.d/edusphere.conf").read_text(), re.MULTILINE):
        says = output("runuser", "-u", "postgres", "--", program, "-D", str(configuration), "-C", name)
        if runs.get(name) != says:
            yield f"postgresql: {name} is {runs.get(name)!r}, the file says {says!r}"


def shown(unit: str, name: str) -> str:
    """One property of a unit."""
    return output("systemctl", "show", "--property", name, "--value", unit)


def variables(text: bytes) -> dict[bytes, bytes]:
    """An environment from NUL-ended NAME=VALUE."""
    return dict(entry.split(b"=", 1) for entry in text.split(b"\0") if b"=" in entry)


def environment() -> dict[bytes, bytes]:
    """The environment of what serves, by its file."""
    file = Path("/etc/edusphere/app.env")
    # systemd itself reads the file; of what it says, what is in the file counts.
    command = [
        "systemd-run",
        "--quiet",
        "--pipe",
        "--wait",
        "--collect",
        f"--property=EnvironmentFile={file}",
        "env",
        "-0",
    ]
    names = re.findall(rb"^(\w+)=", file.read_bytes(), re.MULTILINE)
    everything = variables(subprocess.run(command, check=True, capture_output=True).stdout)
    return {name: everything[name] for name in names}


def backend(live: dict[str, str]) -> Iterator[str]:
    """The record against slots, links and processes; their environment and arguments against the files."""
    release = ROOT / "releases" / live["release"]
    for link in (ROOT / "current", ROOT / "slots" / live["slot"]):
        if link.resolve() != release:
            yield f"backend: {link} leads to {link.resolve()}, the record says {release}"
    for slot in ("a", "b"):
        state = shown(f"edusphere-backend@{slot}", "ActiveState")
        if (state == "active") != (slot == live["slot"]):
            yield f"backend: slot {slot} is {state}, the record says that {live['slot']} serves"
    unit = f"edusphere-backend@{live['slot']}"
    main = shown(unit, "MainPID")
    if main == "0":
        return
    says = environment()
    for process in [main, *output("pgrep", "--parent", main).split()]:
        runs = variables(Path(f"/proc/{process}/environ").read_bytes())
        # Values are secrets: only their names are told.
        if different := sorted(name.decode() for name in says if runs.get(name) != says[name]):
            yield f"backend: process {process} has another {', '.join(different)} than app.env"
    if Path(f"/proc/{main}/cwd").resolve() != release:
        yield f"backend: it runs in {Path(f'/proc/{main}/cwd').resolve()}, the record says {release}"
    if shown(unit, "NeedDaemonReload") != "no":
        yield "backend: systemd has yet to read the unit"
    argv = shown(unit, "ExecStart").partition("argv[]=")[2].partition(" ; ignore_errors=")[0]
    runs_as = Path(f"/proc/{main}/cmdline").read_text().rstrip("\0").replace("\0", " ")
    if runs_as != argv:
        yield f"backend: it was started as `{runs_as}`, the unit says `{argv}`"


def request(method: str, path: str, size: int = 0) -> tuple[int, bytes]:
    """The site's answer to a request with a body of ``size`` zeros."""
    connection = http.client.HTTPConnection("127.0.0.1", 80, timeout=20)
    connection.putrequest(method, path, skip_host=True)
    connection.putheader("Host", DOMAIN)
    connection.putheader("Content-Length", str(size))
    # What is too long is refused before it is there.
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        connection.endheaders(bytes(size))
    answer = connection.getresponse()
    return answer.status, answer.read()


def nginx(live: dict[str, str]) -> Iterator[str]:
    """nginx -T, which reads the files anew, against how nginx behaves."""
    says = output("nginx", "-T")
    if f"/run/edusphere-backend-{live['slot']}/http.sock" not in says:
        yield f"nginx: its files don't name slot {live['slot']}, which the record does"
    limit = int(re.findall(r"client_max_body_size (\d+)m;", says)[-1]) * 1024**2
    if request("POST", "/api/me/avatar/", limit + 1)[0] != http.client.REQUEST_ENTITY_TOO_LARGE:
        yield f"nginx: takes more than {limit} bytes"
    if request("POST", "/api/me/avatar/", limit)[0] == http.client.REQUEST_ENTITY_TOO_LARGE:
        yield f"nginx: refuses {limit} bytes"
    status, body = request("GET", "/api/version/")
    if status != http.client.OK or json.loads(body)["release"] != live["release"]:
        yield f"nginx: /api/version/ answers {status} {body[:200]!r}, the record says {live['release']}"
    if request("GET", "/")[0] != http.client.OK:
        yield "nginx: the page is not there"


def main() -> None:
    """Print all that differs."""
    live = json.loads((ROOT / "records/live.fact").read_text())
    json.dump([*redis(), *postgresql(), *backend(live), *nginx(live)], sys.stdout)


if __name__ == "__main__":
    main()
