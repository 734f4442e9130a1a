# Copyright: (c) 2026, EduSphere platform contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What else a host runs: other sites of the platform, and an operator's own nginx sites, Redis and PostgreSQL.

Several sites can be on one host. They share its nginx, by the names that visitors ask for; each has a Redis, a
PostgreSQL cluster and private ports of its own. What would be taken from a neighbour is refused, with the setting to
change.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.edusphere.platform.plugins.plugin_utils.survey import Survey

# Where nginx, Redis and PostgreSQL have what is a site's.
NGINX_SITE = "/etc/nginx/sites-enabled/{name}.conf"
REDIS = "/etc/redis/redis-{name}.conf"
# The package's own, which was the site's where a host could have only one.
PACKAGES_REDIS = "/etc/redis/redis.conf"


def problems(settings: Mapping[str, Any], survey: Survey, groups: Sequence[str]) -> Iterator[str]:
    """What a site would share with a neighbour and must not, on a host that is in ``groups``."""
    name = settings.get("edusphere_name")
    if name is None:
        return
    if settings.get("edusphere_mode") == "compose":
        yield from _published(name, settings, survey, groups)
        return
    if {"edge", "app"} & {*groups}:
        yield from _nginx(name, settings, survey, groups)
    if "cache" in groups:
        yield from _redis(name, settings, survey)
    if "database" in groups:
        yield from _postgresql(name, settings, survey)


def notices(settings: Mapping[str, Any], survey: Survey, groups: Sequence[str]) -> Iterator[str]:
    """The sites of an operator's that nginx takes for what is no site's name."""
    if settings.get("edusphere_mode") == "compose" or "edge" not in groups:
        return
    ports = {str(port) for port in _public_ports(settings)}
    ours = {NGINX_SITE.format(name=site["edusphere_name"]) for site in survey.sites}
    ours.add(NGINX_SITE.format(name=settings.get("edusphere_name")))
    for site in survey.web_sites:
        taken = sorted(ports & {_port(address) for address in site.defaults}, key=int)
        if taken and site.file not in ours and not site.sample:
            yield (
                f"{site.file} is nginx' default_server for port {' and '.join(taken)}: requests for a name that is no "
                "site's go there. It is left as it is; without default_server in it, they get no answer"
            )


def _public_ports(settings: Mapping[str, Any]) -> list[int]:
    names = ["edusphere_http_port"] + (["edusphere_https_port"] if settings.get("edusphere_tls") != "off" else [])
    return [settings[name] for name in names if name in settings]


def _port(address: str) -> str:
    """The port of nginx' listen directive: 80, 127.0.0.1:80, [::]:80; an address alone means 80."""
    last = address.rpartition(":")[2]
    return last if last.isdigit() else "80"


def _nginx(name: str, settings: Mapping[str, Any], survey: Survey, groups: Sequence[str]) -> Iterator[str]:
    front = settings.get("edusphere_front_port")
    names = [settings.get("edusphere_domain"), *settings.get("edusphere_domain_aliases", [])]
    for site in survey.web_sites:
        if site.file == NGINX_SITE.format(name=name):
            continue
        if "app" in groups and str(front) in {_port(address) for address in site.listens}:
            yield f"port {front} is in {site.file}; set edusphere_front_port to another port"
        for domain in names if "edge" in groups else ():
            if domain and domain.lower() in site.names:
                yield (
                    f"the name {domain} is in {site.file}, and nginx can have it once; give the site another "
                    "edusphere_domain (edusphere_domain_aliases), or remove that file"
                )


def _redis(name: str, settings: Mapping[str, Any], survey: Survey) -> Iterator[str]:
    port = settings.get("edusphere_redis_port")
    others = [site["edusphere_name"] for site in survey.sites if site["edusphere_name"] != name]
    known = any(site["edusphere_name"] == name for site in survey.sites)
    running = any(listener.port == port for listener in survey.listeners)
    for server in survey.redis:
        if server.port != port or server.file == REDIS.format(name=name):
            continue
        if server.file != PACKAGES_REDIS:
            yield f"port {port} is in {server.file}; set edusphere_redis_port to another port"
        elif server.ours and others and not known:
            yield (
                f"port {port} is in {server.file}, which is site {others[0]}'s; "
                "set edusphere_redis_port to another port"
            )
        elif not server.ours and running:
            yield (
                f"port {port} is in {server.file}, which is not the site's; stop that Redis with "
                "systemctl disable --now redis-server, or set edusphere_redis_port to another port"
            )


def _postgresql(name: str, settings: Mapping[str, Any], survey: Survey) -> Iterator[str]:
    cluster, version = settings.get("postgresql_cluster", "main"), str(settings.get("postgresql_version", ""))
    port = settings.get("edusphere_database_port")
    for site in survey.sites:
        versions = {version, str(site.get("postgresql_version", version))} - {""}
        if site["edusphere_name"] != name and site.get("postgresql_cluster") == cluster and len(versions) < 2:
            yield (
                f"the PostgreSQL cluster {cluster} is site {site['edusphere_name']}'s; "
                "set postgresql_cluster to a name of its own, and edusphere_database_port to another port"
            )
            return
    for found in survey.clusters:
        if found.port == port and found.name != cluster:
            yield (
                f"port {port} is the PostgreSQL cluster's {found.version}/{found.name}; "
                "set edusphere_database_port to another port"
            )


def _published(name: str, settings: Mapping[str, Any], survey: Survey, groups: Sequence[str]) -> Iterator[str]:
    """Ports that another stack publishes: of a port, an engine can have one container."""
    wanted = {"edusphere_front_port": "app", "edusphere_database_port": "database", "edusphere_redis_port": "cache"}
    ports = {settings[setting]: setting for setting, group in wanted.items() if group in groups and setting in settings}
    if "edge" in groups:
        ports |= dict.fromkeys(_public_ports(settings)[:1], "edusphere_http_port")
        ports |= dict.fromkeys(_public_ports(settings)[1:], "edusphere_https_port")
    for stack, port in survey.published:
        if stack != name and port in ports:
            setting = ports[port]
            yield f"port {port} is published by the stack {stack}; set {setting} to another port" + (
                ", and have one of the two, or something in front of both, pass requests on by their names"
                if setting in ("edusphere_http_port", "edusphere_https_port")
                else ""
            )
