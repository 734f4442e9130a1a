# Copyright: (c) 2026, EduSphere maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# mypy: allow-untyped-calls
"""Runs inside the project: plans and applies migrations by Django's own graph, executor and command."""

from __future__ import annotations

import contextlib
import re
import time
from typing import Any

from ansible_collections.edusphere.django.plugins.module_utils.probe.core import Project, RefusedError
from ansible_collections.edusphere.django.plugins.module_utils.probe.safety import (
    COMPATIBLE,
    DECLARATION,
    UNKNOWN,
    examine,
    is_transaction,
    worst,
)

# What manage.py would be called with.
COMMAND = "migrate"
# The modules of this package that are sent along with this one.
MODULES = ("statements", "expressions", "catalogue", "safety")
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
# SQLSTATEs of what passes by itself: lock_not_available and deadlock_detected.
PASSING = ("55P03", "40P01")
# The pause between two attempts doubles up to this many seconds.
LONGEST_PAUSE = 30.0


def run(project: Project, parameters: dict[str, Any]) -> dict[str, Any]:
    """Plan, judge, and outside of check mode apply, what ``parameters`` ask for.

    Keys of ``parameters``: database (list of aliases, or ["all"]), app_label, migration_name, fake, fake_initial,
    prune, run_syncdb, sql, lock_wait, lock_timeout, lock_retries, lock_retry_pause, statement_timeout (seconds),
    safety, safety_unknown, safety_accept, safety_large_table (rows).

    The judgement and the project's checks come before the first change, on all databases together. The judgement is
    sent as the frame ``judged``.
    """
    jobs = [Job(project, connection, parameters) for connection in databases(project, parameters["database"])]
    judged = judgement(jobs, parameters)
    project.channel.send("judged", safety=judged)
    refuse(judged, parameters)
    for job in jobs:
        if job.work:
            check(job.alias)
    return {"databases": [job.answer() if project.check_mode else job.run() for job in jobs], "safety": judged}


def databases(project: Project, aliases: list[str]) -> list[Any]:
    """Return the connections to the databases that are meant, each database once."""
    from django.db import connections

    if aliases == ["all"] and "all" not in connections:
        # A mirror gets its tables from the database that it is a mirror of.
        aliases = [alias for alias in connections if not connections[alias].settings_dict["TEST"].get("MIRROR")]
    # As the settings have them: in check mode, connecting may replace a file that isn't there yet.
    names = {alias: str(connections[alias].settings_dict["NAME"]) for alias in aliases if alias in connections}
    found = [project.connection(alias) for alias in aliases]
    if len(found) == 1:
        return found
    # Two aliases may lead to one database, as when one of them goes through a pooler: the first stands for both.
    distinct: dict[Any, Any] = {}
    for connection in found:
        distinct.setdefault(identity(connection, names[connection.alias]), connection)
    return list(distinct.values())


def identity(connection: Any, name: str) -> tuple[Any, ...]:
    """Return what is the same for two connections only if they lead to the same tables; ``name`` is the database's."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_postmaster_start_time()::text, current_database(), current_schema()")
            return tuple(cursor.fetchone())
    return (connection.settings_dict["HOST"], connection.settings_dict["PORT"], name)


class Job:
    """What is to be done to one database, and doing it."""

    def __init__(self, project: Project, connection: Any, parameters: dict[str, Any]) -> None:
        self._project = project
        self._connection = connection
        self._parameters = parameters
        self.alias: str = connection.alias
        self.work = Work(connection, parameters)
        self.effects = self._examine()

    def answer(self, after: Work | None = None) -> dict[str, Any]:
        """Return what the work was, and how the database is ``after`` it; without that, how it will be."""
        work = self.work
        left = {"history": after.history, "pending": after.pending} if after else work.predicted()
        return {
            "alias": self.alias,
            "changed": bool(work),
            "plan": self._steps(),
            "recorded": ["{}.{}".format(*key) for key in work.recorded],
            "pruned": ["{}.{}".format(*key) for key in work.pruned],
            "created_tables": work.tables,
            "resumed": work.unfinished,
            "history_before": work.history,
            "history_after": left["history"],
            "pending": left["pending"],
        }

    def run(self) -> dict[str, Any]:
        """Do the work under the lock, as far as there is some by then, and return the answer."""
        if not self.work:
            return self.answer()
        with MigrationLock(self._connection, self._parameters["lock_wait"]):
            # Another host may have done it while this one waited.
            planned = self.work.plan
            self.work = Work(self._connection, self._parameters)
            if self.work.plan != planned:
                self.effects = self._examine()
                refuse(judgement([self], self._parameters), self._parameters)
            if self.work:
                Run(self._project, self._connection, self._parameters, self.work).run()
            return self.answer(Work(self._connection, self._parameters))

    @property
    def unjudged(self) -> str | None:
        """Why the plan is not judged, None when it is."""
        if self._parameters["safety"] == "off":
            return "safety is off"
        if self._parameters["fake"]:
            return "nothing is run, only recorded"
        if not self.work.history:
            return "no migration has been applied to it yet, so nothing runs on it"
        return None

    def _examine(self) -> dict[tuple[str, str], dict[str, Any]]:
        if not self.work.plan or (self.unjudged and not self._parameters["sql"]):
            return {}
        return examine(self._connection, self.work.executor, self.work.plan, self._parameters["safety_large_table"])

    def _steps(self) -> list[dict[str, Any]]:
        steps = self.work.steps()
        for step in steps:
            step["database"] = self.alias
        if self._parameters["sql"]:
            for step in steps:
                step["sql"] = [] if step["fake"] else self.effects[step["app"], step["name"]]["sql"]
        return steps

    def judged(self) -> list[dict[str, Any]]:
        """Return the steps of the plan with the verdict on each; none when they are not judged."""
        if self.unjudged:
            return []
        accepted = self._parameters["safety_accept"]
        steps = []
        for step in self.work.steps():
            effect = self.effects[step["app"], step["name"]]
            name = "{app}.{name}".format(**step)
            review = {"verdict": COMPATIBLE, "reviewed": "accepted by safety_accept"} if name in accepted else {}
            steps.append(
                {
                    "database": self.alias,
                    **{key: step[key] for key in ("app", "name", "direction")},
                    **{key: effect[key] for key in ("verdict", "reviewed", "operations")},
                    **review,
                }
            )
        return steps


def load_command() -> Any:
    """Return the project's migrate command."""
    from django.core.management import get_commands, load_command_class

    command: Any = get_commands()["migrate"]
    return load_command_class(command, "migrate") if isinstance(command, str) else command


def check(alias: str) -> None:
    """Run the checks that the project's migrate command begins with; raise what it raises."""
    command = load_command()
    if hasattr(command, "get_check_kwargs"):  # Django 5.2
        command.check(**command.get_check_kwargs({"database": alias}))
    else:
        command.check(databases=[alias])


def judgement(jobs: list[Job], parameters: dict[str, Any]) -> dict[str, Any]:
    """Return the verdict on all plans together, and on each migration."""
    steps = [step for job in jobs for step in job.judged()]
    for step in steps:
        step["accepted"] = step["verdict"] == COMPATIBLE or (
            step["verdict"] == UNKNOWN and parameters["safety_unknown"] == COMPATIBLE
        )
    return {
        "verdict": worst([step["verdict"] for step in steps]) if steps else None,
        "migrations": steps,
        "not_judged": {job.alias: job.unjudged for job in jobs if job.work.plan and job.unjudged},
    }


def refuse(judged: dict[str, Any], parameters: dict[str, Any]) -> None:
    """Raise RefusedError with all findings when the judgement is to be enforced and forbids the plan."""
    refused = [step for step in judged["migrations"] if not step["accepted"]]
    if parameters["safety"] != "enforce" or not refused:
        return
    raise RefusedError(
        "safety: nothing was changed, for code that runs on the present schema would break, or might:\n{}\n"
        "Make the change in steps, each compatible with the code before it; or run it while that code is stopped, with"
        " safety: 'off'; or, after a review, say {} = 'compatible: WHY' in the migration, or name it in"
        " safety_accept.".format("\n".join(described(step) for step in refused), DECLARATION)
    )


def described(step: dict[str, Any]) -> str:
    """Return the verdict on one migration, with all reasons that speak against it, as lines of text."""
    lines = ["- {app}.{name} ({database}): {verdict}".format(**step)]
    if step["reviewed"]:
        lines[0] += " (reviewed: {})".format(step["reviewed"])
    for operation in step["operations"]:
        if operation["verdict"] != COMPATIBLE:
            lines.append("  {operation}: {0}".format("; ".join(operation["reasons"]), **operation))
            lines += ["    instead: {}".format(way) for way in operation["instead"]]
    return "\n".join(lines)


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
        self.executor = executor
        wanted = targets(loader, parameters)
        self.plan: list[Any] = [] if parameters["prune"] else executor.migration_plan(wanted)
        self._parameters = parameters
        refuse_irreversible(self.plan, parameters)
        # Everything in the order of the graph, of which what is not applied is pending.
        self._everything = executor.migration_plan(loader.graph.leaf_nodes(), clean_start=True)
        self._applied: set[tuple[str, str]] = set(loader.applied_migrations)
        # The rows of django_migrations. They may lack a squashed migration although all that it replaces are applied:
        # Django then adds it, with nothing else to do.
        self._rows = set(executor.recorder.applied_migrations())
        self.pruned: list[tuple[str, str]] = []
        self.recorded: list[tuple[str, str]] = []
        self.tables: list[str] = []
        self.unfinished = False
        if parameters["prune"]:
            # Django's command does nothing else then.
            self.pruned = prunable(loader, parameters["app_label"])
            return
        self.recorded = sorted(
            key
            for key, migration in loader.replacements.items()
            if key not in self._rows and self._rows.issuperset(migration.replaces)
        )
        if parameters["run_syncdb"]:
            self.tables = missing_tables(connection, loader, parameters["app_label"])
        self.unfinished = comment(connection) == UNFINISHED

    def __bool__(self) -> bool:
        return bool(self.plan or self.recorded or self.pruned or self.tables or self.unfinished)

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
        rows, applied = self._rows.union(self.recorded).difference(self.pruned), set(self._applied)
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
                "fake": self._is_fake(migration, backward),
                "operations": [
                    ("Undo " if backward else "") + operation.describe() for operation in migration.operations
                ],
            }
            for migration, backward in self.plan
        ]

    def _is_fake(self, migration: Any, backward: bool) -> bool:
        """Tell whether a migration will only be recorded."""
        if not self._parameters["fake_initial"] or backward:
            return bool(self._parameters["fake"])
        return bool(self._parameters["fake"] or self.executor.detect_soft_applied(None, migration)[0])

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
    if parameters["run_syncdb"]:
        if app_label in loader.migrated_apps:
            raise RefusedError("run_syncdb: the app {!r} has migrations; leave out one of the two".format(app_label))
        return []
    if app_label not in loader.migrated_apps:
        raise RefusedError("app_label: the app {!r} has no migrations; run_syncdb creates its tables".format(app_label))
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


def refuse_irreversible(plan: list[Any], parameters: dict[str, Any]) -> None:
    """Raise RefusedError when the plan unapplies what has no way back: Django would find out half-way."""
    if parameters["fake"]:
        return
    found = [
        "{}: {}".format(migration, operation.describe())
        for migration, backward in plan
        for operation in migration.operations
        if backward and not operation.reversible
    ]
    if found:
        raise RefusedError("migration_name: these can't be unapplied: {}".format("; ".join(found)))


def prunable(loader: Any, app_label: str) -> list[tuple[str, str]]:
    """Return the rows of django_migrations of an app whose migrations are gone.

    Raises RefusedError where Django's command would say no more than that it prunes nothing.
    """
    gone = sorted(
        key for key in set(loader.applied_migrations).difference(loader.disk_migrations) if key[0] == app_label
    )
    squashed = sorted(
        "{}.{}".format(*key)
        for key, migration in loader.replacements.items()
        if not set(gone).isdisjoint(migration.replaces)
    )
    if squashed:
        raise RefusedError(
            "prune: {} still replace what is gone; have them applied, and remove `replaces` from them".format(
                ", ".join(squashed)
            )
        )
    return gone


def missing_tables(connection: Any, loader: Any, app_label: str | None) -> list[str]:
    """Return the tables that ``--run-syncdb`` would create, in its order."""
    from django.apps import apps
    from django.db import router

    labels = [app_label] if app_label else loader.unmigrated_apps
    convert = connection.introspection.identifier_converter
    existing = set(connection.introspection.table_names())
    missing = []
    for config in apps.get_app_configs():
        if config.models_module is None or config.label not in labels:
            continue
        for model in router.get_migratable_models(config, connection.alias, include_auto_created=False):
            if model._meta.can_migrate(connection) and convert(model._meta.db_table) not in existing:
                missing.append(model._meta.db_table)
                missing += [
                    field.remote_field.through._meta.db_table
                    for field in model._meta.local_many_to_many
                    if field.remote_field.through._meta.auto_created
                ]
    return missing


class Run:
    """Runs Django's own migrate command on one database, so that its signals happen; its checks have passed by then.

    Sends a frame for each step; again and again, as long as what fails is a lock that could not be had.
    """

    def __init__(self, project: Project, connection: Any, parameters: dict[str, Any], work: Work) -> None:
        self._project = project
        self._connection = connection
        self._parameters = parameters
        self._work = work
        self._started = 0.0
        # The migration that runs, and how often it has been tried again; None between migrations.
        self._running: Any = None
        self._retries: dict[Any, int] = {}
        self._marked = False
        self._limits = Limits(connection, parameters["lock_timeout"], parameters["statement_timeout"])

    def run(self) -> None:
        """Do the work; an error is Django's own."""
        if not self._work.plan and not self._parameters["prune"]:
            self._mark()
        with self._limits:
            while not self._attempt():
                pass
        if self._marked:
            mark_unfinished(self._connection, False)

    def _mark(self) -> None:
        """See :data:`UNFINISHED`; what fails before the first migration leaves nothing to be finished."""
        if not self._marked:
            mark_unfinished(self._connection, True)
            self._marked = True

    def _attempt(self) -> bool:
        """Run the command once; return whether it came to its end, False when it is to be run again."""
        from django.core.management import call_command

        self._started = time.monotonic()
        try:
            call_command(
                self._command(),
                *(self._parameters[key] for key in ("app_label", "migration_name") if self._parameters[key]),
                database=self._connection.alias,
                interactive=False,
                verbosity=1,
                skip_checks=True,
                **{key: self._parameters[key] for key in ("fake", "fake_initial", "prune", "run_syncdb")},
            )
        except Exception as error:
            # The old connection may be gone, or in a transaction that was aborted.
            self._connection.close()
            pause = self._pause(error)
            if pause is None:
                self._send_rest()
                raise
            self._send(
                "retry",
                migration=str(self._running) if self._running else None,
                error=str(error).strip(),
                seconds=round(time.monotonic() - self._started, 6),
                pause=pause,
            )
            self._running = None
            time.sleep(pause)
            return False
        return True

    def _command(self) -> Any:
        command = load_command()
        command.migration_progress_callback = self._progress
        return command

    def _progress(self, action: str, migration: Any = None, fake: bool = False) -> None:
        direction, _separator, moment = action.partition("_")
        if direction not in ("apply", "unapply"):
            return
        step = {"app": migration.app_label, "name": migration.name}
        if moment == "start":
            # A migration before it may have set others. Should one of these two have to make way, nothing has run yet.
            self._limits.put(self._connection)
            self._mark()
            self._running, self._started = migration, time.monotonic()
            self._send("started", atomic=is_transaction(migration, self._connection), **step)
        else:
            self._running = None
            seconds = round(time.monotonic() - self._started, 6)
            self._send("applied" if direction == "apply" else "unapplied", seconds=seconds, fake=fake, **step)

    def _pause(self, error: BaseException) -> float | None:
        """Return the seconds after which to try again, None when that is no use or might do harm."""
        if not sqlstates(error).intersection(PASSING):
            return None
        if self._running and not is_transaction(self._running, self._connection):
            return None
        done = self._retries.setdefault(self._running, 0)
        if done >= self._parameters["lock_retries"]:
            return None
        self._retries[self._running] = done + 1
        pause: float = min(self._parameters["lock_retry_pause"] * 2**done, LONGEST_PAUSE)
        return pause

    def _send(self, event: str, **content: Any) -> None:
        self._project.channel.send(event, database=self._connection.alias, **content)

    def _send_rest(self) -> None:
        """Tell how a run that failed left the database."""
        # The database may be what failed: then what is left can't be told, and the first error is the one that counts.
        with contextlib.suppress(Exception):
            left = Work(self._connection, self._parameters)
            missing = set(left.tables)
            self._send(
                "left",
                pending=left.pending,
                created_tables=[table for table in self._work.tables if table not in missing],
            )


def sqlstates(error: BaseException | None) -> set[str]:
    """Return the SQLSTATEs of an error and of those that it was raised from."""
    found: set[str] = set()
    while error is not None:
        # The names in psycopg 3 and psycopg2.
        found.update(filter(None, (getattr(error, name, None) for name in ("sqlstate", "pgcode"))))
        error = error.__cause__
    return found


class Limits:
    """Limits how long a statement of one database's sessions may wait for a lock and how long it may take (PostgreSQL).

    In seconds; 0 or None leaves what the project or the server has set. As a context it holds for the present session
    and for those that follow it: a migration may close the connection. It comes after the project's own settings for a
    session and wins over them. What is CONCURRENTLY waits without a limit: it stands in nobody's way, and stopped
    half-way it would leave an index behind that is invalid.
    """

    _CONCURRENTLY = re.compile(
        r"\s*(CREATE\s+(UNIQUE\s+)?INDEX|DROP\s+INDEX|REINDEX\s+(\(.*?\)\s*)?(TABLE|INDEX|SCHEMA|DATABASE))\s+CONCURRENTLY\b",
        re.IGNORECASE,
    )

    def __init__(self, connection: Any, lock_timeout: float, statement_timeout: float | None) -> None:
        self._connection = connection
        self._settings = {
            name: "{:.0f}ms".format(seconds * 1000)
            for name, seconds in (("lock_timeout", lock_timeout), ("statement_timeout", statement_timeout))
            if seconds and connection.vendor == "postgresql"
        }
        self._wrapper = contextlib.ExitStack()

    def __enter__(self) -> Limits:
        from django.db.backends.signals import connection_created

        if self._settings:
            connection_created.connect(self._created, weak=False, dispatch_uid=self)
            self._wrapper.enter_context(self._connection.execute_wrapper(self._execute))
            self.put(self._connection)
        return self

    def __exit__(self, *_details: object) -> None:
        from django.db.backends.signals import connection_created

        if self._settings:
            self._wrapper.close()
            connection_created.disconnect(dispatch_uid=self)
            # The next session is as it was before.
            self._connection.close()

    def put(self, connection: Any) -> None:
        """Set the limits in the present session."""
        self._set(connection, self._settings)

    def _created(self, connection: Any, **_details: Any) -> None:
        if connection.alias == self._connection.alias:
            self.put(connection)

    def _execute(self, execute: Any, sql: Any, params: Any, many: bool, context: dict[str, Any]) -> Any:
        connection = context["connection"]
        free = {"lock_timeout": "0"} if "lock_timeout" in self._settings else {}
        if not free or not isinstance(sql, str) or not self._CONCURRENTLY.match(sql):
            return execute(sql, params, many, context)
        self._set(connection, free)
        result = execute(sql, params, many, context)
        self.put(connection)
        return result

    @staticmethod
    def _set(connection: Any, settings: dict[str, str]) -> None:
        if settings:
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT {}".format(", ".join(["set_config(%s, %s, false)"] * len(settings))),
                    [text for setting in settings.items() for text in setting],
                )


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
