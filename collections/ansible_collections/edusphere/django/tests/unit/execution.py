# mypy: allow-untyped-calls
"""The oracle of edusphere.django.migrate's judgement: plans are judged, executed, and met by the old models.

Run by the interpreter of a Django release, with the directory of a PostgreSQL's socket and the name of a database of
its own as arguments. Reads an example a line as JSON, and answers each with a line of JSON, until its input ends:

- An example is ``{"initial": [operation], "plan": [{"atomic": bool, "operations": [operation]}], "large": bool,
  "setup": [statement]}``. An operation is the Python source of one. ``large`` says whether a table with rows is too
  large to be locked while all of it is read or written.
- An answer is ``{"verdict": ..., "reasons": [...], "outcome": ..., "detail": ...}``. The outcome is ``fine``; ``fails``
  (the plan can't be applied), ``breaks`` (the old models meet something else than before), ``locks`` (they wait for a
  table that is read or written as a whole); or ``invalid``, when Django can make nothing of the example, or the old
  models can't write a row before the plan.

What the old models meet is a list of probes. Each is a transaction of its own that is rolled back. Those that work on
the schema before the plan must give the same answer on the schema after each migration, and after each statement of one
that is no transaction. Locks are read from the server: its DEBUG messages tell when a table is rewritten, read, or
indexed, and pg_locks what is held by then.
"""

from __future__ import annotations

import ast
import contextlib
import datetime
import decimal
import functools
import json
import random
import re
import sys
import traceback
import uuid
from collections.abc import Callable, Iterator
from typing import Any

LABEL = "shop"
# What the server says, at DEBUG1, when all of a table is worked on.
WORK = re.compile(
    r'(?:rewriting|verifying) table "(?P<table>[^"]+)"'
    r'|building index "[^"]+" on table "(?P<indexed>[^"]+)"'
    r'|validating foreign key constraint "(?P<constraint>[^"]+)"'
)
# The modes of locks on a table that keep others from writing.
BLOCKING = ("ShareLock", "ShareRowExclusiveLock", "ExclusiveLock", "AccessExclusiveLock")
CONCURRENTLY = re.compile(r"\s*(CREATE|DROP)\s+(UNIQUE\s+)?INDEX\s+CONCURRENTLY|\s*VACUUM|\s*SET\s|\s*SHOW\s", re.I)
ROLE = "user"


def settings(socket: str, database: str) -> None:
    """Set up Django with one connection for the migrations, and one for the old models."""
    import django
    from django.conf import settings as configured

    connection = {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": socket,
        "NAME": database,
        "USER": "postgres",
        "OPTIONS": {"options": "-c search_path=example,public -c lock_timeout=5s"},
    }
    configured.configure(
        SECRET_KEY="unused",
        INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.postgres"],
        DATABASES={"default": connection, ROLE: connection},
        DATABASE_ROUTERS=[Router()],
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        USE_TZ=True,
    )
    django.setup()


class Router:
    """Gives models the connection that is not the migrations'."""

    def db_for_read(self, _model: Any, **_hints: Any) -> str:
        """Return the alias."""
        return ROLE

    db_for_write = db_for_read


def words() -> dict[str, Any]:
    """Return what the sources of operations may name."""
    from django.contrib.postgres import constraints, fields, indexes, operations
    from django.db import migrations, models
    from django.db.models import functions

    found = {
        name: getattr(functions, name)
        for name in ("Lower", "Upper", "Length", "Concat", "Left", "Now", "Coalesce", "Cast", "Random", "MD5", "Abs")
    }
    found.update(
        {
            "migrations": migrations,
            "models": models,
            "postgres": operations,
            "ArrayField": fields.ArrayField,
            "ExclusionConstraint": constraints.ExclusionConstraint,
            **{name: getattr(indexes, name) for name in ("GinIndex", "HashIndex", "BrinIndex", "GistIndex")},
            **{name: getattr(models, name) for name in ("F", "Q", "Value", "Case", "When")},
            "datetime": datetime,
            "decimal": decimal,
            "uuid": uuid,
            # Django 5.1 has renamed its argument.
            "Check": lambda condition, name: models.CheckConstraint(
                **{
                    "condition"
                    if hasattr(models.CheckConstraint(name="x", **_check()), "condition")
                    else "check": condition
                },
                name=name,
            ),
        }
    )
    return found


def _check() -> dict[str, Any]:
    import django
    from django.db.models import Q

    return {"condition" if django.VERSION >= (5, 1) else "check": Q(pk=1)}


class Example:
    """One example: its migrations in memory, and what becomes of them."""

    def __init__(self, description: dict[str, Any]) -> None:
        self._description = description
        self._names = words()
        self._literals = literals([*description["initial"], *(o for m in description["plan"] for o in m["operations"])])
        self.events: list[str] = []
        # The tables that the old models use, and those that have rows; by the oid that they keep.
        self._used: dict[int, str] = {}
        self._with_rows: set[int] = set()
        self._models: list[Any] = []
        self._before: dict[str, Any] = {}
        self._broken = ""

    def run(self) -> dict[str, Any]:
        """Judge and execute the example."""
        from django.db import connections

        answer: dict[str, Any] = {"verdict": None, "reasons": [], "outcome": "invalid", "detail": ""}
        connection = connections["default"]
        with connection.cursor() as cursor:
            cursor.execute("SET client_min_messages = warning; CREATE SCHEMA example")
        try:
            try:
                executor = self._executor()
                executor.migrate([(LABEL, "0001_initial")])
                with connection.cursor() as cursor:
                    for statement in self._description.get("setup", []):
                        cursor.execute(statement)
                self._prepare(executor)
            except Exception as error:
                answer["detail"] = f"initial: {type(error).__name__}: {error}"
                return answer
            executor = self._executor()
            target = executor.loader.graph.leaf_nodes(LABEL)
            plan = executor.migration_plan(target)
            try:
                # Whether Django can make anything of it.
                trial = executor._create_project_state(with_applied_migrations=True)
                for migration, _backward in plan:
                    trial = migration.mutate_state(trial)
                trial.apps  # noqa: B018 - renders the models
            except Exception as error:
                answer["detail"] = f"state: {type(error).__name__}: {error}"
                return answer
            judged = judge(connection, executor, plan, 1 if self._description["large"] else 10**9)
            answer.update(judged)
            answer["outcome"], answer["detail"] = self._execute(connection, executor, plan)
        finally:
            for each in connections.all():
                with contextlib.suppress(Exception):
                    each.rollback()
            with connection.cursor() as cursor:
                cursor.execute("SET client_min_messages = warning; SET search_path = public")
                cursor.execute("DROP SCHEMA IF EXISTS example CASCADE")
                cursor.execute("DELETE FROM django_migrations WHERE app = %s", [LABEL])
                cursor.execute("DELETE FROM django_content_type WHERE app_label = %s", [LABEL])
                cursor.execute("SET search_path = example, public")
        return answer

    def _executor(self) -> Any:
        from django.db import connections
        from django.db.migrations.executor import MigrationExecutor
        from django.db.migrations.loader import MigrationLoader
        from django.db.migrations.migration import Migration

        every = [{"atomic": True, "operations": self._description["initial"]}, *self._description["plan"]]
        made = {}
        after = [("contenttypes", "0002_remove_content_type_name")]
        for number, one in enumerate(every, start=1):
            name = f"{number:04}_" + ("initial" if number == 1 else "plan")
            migration = Migration(name, LABEL)
            migration.dependencies = after
            migration.atomic = one["atomic"]
            migration.operations = [self._operation(source) for source in one["operations"]]
            made[LABEL, name] = migration
            after = [(LABEL, name)]

        class Loader(MigrationLoader):
            disk_migrations: dict[tuple[str, str], Any]

            def load_disk(self) -> None:
                super().load_disk()
                self.migrated_apps.add(LABEL)
                self.disk_migrations.update(made)

        executor = MigrationExecutor(connections["default"])
        executor.loader = Loader(connections["default"])
        return executor

    def _operation(self, source: str) -> Any:
        return eval(source, dict(self._names))  # noqa: S307 - the tests' own

    def _prepare(self, executor: Any) -> None:
        """Give the old models rows, and see what they can do before the plan."""
        from django.db import connections

        state = executor.loader.project_state((LABEL, "0001_initial"))
        Numbers.following = 1000
        self._models = [
            model
            for model in state.apps.get_models(include_auto_created=True)
            if model._meta.app_label == LABEL and model._meta.managed
        ]
        for model in self._models:
            if not model._meta.auto_created and "empty" not in model._meta.db_table:
                for _ in range(2):
                    with contextlib.suppress(Exception):
                        row(model).save()
        for model in self._models:
            # The plainest values again, where they may be NULL.
            for field in model._meta.local_many_to_many:
                one, other = model.objects.first(), field.remote_field.model.objects.first()
                if one and other:
                    getattr(one, field.name).add(other)
        self._before = self._probes()
        # What doesn't work before says nothing.
        missing = [
            f"{name}: {answer[1]}"
            for name, answer in self._before.items()
            if name.endswith(" insert") and not answer[0]
        ]
        if missing:
            raise ValueError(f"no row can be inserted: {missing}")
        with connections["default"].cursor() as cursor:
            for model in self._models:
                table = model._meta.db_table
                cursor.execute("SELECT to_regclass(%s)::oid", [f'"{table}"'])
                oid = int(cursor.fetchone()[0])
                self._used[oid] = table
                if model.objects.exists():
                    self._with_rows.add(oid)

    def _probes(self) -> dict[str, Any]:
        """Return what each probe answers: ``[True, answer]``, or ``[False, error]``."""
        from django.contrib.contenttypes.models import ContentType
        from django.db import connections, transaction

        ContentType.objects.clear_cache()
        answers = {}
        connection = connections[ROLE]
        for name, probe in probes(self._models, self._literals):
            if self._before and not self._before.get(name, [False])[0]:
                continue
            # As each is rolled back, the next one may have the same numbers; the rows that stay have lower ones.
            Numbers.following = 5000
            try:
                with transaction.atomic(using=ROLE):
                    answers[name] = [True, probe()]
                    with connection.cursor() as cursor:
                        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
                    transaction.set_rollback(True, using=ROLE)
            except Exception as error:
                answers[name] = [False, f"{type(error).__name__}: {error}".strip()]
        return answers

    def _meet(self, when: str) -> None:
        """Have the old models meet the schema as it is."""
        if self._broken:
            return
        for name, answer in self._probes().items():
            if answer != self._before[name]:
                self._broken = f"{when}: {name}: {answer[1]!r}, before {self._before[name][1]!r}"
                return

    def _execute(self, connection: Any, executor: Any, plan: list[Any]) -> tuple[str, str]:
        from django.apps import apps
        from django.contrib.contenttypes.management import inject_rename_contenttypes_operations

        inject_rename_contenttypes_operations(plan=plan, apps=apps, using="default")
        with connection.cursor() as cursor:
            cursor.execute("SET client_min_messages = debug1")
        with connection.execute_wrapper(self._statement), notices(connection) as self._notices:
            for migration, _backward in plan:
                self._atomic = migration.atomic
                try:
                    executor.loader.build_graph()
                    executor.migrate([(migration.app_label, migration.name)])
                except Exception as error:
                    if type(error).__name__ == "AssertionError":
                        raise
                    return "fails", f"{migration.name}: {type(error).__name__}: {error}".strip()
                finally:
                    connection.rollback() if not connection.get_autocommit() else None
                self._meet(f"after {migration.name}")
                if self._broken:
                    break
        if self._broken:
            return "breaks", self._broken
        if self.events:
            return "locks", "; ".join(self.events)
        return "fine", ""

    def _statement(
        self, execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: dict[str, Any]
    ) -> Any:
        """Execute a statement of a migration, and see from the server what it did while which tables were locked."""
        connection = context["connection"]
        text = str(sql)
        if not self._description["large"] and self._atomic:
            return execute(sql, params, many, context)
        if text.lstrip().upper().startswith(("SELECT", 'INSERT INTO "DJANGO_MIGRATIONS')) or self._reading:
            return execute(sql, params, many, context)
        del self._notices[:]
        alone = not connection.in_atomic_block and not CONCURRENTLY.match(text)
        raw = connection.connection.cursor()
        if alone:
            raw.execute("BEGIN")
        try:
            result = execute(sql, params, many, context)
            self._look(raw, text, context["cursor"], bool(CONCURRENTLY.match(text)))
        except Exception:
            if alone:
                raw.execute("ROLLBACK")
            raise
        if alone:
            raw.execute("COMMIT")
        if not connection.in_atomic_block:
            self._reading = True
            self._meet(f"after {text[:200]}")
            self._reading = False
        return result

    _reading = False
    _notices: list[str]
    _atomic = True

    def _look(self, raw: Any, text: str, cursor: Any, concurrently: bool) -> None:
        said = "\n".join(self._notices)
        works = [match.group(0) for match in WORK.finditer(said) if self._is_large(raw, match)]
        if re.match(r"\s*(UPDATE|DELETE)\s", text, re.I) and (match := re.search(r'"?(\w+)"?\s+SET', text)):
            oid = self._oid(raw, match[1])
            if oid in self._with_rows and cursor.rowcount != 0 and self._description["large"]:
                self.events.append(f"{text}: rows of {match[1]} are locked")
        if not works or not self._description["large"] or concurrently:
            return
        raw.execute(
            "SELECT relation::oid, mode FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'relation'"
            " AND mode = ANY(%s)",
            [list(BLOCKING)],
        )
        held = {int(oid): mode for oid, mode in raw.fetchall() if int(oid) in self._used}
        if held:
            locked = ", ".join(f"{self._used[oid]} ({mode})" for oid, mode in held.items())
            self.events.append(f"{text}: {works[0]} while locked: {locked}")

    def _is_large(self, raw: Any, match: re.Match[str]) -> bool:
        if match["constraint"]:
            raw.execute("SELECT conrelid FROM pg_constraint WHERE conname = %s", [match["constraint"]])
            row = raw.fetchone()
            return bool(row) and int(row[0]) in self._with_rows
        return self._oid(raw, match["table"] or match["indexed"]) in self._with_rows

    @staticmethod
    def _oid(raw: Any, table: str) -> int:
        raw.execute(
            "SELECT coalesce(pg_partition_root(to_regclass(%(name)s)), to_regclass(%(name)s))::oid",
            {"name": f'"{table}"'},
        )
        return int(raw.fetchone()[0] or 0)


@contextlib.contextmanager
def notices(connection: Any) -> Iterator[list[str]]:
    """Collect what the server says on a connection, with psycopg2 or psycopg 3."""
    raw = connection.connection
    found: list[str] = []
    if hasattr(raw, "add_notice_handler"):

        def note(diagnostic: Any) -> None:
            found.append(diagnostic.message_primary)

        raw.add_notice_handler(note)
        yield found
        raw.remove_notice_handler(note)
    else:
        raw.notices = found
        yield found
        raw.notices = []


def judge(connection: Any, executor: Any, plan: list[Any], large: int) -> dict[str, Any]:
    """Return the verdict on a plan, and the reasons for it."""
    from ansible_collections.edusphere.django.plugins.module_utils.probe.safety import examine, worst

    try:
        found = examine(connection, executor, plan, large)
    except Exception:
        return {"verdict": "crash", "reasons": [traceback.format_exc()[-1500:]]}
    verdict = worst([effect["verdict"] for effect in found.values()])
    reasons = [
        f"{name}: {operation['operation']}: {operation['verdict']}: {reason}"
        for (_app, name), effect in found.items()
        for operation in effect["operations"]
        for reason in operation["reasons"]
        if operation["verdict"] == verdict or verdict == "compatible"
    ]
    return {"verdict": verdict, "reasons": reasons}


def literals(sources: list[str]) -> list[Any]:
    """Return the constants of conditions and defaults in sources: the values at which something changes."""
    found: set[Any] = set()
    for source in sources:
        with contextlib.suppress(SyntaxError):
            for node in ast.walk(ast.parse(source, mode="eval")):
                named = (
                    isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("Q", "Value")
                )
                if named or (isinstance(node, ast.keyword) and node.arg in ("default", "db_default")):
                    found.update(each.value for each in ast.walk(node) if isinstance(each, ast.Constant))
    return sorted((value for value in found if type(value) in (int, str)), key=repr)


@functools.lru_cache
def noise(length: int, astral: bool = True) -> str:
    """Return a text that can't be compressed, of characters of four bytes, or of one."""
    chance = random.Random(length)  # noqa: S311 - no secret
    low, high = (0x10000, 0x1FFFF) if astral else (0x21, 0x7E)
    return "".join(chr(chance.randint(low, high)) for _ in range(length))


def values(field: Any, constants: list[Any]) -> list[Any]:
    """Return values that a field takes, the plainest first."""
    from django.contrib.postgres.fields import ArrayField
    from django.db import connection, models

    numbers = sorted({n + d for n in constants if isinstance(n, int) for d in (-1, 0, 1) if abs(n) < 10**6})
    texts = [text for text in constants if isinstance(text, str) and len(text) < 20]
    found: list[Any]
    if isinstance(field, ArrayField):
        inner = values(field.base_field, [])
        found = [
            [inner[0]],
            [],
            [inner[-1], inner[0]],
            [noise(4000)] if isinstance(field.base_field, models.TextField) else [inner[1]],
        ]
    elif isinstance(field, models.BooleanField):
        found = [True, False]
    elif isinstance(field, models.DecimalField):
        ends = decimal.Decimal(10**field.max_digits - 1).scaleb(-field.decimal_places)
        found = [decimal.Decimal(1).scaleb(-field.decimal_places), ends, -ends, decimal.Decimal(0)]
        found += [decimal.Decimal(number) for number in numbers if abs(number) < ends]
    elif isinstance(field, models.FloatField):
        found = [1.5, 0.0, -1e300, *map(float, numbers)]
    elif isinstance(field, models.IntegerField):
        low, high = connection.ops.integer_field_range(field.get_internal_type())
        found = [1, *(end for end in (low, high) if end is not None), *numbers]
        found = [n for n in found if (low is None or n >= low) and (high is None or n <= high)]
    elif isinstance(field, models.DateTimeField):
        moment = datetime.datetime(1970, 2, 28, 23, 59, 58, 123456, tzinfo=datetime.timezone.utc)  # noqa: UP017 - also Python 3.9
        found = [moment.replace(year=year) for year in (2024, 1970, 9998)]
    elif isinstance(field, models.DateField):
        found = [datetime.date(2024, 2, 29), datetime.date(1, 1, 1), datetime.date(9999, 12, 31)]
    elif isinstance(field, models.TimeField):
        found = [datetime.time(1, 2, 3, 4), datetime.time(23, 59, 59, 999999)]
    elif isinstance(field, models.DurationField):
        found = [datetime.timedelta(days=1, microseconds=1), datetime.timedelta(days=-9)]
    elif isinstance(field, models.UUIDField):
        found = [uuid.UUID(int=1), uuid.UUID(int=2**128 - 1)]
    elif isinstance(field, models.JSONField):
        found = [{"a": [1, None]}, "text", {"long": noise(4000)}, 5]
    elif isinstance(field, models.BinaryField):
        found = [b"1", b"", random.Random(1).randbytes(9000)]  # noqa: S311 - no secret
    elif isinstance(field, models.GenericIPAddressField):
        found = ["192.0.2.1", "2001:db8::1"]
    elif isinstance(field, (models.TextField, models.FileField)) or not getattr(field, "max_length", None):
        found = ["1", "", "long " * 100, noise(4000), noise(9000, astral=False), "Ab", "ab", *texts]
    else:
        found = ["1", "", noise(field.max_length), noise(field.max_length, astral=False), "Ab", "ab", *texts]
        found = [text for text in found if len(text) <= field.max_length]
    return found


class Numbers:
    """Numbers that differ from each other; those of a probe are the same each time."""

    following = 1000


def number_of_its_own() -> int:
    """Return a number that no row has."""
    Numbers.following += 1
    return Numbers.following


def differing(field: Any) -> Any:
    """Return a value of the field that no row has."""
    from django.db import models

    number = number_of_its_own()
    first = values(field, [])[0]
    if isinstance(field, models.UUIDField):
        return uuid.UUID(int=number)
    if isinstance(first, str) and not isinstance(field, models.GenericIPAddressField):
        return str(number)
    if isinstance(first, bool):
        return bool(number % 2)
    if isinstance(first, (int, float)):
        return type(first)(number)
    if isinstance(first, decimal.Decimal):
        return decimal.Decimal(number % 90).scaleb(-field.decimal_places)
    if isinstance(first, datetime.date):
        return first - datetime.timedelta(days=number)
    if isinstance(first, bytes):
        return str(number).encode()
    if isinstance(first, list):
        return [differing(field.base_field)]
    if isinstance(first, dict):
        return {"a": number}
    return first


def actual(field: Any) -> Any:
    """Return the field that tells the type of a foreign key."""
    return actual(field.target_field) if field.remote_field else field


def is_left_out(field: Any) -> bool:
    """Tell whether the database gives the field its value."""
    from django.db.models.fields import NOT_PROVIDED

    return bool(
        field.get_internal_type() in ("AutoField", "BigAutoField", "SmallAutoField")
        or getattr(field, "generated", False)
        or getattr(field, "db_default", NOT_PROVIDED) is not NOT_PROVIDED
    )


def row(model: Any, plain: bool = False, **given: Any) -> Any:
    """Return a row that is not saved: a different one, or a plain one; what it refers to is there or is saved."""
    from django.contrib.contenttypes.models import ContentType

    constraints = [
        one for one in model._meta.constraints if hasattr(one, "nulls_distinct") or hasattr(one, "deferrable")
    ]
    grouped = {name for group in model._meta.unique_together for name in group}
    grouped.update(name for one in constraints for name in getattr(one, "fields", ()))
    if any(getattr(one, "expressions", ()) for one in constraints):
        grouped.update(field.name for field in model._meta.local_concrete_fields)
    for field in model._meta.local_concrete_fields:
        if field.attname in given or is_left_out(field):
            continue
        if field.remote_field:
            target = field.remote_field.model
            if target._meta.label == "contenttypes.ContentType":
                # Some row of it, as a generic relation does.
                related = model._meta.apps.get_model(LABEL, "Article")
                given[field.attname] = ContentType.objects.get_for_model(related).pk
            elif field.null and target is model:
                given[field.attname] = None
            else:
                found = target.objects.order_by("pk").first() if not field.unique else None
                if found is None:
                    found = row(target)
                    found.save()
                given[field.attname] = getattr(found, field.target_field.attname)
        elif not field.unique and (plain or field.name not in grouped):
            given[field.attname] = values(field, [])[0]
        else:
            given[field.attname] = differing(field)
    return model(**given)


def plain_value(field: Any, read: Any) -> Any:
    """Return what a value is, as JSON: kinds that look alike are told apart."""
    if is_left_out(field) or field.primary_key or field.unique or field.remote_field:
        return type(read).__name__
    if isinstance(read, decimal.Decimal):
        read = read.normalize()
    if isinstance(read, memoryview):
        read = bytes(read)
    return f"{type(read).__name__} {read!r}"[:300]


def probes(every: list[Any], constants: list[Any]) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Yield the name of each probe, and what to call for its answer."""
    for model in every:
        if model._meta.auto_created:
            continue
        yield from _probes_of(model, constants)
    yield "content types", lambda: _content_types(every)


def _content_types(every: list[Any]) -> Any:
    """What a generic relation is looked up with."""
    from django.contrib.contenttypes.models import ContentType

    answer = []
    for model in every:
        kinds = [
            field
            for field in model._meta.local_fields
            if field.remote_field and field.remote_field.model._meta.label == "contenttypes.ContentType"
        ]
        for field in kinds:
            for other in every:
                kind = ContentType.objects.filter(app_label=LABEL, model=other._meta.model_name).first()
                answer.append(
                    [other._meta.model_name, model.objects.filter(**{field.attname: kind.pk}).count() if kind else 0]
                )
    return answer


def _probes_of(model: Any, constants: list[Any]) -> Iterator[tuple[str, Callable[[], Any]]]:
    from django.db import models, transaction

    name = model.__name__
    fields = [field for field in model._meta.local_concrete_fields if not getattr(field, "generated", False)]
    loose = [field for field in fields if not field.primary_key]

    def shown(instance: Any) -> Any:
        # Reads all columns that the model knows.
        found = model.objects.get(pk=instance.pk)
        return [plain_value(field, getattr(found, field.attname)) for field in model._meta.local_concrete_fields]

    def rows() -> Any:
        there = list(model.objects.order_by("pk"))
        return [
            len(there),
            [plain_value(f, getattr(there[0], f.attname)) for f in model._meta.local_concrete_fields] if there else [],
        ]

    yield f"{name} rows", rows
    yield (
        f"{name} group",
        lambda: [each.number for each in model.objects.annotate(number=models.Count("pk")).order_by()],
    )

    def insert(**given: Any) -> Any:
        instance = row(model, **given)
        instance.save(force_insert=True)
        return shown(instance)

    yield f"{name} insert", insert

    def twins() -> Any:
        one, two = row(model, plain=True), row(model, plain=True)
        model.objects.bulk_create([one])
        model.objects.bulk_create([two])
        return shown(two)

    yield f"{name} twins", twins

    def longest() -> Any:
        texts = {
            field.attname: max(
                (v for v in values(field, []) if isinstance(v, str)), key=lambda text: len(text.encode())
            )
            for field in loose
            if not field.remote_field and isinstance(values(field, [])[0], str)
        }
        return insert(**texts)

    yield f"{name} longest", longest

    def cases() -> Any:
        texts = [
            f
            for f in loose
            if not f.remote_field and "Ab" in [value for value in values(f, []) if isinstance(value, str)]
        ]
        for text in ("Ab", "ab"):
            instance = row(model, **{field.attname: text for field in texts})
            instance.save(force_insert=True)
        return shown(instance)

    yield f"{name} texts that differ in case", cases

    def change() -> Any:
        instance = model.objects.order_by("pk").first()
        instance.save()
        return shown(instance)

    yield f"{name} save", change
    yield f"{name} delete first", lambda: str(model.objects.order_by("pk").first().delete()[0])
    yield f"{name} delete all", lambda: str(model.objects.all().delete()[0])
    yield (
        f"{name} ignore conflicts",
        lambda: len(model.objects.bulk_create([row(model), row(model)], ignore_conflicts=True)),
    )

    def again() -> Any:
        instance = model.objects.order_by("pk").first()
        with transaction.atomic(using=ROLE):
            before = model.objects.count()
            model.objects.bulk_create([instance], ignore_conflicts=True)
            return model.objects.count() - before

    yield f"{name} ignore the same", again
    for field in loose:
        options: list[Any] = [None] if field.null else []
        options += values(field, constants) if not field.remote_field else []
        if name not in ("Article", "Author"):
            options = options[:2]
        for number, value in enumerate(options):
            label = f"{name}.{field.name} = {number} {str(value)[:20]!r}"

            def one(field: Any = field, value: Any = value, number: int = number) -> Any:
                instance = row(model, **{field.attname: value})
                instance.save(force_insert=True)
                rows = model.objects.filter(pk=instance.pk)
                answer = [rows.update(**{field.attname: value}), shown(instance)]
                if number < 2 and not isinstance(value, (dict, bytes)):
                    lookup = {field.attname + "__isnull": True} if value is None else {field.attname: value}
                    answer.append(model.objects.filter(**lookup).exists())
                return answer

            yield label, one
            if number == 0:

                def two(field: Any = field, value: Any = value) -> Any:
                    row(model, **{field.attname: value}).save(force_insert=True)
                    return insert(**{field.attname: value})

                yield label + " twice", two
    groups = [[f.name] for f in fields if f.unique]
    groups += [list(group) for group in model._meta.unique_together]
    groups += [
        list(found.fields) for found in model._meta.total_unique_constraints if not found.deferrable and found.fields
    ]
    for group in groups:
        rest = [f.name for f in loose if f.name not in group] or [f.name for f in loose]
        if not rest or not model._meta.local_concrete_fields:
            continue

        def upsert(group: list[str] = group, rest: list[str] = rest) -> Any:
            there = model.objects.order_by("pk").first()
            before = model.objects.count()
            instance = row(model)
            for field in fields:
                if field.name in group:
                    setattr(instance, field.attname, getattr(there, field.attname))
            model.objects.bulk_create([instance], update_conflicts=True, unique_fields=group, update_fields=rest[:1])
            return model.objects.count() - before

        yield f"{name} upsert by {group}", upsert
    for field in model._meta.local_many_to_many:
        if not field.remote_field.through._meta.auto_created:
            continue

        def many(field: Any = field) -> Any:
            instance, target = row(model), row(field.remote_field.model)
            instance.save()
            target.save()
            getattr(instance, field.name).add(target)
            met = [
                len(getattr(instance, field.name).all()),
                model.objects.filter(**{field.name + "__isnull": False}).count(),
            ]
            getattr(instance, field.name).set([])
            return met

        yield f"{name}.{field.name}", many


def main() -> None:
    """Answer examples until the input ends."""
    settings(*sys.argv[1:3])
    from django.core.management import call_command
    from django.db import connections

    with connections["default"].cursor() as cursor:
        cursor.execute("DROP SCHEMA IF EXISTS example CASCADE")
    call_command("migrate", verbosity=0)
    for line in sys.stdin:
        try:
            answer = Example(json.loads(line)).run()
        except Exception:
            answer = {"verdict": None, "reasons": [], "outcome": "error", "detail": traceback.format_exc()[-3000:]}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
