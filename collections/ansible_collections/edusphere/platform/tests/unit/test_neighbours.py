"""What a site may share with others on its host, and what is refused before it is taken from them."""

from __future__ import annotations

import re
from typing import Any

import pytest
from ansible_collections.edusphere.platform.plugins.plugin_utils.neighbours import notices, problems
from ansible_collections.edusphere.platform.plugins.plugin_utils.survey import (
    Cluster,
    Listener,
    Redis,
    Survey,
    WebSite,
    parse,
)

GROUPS = ["edge", "app", "database", "cache"]
EMPTY = "@@ user\n@@ root\n@@ os\n@@ machine\n@@ systemd\n@@ python3\n@@ memory\n@@ disks\n@@ links\n@@ address\n"
EMPTY += "@@ accounts\n@@ groups\n@@ listeners\n@@ processes\n@@ compose\n@@ compose_package\n@@ databases\n"
EMPTY += "@@ records\n@@ units\n@@ stacks\n@@ environments\n@@ silent\n@@ end\n"
SETTINGS: dict[str, Any] = {
    "edusphere_name": "learn",
    "edusphere_mode": "native",
    "edusphere_domain": "learn.test",
    "edusphere_domain_aliases": [],
    "edusphere_tls": "off",
    "edusphere_http_port": 80,
    "edusphere_https_port": 443,
    "edusphere_front_port": 8000,
    "edusphere_database_port": 5432,
    "edusphere_redis_port": 6379,
}
# Those that a second site sets for itself.
OWN = {
    "edusphere_front_port": 8001,
    "edusphere_database_port": 5433,
    "edusphere_redis_port": 6380,
    "postgresql_cluster": "learn",
}
SHOP = {"edusphere_name": "shop", "edusphere_mode": "native", "postgresql_cluster": "main", "postgresql_version": "17"}


def host(**found: Any) -> Survey:
    """A host with what is given, and nothing else."""
    survey = parse(EMPTY)
    return Survey(**{**vars(survey), **found})


def beside(own: str = "learn") -> Survey:
    """A host with the whole site shop, and what a site has there."""
    return host(
        sites=(SHOP,),
        web_sites=(
            WebSite("/etc/nginx/sites-enabled/shop.conf", ("80", "127.0.0.1:8000"), (), ("shop.test", "shop.invalid")),
            WebSite(f"/etc/nginx/sites-enabled/{own}.conf", ("80", "127.0.0.1:8001"), (), ("learn.test",)),
        ),
        redis=(Redis("/etc/redis/redis-shop.conf", 6379, ours=True),),
        clusters=(Cluster("17", "main", 5432),),
        listeners=(Listener(6379, "redis", "redis-server"),),
    )


def test_a_site_alone() -> None:
    """Its own files are no neighbours, nor is its Redis in the package's place."""
    mine = host(
        sites=({**SHOP, "edusphere_name": "learn"},),
        web_sites=(WebSite("/etc/nginx/sites-enabled/learn.conf", ("80", "127.0.0.1:8000"), ("80",), ("learn.test",)),),
        redis=(Redis("/etc/redis/redis.conf", 6379, ours=True),),
        clusters=(Cluster("17", "main", 5432),),
        listeners=(Listener(6379, "redis", "redis-server"),),
    )
    for survey in (mine, host()):
        assert list(problems(SETTINGS, survey, GROUPS)) == []
        assert list(notices(SETTINGS, survey, GROUPS)) == []


def test_two_sites_with_defaults() -> None:
    """Everything that they can't share is named at once, with the setting that parts them."""
    told = list(problems(SETTINGS, beside(), GROUPS))
    assert [re.findall(r"edusphere_\w+_port|postgresql_cluster", problem) for problem in told] == [
        ["edusphere_front_port"],
        ["edusphere_redis_port"],
        ["postgresql_cluster", "edusphere_database_port"],
    ]
    assert list(problems(SETTINGS | OWN, beside(), GROUPS)) == []
    # A host has what its groups need.
    assert list(problems(SETTINGS, beside(), ["edge"])) == []


@pytest.mark.parametrize("name", ["shop.test", "SHOP.test"])
def test_a_name_is_of_one_site(name: str) -> None:
    (told,) = problems({**SETTINGS, **OWN, "edusphere_domain_aliases": [name]}, beside(), GROUPS)
    assert f"{name} is in /etc/nginx/sites-enabled/shop.conf" in told


@pytest.mark.parametrize(
    ("ours", "others", "runs", "text"),
    [
        (True, (SHOP,), True, "which is site shop's; set edusphere_redis_port"),
        # Killed in its first deployment, of a platform that had one Redis for a host.
        (True, (), True, ""),
        (False, (), True, "systemctl disable --now redis-server, or set edusphere_redis_port"),
        (False, (), False, ""),
    ],
)
def test_the_packages_redis(ours: bool, others: tuple[Any, ...], runs: bool, text: str) -> None:
    survey = host(
        sites=others,
        redis=(Redis("/etc/redis/redis.conf", 6379, ours),),
        listeners=(Listener(6379, "redis", "redis-server"),) if runs else (),
    )
    told = list(problems({**SETTINGS, "postgresql_cluster": "learn"}, survey, GROUPS))
    assert [text in problem for problem in told] == ([True] if text else [])


def test_a_port_of_another_cluster() -> None:
    survey = host(clusters=(Cluster("17", "wiki", 5432),))
    (told,) = problems(SETTINGS, survey, GROUPS)
    assert "port 5432 is the PostgreSQL cluster's 17/wiki; set edusphere_database_port" in told


def test_two_stacks() -> None:
    """The stack's own containers are known; those of another one have the port."""
    compose = {**SETTINGS, "edusphere_mode": "compose"}
    published = (("shop", 80), ("shop", 8443), ("learn", 8000))
    (told,) = problems(compose, host(published=published), GROUPS)
    assert told.startswith("port 80 is published by the stack shop; set edusphere_http_port to another port, and have")
    assert list(problems({**compose, "edusphere_http_port": 8080}, host(published=published), GROUPS)) == []
    secure = {**compose, "edusphere_http_port": 8080, "edusphere_https_port": 8443, "edusphere_tls": "provided"}
    (told,) = problems(secure, host(published=published), GROUPS)
    assert "set edusphere_https_port" in told


@pytest.mark.parametrize(
    ("site", "port"),
    [
        (WebSite("/etc/nginx/sites-enabled/own", ("80",), ("80",)), "80"),
        (WebSite("/etc/nginx/conf.d/own.conf", ("[::]:443",), ("[::]:443",)), "443"),
        (WebSite("/etc/nginx/conf.d/own.conf", ("192.0.2.1",), ("192.0.2.1",)), "80"),
        (WebSite("/etc/nginx/sites-enabled/default", ("80",), ("80",), sample=True), ""),
        (WebSite("/etc/nginx/sites-enabled/own", ("8080",), ("8080",)), ""),
        (WebSite("/etc/nginx/sites-enabled/own", ("80",)), ""),
        # As the platform wrote it once.
        (WebSite("/etc/nginx/sites-enabled/shop.conf", ("80",), ("80",)), ""),
    ],
)
def test_a_default_server_of_an_operators(site: WebSite, port: str) -> None:
    """It is named and left as it is."""
    survey = host(sites=(SHOP,), web_sites=(site,))
    told = list(notices({**SETTINGS, "edusphere_tls": "provided"}, survey, GROUPS))
    text = f"{site.file} is nginx' default_server for port {port}:"
    assert [text in notice for notice in told] == [True] * bool(port)
