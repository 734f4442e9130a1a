"""What a build is told, in both modes: no secret that it is not to read, and no password where others see it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from rendering import ROOT, rendered

CANARY = "canary-0123456789"
SETTINGS: dict[str, Any] = {
    "edusphere_secret_key": f"secret-{CANARY}",
    "edusphere_database_password": f"database-{CANARY}",
    "edusphere_redis_password": f"redis-{CANARY}",
    "edusphere_app_secrets": {"DATABASE_URL": "{{ edusphere_database_url }}", "MAIL_TOKEN": f"mail-{CANARY}"},
    "edusphere_app_environment": {"STAGE": "production", "MAIL_URL": f"smtp://robot:{CANARY}@mail.example.org"},
    "edusphere_app_build_commands": [["python", "manage.py", "compilemessages"]],
    "edusphere_app_dockerfile": "docker/Dockerfile",
    "edusphere_app_frontend_dockerfile": "docker/frontend/Dockerfile",
    "edusphere_release_id": "v1-0123456789ab",
    "edusphere_builder": "shop",
    "edusphere_private_address": "192.0.2.1",
    "release_build_environment": {
        "UV_DEFAULT_INDEX": f"https://build:{CANARY}@index.example.org/simple",
        "NO_PROXY": "localhost",
    },
    "frontend_build_environment": "{{ release_build_environment }}",
    "frontend_build_secret": "{{ __release_downloads_secret }}",
    "frontend_image": "shop/frontend:1",
    "frontend_context": "/srv/shop/releases/.building",
}
HOSTS: dict[str, dict[str, Any]] = {
    "shop": {"edusphere_name": "shop"},
    "books": {"edusphere_name": "books", "release_build_secrets": ["MAIL_TOKEN"], "release_build_memory_max": "1G"},
}
NAMES = (
    "__release_confinement",
    "__release_application_environment",
    "__release_command_environment",
    "__release_commands_content",
    "__release_docker_build_own",
    "__release_docker_build",
    "__release_remove_strangers",
    "__release_build_places",
    "__release_hand_over",
)


@pytest.fixture(scope="module")
def builds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    place = tmp_path_factory.mktemp("build")
    template = place / "build.j2"
    template.write_text(f"{{{{ dict({list(NAMES)} | zip([{', '.join(NAMES)}])) | to_json }}}}")
    groups = {group: list(HOSTS) for group in ("app", "database", "cache")}
    texts = rendered(place, template, HOSTS, groups, role="release", **SETTINGS)
    return {name: json.loads(text) for name, text in texts.items()}


def test_the_applications_code_has_made_up_secrets(builds: dict[str, dict[str, Any]]) -> None:
    """In both modes: as a command's environment, and as the file that is a secret of an image's build."""
    found = builds["shop"]["__release_application_environment"]
    assert CANARY not in json.dumps(found) + builds["shop"]["__release_commands_content"]
    assert (found["STAGE"], found["DB_PORT"]) == ("production", "5432")
    assert found["DATABASE_URL"].startswith("postgresql://")
    assert "@build.invalid:5432/" in found["DATABASE_URL"]
    assert {"SECRET_KEY", "DB_PASSWORD", "REDIS_PASSWORD", "MAIL_TOKEN"} - set(found) == set()
    assert all(found[name] for name in ("SECRET_KEY", "DB_PASSWORD", "REDIS_PASSWORD", "MAIL_TOKEN"))


def test_what_it_may_read_is_real(builds: dict[str, dict[str, Any]]) -> None:
    found = builds["books"]["__release_application_environment"]
    assert found["MAIL_TOKEN"] == f"mail-{CANARY}"
    assert CANARY not in json.dumps({name: value for name, value in found.items() if name != "MAIL_TOKEN"})


def test_no_password_is_in_an_images_history(builds: dict[str, dict[str, Any]]) -> None:
    """Of an image that a Dockerfile of the application's makes, neither."""
    for name in ("__release_docker_build_own", "__release_docker_build"):
        assert CANARY not in json.dumps(builds["shop"][name])
    own = builds["shop"]["__release_docker_build_own"]
    assert [word for word in own if word.startswith("--build-arg")] == ["--build-arg=NO_PROXY"]
    assert own[own.index("--secret") + 1] == "id=downloads,src=/srv/shop/releases/.downloads"


def test_no_site_has_a_place_of_anothers(builds: dict[str, dict[str, Any]]) -> None:
    """What builds can write runs in no other site's."""
    shop, books = (builds[name]["__release_confinement"] for name in ("shop", "books"))
    assert shop["unit"] == "edusphere-build-shop"
    assert set(shop["writable"]) & set(books["writable"]) == set()
    assert all(path.startswith("/srv/shop/") for path in shop["writable"])
    assert {"/etc/shop", "/srv/shop/shared"} - set(shop["hidden"]) == set()
    assert (shop["memory_max"], books["memory_max"]) == ("", "1G")
    for role, template in {"release": "Dockerfile.j2", "frontend": "docker/Dockerfile.j2"}.items():
        text = (ROOT / "roles" / role / "templates" / template).read_text()
        caches = [
            part.split(" ")[0] for part in text.replace("{{ edusphere_name }}", "SITE").split("--mount=type=cache,")[1:]
        ]
        assert caches
        assert [cache for cache in caches if not cache.startswith("id=SITE-")] == []


def test_every_command_knows_its_places(builds: dict[str, dict[str, Any]]) -> None:
    environment = builds["shop"]["__release_confinement"]["environment"]
    assert environment["HOME"] == environment["TMPDIR"] == "/srv/shop/build/work"
    assert CANARY not in json.dumps(environment)
    assert builds["shop"]["__release_command_environment"]["PATH"].startswith("/srv/shop/releases/.building/.venv/bin:")


def test_root_owns_what_the_next_source_is_fetched_with(builds: dict[str, dict[str, Any]]) -> None:
    places = {place["path"]: place for place in builds["shop"]["__release_build_places"]}
    assert places["/srv/shop/mirrors"] == {"path": "/srv/shop/mirrors", "state": "directory", "mode": "0700"}
