"""Two sites on one host: what its nginx and its Redis make of their configurations together."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from engine import docker
from rendering import ROOT, rendered
from web_server import image

# What one of them sets, as preflight asks for it, and what both name in the http block.
SITES: dict[str, dict[str, Any]] = {
    "shop": {
        "edusphere_name": "shop",
        "edusphere_domain": "shop.test",
        "nginx_http_extra": "map $host $shop { default 1; }",
    },
    "learn": {
        "edusphere_name": "learn",
        "edusphere_domain": "learn.test",
        "edusphere_front_port": 8001,
        "edusphere_redis_port": 6380,
        "nginx_http_extra": "map $host $learn { default 1; }",
    },
}
BOTH = """{{ {'shop': lookup('ansible.builtin.template', templates ~ file, template_vars=sites.shop),
              'learn': lookup('ansible.builtin.template', templates ~ file, template_vars=sites.learn),
              'host': lookup('ansible.builtin.template', templates ~ host, template_vars=sites.shop)} | to_json }}"""
CERTIFICATE = (
    "openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=shop.test -keyout key.pem -out certificate.pem -days 2"
)
# nginx must have nothing to say of the files, warnings as well.
SERVE = """
cd /sites && rm -f /etc/nginx/sites-enabled/*
cp nginx.conf /etc/nginx && cp enabled/* /etc/nginx/sites-enabled
for site in shop learn; do mkdir /etc/nginx/tls-$site && cp *.pem /etc/nginx/tls-$site; done
said=$(nginx -t -q 2>&1); test -z "$said" || { echo "$said" >&2; exit 1; }
nginx || exit 1
for name in shop.test learn.test other.test; do
  exec 3<> /dev/tcp/127.0.0.1/80
  printf 'GET / HTTP/1.1\\r\\nHost: %s\\r\\nConnection: close\\r\\n\\r\\n' "$name" >&3
  protocol= status=
  read -r -t 10 protocol status said <&3
  echo "$name ${status:-nothing}"
done
"""
# What an operator had there before.
OWN = "server { listen 80 default_server; return 404; }\n"


def both(place: Path, role: str, name: str, host: str, **settings: Any) -> dict[str, str]:
    """A file of each site, and one that they share, by their names."""
    (template := place / "both.j2").write_text(BOTH)
    variables = {
        "templates": f"{ROOT}/roles/{role}/templates/",
        "file": name,
        "host": host,
        "sites": {site: {**values, **settings} for site, values in SITES.items()},
        "edusphere_private_address": "192.0.2.1",
        "edusphere_switched_to": {"slot": "a", "release": "v1-0123456789ab"},
    }
    groups = {group: ["one"] for group in ("edge", "app", "database", "cache")}
    found: dict[str, str] = json.loads(
        rendered(place, template, {"one": {}}, groups, role=role, facts=True, **variables)["one"]
    )
    return found


def answers(server: str, place: Path) -> dict[str, str]:
    """What nginx with the sites in a directory answers to each name over HTTP: a status, or nothing."""
    run = ("run", "--rm", "--label=org.edusphere.testbed=test", f"--volume={place}:/sites:ro", "--entrypoint=bash")
    return dict(re.findall(r"(\S+) (\S+)", docker(*run, image(server), "-c", SERVE)))


@pytest.mark.parametrize("server", ["debian12", "debian13"])
@pytest.mark.parametrize("tls", ["off", "provided"])
def test_nginx_serves_both(tmp_path: Path, server: str, tls: str) -> None:
    """Each by its name, what is no site's by none, and one when the other is gone; beside an operator's own as well."""
    (rendering := tmp_path / "rendered").mkdir()
    http2 = server == "debian13"
    files = both(rendering, "nginx", "site.conf.j2", "nginx.conf.j2", edusphere_tls=tls, __nginx_http2_directive=http2)
    (place := tmp_path / "sites").mkdir()
    (enabled := place / "enabled").mkdir()
    (place / "nginx.conf").write_text(files["host"])
    for name in ("certificate.pem", "key.pem"):
        (place / name).touch()
    docker(
        *("run", "--rm", f"--volume={place}:/sites", "--workdir=/sites", "--entrypoint=sh", image(server)),
        *("-c", f"{CERTIFICATE} 2>/dev/null"),
    )
    for site in SITES:
        (enabled / f"{site}.conf").write_text(files[site])
    # Without TLS the page, of a release that is not there; with it the way to HTTPS.
    there = "301" if tls == "provided" else "500"
    assert not re.search(r"^ *listen .*default_server", files["shop"] + files["learn"], re.M)
    assert answers(server, place) == {"shop.test": there, "learn.test": there, "other.test": "nothing"}
    (enabled / "zz-own").write_text(OWN)
    assert answers(server, place) == {"shop.test": there, "learn.test": there, "other.test": "404"}
    (enabled / "zz-own").unlink()
    (enabled / "learn.conf").unlink()
    assert answers(server, place) == {"shop.test": there, "learn.test": "nothing", "other.test": "nothing"}


def test_each_has_its_own_redis(tmp_path: Path) -> None:
    """Its own port and directory, in one that reads both: the oldest that is accepted."""
    (before := tmp_path / "before.j2").write_text("{{ __redis_written_before }}")
    host = os.path.relpath(before, ROOT / "roles/redis/templates")
    files = both(tmp_path, "redis", "redis.conf.j2", host, redis_maxmemory="64mb")
    # What this role wrote in the package's place is known by its port; the package's or an operator's is nobody's.
    assert [re.search(files["host"], files[site]) is not None for site in SITES] == [True, False]
    assert re.search(files["host"], "# Redis configuration file example.\n#\nport 6379\n") is None
    said = {site: dict(line.split(" ", 1) for line in files[site].splitlines()[1:]) for site in SITES}
    assert {site: said[site]["port"] for site in SITES} == {"shop": "6379", "learn": "6380"}
    assert {site: said[site]["dir"] for site in SITES} == {"shop": "/run/redis-shop", "learn": "/run/redis-learn"}
    assert {said[site]["pidfile"] for site in SITES} == {f"/run/redis-{site}/redis-server.pid" for site in SITES}
    for site in SITES:
        (tmp_path / f"redis-{site}.conf").write_text(files[site])
    # Which passwords are valid, another test asks.
    script = (
        "for site in shop learn; do echo 'user default on nopass ~* &* +@all' > /etc/redis/redis-$site.acl;"
        " mkdir /run/redis-$site && redis-server /sites/redis-$site.conf --daemonize yes; done;"
        " sleep 1; for port in 6379 6380; do REDISCLI_AUTH=unused redis-cli -p $port config get dir; done"
    )
    run = ("run", "--rm", "--label=org.edusphere.testbed=test", f"--volume={tmp_path}:/sites:ro", "--entrypoint=sh")
    answered = docker(*run, image("redis"), "-c", script)
    assert re.findall(r"/run/\S+", answered) == ["/run/redis-shop", "/run/redis-learn"]
