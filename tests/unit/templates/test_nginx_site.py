"""What nginx is told in each topology: where it listens, to whom it passes requests, which headers it adds."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from rendering import ROOT, rendered

ADDRESSES = {"one": "192.0.2.1", "two": "192.0.2.2", "three": "192.0.2.3"}
Render = Callable[..., dict[str, str]]


@pytest.fixture
def render(tmp_path: Path) -> Render:
    """A function that gives each host's site, or another file, for groups of hosts and settings."""

    def render(groups: Mapping[str, list[str]], name: str = "site", **settings: Any) -> dict[str, str]:
        hosts = {
            name: {
                "edusphere_private_address": ADDRESSES[name],
                "edusphere_switched_to": {"slot": "a", "release": "v1-0123456789ab"},
            }
            for names in groups.values()
            for name in names
        }
        template = ROOT / f"roles/nginx/templates/{name}.conf.j2"
        return rendered(tmp_path, template, hosts, groups, role="nginx", facts=True, **settings)

    return render


def listens(site: str) -> set[str]:
    """Where it listens over IPv4, without what else the directive says."""
    return {value.split()[0] for value in re.findall(r"^ *listen (.*);$", site, re.M) if not value.startswith("[")}


def fronts(site: str) -> list[str]:
    """The app hosts' fronts that an edge balances over."""
    return re.findall(r"server (\S+:8000) ", site)


def test_one_machine(render: Render) -> None:
    """The public server needs no front, and the front is for the machine itself."""
    site = render({"edge": ["one"], "app": ["one"]})["one"]
    assert listens(site) == {"80", "127.0.0.1:8000"}
    assert fronts(site) == []
    assert "Strict-Transport-Security" not in site
    assert "alias /srv/edusphere/releases/v1-0123456789ab/staticfiles/;" in site


def test_tls(render: Render) -> None:
    """Plain HTTP only redirects, and every location of the public server says that it was HTTPS."""
    site = render({"edge": ["one"], "app": ["one"]}, edusphere_tls="provided")["one"]
    assert listens(site) == {"80", "443", "127.0.0.1:8000"}
    assert "return 301 https://$host$request_uri;" in site
    public = site[site.index("ssl_certificate ") :]
    locations = re.findall(r"^    location .*?^    }", public, re.M | re.S)
    assert locations
    assert all("Strict-Transport-Security" in location for location in locations)


@pytest.mark.exhaustive("The nginx sites listen on other ports than the usual ones, and redirect to them.")
def test_ports_other_than_the_usual(render: Render) -> None:
    settings = {"edusphere_http_port": 8080, "edusphere_https_port": 8443, "edusphere_tls": "provided"}
    site = render({"edge": ["one"], "app": ["one"]}, **settings)["one"]
    assert {"8080", "8443"} < listens(site)
    assert "return 301 https://$host:8443$request_uri;" in site


def test_an_edge_before_two_app_hosts(render: Render) -> None:
    sites = render({"edge": ["one"], "app": ["two", "three"]})
    assert listens(sites["one"]) == {"80"}
    assert "include /etc/nginx/edusphere-fronts.conf;" in sites["one"]
    assert fronts(render({"edge": ["one"], "app": ["two", "three"]}, "fronts")["one"]) == [
        "192.0.2.2:8000",
        "192.0.2.3:8000",
    ]
    assert listens(sites["two"]) == {"127.0.0.1:8000", "192.0.2.2:8000"}
    # On both ways, the host that nginx chose a server by.
    for site in sites.values():
        assert (
            {"$matched_host"}
            <= set(re.findall(r"proxy_set_header Host (\S+);", site))
            <= {"$matched_host", "edusphere.test"}
        )
    assert "set_real_ip_from 192.0.2.1;" in sites["two"]


@pytest.mark.exhaustive("An edge that is an app host as well balances over its own front and the others.")
def test_an_edge_that_is_one_of_two_app_hosts(render: Render) -> None:
    """It asks its own front where it asks the other one: at the private address."""
    sites = render({"edge": ["one"], "app": ["one", "two"]})
    assert fronts(render({"edge": ["one"], "app": ["one", "two"]}, "fronts")["one"]) == [
        "192.0.2.1:8000",
        "192.0.2.2:8000",
    ]
    assert "192.0.2.1:8000" in listens(sites["one"])
    # In Compose mode both are one container, which has no such address.
    containers, balanced = (
        render(
            {"edge": ["one"], "app": ["one", "two"]}, name, edusphere_mode="compose", edusphere_backend_containers=[]
        )
        for name in ("site", "fronts")
    )
    assert fronts(balanced["one"]) == ["127.0.0.1:8000", "192.0.2.2:8000"]
    assert listens(containers["one"]) == {"80", "8000"}


def test_no_frontend(render: Render) -> None:
    """Everything that is no file goes to the backend then."""
    site = render({"edge": ["one"], "app": ["one"]}, edusphere_app_frontend=False)["one"]
    assert "index.html" not in site
    assert re.search(r"location / \{\s+proxy_pass http://edusphere_backend;", site)


@pytest.mark.exhaustive("nginx takes an application's own prefixes and aliases.")
def test_an_application_with_other_paths(render: Render) -> None:
    settings = {
        "edusphere_app_backend_prefixes": ["/graphql/"],
        "edusphere_app_aliases": [{"path": "/avatars/", "directory": "media/avatars"}],
    }
    site = render({"edge": ["one"], "app": ["one"]}, **settings)["one"]
    assert "location ^~ /graphql/" in site
    assert "/admin/" not in site
    assert "alias /srv/edusphere/shared/media/avatars/;" in site


@pytest.mark.exhaustive("A prefix without a slash at its end is that path and all below it.")
def test_a_prefix_without_a_slash_at_its_end(render: Render) -> None:
    """It is that path and all below it, on an edge as well."""
    settings = {
        "edusphere_app_backend_prefixes": ["/graphql"],
        "edusphere_app_websocket_prefixes": ["/ws"],
        "edusphere_app_aliases": [{"path": "/avatars", "directory": "media/avatars"}],
    }
    sites = render({"edge": ["one"], "app": ["two", "three"]}, **settings)
    for path in ("/ws", "/graphql", "/avatars"):
        assert re.findall(rf"location (.*{path}/?) {{", sites["two"]) == [f"= {path}", f"^~ {path}/"]
    assert re.findall(r"location (.*) {", sites["one"]) == ["@closed", "^~ /.edusphere/", "= /ws", "^~ /ws/", "/"]
    assert "alias /srv/edusphere/shared/media/avatars;" in sites["two"]
    assert "alias /srv/edusphere/shared/media/avatars/;" in sites["two"]


@pytest.mark.exhaustive("In development, nginx passes pages to Vite and static files to Django.")
def test_development(render: Render) -> None:
    """Pages come from Vite with its upgrade, static files from Django."""
    site = render({"edge": ["one"], "app": ["one"]}, edusphere_environment="development")["one"]
    assert re.search(r"location / \{\s+proxy_pass http://127\.0\.0\.1:5173;", site)
    assert re.search(r"location \^~ /static/ \{\s+proxy_pass http://edusphere_backend;", site)


@pytest.mark.exhaustive(
    "In development in containers, nginx passes pages to the container of the frontend by its name."
)
def test_development_in_containers(render: Render) -> None:
    """The dev server's container keeps its name, and not its address."""
    settings = {"edusphere_mode": "compose", "edusphere_backend_containers": ["edusphere-backend-1"]}
    development = {
        **settings,
        "edusphere_environment": "development",
        "edusphere_app_aliases": [{"path": "/downloads/", "directory": "downloads"}],
    }
    site = render({"edge": ["one"], "app": ["one"]}, **development)["one"]
    assert re.search(r"location / \{\s+proxy_pass http://edusphere_frontend;", site)
    assert "server frontend:5173 resolve max_fails=0;" in site
    # What is edited there shows.
    assert "alias /srv/sources/v1-0123456789ab/downloads/;" in site
    assert "alias /srv/shared/media/;" in site
    assert "frontend:5173" not in render({"edge": ["one"], "app": ["one"]}, **settings)["one"]


def test_a_host_that_is_being_switched_gets_no_requests(render: Render) -> None:
    lists = render({"edge": ["one"], "app": ["two", "three"]}, "fronts", edusphere_fronts_out=["three"])
    assert re.findall(r"server (\S+) .*?( backup)?;", lists["one"]) == [
        ("192.0.2.2:8000", ""),
        ("192.0.2.3:8000", " backup"),
    ]


@pytest.mark.exhaustive("nginx serves the hashed files of every retained release.")
def test_every_kept_release_has_its_hashed_files_served(render: Render) -> None:
    """And only what serves, the others: a page without a hash in its name is of one release alone."""
    kept = [{"release": name} for name in ("v1-0123456789ab", "v0-0123456789ab")]
    site = render({"edge": ["one"], "app": ["one"]}, edusphere_kept_now=kept)["one"]
    tried = re.findall(r"try_files (.*);", site)
    assert {
        "/v1-0123456789ab/frontend/dist$uri /v0-0123456789ab/frontend/dist$uri =404",
        "/v1-0123456789ab/.hashed$uri /v0-0123456789ab/.hashed$uri /v1-0123456789ab/frontend/dist$uri =404",
        "/v1-0123456789ab/staticfiles$uri /v0-0123456789ab/staticfiles$uri =404",
    } < set(tried)
    assert "root /srv/edusphere/releases/v1-0123456789ab/frontend/dist;" in site
    assert "releases/v0" not in site


@pytest.mark.exhaustive("During a rollout, every app front serves the old pages until all app hosts are switched.")
def test_pages_change_on_every_front_at_once(render: Render) -> None:
    """Of several app hosts, one that serves a new release has the old one's pages until all do."""
    kept = [{"release": name} for name in ("v1-0123456789ab", "v0-0123456789ab")]
    groups = {"edge": ["one"], "app": ["two", "three"]}
    site = render(groups, edusphere_kept_now=kept, edusphere_pages_now="v0-0123456789ab")["two"]
    assert "root /srv/edusphere/releases/v0-0123456789ab/frontend/dist;" in site
    assert "alias /srv/edusphere/releases/v1-0123456789ab/staticfiles/;" in site
