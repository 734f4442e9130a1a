"""What preflight says of a site: each mistake by itself, and all of them together."""

from __future__ import annotations

import dataclasses
import ipaddress
import re
import subprocess
import tarfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.edusphere.platform.plugins.action.preflight import host as host_of
from ansible_collections.edusphere.platform.plugins.action.preflight import repositories, repository, too_old
from ansible_collections.edusphere.platform.plugins.plugin_utils.preflight import (
    QUESTIONS,
    TOLERABLE,
    Host,
    Site,
    certificate_problems,
    is_host_name,
    judge,
    judge_removal,
    services,
)
from ansible_collections.edusphere.platform.plugins.plugin_utils.survey import Account, Listener, Survey, WebSite
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from own_collections import ROOT

GOOD = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
NOW = datetime.now(UTC).replace(microsecond=0)
ROLE = ROOT / "roles" / "settings"


def survey(**changes: Any) -> Survey:
    values: dict[str, Any] = {
        "user": "deploy",
        "root": "sudo",
        "os": {"ID": "debian", "VERSION_ID": "13", "PRETTY_NAME": "Debian GNU/Linux 13 (trixie)"},
        "architecture": "x86_64",
        "systemd": True,
        "python3": True,
        "memory_mb": 2000,
        "disks": {"/": 10000},
        "links": {},
        "address": "10.0.0.1",
        "accounts": (),
        "groups": (),
        "listeners": (),
    }
    return Survey(**{**values, **changes})


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (tmp_path / "frontend").mkdir()
    for name in ("manage.py", "requirements.txt"):
        (tmp_path / name).touch()
    (tmp_path / "frontend/package.json").write_text("{}")
    return tmp_path


@pytest.fixture
def settings(source: Path) -> dict[str, Any]:
    """The role's own defaults, where they are no templates, and what an operator must say."""
    defaults = yaml.safe_load((ROLE / "defaults" / "main.yml").read_text())
    plain = {name: value for name, value in defaults.items() if "{{" not in str(value)}
    return {
        **plain,
        "edusphere_domain": "learn.example.org",
        "edusphere_secret_key": GOOD,
        "edusphere_database_password": GOOD[:20],
        "edusphere_redis_password": GOOD[20:40],
        "edusphere_app_source_type": "folder",
        "edusphere_app_source": str(source),
        "edusphere_app_frontend_dist": "frontend/dist",
        "edusphere_root": "/srv/edusphere",
        "edusphere_config_directory": "/etc/edusphere",
        "edusphere_user": "edusphere",
        "edusphere_builder": "one",
    }


def one(settings: dict[str, Any], **changes: Any) -> Site:
    """A site of one machine."""
    host = Host(name="one", settings=settings, survey=survey())
    groups = {group: ["one"] for group in ("all", "edge", "app", "database", "cache")}
    return Site(
        hosts=[dataclasses.replace(host, **changes)], groups=groups, minimum_disk_mb=3072, minimum_memory_mb=900
    )


def many(settings: dict[str, Any]) -> Site:
    """A site of five machines."""
    names = ["edge", "app1", "app2", "database", "cache"]
    common = {**settings, "edusphere_builder": "app1", "edusphere_media_shared": True}
    hosts = [
        Host(name=name, settings=common, survey=survey(address=f"10.0.0.{number}"))
        for number, name in enumerate(names, start=1)
    ]
    groups = {"all": names, "edge": ["edge"], "app": ["app1", "app2"], "database": ["database"], "cache": ["cache"]}
    return Site(hosts=hosts, groups=groups, minimum_disk_mb=3072, minimum_memory_mb=900)


def problems(site: Site) -> list[str]:
    return judge(site)[0]


def only(site: Site) -> str:
    """The one problem of a site."""
    found = problems(site)
    assert len(found) == 1, found
    return found[0]


def test_a_lock_is_of_a_project(settings: dict[str, Any], source: Path) -> None:
    changed = {**settings, "edusphere_app_requirements": "backend/uv.lock"}
    (source / "backend").mkdir()
    (source / "backend/uv.lock").touch()
    assert "has no backend/pyproject.toml, which backend/uv.lock locks" in only(one(changed))
    (source / "backend/pyproject.toml").touch()
    assert problems(one(changed)) == []


def test_an_authority_is_a_certificate(settings: dict[str, Any]) -> None:
    site = one({**settings, "edusphere_ca_certificates": ["/ca.pem"]})
    assert "edusphere_ca_certificates: /ca.pem cannot be read" in only(site)
    assert "is no PEM certificate" in only(dataclasses.replace(site, files={"/ca.pem": b"-----BEGIN PRIVATE KEY-----"}))
    assert problems(dataclasses.replace(site, files={"/ca.pem": b"-----BEGIN CERTIFICATE-----\n"})) == []


def test_processes(settings: dict[str, Any]) -> None:
    worker = {"name": "worker", "command": ["celery", "-A", "app", "worker"], "health": None, "stop_timeout": None}
    beat = {"name": "beat", "command": ["celery", "-A", "app", "beat"], "scope": "site", "stop_signal": "SIGINT"}
    assert problems(one({**settings, "edusphere_app_processes": [worker, beat]})) == []


def test_a_share_of_the_memory_is_for_units(settings: dict[str, Any]) -> None:
    share = {**settings, "edusphere_backend_memory_max": "50%"}
    assert problems(one(share)) == []
    assert "50% is for mode native" in only(one({**share, "edusphere_mode": "compose"}))


def test_a_prefix_may_lack_the_slash_at_its_end(settings: dict[str, Any]) -> None:
    changed = {
        **settings,
        "edusphere_app_backend_prefixes": ["/graphql", "/admin/"],
        "edusphere_app_websocket_prefixes": ["/ws"],
        "edusphere_app_aliases": [{"path": "/graphql-schema", "directory": "media/schema"}],
        "edusphere_app_health_host": "health.internal:8000",
    }
    assert problems(one(changed)) == []


@pytest.mark.parametrize(
    ("version", "right"),
    [
        ("9.15.4", True),
        ("4.0.0-rc.1", True),
        (f"9.15.4+sha256.{'0' * 64}", True),
        ("9.15.4+sha256.0", False),
        ("9", False),
        ("^9.0.0", False),
    ],
)
def test_a_package_manager_has_an_exact_version(settings: dict[str, Any], version: str, right: bool) -> None:
    found = problems(one({**settings, "edusphere_app_package_manager_version": version}))
    assert (found == []) == right, found


def test_an_archive_is_judged_where_it_is(settings: dict[str, Any], tmp_path: Path) -> None:
    """What can't be unpacked is told by name before a host is touched."""
    archive = tmp_path / "x.tar"
    changed = {**settings, "edusphere_app_source_type": "archive", "edusphere_app_source": str(archive)}
    with tarfile.open(archive, "w") as tar:
        tar.addfile(tarfile.TarInfo("app/manage.py"))
    assert problems(one(changed)) == []
    with tarfile.open(archive, "a") as tar:
        for name, kind in (("app/sda", tarfile.BLKTYPE), ("app/pipe", tarfile.FIFOTYPE)):
            info = tarfile.TarInfo(name)
            info.type = kind
            tar.addfile(info)
    told = only(one(changed))
    assert "edusphere_app_source: " in told
    assert "app/sda is a block device\napp/pipe is a FIFO" in told


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{"packageManager": "npm@http://evil/a/../.."}', "says packageManager 'npm@http://evil/a/../..'. It must be"),
        ('{"packageManager": "pnpm@9.15.4"}', "Set it to pnpm, or correct package.json"),
        ("{", "package.json is no JSON"),
    ],
)
def test_a_folders_package_manager(settings: dict[str, Any], source: Path, text: str, told: str) -> None:
    """What the control node can read is refused before a host is touched, unless the frontend is not built here."""
    (source / "frontend/package.json").write_text(text)
    assert told in only(one(settings))
    assert problems(one({**settings, "edusphere_app_frontend": False})) == []
    own = {"edusphere_mode": "compose", "edusphere_app_frontend_dockerfile": "manage.py"}
    assert problems(one({**settings, **own})) == []


def test_a_stack_is_on_one_host_or_on_many(settings: dict[str, Any]) -> None:
    compose = {**settings, "edusphere_mode": "compose"}
    assert judge(one(compose)) == ([], [])
    site = many(compose)
    assert judge(site) == ([], [])
    # What is published where, and to be held against what listens there.
    published = {host.name: [(name, port) for name, port, _users in services(site, host)] for host in site.hosts}
    assert published == {
        "edge": [("edusphere_http_port", 80)],
        "app1": [("edusphere_front_port", 8000)],
        "app2": [("edusphere_front_port", 8000)],
        "database": [("edusphere_database_port", 5432)],
        "cache": [("edusphere_redis_port", 6379)],
    }
    busy = [
        dataclasses.replace(
            host, survey=survey(address=host.survey.address, listeners=(Listener(5432, "postgres", ""),))
        )
        for host in site.hosts
        if host.survey
    ]
    assert "host database: port 5432 is taken" in only(dataclasses.replace(site, hosts=busy))
    # An image brings its system along, and not its processor.
    old = survey(address="10.0.0.2", os={"ID": "debian", "VERSION_ID": "12"})
    assert problems(replaced(site, "app1", survey=old)) == []
    arm = survey(address="10.0.0.2", architecture="aarch64")
    assert "must be of one system (app1: aarch64; app2: x86_64)" in only(replaced(site, "app1", survey=arm))
    wide = {**site.hosts[1].settings, "edusphere_private_address": "fd00::2"}
    assert "fd00::2 of app1 is an IPv6 address" in only(replaced(site, "app1", settings=wide))


def test_sources_are_on_one_host(settings: dict[str, Any]) -> None:
    native = {**settings, "edusphere_environment": "development"}
    compose = {**native, "edusphere_mode": "compose"}
    assert judge(one(compose)) == ([], [])
    told = "development in Compose mode is for one app host"
    assert not any(told in problem for problem in problems(many(native)))
    (problem,) = (problem for problem in problems(many(compose)) if told in problem)
    assert "app1, app2" in problem
    assert any("these are one, two" in problem for problem in problems(one({**compose, "edusphere_builder": "two"})))


def test_a_right_site_has_no_problems(settings: dict[str, Any]) -> None:
    assert judge(one(settings)) == ([], [])
    assert judge(many({**settings, "edusphere_uid": "880"})) == ([], [])


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("edusphere_name", "Edu Sphere", "lower-case letters"),
        ("edusphere_name", "nginx", "choose another"),
        ("edusphere_name", "ssl-cert", "choose another"),
        ("edusphere_user", "www-data", "is the system's own"),
        ("edusphere_group", "docker", "is the system's own"),
        ("edusphere_domain", "http://x", "is no host name"),
        ("edusphere_domain_aliases", ["-x"], "'-x' is no host name"),
        ("edusphere_domain_aliases", ["learn.example.org"], "is edusphere_domain already"),
        ("edusphere_app_readiness_expect", "(", "is no regular expression"),
        ("edusphere_app_readiness_path", "api/", "must start with a slash"),
        ("edusphere_public_url", "https://learn.example.org/", "without a slash at the end"),
        ("edusphere_private_address", "db.example.org", "is no IP address"),
        ("edusphere_app_settings_module", "backend/settings.py", "is no Python module"),
        ("edusphere_app_asgi", "backend.asgi", "is no Python module:attribute"),
        ("edusphere_app_overlay_modules", {"over-lay": "x = 1"}, "'over-lay' must be a Python module's name"),
        ("edusphere_app_frontend_replacements", [{"regexp": "(", "replace": ""}], "is no regular expression"),
        ("edusphere_app_frontend_environment", {"VITE-X": "1"}, "VITE-X is not a variable's name"),
        ("edusphere_secret_key", "", "is empty"),
        ("edusphere_secret_key", GOOD[:49], "has 49 characters and needs 50"),
        ("edusphere_secret_key", "ab" * 30, "has only 2 different characters"),
        ("edusphere_secret_key", "django-insecure-" + GOOD, "placeholder"),
        ("edusphere_database_password", "ChangeMe-please-1234", "placeholder"),
        ("edusphere_redis_password", "short", "has 5 characters and needs 12"),
        ("edusphere_redis_password", GOOD + "\n", "contains a newline"),
        ("edusphere_app_secrets", {"TOKEN": "a\0b"}, "TOKEN contains a NUL"),
        ("edusphere_app_environment", {"A-B": "x"}, "A-B is not a variable's name"),
        ("edusphere_app_source", "", "is empty"),
        ("edusphere_app_source", "/nowhere", "there is no folder /nowhere"),
        ("edusphere_app_requirements", "other.txt", "other.txt (edusphere_app_requirements)"),
        ("edusphere_app_frontend_directory", "web", "web/package.json (edusphere_app_frontend_directory"),
        ("edusphere_app_frontend_dist", "../dist", "must lie in the release"),
        ("edusphere_app_static_directory", "/srv/static", "must lie in the release"),
        ("edusphere_app_shared_directories", ["logs"], "is in none of edusphere_app_shared_directories"),
        ("edusphere_app_shared_directories", ["media", ""], "'' must lie in the release"),
        ("edusphere_app_aliases", [{"path": "/a/", "directory": "a/../.."}], "must lie in the release"),
        ("edusphere_app_aliases", [{"path": "a", "directory": "a"}], "is no path that starts with a slash"),
        ("edusphere_app_aliases", [{"path": "/api/", "directory": "a"}], "already in edusphere_app_backend_prefixes"),
        ("edusphere_app_static_url", "/api/static/", "lies in '/api/', which goes to the backend"),
        ("edusphere_app_backend_prefixes", ["api/"], "is no path that starts with a slash"),
        ("edusphere_app_backend_prefixes", ["/api//v1"], "is no path that starts with a slash"),
        ("edusphere_app_backend_prefixes", [""], "'' is no path that starts with a slash"),
        ("edusphere_app_websocket_prefixes", ["/a,b/"], "is no path that starts with a slash"),
        ("edusphere_app_websocket_prefixes", ["/admin"], "already in edusphere_app_backend_prefixes"),
        ("edusphere_app_static_url", "/static", "must end with a slash"),
        ("edusphere_app_build_commands", [[]], "is no command"),
        ("edusphere_app_build_commands", [["python manage.py compilemessages"]], "is one word"),
        ("edusphere_app_release_commands", [["manage.py", "seed"]], "begin with the command of manage.py"),
        ("edusphere_app_processes", [{"name": "Worker", "command": ["celery"]}], "names a unit or a container"),
        ("edusphere_app_processes", [{"name": "backend", "command": ["celery"]}], "is the platform's own"),
        ("edusphere_app_processes", [{"name": "beat", "command": ["celery"]}] * 2, "is there twice"),
        (
            "edusphere_app_processes",
            [{"name": "beat", "command": ["celery beat"]}],
            "command: 'celery beat' is one word",
        ),
        ("edusphere_app_processes", [{"name": "beat", "command": ["a"], "stop_signal": "TERM"}], "is no signal"),
        ("edusphere_app_processes", [{"name": "beat", "command": ["a"], "stop_signal": "SIGFOO"}], "is no signal"),
        ("edusphere_app_processes", [{"name": "beat", "command": ["../a"]}], "its first word is a program's name"),
        ("edusphere_app_processes", [{"name": "beat", "command": ["a b", "c"]}], "its first word is a program's name"),
        ("edusphere_app_processes", [{"name": "beat", "command": ["a"], "environment": {"A-B": ""}}], "A-B is not a"),
        ("edusphere_app_health_host", "http://a", "is no host name, with a port or without"),
        ("edusphere_app_backend_prefixes", ["/"], "'/' belongs to the frontend"),
        ("edusphere_app_websocket_prefixes", ["/api/"], "already in edusphere_app_backend_prefixes"),
        ("edusphere_root", "/srv", "two levels deep"),
        ("edusphere_hook_before_build", ["hook.yml"], "must be an absolute path"),
        ("edusphere_hook_after_switch", ["/nowhere/hook.yml"], "there is no file /nowhere/hook.yml"),
        ("edusphere_tls", "provided", "is needed with edusphere_tls: provided"),
        ("edusphere_builder", "elsewhere", "'elsewhere' is in none of the groups"),
        ("edusphere_database_host", "db.example.org", "leave one of them empty"),
        ("edusphere_http_port", 5432, "edusphere_database_port: 5432 is edusphere_http_port as well on one"),
    ],
)
def test_a_wrong_setting(settings: dict[str, Any], name: str, value: object, text: str) -> None:
    found = problems(one({**settings, name: value}))
    assert found, "accepted"
    assert any(text in problem for problem in found), found
    assert any(problem.startswith((name, "edusphere_")) for problem in found)
    # Nothing else is made up, but for what follows from it.
    assert len(found) <= 2, found


@pytest.mark.parametrize("name", ["edusphere_secret_key", "edusphere_database_password", "edusphere_redis_password"])
@pytest.mark.parametrize("value", ["xyzzyxyzzy", "$xyzzy" * 12, "xyzzy\n" * 12, "changeme-xyzzy", "xyzzy" * 20])
def test_no_problem_shows_a_secret(settings: dict[str, Any], name: str, value: str) -> None:
    found = problems(one({**settings, name: value, "edusphere_app_forbid_leading_dollar": True}))
    assert "xyzzy" not in "".join(found)


DIGEST = "@sha256:" + "0f" * 32


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"edusphere_app_source": "registry.example.org:5000/team/learn" + DIGEST}, ""),
        ({"edusphere_app_source": "registry.example.org/learn:v1" + DIGEST}, ""),
        ({"edusphere_app_source": "registry.example.org/learn:v1"}, "is no image with its digest"),
        ({"edusphere_app_source": "registry.example.org/learn" + DIGEST[:-1]}, "is no image with its digest"),
        ({"edusphere_mode": "native"}, "runs in Compose mode only"),
        ({"edusphere_environment": "development"}, "has no sources to edit"),
        ({"edusphere_app_frontend_environment": {"VITE_X": "1"}}, "edusphere_app_frontend_environment: has no effect"),
        ({"edusphere_app_dockerfile": "Dockerfile"}, "edusphere_app_dockerfile: nothing is built of an image"),
    ],
)
def test_images_of_a_registry(settings: dict[str, Any], changes: dict[str, Any], text: str) -> None:
    image = {"edusphere_app_source_type": "image", "edusphere_app_source": "learn" + DIGEST}
    site = one({**settings, "edusphere_mode": "compose", **image, **changes})
    assert text in only(site) if text else problems(site) == []


@pytest.mark.parametrize("name", ["edusphere_app_dockerfile", "edusphere_app_frontend_dockerfile"])
def test_dockerfiles_of_the_application(settings: dict[str, Any], source: Path, name: str) -> None:
    compose = {**settings, "edusphere_mode": "compose"}
    assert any("must lie in the release" in problem for problem in problems(one({**compose, name: "../Dockerfile"})))
    with_one = {**compose, name: "docker/Dockerfile"}
    assert only(one(with_one)) == f"edusphere_app_source: {source} has no docker/Dockerfile ({name})"
    assert problems(one({**with_one, "edusphere_mode": "native"})) == []
    (source / "docker").mkdir()
    (source / "docker/Dockerfile").touch()
    assert problems(one(with_one)) == []


def test_a_leading_dollar(settings: dict[str, Any]) -> None:
    worker = {"name": "worker", "command": ["celery", "worker"], "environment": {"QUEUE": "$y"}}
    dollar = {
        **settings,
        "edusphere_secret_key": "$" + GOOD,
        "edusphere_app_secrets": {"TOKEN": "$x"},
        "edusphere_app_processes": [worker],
    }
    assert problems(one(dollar)) == []
    found = problems(one({**dollar, "edusphere_app_forbid_leading_dollar": True}))
    assert [problem.partition(": begins with")[0] for problem in found] == [
        "edusphere_secret_key",
        "edusphere_app_secrets.TOKEN",
        "edusphere_app_processes: 'worker': environment.QUEUE",
    ]


@pytest.mark.parametrize(
    ("kind", "source", "checksum", "text"),
    [
        ("git", "https://git.example.org/x.git", "", ""),
        ("git", "git@git.example.org:x.git", "", ""),
        ("git", "/srv/git/x.git", "", ""),
        ("git", "git.example.org/x", "", "is no address of a git repository"),
        ("git", "https://git.example.org/x y", "", "is no address of a git repository"),
        ("git", "--upload-pack=x", "", "is no address of a git repository"),
        ("archive", "https://example.org/x.tar.gz", GOOD, ""),
        ("archive", "https://example.org/x.tar.gz", "", "is needed for an archive at a URL"),
        ("archive", "https://example.org/x.tar.gz", "abc", "is no SHA-256"),
        ("archive", "/nowhere.tar.gz", "", "there is no archive /nowhere.tar.gz"),
        ("archive", __file__, "", "is no tar archive"),
    ],
)
def test_sources(settings: dict[str, Any], kind: str, source: str, checksum: str, text: str) -> None:
    changes = {
        "edusphere_app_source_type": kind,
        "edusphere_app_source": source,
        "edusphere_app_source_checksum": checksum,
    }
    site = one({**settings, **changes})
    if text:
        assert text in only(site)
    else:
        assert problems(site) == []


@pytest.mark.parametrize(
    ("version", "known"),
    [
        ("v1", True),
        ("main", True),
        ("refs/tags/v1", True),
        ("3f9a2b5", True),
        ("v2", False),
        ("refs/heads/v1", False),
    ],
)
def test_a_revision_that_the_repository_lacks(
    settings: dict[str, Any], tmp_path: Path, version: str, known: bool
) -> None:
    """A commit by its number is not told by the repository, and is left to the builder."""
    source = f"git://user:token@git.example.org{tmp_path}"
    git = ["git", "-C", str(tmp_path), "-c", "user.name=Test", "-c", "user.email=test@example.org"]
    for command in (
        ["init", "--quiet", "--initial-branch=main"],
        ["commit", "--quiet", "--allow-empty", "--message=x"],
        ["tag", "v1"],
    ):
        subprocess.run([*git, *command], check=True)
    found = repository(str(tmp_path))
    changes = {"edusphere_app_source_type": "git", "edusphere_app_source": source, "edusphere_version": version}
    site = dataclasses.replace(one({**settings, **changes}), repositories={source: found})
    if known:
        assert problems(site) == []
    else:
        assert only(site).startswith("edusphere_version: git://git.example.org/")


def test_a_repository_out_of_reach_is_a_notice(settings: dict[str, Any], tmp_path: Path) -> None:
    source = "https://user:token@git.example.org/x.git"
    found = repository(str(tmp_path / "none"))
    assert found.names is None
    changes = {"edusphere_app_source_type": "git", "edusphere_app_source": source}
    site = dataclasses.replace(one({**settings, **changes}), repositories={source: found})
    assert problems(site) == []
    (notice,) = judge(site)[1]
    assert notice.startswith("edusphere_app_source: https://git.example.org/x.git could not be asked")
    assert "does not appear to be a git repository" in notice
    assert repositories(site.hosts) == {source}


def test_without_a_frontend(settings: dict[str, Any], source: Path) -> None:
    (source / "frontend" / "package.json").unlink()
    changes = {"edusphere_app_frontend": False, "edusphere_app_backend_prefixes": ["/"]}
    assert problems(one({**settings, **changes})) == []


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        (
            {"os": {"ID": "debian", "VERSION_ID": "11", "PRETTY_NAME": "Debian 11"}},
            "runs Debian 11; install Debian 12 or 13",
        ),
        ({"os": {}}, "runs an unknown system"),
        ({"systemd": False}, "was not booted with systemd"),
        ({"root": "no"}, "there is no sudo"),
        ({"root": "password"}, "cannot become root without a password"),
        ({"memory_mb": 512}, "has 512 MiB of memory and needs 900"),
        ({"disks": {"/": 10000, "/srv": 100}}, "/srv/edusphere needs 3072 MiB of disk, and /srv has 100 left"),
        ({"address": ""}, "has no default IPv4 route"),
        (
            {"listeners": (Listener(80, "root", "apache2"),)},
            "port 80 is taken by apache2 of user root; stop it, or set",
        ),
        ({"listeners": (Listener(6379, "root", "docker-proxy"),)}, "or set edusphere_redis_port"),
        ({"listeners": (Listener(5432, "me", ""),)}, "port 5432 is taken by a program of user me"),
    ],
)
def test_a_wrong_host(settings: dict[str, Any], changes: dict[str, Any], text: str) -> None:
    found = only(one(settings, survey=survey(**changes), becomes=False))
    assert found.startswith("host one: ")
    assert text in found


def test_questions_that_were_not_answered(settings: dict[str, Any]) -> None:
    """They are named; those that a check can do without are notices."""
    told, notices = judge(one(settings, survey=survey(silent=("sudo", "links"))))
    assert told == [
        "host one: did not answer in time: whether that user may become root (sudo -n true); run that there, "
        "and mend what it waits for (a network storage, a directory service)"
    ]
    assert notices == ["host one: did not answer in time: its symbolic links (find / /opt /srv /var)"]


def test_every_question_of_the_survey_has_a_name() -> None:
    script = (ROOT / "roles/preflight/files/survey.sh").read_text()
    assert {*re.findall(r"^ask (\w+) ", script, re.MULTILINE), "sudo"} == set(QUESTIONS)
    assert set(TOLERABLE) < set(QUESTIONS)


@pytest.mark.parametrize(
    ("mount", "refused"),
    [
        ("/srv/edusphere/shared", True),
        ("/srv", True),
        ("/var/lib/postgresql", True),
        ("/mnt/backup", False),
        ("/srv/edusphere-other", False),
    ],
)
def test_a_storage_that_does_not_answer(settings: dict[str, Any], mount: str, refused: bool) -> None:
    """Only where the site has its place is it a problem, and the disk's size is none then."""
    told, notices = judge(one(settings, survey=survey(silent_mounts=(mount,))))
    if refused:
        assert told == [
            f"host one: the storage at {mount} does not answer (df {mount}), and the site has its place there; "
            f"bring it back, or take it away with umount --force --lazy {mount}"
        ]
        assert notices == []
    else:
        assert told == []
        assert notices == [f"host one: did not answer in time: the storage at {mount}"]


@pytest.mark.parametrize(
    ("image", "text"),
    [
        ("postgres:17", ""),
        ("postgres:17.9-alpine", ""),
        ("postgres:16", "volume edusphere_postgres_data has data of PostgreSQL 17, which postgres:16 can't read"),
        ("postgres:18", "volume edusphere_postgres_data has data of PostgreSQL 17, which postgres:18 can't read"),
        ("postgres:latest", "edusphere_image_postgres: 'postgres:latest' does not say which PostgreSQL it has"),
    ],
)
def test_an_image_fits_the_data_that_is_there(settings: dict[str, Any], image: str, text: str) -> None:
    compose = {**settings, "edusphere_mode": "compose", "edusphere_image_postgres": image}
    there = survey(databases={"edusphere": "postgres:17.2", "wiki": "postgres:12"})
    assert (text in only(one(compose, survey=there))) if text else (problems(one(compose, survey=there)) == [])
    # Natively it means nothing, and with a managed database neither.
    assert problems(one({**compose, "edusphere_mode": "native"}, survey=there)) == []
    site = one({**compose, "edusphere_database_host": "database.example.org"}, survey=there)
    assert problems(dataclasses.replace(site, groups={**site.groups, "database": []})) == []


@pytest.mark.parametrize("databases", [{}, {"edusphere": "0a1b2c3d4e5f"}, {"wiki": "postgres:12"}])
def test_an_image_for_a_new_volume_or_for_one_of_unknown_data(
    settings: dict[str, Any], databases: dict[str, str]
) -> None:
    compose = {**settings, "edusphere_mode": "compose", "edusphere_image_postgres": "postgres:18"}
    assert problems(one(compose, survey=survey(databases=databases))) == []


def test_compose_v1_is_no_compose(settings: dict[str, Any]) -> None:
    compose = {**settings, "edusphere_mode": "compose"}
    found = only(one(compose, survey=survey(compose_package="1.29.2-3")))
    assert found == (
        "host one: has Compose v1 (package docker-compose 1.29.2-3), and `docker compose` does not work; "
        "remove it with apt-get remove docker-compose, or set docker_source to 'docker'"
    )
    assert problems(one(settings, survey=survey(compose_package="1.29.2-3"))) == []
    assert problems(one({**compose, "docker_source": "docker"}, survey=survey(compose_package="1.29.2-3"))) == []
    # The plugin beside it; Compose v2 of the distribution's; none at all, which the role installs.
    for there in ({"compose": "2.27.0", "compose_package": "1.29.2-3"}, {"compose_package": "2.26.1-4"}, {}):
        assert problems(one(compose, survey=survey(**there))) == []


def test_what_is_there_already_is_no_problem(settings: dict[str, Any]) -> None:
    ours = (
        Listener(80, "root", "nginx"),
        Listener(8000, "root", ""),
        Listener(5432, "postgres", "postgres"),
        Listener(6379, "redis", ""),
        Listener(22, "root", "sshd"),
        Listener(443, "root", "apache2"),  # Without TLS nobody wants it.
    )
    assert problems(one(settings, survey=survey(listeners=ours))) == []
    compose = {**settings, "edusphere_mode": "compose"}
    published = (Listener(80, "root", "docker-proxy"), Listener(5432, "me", "a database that is not ours"))
    assert problems(one(compose, survey=survey(listeners=published))) == []
    assert "port 80 is taken by nginx" in only(one(compose, survey=survey(listeners=ours)))
    development = {**settings, "edusphere_environment": "development"}
    assert problems(one(development, survey=survey(listeners=(Listener(5173, "edusphere", ""),)))) == []
    assert "5173" in only(one(development, survey=survey(listeners=(Listener(5173, "other", ""),))))
    stack = {**development, "edusphere_mode": "compose"}
    foreign = survey(listeners=(Listener(5173, "other", ""), Listener(8000, "root", "docker-proxy")))
    assert problems(one(stack, survey=foreign)) == []
    assert "5173" in only(one({**stack, "edusphere_development_ports": True}, survey=foreign))


def test_a_password_for_sudo(settings: dict[str, Any]) -> None:
    assert problems(one(settings, survey=survey(root="password"), becomes=True)) == []


def test_a_private_address_instead_of_a_route(settings: dict[str, Any]) -> None:
    addressed = {**settings, "edusphere_private_address": "10.1.1.1"}
    assert problems(one(addressed, survey=survey(address=""))) == []


def test_a_host_out_of_reach(settings: dict[str, Any]) -> None:
    site = one(settings, survey=None, unreachable="cannot be reached: no route")
    assert only(site) == "host one: cannot be reached: no route"


@pytest.mark.parametrize(
    ("version", "changes", "compose", "text"),
    [
        (
            "22.04",
            {},
            "",
            "whose nginx 1.18 and Redis 6.0 can't read the site's configuration; install Debian 12 or 13",
        ),
        ("24.04", {}, "", ""),
        ("24.04", {"edusphere_mode": "compose"}, "", "set docker_source to 'docker'"),
        ("22.04", {"edusphere_mode": "compose"}, "", "set docker_source to 'docker'"),
        ("22.04", {"edusphere_mode": "compose"}, "2.24.6", ""),
        ("24.04", {"edusphere_mode": "compose", "docker_source": "docker"}, "", ""),
        ("20.04", {}, "", "install Debian 12 or 13 (Ubuntu 24.04, and in Compose mode 22.04, are accepted)"),
    ],
)
def test_systems_of_ubuntus(
    settings: dict[str, Any], version: str, changes: dict[str, Any], compose: str, text: str
) -> None:
    """One problem for a host whose packages can't do what is wanted, with the way out."""
    system = {"ID": "ubuntu", "VERSION_ID": version, "PRETTY_NAME": f"Ubuntu {version}"}
    site = one({**settings, **changes}, survey=survey(os=system, compose=compose))
    assert text in only(site) if text else problems(site) == []


def test_neighbours_are_named(settings: dict[str, Any]) -> None:
    """A second site with the first one's ports, and an operator's default server."""
    own = WebSite("/etc/nginx/sites-enabled/own", ("80", "8000"), ("80",), ("own.test",))
    found, noticed = judge(one(settings, survey=survey(web_sites=(own,))))
    assert found == ["host one: port 8000 is in /etc/nginx/sites-enabled/own; set edusphere_front_port to another port"]
    assert [notice.partition(" is ")[0] for notice in noticed] == ["host one: /etc/nginx/sites-enabled/own"]


FILTER = ("table inet filter {", "chain input {", "type filter hook input priority filter; policy drop;", "}", "}")


def test_ports_that_a_packet_filter_shuts(settings: dict[str, Any]) -> None:
    """They are no problem of the deployment's, and nobody would reach the site."""
    found, noticed = judge(one(settings, survey=survey(filter=FILTER)))
    (notice,) = noticed
    assert found == []
    assert "host one: its packet filter (table inet filter) drops what comes to port 80, where visitors ask" in notice
    assert "open it with nft insert rule inet filter input tcp dport 80 accept" in notice
    # Of a stack's ports no chain with that hook knows.
    assert judge(one({**settings, "edusphere_mode": "compose"}, survey=survey(filter=FILTER))) == ([], [])
    site = replaced(many(settings), "database", survey=survey(address="10.0.0.4", filter=FILTER))
    notice = next(notice for notice in judge(site)[1] if "packet filter" in notice)
    assert "port 5432, where app1, app2 must ask (edusphere_database_port)" in notice


def test_a_dev_server_of_another_site(settings: dict[str, Any]) -> None:
    """Its program is the same, its account is not."""
    development = {**settings, "edusphere_environment": "development"}
    assert problems(one(development, survey=survey(listeners=(Listener(5173, "edusphere", "node"),)))) == []
    assert "edusphere_vite_port" in only(one(development, survey=survey(listeners=(Listener(5173, "shop", "node"),))))


def test_untested_systems_are_a_notice(settings: dict[str, Any]) -> None:
    ubuntu = {"ID": "ubuntu", "VERSION_ID": "24.04", "PRETTY_NAME": "Ubuntu 24.04.1 LTS"}
    assert judge(one(settings, survey=survey(os=ubuntu))) == (
        [],
        ["host one: runs Ubuntu 24.04.1 LTS, on which this is not tested"],
    )


@pytest.mark.parametrize(
    ("group", "members", "text"),
    [
        ("edge", [], "group edge: has no host"),
        ("app", [], "group app: has no host"),
        ("database", [], "or set edusphere_database_host"),
        ("cache", [], "or set edusphere_redis_host"),
        ("database", ["database", "cache"], "group database: has 2 hosts (database, cache)"),
        ("cache", ["database", "cache"], "group cache: has 2 hosts"),
    ],
)
def test_wrong_groups(settings: dict[str, Any], group: str, members: list[str], text: str) -> None:
    site = many(settings)
    assert text in only(dataclasses.replace(site, groups={**site.groups, group: members}))


def test_managed_services(settings: dict[str, Any]) -> None:
    site = many({**settings, "edusphere_database_host": "db.example.org", "edusphere_redis_host": "10.9.9.9"})
    site = dataclasses.replace(site, groups={**site.groups, "database": [], "cache": []})
    assert problems(site) == []


def test_several_app_hosts_need_shared_media(settings: dict[str, Any]) -> None:
    site = many(settings)
    hosts = [
        dataclasses.replace(host, settings={**host.settings, "edusphere_media_shared": False}) for host in site.hosts
    ]
    assert "edusphere_media_shared" in only(dataclasses.replace(site, hosts=hosts))


def test_shared_media_without_a_common_number_is_a_notice(settings: dict[str, Any]) -> None:
    assert [notice.partition(":")[0] for notice in judge(many(settings))[1]] == ["edusphere_uid"]
    assert judge(many({**settings, "edusphere_uid": "880"}))[1] == []


def replaced(site: Site, name: str, **changes: Any) -> Site:
    return dataclasses.replace(
        site, hosts=[dataclasses.replace(host, **changes) if host.name == name else host for host in site.hosts]
    )


def test_two_hosts_with_one_address(settings: dict[str, Any]) -> None:
    site = replaced(many(settings), "app2", survey=survey(address="10.0.0.2"))
    assert only(site).startswith("hosts app1 and app2: both have the address 10.0.0.2")


@pytest.mark.parametrize("change", [{"architecture": "aarch64"}, {"os": {"ID": "debian", "VERSION_ID": "12"}}])
def test_app_hosts_are_alike(settings: dict[str, Any], change: dict[str, Any]) -> None:
    site = replaced(many(settings), "app2", survey=survey(address="10.0.0.3", **change))
    assert only(site).startswith("group app: a release is built once")
    assert problems(replaced(many(settings), "cache", survey=survey(address="10.0.0.5", **change))) == []


def test_a_mistake_of_one_host_names_it(settings: dict[str, Any]) -> None:
    site = many(settings)
    wrong = {**site.hosts[1].settings, "edusphere_domain": "x_y"}
    assert only(replaced(site, "app1", settings=wrong)).endswith("(on app1)")


def test_with_a_limit_the_groups_are_judged_whole(settings: dict[str, Any]) -> None:
    site = many(settings)
    assert problems(dataclasses.replace(site, hosts=site.hosts[1:2])) == []


def test_everything_at_once(settings: dict[str, Any]) -> None:
    wrong = {**settings, "edusphere_domain": "x_y", "edusphere_secret_key": "", "edusphere_app_static_url": "x"}
    site = one(wrong, survey=survey(memory_mb=1), problems=["edusphere_mode: must be one of: native, compose"])
    assert len(problems(site)) == 5


@pytest.mark.parametrize("name", ["localhost", "a.b", "10.0.0.1", "x" * 63, "1a.example.org", "EXAMPLE.org"])
def test_host_names(name: str) -> None:
    assert is_host_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "a_b",
        "-a",
        "a-",
        "a..b",
        "a.",
        "x" * 64,
        "300.0.0.1",
        "1.2.3",
        "0x7f000001",
        "a.0x1",
        "a:80",
        "ä.org",
        "a/b",
    ],
)
def test_no_host_names(name: str) -> None:
    assert not is_host_name(name)


def pem(key: ec.EllipticCurvePrivateKey, password: bytes | None = None) -> bytes:
    encryption: Any = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)


def certificate(key: ec.EllipticCurvePrivateKey, names: list[str], start: datetime, end: datetime) -> bytes:
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "learn.example.org")])
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), 1, start, end)
    if names:
        general: list[x509.GeneralName] = [
            x509.IPAddress(ipaddress.ip_address(name)) if name[0].isdigit() else x509.DNSName(name) for name in names
        ]
        builder = builder.add_extension(x509.SubjectAlternativeName(general), critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


KEY = ec.generate_private_key(ec.SECP256R1())
DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("names", "days", "wanted", "text"),
    [
        (["learn.example.org"], (-1, 1), ["learn.example.org"], ""),
        (["LEARN.example.org"], (-1, 1), ["learn.Example.org"], ""),
        (["*.example.org", "10.0.0.1"], (-1, 1), ["learn.example.org", "10.0.0.1"], ""),
        (["*.example.org"], (-1, 1), ["a.learn.example.org"], "is not for a.learn.example.org"),
        (["*.example.org"], (-1, 1), ["example.org"], "is not for example.org (its names: *.example.org)"),
        ([], (-1, 1), ["learn.example.org"], "is not for learn.example.org (its names: none)"),
        (["a.org"], (-2, -1), ["a.org"], "expired on"),
        (["a.org"], (1, 2), ["a.org"], "is valid only from"),
    ],
)
def test_certificates(names: list[str], days: tuple[int, int], wanted: list[str], text: str) -> None:
    made = certificate(KEY, names, NOW + days[0] * DAY, NOW + days[1] * DAY)
    found = list(certificate_problems(made, pem(KEY), wanted, NOW))
    assert len(found) == bool(text), found
    assert text in "".join(found)


def test_keys() -> None:
    made = certificate(KEY, ["a.org"], NOW - DAY, NOW + DAY)
    other = pem(ec.generate_private_key(ec.SECP256R1()))
    assert "is not the key of" in next(certificate_problems(made, other, ["a.org"], NOW))
    assert "passphrase" in next(certificate_problems(made, pem(KEY, b"x"), ["a.org"], NOW))
    assert "is no PEM private key" in next(certificate_problems(made, b"x", ["a.org"], NOW))
    assert "is no PEM certificate" in next(certificate_problems(b"x", pem(KEY), ["a.org"], NOW))


def test_tls_through_the_settings(settings: dict[str, Any]) -> None:
    tls = {"edusphere_tls": "provided", "edusphere_tls_certificate": "/c", "edusphere_tls_private_key": "/k"}
    site = one({**settings, **tls})
    assert len(problems(site)) == 2
    made = certificate(KEY, ["learn.example.org"], NOW - DAY, NOW + DAY)
    assert problems(dataclasses.replace(site, files={"/c": made, "/k": pem(KEY)})) == []
    wrong = dataclasses.replace(site, files={"/c": made, "/k": pem(KEY)})
    assert "is not for other.org" in only(
        replaced(wrong, "one", settings={**settings, **tls, "edusphere_domain": "other.org"})
    )


@pytest.mark.parametrize("address", ["10.0.0.1", "192.0.2.7", "::1", "[2001:db8::1]", "2001:db8::1", "fe80::1%eth0"])
@pytest.mark.parametrize("name", ["edusphere_domain", "edusphere_domain_aliases"])
def test_an_address_has_no_tls(settings: dict[str, Any], name: str, address: str) -> None:
    """Whatever the certificate says: clients name no server when they ask for an address."""
    made = certificate(KEY, ["learn.example.org", "10.0.0.1"], NOW - DAY, NOW + DAY)
    tls = {"edusphere_tls": "provided", "edusphere_tls_certificate": "/c", "edusphere_tls_private_key": "/k"}
    value = [address] if name == "edusphere_domain_aliases" else address
    site = dataclasses.replace(one({**settings, **tls, name: value}), files={"/c": made, "/k": pem(KEY)})
    found = only(site)
    assert found.startswith(f"{name}: {address!r} is an address")
    assert "give a host name, or set edusphere_tls to 'off'" in found


def test_an_address_without_tls(settings: dict[str, Any]) -> None:
    addressed = {**settings, "edusphere_domain": "10.0.0.1", "edusphere_domain_aliases": ["127.0.0.1"]}
    assert problems(one(addressed)) == []
    assert "is no host name" in only(one({**settings, "edusphere_domain": "::1"}))


def test_the_host_of_the_public_url(settings: dict[str, Any]) -> None:
    made = certificate(KEY, ["learn.example.org"], NOW - DAY, NOW + DAY)
    tls = {"edusphere_tls": "provided", "edusphere_tls_certificate": "/c", "edusphere_tls_private_key": "/k"}

    def site(**changes: Any) -> Site:
        return dataclasses.replace(one({**settings, **tls, **changes}), files={"/c": made, "/k": pem(KEY)})

    assert problems(site(edusphere_public_url="https://learn.example.org:8443")) == []
    for host in ("10.0.0.1", "10.0.0.1:8443", "[2001:db8::1]", "[2001:db8::1]:8443"):
        found = only(site(edusphere_public_url=f"https://{host}"))
        assert found.startswith("edusphere_public_url: ")
        assert "is an address" in found
    assert problems(site(edusphere_public_url="http://[::1]:8080", edusphere_tls="off")) == []


def test_hosts_from_registered_results() -> None:
    results = {
        "s": {"unreachable": True, "msg": "Task failed: Failed to connect"},
        "v": {"settings": {"a": 1}, "problems": ["p"], "becomes": True},
    }
    assert host_of("one", results, "s", "v") == Host(
        name="one",
        settings={"a": 1},
        problems=["p"],
        survey=None,
        unreachable="cannot be reached; is it up, and are its ansible_host, ansible_user and key right? "
        "Failed to connect",
    )
    hanging = host_of("one", {"s": {"failed": True, "timedout": {"period": 180}}}, "s", "v")
    assert hanging.unreachable.startswith("did not come to the end of the survey")
    strange = host_of("one", {"s": {"stdout": "", "stderr": "no shell for you", "rc": 1}}, "s", "v")
    assert strange.unreachable.endswith("it said: no shell for you")


def test_ansible_core() -> None:
    assert list(too_old("2.19.0")) == []
    assert list(too_old("2.20.0rc1")) == []
    assert "2.18.9 runs on the control node and 2.19.0 is needed" in next(too_old("2.18.9"))


def test_a_place_that_only_the_host_shows(settings: dict[str, Any]) -> None:
    found = only(one(settings, survey=survey(links={"/srv": "/home/srv"})))
    assert found.startswith("host one: edusphere_root: '/srv/edusphere' leads to /home/srv/edusphere and lies in /home")


def test_an_account_is_judged_where_the_application_runs(settings: dict[str, Any]) -> None:
    person = Account("debian", 1000, 1000, "", "/home/debian", "/bin/bash")
    named = {**settings, "edusphere_user": "debian"}
    assert only(one(named, survey=survey(accounts=(person,)))) == (
        "host one: edusphere_user: account 'debian' is there, and is somebody's (login shell /bin/bash); "
        "choose another name"
    )
    site = many(named)
    assert problems(replaced(site, "database", survey=survey(address="10.0.0.4", accounts=(person,)))) == []
    found = only(replaced(site, "app2", survey=survey(address="10.0.0.3", accounts=(person,))))
    assert found.startswith("host app2: edusphere_user: account 'debian'")


def test_a_hidden_place_is_told_once(settings: dict[str, Any]) -> None:
    assert only(one({**settings, "edusphere_root": "/home/edusphere/site"})).startswith("edusphere_root: ")


def test_removal_is_judged_by_itself(settings: dict[str, Any]) -> None:
    """A site that could not be deployed any more can be removed, from the hosts that answer."""
    person = Account("debian", 1000, 1000, "", "/home/debian", "/bin/bash")
    wrong = {**settings, "edusphere_domain": "x_y", "edusphere_user": "debian", "edusphere_teardown_data": "edusphere"}
    site = many({**wrong, "edusphere_config_directory": "/etc/nginx"})
    there = dataclasses.replace(site.hosts[0], survey=survey(accounts=(person,), memory_mb=1))
    assert judge_removal([there, dataclasses.replace(site.hosts[1], survey=None, unreachable="no route")]) == [
        "host edge: edusphere_config_directory: '/etc/nginx' overlaps /etc/nginx, which is not the site's; correct it",
        "host edge: edusphere_user: account 'debian' is somebody's (login shell /bin/bash); correct the name",
    ]
    assert judge_removal(many(settings).hosts) == []


LISTENERS = {
    "native": (Listener(80, "root", "nginx"), Listener(5432, "postgres", "postgres"), Listener(6379, "redis", "")),
    "compose": (Listener(80, "root", "docker-proxy"),),
}


@pytest.mark.parametrize(("there", "wanted"), [("native", "compose"), ("compose", "native")])
def test_a_site_in_the_other_mode(settings: dict[str, Any], there: str, wanted: str) -> None:
    """What it listens on is not told to be stopped, which would lead to an empty site beside the data."""
    site = {"edusphere_name": "edusphere", "edusphere_mode": there}
    found = survey(sites=(site,), listeners=LISTENERS[there])
    changed = settings | {"edusphere_mode": wanted}
    assert only(one(changed, survey=found)).startswith(
        f"edusphere_mode: is {wanted!r}, and the site was deployed with {there!r}"
    )
    assert problems(one(settings | {"edusphere_mode": there}, survey=found)) == []
    # Who has moved the data is told to stop it.
    accepted = changed | {"preflight_accept_orphans": ["edusphere_mode"]}
    assert "port 80 is taken by" in problems(one(accepted, survey=found))[0]


def test_data_of_some_hosts_would_stay_behind(settings: dict[str, Any]) -> None:
    """Of a rebuilt host there is nothing to be left."""
    site = many(settings)
    before = {"edusphere_name": "edusphere", "edusphere_mode": "native", "edusphere_database_name": "before"}
    known = [
        dataclasses.replace(host, survey=survey(address=host.survey.address, sites=(before,)))
        if host.survey and host.name in ("app1", "database")
        else host
        for host in site.hosts
    ]
    problem = only(dataclasses.replace(site, hosts=known))
    assert problem.startswith("edusphere_database_name: is 'coredb', and the site was deployed with 'before'.")
    assert problem.endswith(" (on app1, database)")


def test_a_database_that_would_stay_on_another_host(settings: dict[str, Any]) -> None:
    site = many(settings)
    before = {"edusphere_name": "edusphere", "edusphere_mode": "native", "postgresql_cluster": "main"}
    known = [
        dataclasses.replace(host, survey=survey(address=host.survey.address, sites=(before,)))
        if host.survey and host.name == "cache"
        else host
        for host in site.hosts
    ]
    problem = only(dataclasses.replace(site, hosts=known))
    assert problem.startswith("group database: is database, and the site's data are on cache.")
    assert problem.endswith("""-e '{"preflight_accept_orphans": ["edusphere_database_host"]}'""")
