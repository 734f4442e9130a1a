"""nginx in a container, configured as a run would on a host, and a backend that says what it was asked."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine import docker, only_one
from rendering import ROOT, rendered

DOMAIN = "edusphere.test"
LIVE, PREVIOUS = "v2-0123456789ab", "v1-0123456789ab"
# The oldest nginx that is accepted, and the other Debian's. Compose mode needs a newer one, as nginx:alpine has it.
SERVERS = {"debian12": "bookworm", "debian13": "trixie", "compose": "trixie", "redis": "bookworm"}
INSTALL = {
    "debian12": "apt-get -qq install --yes nginx",
    "debian13": "apt-get -qq install --yes nginx",
    # Not a web server: the oldest Redis that is accepted.
    "redis": "apt-get -qq install --yes redis-server",
    "compose": "sed -n '1{s/^deb /&[check-valid-until=no] /;s/ trixie / forky /p}' /etc/apt/sources.list"
    " > /etc/apt/sources.list.d/forky.list && apt-get -qq update && apt-get -qq install --yes nginx/forky",
}
# A backend in either mode: it answers with the headers that it got.
ECHO = """
server {
    listen unix:/run/edusphere-backend-a/http.sock;
    listen 127.0.0.2:8000;
    default_type application/json;
    return 200 '{"host": "$http_host", "x-forwarded-host": "$http_x_forwarded_host", "forwarded": "$http_forwarded",
        "x-forwarded-port": "$http_x_forwarded_port", "upgrade": "$http_upgrade", "line": "$request"}';
}
"""
BOTH = """{{ {'site': lookup('ansible.builtin.template', templates ~ '/site.conf.j2'),
              'nginx': lookup('ansible.builtin.template', templates ~ '/nginx.conf.j2')} | to_json }}"""


def image(server: str) -> str:
    """The name of an image with that nginx, made unless it is there."""
    base = f"edusphere-testbed:{SERVERS[server]}"
    dockerfile = f"FROM {base}\nRUN apt-get -qq update && {INSTALL[server]} > /dev/null 2>&1\n"
    found = docker("image", "inspect", "--format={{.Id}}", base)
    name = f"edusphere-testbed-nginx:{hashlib.sha256((found + dockerfile).encode()).hexdigest()[:16]}"
    with only_one("nginx"):
        if not docker("images", "--quiet", name):
            docker(
                *("build", "--quiet", "--force-rm", f"--tag={name}", "--label=org.edusphere.testbed=image", "-"),
                input=dockerfile,
                env={**os.environ, "DOCKER_BUILDKIT": "0"},
            )
    return name


@dataclass(frozen=True)
class Answer:
    """What a visitor gets."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def type(self) -> str:
        """Its media type, without a charset."""
        return self.headers.get("Content-Type", "").partition(";")[0]


@dataclass(frozen=True)
class WebServer:
    """One that runs. What it serves can be written below ``releases`` and ``shared`` while it does."""

    address: str
    site: str
    releases: Path
    shared: Path

    def get(self, target: str, host: str = DOMAIN, **headers: str) -> Answer:
        """Ask for a path, or, as a proxy is asked, for an address."""
        connection = http.client.HTTPConnection(self.address, timeout=10)
        connection.putrequest("GET", target, skip_host=True, skip_accept_encoding=True)
        for name, value in {"Host": host, **headers}.items():
            connection.putheader(name.replace("_", "-"), value)
        connection.endheaders()
        response = connection.getresponse()
        answer = Answer(response.status, response.headers, response.read())
        connection.close()
        return answer

    def write(self, path: str, content: str = "content", release: str = LIVE) -> None:
        """Make a file of a release."""
        _write(self.releases, f"{release}/{path}", content)

    def share(self, path: str, content: str = "content") -> None:
        """Make a file that releases share."""
        _write(self.shared, path, content)


def _write(root: Path, path: str, content: str) -> None:
    file = root / path
    # A link of a test may lead to what is this machine's.
    assert file.resolve().is_relative_to(root.resolve())
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content)


@contextmanager
def running(server: str, place: Path, settings: Mapping[str, Any]) -> Iterator[WebServer]:
    """nginx with the settings of a site on one host, in an empty directory."""
    compose = server == "compose"
    root, conf, files = place / "srv", place / "conf", place / "rendered"
    site = root if compose else root / "edusphere"
    for directory in (conf, files, site / "releases", site / "shared/media"):
        directory.mkdir(parents=True, exist_ok=True)
    root.chmod(0o755)
    if not compose:
        # As the role release makes it.
        (site / "releases" / LIVE).mkdir()
        (site / "releases" / LIVE / "media").symlink_to("/srv/edusphere/shared/media")
    (template := place / "both.j2").write_text(BOTH)
    variables: dict[str, Any] = {
        "templates": str(ROOT / "roles/nginx/templates"),
        "edusphere_mode": "compose" if compose else "native",
        "edusphere_private_address": "192.0.2.1",
        "edusphere_switched_to": {"slot": "a", "release": LIVE},
        "edusphere_kept_now": [{"release": LIVE}, {"release": PREVIOUS}],
        "edusphere_backend_containers": ["127.0.0.2"],
        "edusphere_domain": DOMAIN,
    }
    groups = {"edge": ["one"], "app": ["one"]}
    written = json.loads(rendered(files, template, {"one": {}}, groups, role="nginx", **variables, **settings)["one"])
    (conf / "nginx.conf").write_text(written["nginx"])
    (conf / "site.conf").write_text(written["site"] + ECHO)
    mounts = [(root, "/srv")]
    command = "mkdir -p /run/edusphere-backend-a && exec nginx -g 'daemon off;'"
    if compose:
        mounts += [(conf, "/etc/nginx/site")]
        command += " -c /etc/nginx/site/nginx.conf"
    else:
        mounts += [(conf / "nginx.conf", "/etc/nginx/nginx.conf")]
        mounts += [(conf / "site.conf", "/etc/nginx/sites-enabled/edusphere.conf")]
    volumes = [f"--volume={source}:{target}:ro" for source, target in mounts]
    container = docker(
        *("run", "--detach", "--label=org.edusphere.testbed=test", "--entrypoint=sh", *volumes, image(server)),
        *("-c", f"rm -f /etc/nginx/sites-enabled/default; {command}"),
    )
    try:
        # What nginx has to say of its configuration, warnings as well.
        listening = "for _ in $(seq 100); do test -e /run/nginx.pid && break; sleep 0.1; done; test -s /run/nginx.pid"
        waited = subprocess.run(["docker", "exec", container, "sh", "-c", listening], check=False)
        said = subprocess.run(["docker", "logs", container], capture_output=True, text=True, check=True).stderr
        assert waited.returncode == 0, said
        assert not said
        address = docker("inspect", "--format={{.NetworkSettings.IPAddress}}", container)
        yield WebServer(address, written["site"], site / "releases", site / "shared")
    finally:
        docker("rm", "--force", container)
