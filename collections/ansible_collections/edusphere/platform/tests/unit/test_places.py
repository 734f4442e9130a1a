"""Which paths of a site preflight refuses: those that meet others, and those that its units don't see."""
# ruff: noqa: S108 directories below /tmp are refused here

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.edusphere.platform.plugins.plugin_utils.places import (
    in_release,
    on_host,
    overlap,
    removed,
    well_formed,
)
from hypothesis import given
from hypothesis import strategies as st

SETTINGS: dict[str, Any] = {
    "edusphere_name": "learn",
    "edusphere_mode": "native",
    "edusphere_environment": "production",
    "edusphere_root": "/srv/learn",
    "edusphere_config_directory": "/etc/learn",
    "edusphere_app_settings_module": "backend.config.settings",
    "edusphere_app_asgi": "backend.config.asgi:application",
    "edusphere_app_requirements": "requirements.txt",
    "edusphere_app_frontend": True,
    "edusphere_app_frontend_directory": "frontend",
    "edusphere_app_frontend_dist": "frontend/dist",
    "edusphere_app_static_directory": "staticfiles",
    "edusphere_app_media_directory": "media",
    "edusphere_app_media_url": "",
    "edusphere_app_python": "/usr/bin/python3",
}


def shared(*paths: str, **changes: Any) -> list[str]:
    """What is said of shared directories."""
    return list(in_release({**SETTINGS, "edusphere_app_shared_directories": list(paths), **changes}))


def placed(**changes: Any) -> list[str]:
    """What is said of directories on a host."""
    settings = {**SETTINGS, **changes}
    return [*well_formed(settings), *on_host(settings)]


@pytest.mark.parametrize(
    "paths",
    [
        ["media", "logs"],
        [],
        ["data/media", "data/logs"],
        ["backend/media"],
        ["frontend/uploads"],
        ["data", "database"],
        ["data.d", "data"],
        [".cache"],
        ["static"],
    ],
)
def test_directories_that_do_not_meet(paths: list[str]) -> None:
    for mode in ("native", "compose"):
        assert shared(*paths, edusphere_mode=mode) == []


@pytest.mark.parametrize(
    ("paths", "text"),
    [
        (["data", "data/media"], "'data/media' lies in 'data', which is shared as a whole; remove one of them"),
        (["data/a/b", "logs", "data"], "'data/a/b' lies in 'data'"),
        (["media", "media"], "'media' is there twice"),
        (["media", "./media"], "'media' is there twice"),
        (["media/"], "'media/' is 'media' with other words; write it so"),
        (["a//b"], "'a//b' is 'a/b' with other words"),
        (["/media"], "must lie in the release"),
        (["../media"], "must lie in the release"),
        (["media/../logs"], "must lie in the release"),
        (["."], "must lie in the release"),
        ([""], "must lie in the release"),
        (["up loads"], "use letters, digits"),
        (["-rf"], "use letters, digits"),
        (["media:ro"], "use letters, digits"),
        ([".venv"], "overlaps '.venv' (the release's Python environment)"),
        ([".venv/lib"], "overlaps '.venv'"),
        ([".overlay"], "overlaps '.overlay'"),
        ([".edusphere/x"], "overlaps '.edusphere'"),
        ([".release.json"], "overlaps '.release.json'"),
        (["manage.py"], "overlaps 'manage.py'"),
        (["requirements.txt"], "overlaps 'requirements.txt' (edusphere_app_requirements)"),
        (["staticfiles"], "overlaps 'staticfiles' (edusphere_app_static_directory)"),
        (["staticfiles/x"], "overlaps 'staticfiles'"),
        (["frontend/dist"], "overlaps 'frontend/dist' (edusphere_app_frontend_dist)"),
        (["frontend/dist/assets"], "overlaps 'frontend/dist'"),
        (["frontend"], "'frontend' holds 'frontend' of each release (edusphere_app_frontend_directory)"),
        (["backend"], "'backend' holds 'backend/config/settings' of each release (edusphere_app_settings_module)"),
        (["backend/config"], "holds 'backend/config/asgi' of each release (edusphere_app_asgi)"),
    ],
)
def test_directories_that_meet(paths: list[str], text: str) -> None:
    found = shared(*paths)
    assert any(text in problem for problem in found), found
    assert all(problem.startswith("edusphere_app_shared_directories: ") for problem in found)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (".venv/static", "overlaps '.venv' (the release's Python environment)"),
        (".overlay", "overlaps '.overlay'"),
        ("backend", "holds 'backend/config/settings' of each release (edusphere_app_settings_module)"),
        ("frontend", "holds 'frontend' of each release (edusphere_app_frontend_directory)"),
    ],
)
def test_static_files_have_a_directory_of_their_own(path: str, text: str) -> None:
    found = shared(edusphere_app_static_directory=path)
    assert found
    assert all(problem.startswith(f"edusphere_app_static_directory: {path!r} ") for problem in found)
    assert text in found[0]
    assert shared(edusphere_app_static_directory="backend/static") == []


def test_without_a_frontend_its_places_are_free() -> None:
    assert shared("frontend/dist", edusphere_app_frontend=False) == []


def test_a_module_of_the_overlay_is_no_source() -> None:
    changes = {"edusphere_app_settings_module": "site", "edusphere_app_overlay_modules": {"site": ""}}
    assert shared("site", **changes) == []


@pytest.mark.parametrize(
    ("paths", "text"),
    [
        (["a/b", "a_b"], "'a_b' and 'a/b' would be one volume, 'a_b'"),
        (["postgres/data"], "would be the platform's volume 'postgres_data'"),
        (["postgres_data"], "would be the platform's volume 'postgres_data'"),
    ],
)
def test_volumes_that_meet(paths: list[str], text: str) -> None:
    assert shared(*paths) == []
    (problem,) = shared(*paths, edusphere_mode="compose")
    assert text in problem


NAMES = st.sampled_from(["a", "b", "aa", "a.b"])
PATHS = st.lists(st.lists(NAMES, min_size=1, max_size=3).map("/".join), max_size=4)


@given(PATHS)
def test_no_two_that_are_accepted_meet(paths: list[str]) -> None:
    meet = any(
        one == other or one.startswith(other + "/") or other.startswith(one + "/")
        for index, one in enumerate(paths)
        for other in paths[:index]
    )
    assert (shared(*paths) != []) == meet


def test_paths_overlap_by_whole_names() -> None:
    assert overlap("/a", "/a/b")
    assert overlap("/a/b", "/a")
    assert overlap("/a", "/a")
    assert not overlap("/a", "/ab")


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"edusphere_root": "/opt/learn"},
        {"edusphere_root": "/var/lib/learn"},
        {"edusphere_root": "/var/www/learn"},
        {"edusphere_root": "/homes/learn"},
        {"edusphere_root": "/srv/home/learn"},
        {"edusphere_config_directory": "/srv/learn/etc"},
        {"postgresql_data_directory": "/srv/learn/postgresql"},
        {"postgresql_data_directory": "/home/postgresql/17"},
        {"docker_data_root": "/home/docker"},
        {"edusphere_app_python": "/usr/local/bin/python3.13"},
        # Docker shows a container what it is told to, and no unit of the site runs there.
        {"edusphere_mode": "compose", "edusphere_root": "/home/learn/site", "edusphere_app_python": "/home/x/python"},
    ],
)
def test_right_places_on_a_host(changes: dict[str, Any]) -> None:
    assert placed(**changes) == []


@pytest.mark.parametrize(
    ("name", "path", "text"),
    [
        ("edusphere_root", "/home/learn/site", "lies in /home, which ProtectHome hides from the site's units"),
        ("edusphere_root", "/home/learn/site", "choose a directory such as /srv/learn"),
        ("edusphere_root", "//home/learn/site", "lies in /home"),
        ("edusphere_root", "/home//learn/", "lies in /home"),
        ("edusphere_root", "/root/site", "lies in /root"),
        ("edusphere_root", "/run/user/1000/site", "lies in /run/user, which ProtectHome hides"),
        ("edusphere_root", "/run/learn", "lies in /run: it is emptied at boot"),
        ("edusphere_root", "/tmp/learn", "units have a /tmp of their own (PrivateTmp)"),
        ("edusphere_root", "/var/tmp/learn", "units have a /var/tmp of their own (PrivateTmp)"),
        ("edusphere_root", "/dev/shm/learn", "lies in /dev: it is the kernel's"),
        ("edusphere_root", "/srv/my site", "use letters, digits"),
        ("edusphere_root", "/srv/100%", "use letters, digits"),
        ("edusphere_root", "/var/lib", "overlaps /var/lib/apt, which is not the site's"),
        ("edusphere_root", "/usr/local", "overlaps /usr/local/bin"),
        ("edusphere_root", "/usr/local/lib/learn", "overlaps /usr/local/lib"),
        ("edusphere_root", "/var/lib/docker/learn", "overlaps /var/lib/docker"),
        ("edusphere_config_directory", "/home/learn/etc", "choose a directory such as /etc/learn"),
        ("edusphere_config_directory", "/root/etc/learn", "lies in /root"),
        ("edusphere_config_directory", "/tmp/etc", "PrivateTmp"),
        ("edusphere_config_directory", "/etc/nginx", "overlaps /etc/nginx, which is not the site's"),
        ("edusphere_config_directory", "/etc/nginx/learn", "overlaps /etc/nginx"),
        ("edusphere_config_directory", "/srv/learn", "overlaps /srv/learn (edusphere_root)"),
        ("edusphere_config_directory", "/srv/learn/shared/x", "overlaps /srv/learn (edusphere_root)"),
        ("edusphere_config_directory", "/srv/learn/releases", "overlaps /srv/learn (edusphere_root)"),
        ("postgresql_data_directory", "/srv/learn", "overlaps /srv/learn (edusphere_root)"),
        ("postgresql_data_directory", "/srv/learn/shared/db", "overlaps /srv/learn (edusphere_root)"),
        ("postgresql_data_directory", "/run/postgresql/data", "lies in /run: it is emptied at boot"),
        ("docker_data_root", "/var/tmp/docker", "choose a directory such as /var/lib/docker"),
        ("docker_data_root", "/srv", "overlaps /srv/learn (edusphere_root)"),
        (
            "edusphere_app_python",
            "/home/debian/.pyenv/versions/3.13.1/bin/python",
            "lies in /home, which ProtectHome hides",
        ),
        ("edusphere_app_python", "/root/.local/bin/python3", "install it where every account can run it"),
    ],
)
def test_wrong_places_on_a_host(name: str, path: str, text: str) -> None:
    (problem,) = placed(**{name: path})
    assert problem.startswith(f"{name}: {path!r} ")
    assert text in problem


def test_a_name_that_leads_to_a_directory_of_others_is_mended_by_another_name() -> None:
    (problem,) = placed(edusphere_name="ssl", edusphere_root="/srv/ssl", edusphere_config_directory="/etc/ssl")
    assert problem.endswith(
        "overlaps /etc/ssl, which is not the site's; choose another directory, or another edusphere_name"
    )


def test_programs_of_units() -> None:
    worker = {"name": "worker", "command": ["/home/learn/venv/bin/celery"]}
    (problem,) = placed(edusphere_app_processes=[worker, {"name": "beat", "command": ["celery"]}])
    assert problem.startswith("edusphere_app_processes: 'worker': command: '/home/learn/venv/bin/celery' lies in /home")
    command = {"edusphere_app_frontend_dev_command": ["/root/.nvm/bin/npm", "run", "dev"]}
    assert placed(**command) == []
    assert "lies in /root" in placed(**command, edusphere_environment="development")[0]


@pytest.mark.parametrize("path", ["/srv/learn", "/srv"])
def test_in_compose_mode_what_a_boot_empties_is_refused_all_the_same(path: str) -> None:
    (problem,) = placed(edusphere_mode="compose", edusphere_root=f"/tmp{path}")
    assert "emptied at boot" in problem


def test_links_of_a_host() -> None:
    (problem,) = on_host(SETTINGS, lambda path: path.replace("/srv", "/home/srv"))
    assert problem.startswith("edusphere_root: '/srv/learn' leads to /home/srv/learn and lies in /home")


def test_uploads_that_are_elsewhere() -> None:
    def real(path: str) -> str:
        return path.replace("/srv/learn/shared", "/home/uploads")

    (problem,) = on_host(SETTINGS, real)
    assert problem.startswith("edusphere_root/shared: '/srv/learn/shared' leads to /home/uploads and lies in /home")
    assert list(on_host({**SETTINGS, "edusphere_mode": "compose"}, real)) == []
    assert list(on_host(SETTINGS, lambda path: path.replace("/srv/learn/shared", "/mnt/uploads"))) == []


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({}, ""),
        ({"edusphere_root": "/home/learn/site"}, ""),
        ({"edusphere_root": "/var/lib"}, "edusphere_root: '/var/lib' overlaps /var/lib/apt, which is not the site's"),
        ({"edusphere_root": "/srv"}, "edusphere_root: '/srv' must be an absolute path, two levels deep"),
        ({"edusphere_config_directory": "/etc/ssl"}, "edusphere_config_directory: '/etc/ssl' overlaps /etc/ssl"),
        ({"edusphere_config_directory": "/opt/etc"}, "edusphere_config_directory: '/opt/etc' overlaps /etc/"),
    ],
)
def test_what_teardown_may_remove(changes: dict[str, Any], text: str) -> None:
    """What units don't see as well, and nothing through a link."""
    problems = list(removed({**SETTINGS, **changes}, lambda path: "/etc" if path == "/opt/etc" else path))
    assert len(problems) == bool(text)
    assert text in "".join(problems)
