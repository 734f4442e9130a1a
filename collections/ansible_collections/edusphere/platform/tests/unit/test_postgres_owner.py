"""What SQL is missing until the application has its database and no more."""

from __future__ import annotations

import pytest
from ansible_collections.edusphere.platform.plugins.plugin_utils.postgres_owner import (
    RIGHTS,
    Database,
    State,
    identifier,
    statements,
)

NONE = "LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS"
OWNED: Database = {"owner": "app", "public": False}


def role(**rights: bool) -> dict[str, bool]:
    return {**dict.fromkeys(RIGHTS, False), "login": True, "bootstrap": False, **rights}


@pytest.mark.parametrize(
    ("state", "needed"),
    [
        ({"role": role(), "database": OWNED}, []),
        # As the image leaves a new volume.
        (
            {"role": None, "database": {"owner": "postgres", "public": True}},
            [
                f'CREATE ROLE "app" {NONE}',
                'ALTER DATABASE "core" OWNER TO "app"',
                'REVOKE ALL ON DATABASE "core" FROM PUBLIC',
            ],
        ),
        (
            {"role": role(), "database": None},
            ['CREATE DATABASE "core" OWNER "app"', 'REVOKE ALL ON DATABASE "core" FROM PUBLIC'],
        ),
        *[
            ({"role": role(**{right: right != "login"}), "database": OWNED}, [f'ALTER ROLE "app" {NONE}'])
            for right in RIGHTS
        ],
        (
            {"role": role(), "database": {"owner": "app", "public": True}},
            ['REVOKE ALL ON DATABASE "core" FROM PUBLIC'],
        ),
    ],
)
def test_what_is_missing(state: State, needed: list[str]) -> None:
    assert statements(state, "app", "core") == needed


def test_tests_make_databases() -> None:
    state: State = {"role": role(), "database": OWNED}
    assert statements(state, "app", "core", creates_databases=True) == [
        f'ALTER ROLE "app" {NONE.replace("NOCREATEDB", "CREATEDB")}'
    ]
    state = {"role": role(createdb=True), "database": OWNED}
    assert statements(state, "app", "core", creates_databases=True) == []


def test_the_first_superuser_can_not_be_made_less() -> None:
    with pytest.raises(ValueError, match=r"role 'app' is the superuser .*Nothing was changed"):
        statements({"role": role(superuser=True, bootstrap=True), "database": OWNED}, "app", "core")


def test_names_are_quoted() -> None:
    assert identifier('a"; DROP DATABASE b; --') == '"a""; DROP DATABASE b; --"'
