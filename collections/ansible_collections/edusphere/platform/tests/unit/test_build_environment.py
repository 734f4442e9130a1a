"""What a build knows of an application's environment."""

from __future__ import annotations

import base64
import json
import re
from urllib.parse import parse_qs, urlsplit

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.edusphere.platform.plugins.filter.build_environment import build_environment, throw_away
from ansible_collections.edusphere.platform.plugins.filter.public_downloads import public_downloads
from hypothesis import given, settings
from hypothesis import strategies as st

SECRETS = ["SECRET_KEY", "DB_PASSWORD", "SENTRY_DSN"]
ENVIRONMENT = {
    "SECRET_KEY": "k3y-Canary-0123456789",
    "DB_PASSWORD": "p4ss-Canary",
    "DB_HOST": "127.0.0.1",
    "DEBUG": "False",
    "SENTRY_DSN": "https://0123456789abcdef@o1.ingest.example.org/42",
    "STUDIO_MOTTO": ' "x" # $HOME %h ',
    "MAIL_URL": "smtp://robot:m41l-Canary@mail.example.org:587",
    "MAPS_API_KEY": "m4ps-Canary",
}


def test_secrets_are_made_up_and_the_rest_is_as_it_is() -> None:
    found = build_environment(ENVIRONMENT, SECRETS, [])
    assert list(found) == list(ENVIRONMENT)
    assert "Canary" not in json.dumps(found)
    kept = {"DB_HOST", "DEBUG", "STUDIO_MOTTO"}
    assert {name for name, value in found.items() if value == ENVIRONMENT[name]} == kept
    # Of a plain setting's URL only the password is secret.
    assert found["MAIL_URL"] == "smtp://build@mail.example.org:587"


def test_what_is_allowed_is_real() -> None:
    found = build_environment(ENVIRONMENT, SECRETS, ["SENTRY_DSN", "MAPS_API_KEY"])
    assert (found["SENTRY_DSN"], found["MAPS_API_KEY"]) == (ENVIRONMENT["SENTRY_DSN"], "m4ps-Canary")
    assert found["SECRET_KEY"] != ENVIRONMENT["SECRET_KEY"]


def test_a_name_that_there_is_not() -> None:
    with pytest.raises(AnsibleFilterError, match="release_build_secrets: there is no NONE, OTHER in"):
        build_environment(ENVIRONMENT, SECRETS, ["OTHER", "NONE", "SECRET_KEY"])


def test_urls_lead_nowhere() -> None:
    found = throw_away("postgresql://shop:p%40ss%2Fword@10.0.0.1:5432/books?sslmode=require&password=also")
    parts = urlsplit(found)
    assert (parts.scheme, parts.hostname, parts.port) == ("postgresql", "build.invalid", 5432)
    assert re.fullmatch("/[a-z]{5}", parts.path)
    assert parts.username
    assert parts.password
    assert parse_qs(parts.query)["sslmode"] == ["require"]
    assert "also" not in found
    assert "p%40ss" not in found
    assert urlsplit(throw_away("redis://:secret@[fd00::2]:6379/0")).path == "/0"
    assert throw_away("redis://:secret@[fd00::2]:6379/0").endswith("@build.invalid:6379/0")
    assert throw_away("sqlite:////srv/db.sqlite3").startswith("sqlite:////")
    hook = throw_away("https://hooks.example.org/services/T0CANARY/B1CANARY")
    assert hook.startswith("https://build.invalid/")
    assert "CANARY" not in hook


def test_shapes_can_be_parsed() -> None:
    """By what parses secrets when settings are imported."""
    key = base64.urlsafe_b64encode(bytes(range(32))).decode()
    assert len(base64.urlsafe_b64decode(throw_away(key))) == 32
    assert len(bytes.fromhex(throw_away("00ff" * 16))) == 32
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}", throw_away("c0ffee00-1234"))
    assert json.loads(throw_away('{"user": "canary", "port": 25, "tls": true, "hosts": ["canary"]}')) | {
        "user": "", "hosts": []
    } == {"user": "", "port": 25, "tls": True, "hosts": []}  # fmt: skip
    assert 10_000 <= int(throw_away("54321")) <= 99_999
    assert [throw_away(word) for word in ("True", "", "none")] == ["True", "", "none"]
    pem = throw_away("-----BEGIN PRIVATE KEY-----\nQ0FOQVJZ\n-----END PRIVATE KEY-----\n")
    assert re.fullmatch("-----BEGIN PRIVATE KEY-----\n[A-Za-z0-9]{8}\n-----END PRIVATE KEY-----\n", pem)


@settings(deadline=None)
@given(st.text(min_size=1, max_size=200))
def test_any_text_has_a_value_that_an_environment_can_hold(value: str) -> None:
    found = throw_away(value.replace("\0", ""))
    assert found.isprintable() or not value.isprintable()
    assert "\0" not in found


@settings(deadline=None)
@given(st.text(alphabet="abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=24, max_size=60))
def test_nothing_of_a_secret_stays(value: str) -> None:
    found = throw_away(value)
    assert len(found) == len(value)
    assert found != value


def test_what_may_stand_in_a_history() -> None:
    downloads = {
        "HTTPS_PROXY": "http://user:password@proxy:3128",
        "NO_PROXY": "localhost",
        "UV_DEFAULT_INDEX": "https://index.example.org/simple",
        "npm_config_registry": "https://token@npm.example.org/",
        "NPM_TOKEN": "secret",
        "npm_config__auth": "c2VjcmV0",
        "PORT": 3128,
    }
    assert public_downloads(downloads) == ["NO_PROXY", "PORT", "UV_DEFAULT_INDEX"]
