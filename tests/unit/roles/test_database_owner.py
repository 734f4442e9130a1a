"""Compose mode's database and its owner, as the role postgresql has them, by its own tasks and a server of Debian's."""

from __future__ import annotations

import json
import os
import pwd
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from rendering import ROOT, SETTINGS

OWNER, DATABASE = "db user", "core'db"
RIGHTS = (
    "SELECT rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls, rolcanlogin"
    " FROM pg_roles WHERE rolname = 'db user'"
)
# As the superuser's right has let an application make them, and as Django does.
MADE = """
CREATE SCHEMA extra;
CREATE TABLE page (id serial PRIMARY KEY, number int GENERATED ALWAYS AS IDENTITY, title text);
CREATE TABLE extra.parts (at date) PARTITION BY RANGE (at);
CREATE TABLE extra.parts_all PARTITION OF extra.parts DEFAULT;
CREATE VIEW pages AS SELECT * FROM page;
CREATE MATERIALIZED VIEW pages_kept AS SELECT * FROM page;
CREATE SEQUENCE alone;
CREATE TYPE mood AS ENUM ('good');
CREATE TYPE pair AS (a int, b mood);
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE TYPE span AS RANGE (subtype = int);
CREATE FUNCTION one() RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE PROCEDURE nothing() LANGUAGE sql AS '';
CREATE AGGREGATE total(int) (sfunc = int4pl, stype = int);
CREATE COLLATION other FROM "C";
CREATE TEXT SEARCH CONFIGURATION words (COPY = english);
CREATE STATISTICS told ON id, title FROM page;
SELECT lo_create(0);
"""
OWNERS = """
SELECT DISTINCT pg_get_userbyid(owner) FROM (
  SELECT nspowner FROM pg_namespace WHERE nspname = 'extra'
  UNION ALL SELECT relowner FROM pg_class WHERE oid >= 16384
  UNION ALL SELECT typowner FROM pg_type WHERE oid >= 16384 AND typname IN ('mood', 'pair', 'positive', 'span')
  UNION ALL SELECT proowner FROM pg_proc WHERE oid >= 16384 AND proname IN ('one', 'nothing', 'total')
  UNION ALL SELECT collowner FROM pg_collation WHERE oid >= 16384
  UNION ALL SELECT cfgowner FROM pg_ts_config WHERE oid >= 16384
  UNION ALL SELECT stxowner FROM pg_statistic_ext
  UNION ALL SELECT lomowner FROM pg_largeobject_metadata
  UNION ALL SELECT datdba FROM pg_database WHERE datname NOT IN ('postgres', 'template0', 'template1')
) AS owned (owner)
"""


class Server:
    """PostgreSQL, as its image's entrypoint leaves it."""

    def __init__(self, directory: Path, programs: Path) -> None:
        self.directory = directory
        self.programs = programs

    def session(self, user: str, database: str = DATABASE) -> subprocess.Popen[str]:
        """A client that runs what it is given, until its input ends."""
        return subprocess.Popen(
            [self.programs / "psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-U", user, "-d", database],
            env=os.environ | {"PGHOST": str(self.directory)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def ask(self, statement: str, user: str = "postgres", database: str = DATABASE) -> str:
        out, err = self.session(user, database).communicate(statement)
        assert err == ""
        return out.strip()

    def refused(self, statement: str, user: str, database: str = DATABASE) -> str:
        return self.session(user, database).communicate(statement)[1]

    def have_owner(self, place: Path, *options: str, **variables: object) -> subprocess.CompletedProcess[str]:
        """Run the role's tasks; Compose's client is one that runs everything here."""
        docker = place / "bin/docker"
        docker.parent.mkdir(exist_ok=True)
        docker.write_text(f'#!/bin/sh\nshift 4\nPGHOST={self.directory} exec "$@"\n')
        docker.chmod(0o755)
        role = ROOT / "roles/postgresql"
        play = {
            "hosts": "localhost",
            "connection": "local",
            "gather_facts": False,
            "environment": {"PATH": f"{docker.parent}:{self.programs}:{os.environ['PATH']}"},
            "vars_files": [str(role / "vars/main.yml")],
            "tasks": [
                {"import_role": {"name": "settings", "rolespec_validate": False, "public": True}},
                {"include_tasks": str(role / "tasks/owner.yml")},
            ],
        }
        names = {"edusphere_database_user": OWNER, "edusphere_database_name": DATABASE, "edusphere_mode": "compose"}
        # The stack's directory, in which the client runs.
        stack = place / "root/stack"
        stack.mkdir(parents=True, exist_ok=True)
        settings = SETTINGS | names | variables | {"edusphere_root": str(stack.parent)}
        inventory = {"all": {"hosts": {"localhost": {}}, "vars": settings}}
        (place / "inventory.json").write_text(json.dumps(inventory))
        (place / "play.json").write_text(json.dumps([play]))
        if not (place / "files").is_symlink():
            (place / "files").symlink_to(role / "files")
        return subprocess.run(
            ["ansible-playbook", "--inventory", place / "inventory.json", place / "play.json", *options],
            env=os.environ | {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")},
            capture_output=True,
            text=True,
            check=False,
        )


@contextmanager
def server(superuser: str) -> Iterator[Server]:
    """A server of Debian's that initdb has made with this superuser; it runs as postgres, since initdb refuses root."""
    programs = max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name))
    account = "postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
    directory = Path(tempfile.mkdtemp(prefix="postgresql-"))
    shutil.chown(directory, account)
    # Clients of other accounts come to its socket.
    directory.chmod(0o755)
    data = directory / "data"

    def run(program: str, *arguments: str) -> None:
        subprocess.run(
            [programs / program, *arguments],
            user=account if os.geteuid() == 0 else None,
            cwd=directory,
            check=True,
            stdout=subprocess.DEVNULL,
        )

    run("initdb", f"--username={superuser}", "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync", str(data))
    options = f"-c listen_addresses='' -c unix_socket_directories='{directory}' -c fsync=off -c log_statement=all"
    run("pg_ctl", f"--pgdata={data}", "--wait", f"--log={directory}/log", f"--options={options}", "start")
    try:
        found = Server(directory, programs)
        found.ask(f'CREATE DATABASE "{DATABASE}"', superuser, "postgres")
        yield found
    finally:
        run("pg_ctl", f"--pgdata={data}", "--mode=immediate", "--wait", "stop")
        shutil.rmtree(directory)


@pytest.fixture
def new() -> Iterator[Server]:
    """A server on a new volume."""
    with server("postgres") as found:
        yield found


@pytest.fixture
def old() -> Iterator[Server]:
    """A server whose superuser is the application's."""
    with server(OWNER) as found:
        found.ask(f"ALTER ROLE \"{OWNER}\" PASSWORD 'secret'", OWNER)
        found.ask(MADE, OWNER)
        yield found


def changes(done: subprocess.CompletedProcess[str]) -> int:
    found = re.search(r"changed=(\d+)", done.stdout)
    assert found, done.stdout + done.stderr
    assert done.returncode == 0, done.stdout + done.stderr
    return int(found[1])


def test_on_a_new_volume_the_owner_is_no_superuser(new: Server, tmp_path: Path) -> None:
    assert changes(new.have_owner(tmp_path, "--check")) == 1
    assert new.ask(RIGHTS) == ""
    assert changes(new.have_owner(tmp_path)) == 1
    assert new.ask(RIGHTS) == "f|f|f|f|f|t"
    assert new.ask("SELECT pg_get_userbyid(datdba), datacl FROM pg_database WHERE datname = current_database()") == (
        'db user|{"\\"db user\\"=CTc/\\"db user\\""}'
    )
    new.ask("CREATE TABLE record (id int)", OWNER)
    assert "to COPY to or from an external program" in new.refused("COPY (SELECT 1) TO PROGRAM 'true'", OWNER)

    # What somebody has changed is put right; in development, tests make databases.
    new.ask(f'ALTER ROLE "{OWNER}" SUPERUSER NOLOGIN; GRANT ALL ON DATABASE "{DATABASE}" TO PUBLIC')
    development = {"edusphere_environment": "development"}
    assert changes(new.have_owner(tmp_path, **development)) == 1
    assert new.ask(RIGHTS) == "f|t|f|f|f|t"
    assert changes(new.have_owner(tmp_path, **development)) == 0


def test_an_old_volume_gets_a_superuser_of_its_own(old: Server, tmp_path: Path) -> None:
    """What the application has made and may do stays its own, its password and its sessions are good still."""
    old.ask(
        f'CREATE ROLE reader LOGIN; GRANT "{OWNER}" TO reader;'
        f' ALTER ROLE "{OWNER}" SET search_path = public, extra;'
        " ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO reader; GRANT SELECT ON page TO reader",
        OWNER,
    )
    password = "SELECT rolpassword FROM pg_authid WHERE rolname = 'db user'"
    before = old.ask(password, OWNER)
    # A visitor's session, which a backend keeps.
    session = old.session(OWNER)
    assert session.stdin
    session.stdin.write("SELECT count(*) FROM page;\n")
    session.stdin.flush()

    assert changes(old.have_owner(tmp_path, "--check")) == 1
    assert old.ask(RIGHTS, OWNER).startswith("t|")
    assert changes(old.have_owner(tmp_path)) == 2
    assert old.ask(RIGHTS) == "f|f|f|f|f|t"
    assert old.ask("SELECT rolname, rolpassword IS NULL FROM pg_authid WHERE oid = 10") == "postgres|t"
    assert old.ask("SELECT rolname FROM pg_roles WHERE oid >= 16384 ORDER BY 1") == f"{OWNER}\nreader"
    assert old.ask(password) == before
    assert old.ask(OWNERS) == OWNER
    assert session.communicate("INSERT INTO page (title) VALUES ('late');\n") == ("0\n", "")

    assert old.ask("SELECT setconfig FROM pg_db_role_setting WHERE setrole = 10") == ""
    assert old.ask("SHOW search_path", OWNER) == "public, extra"
    old.ask("ALTER TABLE page ADD note text; CREATE TABLE later (id int); INSERT INTO page DEFAULT VALUES", OWNER)
    assert old.ask("SELECT count(*) FROM page; SELECT count(*) FROM later", "reader") == "2\n0"
    assert "permission denied to set role" in old.refused("SET ROLE postgres", "reader")
    assert "SCRAM-SHA-256" not in (old.directory / "log").read_text()

    assert changes(old.have_owner(tmp_path)) == 0


def test_a_table_in_use_is_left_alone(old: Server) -> None:
    """Where a lock is not to be had at all, everything stays as it was."""
    session = old.session(OWNER)
    assert session.stdin
    session.stdin.write("BEGIN; SELECT * FROM page; SELECT 'locked';\n")
    session.stdin.flush()
    assert session.stdout
    assert session.stdout.readline() == "locked\n"
    separate = (ROOT / "roles/postgresql/files/separate_superuser.sql").read_text()
    names = ["-v", f"owner={OWNER}", "-v", f"database={DATABASE}", "-U", OWNER, "-d", DATABASE]
    done = subprocess.run(
        [old.programs / "psql", "-XAtq", "-v", "ON_ERROR_STOP=1", *names],
        env=os.environ | {"PGHOST": str(old.directory)},
        input=separate,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, "lock timeout" in done.stderr) == (3, True)
    assert old.ask("SELECT rolname FROM pg_roles WHERE rolsuper", OWNER) == OWNER
    assert session.communicate("COMMIT;\n") == ("", "")
