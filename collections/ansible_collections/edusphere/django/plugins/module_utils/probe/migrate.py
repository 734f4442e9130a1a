# Copyright: (c) 2026, EduSphere maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# mypy: allow-untyped-calls
"""Runs inside the project: plans and applies migrations by Django's own graph, executor and command."""

from __future__ import annotations

import contextlib
import time
from typing import Any

from ansible_collections.edusphere.django.plugins.module_utils.probe.core import Project, RefusedError

# What manage.py would be called with.
COMMAND = "migrate"
# The first eight bytes of SHA-256 of "edusphere.django.migrate", as PostgreSQL's signed bigint. Advisory locks are
# counted per database, so one key does for every project.
LOCK_KEY = 0x4108_49BB_A04D_2773
# Seconds between two attempts. A session that waited inside pg_advisory_lock() would hold a snapshot, and CREATE INDEX
# CONCURRENTLY in the other session's migration would wait for it for ever.
LOCK_INTERVAL = 0.2
# The comment of the table django_migrations between the first migration of a run and the end of its post_migrate
# signals (PostgreSQL). Without it, a run that was killed in its signals would look finished for ever: nothing is
# pending any more, but permissions may be missing.
UNFINISHED = "edusphere.django.migrate: unfinished"


def run(project: Project, parameters: dict[str, Any]) -> dict[str, Any]:
    """Plan, and outside of check mode apply, what ``parameters`` ask for.

    Keys of ``parameters``: database, app_label, migration_name, fake, fake_initial, lock_wait (seconds).
    """
    connection = project.connection(parameters["database"])
    work = Work(connection, parameters)
    if project.check_mode or not work:
        return answer(work, work.predicted())
    with MigrationLock(connection, parameters["lock_wait"]):
        # Another host may have done it while this one waited.
        work = Work(connection, parameters)
        if work:
            mark_unfinished(connection, True)
            apply(project, connection, parameters)
            mark_unfinished(connection, False)
        left = Work(connection, parameters)
        return answer(work, {"history": left.history, "pending": left.pending})


def answer(work: Work, after: dict[str, list[str]]) -> dict[str, Any]:
    """Return the result: what the work was, and how it left the database."""
    return {
        "changed": bool(work),
        "plan": work.steps(),
        "recorded": ["{}.{}".format(*key) for key in work.recorded],
        "resumed": work.unfinished,
        "history_before": work.history,
        "history_after": after["history"],
        "pending": after["pending"],
    }


class Work:
    """What is to be done, calculated as Django's own migrate command does."""

    def __init__(self, connection: Any, parameters: dict[str, Any]) -> None:
        from django.core.management.base import CommandError
        from django.db.migrations.executor import MigrationExecutor

        executor = MigrationExecutor(connection)
        loader: Any = executor.loader
        loader.check_consistent_history(connection)
        conflicts = loader.detect_conflicts()
        if conflicts:
            raise CommandError(
                "Conflicting migrations detected; multiple leaf nodes in the migration graph: ({}).".format(
                    "; ".join("{} in {}".format(", ".join(found), app) for app, found in sorted(conflicts.items()))
                )
            )
        self.plan = executor.migration_plan(targets(loader, parameters))
        # Everything in the order of the graph, of which what is not applied is pending.
        self._everything = executor.migration_plan(loader.graph.leaf_nodes(), clean_start=True)
        self._applied: set[tuple[str, str]] = set(loader.applied_migrations)
        # The rows of django_migrations. They may lack a squashed migration although all that it replaces are applied:
        # Django then adds it, with nothing else to do.
        self._rows = set(executor.recorder.applied_migrations())
        self.recorded = sorted(
            key
            for key, migration in loader.replacements.items()
            if key not in self._rows and self._rows.issuperset(migration.replaces)
        )

        self.unfinished = comment(connection) == UNFINISHED

    def __bool__(self) -> bool:
        return bool(self.plan or self.recorded or self.unfinished)

    @property
    def history(self) -> list[str]:
        """The rows of django_migrations."""
        return sorted("{}.{}".format(*key) for key in self._rows)

    @property
    def pending(self) -> list[str]:
        """The migrations that are not applied, in the order in which they would be."""
        return self._names_without(self._applied)

    def predicted(self) -> dict[str, list[str]]:
        """Return what :attr:`history` and :attr:`pending` will be after the plan has been run."""
        rows, applied = self._rows.union(self.recorded), set(self._applied)
        for migration, backward in self.plan:
            key = (migration.app_label, migration.name)
            if backward:
                rows.difference_update([key, *migration.replaces])
                applied.discard(key)
            else:
                rows.update([key, *migration.replaces])
                applied.add(key)
        return {
            "history": sorted("{}.{}".format(*key) for key in rows),
            "pending": self._names_without(applied),
        }

    def steps(self) -> list[dict[str, Any]]:
        """Return the plan as JSON."""
        return [
            {
                "app": migration.app_label,
                "name": migration.name,
                "direction": "backward" if backward else "forward",
                "operations": [operation.describe() for operation in migration.operations],
            }
            for migration, backward in self.plan
        ]

    def _names_without(self, applied: set[tuple[str, str]]) -> list[str]:
        return [
            "{}.{}".format(migration.app_label, migration.name)
            for migration, _backward in self._everything
            if (migration.app_label, migration.name) not in applied
        ]


def targets(loader: Any, parameters: dict[str, Any]) -> list[tuple[str, str | None]]:
    """Return the nodes of the graph that the parameters name; all leaves when they name none."""
    from django.apps import apps
    from django.db.migrations.exceptions import AmbiguityError

    app_label, name = parameters["app_label"], parameters["migration_name"]
    if not app_label:
        return list(loader.graph.leaf_nodes())
    if app_label not in {config.label for config in apps.get_app_configs()}:
        raise RefusedError("app_label: no installed app has the label {!r}".format(app_label))
    if app_label not in loader.migrated_apps:
        raise RefusedError("app_label: the app {!r} has no migrations".format(app_label))
    if not name:
        return [key for key in loader.graph.leaf_nodes() if key[0] == app_label]
    if name == "zero":
        return [(app_label, None)]
    try:
        migration = loader.get_migration_by_prefix(app_label, name)
    except AmbiguityError:
        raise RefusedError(
            "migration_name: more than one migration of {!r} starts with {!r}".format(app_label, name)
        ) from None
    except KeyError:
        raise RefusedError("migration_name: no migration of {!r} starts with {!r}".format(app_label, name)) from None
    target = (app_label, migration.name)
    if target not in loader.graph.nodes and target in loader.replacements:
        # A squashed migration of which only a part is applied is not in the graph: its last replaced one stands in.
        target = loader.replacements[target].replaces[-1]
    return [target]


def apply(project: Project, connection: Any, parameters: dict[str, Any]) -> None:
    """Run Django's own migrate command, so that its checks and signals happen, and send a frame for each step."""
    from django.core.management import call_command, get_commands, load_command_class

    command: Any = get_commands()["migrate"]
    if isinstance(command, str):
        command = load_command_class(command, "migrate")
    started = 0.0

    def progress(action: str, migration: Any = None, fake: bool = False) -> None:
        nonlocal started
        direction, _separator, moment = action.partition("_")
        if direction not in ("apply", "unapply"):
            return
        if moment == "start":
            started = time.monotonic()
            project.channel.send("started", app=migration.app_label, name=migration.name)
        else:
            project.channel.send(
                "applied" if direction == "apply" else "unapplied",
                app=migration.app_label,
                name=migration.name,
                seconds=round(time.monotonic() - started, 6),
                fake=fake,
            )

    command.migration_progress_callback = progress
    arguments = [parameters[key] for key in ("app_label", "migration_name") if parameters[key]]
    try:
        call_command(
            command,
            *arguments,
            database=connection.alias,
            fake=parameters["fake"],
            fake_initial=parameters["fake_initial"],
            interactive=False,
            verbosity=1,
            skip_checks=False,
        )
    except Exception:
        # The database may be what failed: then what is left can't be told, and the first error is the one that counts.
        with contextlib.suppress(Exception):
            # The old connection may be gone, or in a transaction that was aborted.
            connection.close()
            project.channel.send("pending", pending=Work(connection, parameters).pending)
        raise


def comment(connection: Any) -> str | None:
    """Return the comment of the table django_migrations; None without one, or on another database than PostgreSQL."""
    if connection.vendor != "postgresql":
        return None
    with connection.cursor() as cursor:
        cursor.execute("SELECT obj_description(to_regclass(%s), 'pg_class')", [migration_table(connection)])
        found: str | None = cursor.fetchone()[0]
    return found


def mark_unfinished(connection: Any, unfinished: bool) -> None:
    """Set or clear the comment of the table django_migrations, unless it has one that is not ours."""
    from django.db.migrations.recorder import MigrationRecorder

    if connection.vendor != "postgresql":
        return
    MigrationRecorder(connection).ensure_schema()
    if comment(connection) in (None, UNFINISHED):
        value = UNFINISHED if unfinished else None
        with connection.cursor() as cursor:
            cursor.execute("COMMENT ON TABLE {} IS %s".format(migration_table(connection)), [value])


def migration_table(connection: Any) -> str:
    """Return the quoted name of the table django_migrations."""
    from django.db.migrations.recorder import MigrationRecorder

    return str(connection.ops.quote_name(MigrationRecorder.Migration._meta.db_table))


class MigrationLock:
    """Holds a session-level advisory lock of PostgreSQL; on other databases it does nothing.

    It has a connection of its own: a migration may close Django's.
    """

    def __init__(self, connection: Any, wait: float) -> None:
        self._connection: Any = connection.copy() if connection.vendor == "postgresql" else None
        self._wait = wait

    def __enter__(self) -> MigrationLock:
        deadline = time.monotonic() + self._wait
        while self._connection is not None and not self._try():
            if time.monotonic() >= deadline:
                holder = self._holder()
                self._connection.close()
                raise RefusedError(
                    "lock_wait: another session has been migrating this database for longer than {:g} seconds"
                    " ({}); wait for it to end, or raise lock_wait".format(self._wait, holder)
                )
            time.sleep(LOCK_INTERVAL)
        return self

    def __exit__(self, *_details: object) -> None:
        # Ending the session lets go of its locks.
        if self._connection is not None:
            self._connection.close()

    def _try(self) -> bool:
        with self._connection.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_lock(%s)", [LOCK_KEY])
            return bool(cursor.fetchone()[0])

    def _holder(self) -> str:
        with self._connection.cursor() as cursor:
            cursor.execute(
                "SELECT a.pid, coalesce(a.client_addr::text, 'local'), a.backend_start::timestamp(0)"
                " FROM pg_locks l JOIN pg_stat_activity a USING (pid)"
                " WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1"
                " AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
                " AND (l.classid::bigint << 32) + l.objid::bigint = %s",
                [LOCK_KEY],
            )
            row = cursor.fetchone()
        return "process {} from {}, connected since {}".format(*row) if row else "it has ended just now"
