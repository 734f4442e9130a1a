# Copyright: (c) 2026, EduSphere platform contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a server of PostgreSQL lacks of the application's database and its owner."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypedDict

# A role's rights, by the names of pg_roles, and the words of CREATE ROLE for them.
RIGHTS = {
    "login": "LOGIN",
    "superuser": "SUPERUSER",
    "createdb": "CREATEDB",
    "createrole": "CREATEROLE",
    "replication": "REPLICATION",
    "bypassrls": "BYPASSRLS",
}


class Database(TypedDict):
    """What the server has of the database."""

    owner: str
    public: bool
    """Whether other roles may do anything with it."""


class State(TypedDict):
    """What roles/postgresql/files/owner.sql answers."""

    role: Mapping[str, bool] | None
    """The owner's rights, and ``bootstrap``: whether it is the superuser that the cluster was made with."""
    database: Database | None


def identifier(name: str) -> str:
    """``name`` as SQL has it, whatever is in it: https://www.postgresql.org/docs/current/sql-syntax-lexical.html."""
    return '"' + name.replace('"', '""') + '"'


def statements(state: State, owner: str, database: str, creates_databases: bool = False) -> list[str]:
    """The SQL that makes ``owner`` a role without a superuser's rights that owns ``database``, and no one else's.

    Where all is as it should be, there is none. ValueError where the owner is the superuser that the cluster was made
    with: that one can't be made less.
    """
    role, found = state["role"], state["database"]
    if role and role["bootstrap"]:
        raise ValueError(
            f"role {owner!r} is the superuser that the database's cluster was made with, which the application must "
            "not be. It would become a role postgres, but that exists. Nothing was changed. If nobody needs it, rename "
            "it (ALTER ROLE postgres RENAME TO …), and run this again"
        )
    wanted = {right: right == "login" or (right == "createdb" and creates_databases) for right in RIGHTS}
    words = " ".join(("" if wanted[right] else "NO") + word for right, word in RIGHTS.items())
    needed = []
    if role is None:
        needed.append(f"CREATE ROLE {identifier(owner)} {words}")
    elif any(role[right] != wanted[right] for right in RIGHTS):
        needed.append(f"ALTER ROLE {identifier(owner)} {words}")
    if found is None:
        needed.append(f"CREATE DATABASE {identifier(database)} OWNER {identifier(owner)}")
    elif found["owner"] != owner:
        needed.append(f"ALTER DATABASE {identifier(database)} OWNER TO {identifier(owner)}")
    if found is None or found["public"]:
        needed.append(f"REVOKE ALL ON DATABASE {identifier(database)} FROM PUBLIC")
    return needed
