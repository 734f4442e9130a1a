# Copyright: (c) 2026, EduSphere maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# mypy: allow-untyped-calls
"""Runs inside the project: judges what a plan of migrations does to the code that runs on the schema as it is now.

A migration is *compatible* when every SELECT, INSERT, UPDATE and DELETE that the models of now can make works before,
during and after it; *incompatible* when one of them fails, returns something else, or has to wait for the whole table;
*unknown* when that can't be told, as of Python code.

How it is told: the operations run against a schema editor of Django's that collects SQL instead of executing it, as
for ``sqlmigrate``. Whatever an operation does to the schema passes one of that editor's methods (``add_field``,
``alter_db_table`` ...), and there is one rule for each of them in :class:`Judge`. So SeparateDatabaseAndState, proxy
and unmanaged models, database routers and subclassed operations need no rules of their own, and what reaches the
editor only as SQL is unknown. The session is read-only meanwhile.

Why not django-migration-linter (6.0): it would have to be installed into the project, with two dependencies of its own;
it looks for words in the SQL of a whole migration, so that it can't tell a wider column from a narrower one, sees no
check and foreign key constraints, takes a column made NOT NULL for safe when any other has a default, and knows neither
what is new in the same plan nor how large a table is; and the ``sqlmigrate`` that it calls executes RunPython inside of
SeparateDatabaseAndState. Its list of incompatibilities is covered here.
"""

from __future__ import annotations

import contextlib
import decimal
import re
from typing import Any, Callable, Iterator, NamedTuple

from ansible_collections.edusphere.django.plugins.module_utils.probe.catalogue import (
    ALL,
    NEW_COLUMN,
    Catalogue,
    Effect,
    plain_type,
)
from ansible_collections.edusphere.django.plugins.module_utils.probe.core import RefusedError
from ansible_collections.edusphere.django.plugins.module_utils.probe.expressions import (
    BTREE_BYTES,
    RANGES,
    Atom,
    Condition,
    Range,
    Shape,
    condition,
    implies,
    opaque,
    shape,
    truth,
)
from ansible_collections.edusphere.django.plugins.module_utils.probe.statements import Action, read

COMPATIBLE = "compatible"
UNKNOWN = "unknown"
INCOMPATIBLE = "incompatible"
# From good to bad: the verdict on several things is the worst of them.
VERDICTS = (COMPATIBLE, UNKNOWN, INCOMPATIBLE)
# The attribute by which a migration says that somebody has reviewed it, and what it looks like.
DECLARATION = "deployment_safety"
_DECLARATION = re.compile(r"(compatible|incompatible)\s*:\s*(\S.*)", re.DOTALL)
# A default that is only known as SQL.
RAW = object()
# The most characters of a statement that are said.
_LONGEST_STATEMENT = 240
# How to do it in two releases.
DROP_LATER = (
    "release code that does not use it first (SeparateDatabaseAndState with state_operations), and drop it in the"
    " release after that"
)
KEEP_NAME = "keep the name in the database with db_table or db_column, or have the code use both for one release"
HEED_FIRST = "release code that heeds it first, and add it in the release after that"
# The methods of Django's schema editor that operations call, each with a rule of its name in Judge. Others come down to
# `execute`.
_EDITOR_METHODS = (
    "create_model", "delete_model", "alter_db_table", "alter_db_table_comment", "add_field", "remove_field",
    "alter_field", "_alter_many_to_many", "alter_unique_together", "alter_index_together", "add_index", "remove_index",
    "rename_index", "add_constraint", "remove_constraint", "execute",
)  # fmt: skip
# Operations of django.contrib.postgres that reach the editor as SQL only.
_POSTGRES_OPERATIONS = {
    "CreateExtension": "only adds an extension to the database",
    "CreateCollation": "only adds a collation to the database",
    "ValidateConstraint": "checks the rows that are there, and lets others read and write meanwhile",
}

# The databases that there are rules for. Column types of one family differ in size only, and give the same Python type.
_FAMILIES = {
    "postgresql": {
        "text": r"varchar(?:\((\d+)\))?|text",
        "integer": r"smallint|integer|bigint",
        "decimal": r"numeric(?:\((\d+), ?(\d+)\))?",
        "float": r"double precision|real",
        "boolean": r"boolean",
        "date": r"date",
        "time": r"time",
        "timestamp": r"timestamp with time zone|timestamp",
        "interval": r"interval",
        "uuid": r"uuid",
        "json": r"jsonb",
        "bytes": r"bytea",
        "address": r"inet",
    },
    "sqlite": {
        "text": r"(?:var)?char\(\d+\)|varchar|text",
        "integer": r"(?:small|big)?int(?:eger)?(?: unsigned)?",
        "decimal": r"decimal",
        "float": r"real",
        "boolean": r"bool",
        "date": r"date",
        "time": r"time",
        "timestamp": r"datetime",
        "bytes": r"blob",
    },
}
_INTEGERS = ("smallint", "integer", "bigint")


class Finding(NamedTuple):
    """One thing that an operation does, and what it means for running code."""

    verdict: str
    reason: str
    # How to do it so that running code goes on, empty where nothing is to be said.
    instead: str = ""
    # Whether the rows that are there must meet it as well, so that nothing that follows can take it back.
    lasting: bool = False


def worst(verdicts: list[str]) -> str:
    """Return the worst of some verdicts, ``compatible`` when there are none."""
    return max(verdicts, key=VERDICTS.index, default=COMPATIBLE)


def examine(connection: Any, executor: Any, plan: list[Any], large: int) -> dict[tuple[str, str], dict[str, Any]]:
    """Return what the migrations of ``plan`` do, by their app's label and their name.

    Each is ``{"sql": [statement], "verdict": ..., "reviewed": reason or None, "operations": [{"operation":
    description, "verdict": ..., "reasons": [...], "instead": [...]}]}``. ``plan`` is one of Django's, of one
    direction; ``large`` is the number of rows from which on a table is too large to be locked while all of it is read
    or written.

    Raises RefusedError when a migration declares something that can't be understood.
    """
    reviews = {migration: declaration(migration) for migration, _backward in plan}
    running = executor._create_project_state(with_applied_migrations=True)
    judge = Judge(connection, running, large)
    backward = any(direction for _migration, direction in plan)
    found = {}
    with read_only(connection):
        if backward:
            before = _states_before(executor, plan)
            for migration, _backward in plan:
                found[migration] = Recording(connection, judge, migration)
                found[migration].backward(before[migration])
        else:
            state = running
            order = [step for step, _backward in executor.migration_plan(_leaves(executor), clean_start=True)]
            for migration in sorted((step for step, _backward in plan), key=order.index):
                found[migration] = Recording(connection, judge, migration)
                state = found[migration].forward(state)
    return {
        (migration.app_label, migration.name): {**recording.answer(), **reviews[migration]}
        for migration, recording in found.items()
    }


def declaration(migration: Any) -> dict[str, Any]:
    """Return what the migration says of itself, as the keys of an answer that it replaces."""
    declared = getattr(migration, DECLARATION, None)
    if declared is None:
        return {}
    match = _DECLARATION.fullmatch(declared) if isinstance(declared, str) else None
    if match is None:
        raise RefusedError(
            "{0}: {1} declares {0} = {2!r}; write 'compatible: WHY' or 'incompatible: WHY'".format(
                DECLARATION, migration, declared
            )
        )
    return {"verdict": match[1], "reviewed": match[2].strip()}


@contextlib.contextmanager
def read_only(connection: Any) -> Iterator[None]:
    """Let nothing be written through ``connection``: an operation that is not Django's own might try."""
    if connection.vendor == "postgresql":
        query = "SELECT set_config('default_transaction_read_only', %s, false)"
        was, on = "SHOW default_transaction_read_only", "on"
    elif connection.vendor == "sqlite":
        query, was, on = "PRAGMA query_only = %s", "PRAGMA query_only", "1"
    else:
        yield
        return

    def put(value: Any) -> None:
        with connection.cursor() as cursor:
            # A pragma takes no parameters.
            cursor.execute(*((query, [value]) if connection.vendor == "postgresql" else (query % value,)))

    with connection.cursor() as cursor:
        cursor.execute(was)
        previous = cursor.fetchone()[0]
    put(on)
    try:
        yield
    finally:
        put(previous)


def _leaves(executor: Any) -> list[Any]:
    return list(executor.loader.graph.leaf_nodes())


def _states_before(executor: Any, plan: list[Any]) -> dict[Any, Any]:
    """Return the state of the project before each migration that is to be unapplied, as Django's executor does."""
    wanted = {migration for migration, _backward in plan}
    applied = {executor.loader.graph.nodes.get(key) for key in executor.loader.applied_migrations}
    state = executor._create_project_state()
    states = {}
    for migration, _backward in executor.migration_plan(_leaves(executor), clean_start=True):
        if migration in wanted:
            states[migration] = state
            state = migration.mutate_state(state, preserve=True)
        elif migration in applied:
            migration.mutate_state(state, preserve=False)
    return states


class Column:
    """What the database has of one column."""

    def __init__(self, field: Any, connection: Any, origin: str | None) -> None:
        parameters = field.db_parameters(connection=connection)
        # The name that it had before the plan, None for one that is new.
        self.origin = origin
        self.kind: str = parameters["type"]
        self.null: bool = field.null
        # An expression; RAW for one that is only known as SQL; None without.
        self.default: Any = _database_default(field)
        self.suffix: Any = field.db_type_suffix(connection=connection)
        self.collation: Any = parameters.get("collation")
        self.generated: Any = field.expression if getattr(field, "generated", False) else None
        self.primary: bool = field.primary_key
        # The table and the column that a foreign key refers to, by the names before the plan, and its ON DELETE.
        self.reference: tuple[str, str, str] | None = None
        self.field = field
        # What Django gives the rows that are there when it adds the column.
        self.fill: Any = None
        # Whether running code can do without it, as far as it was there before the plan although no model names it.
        self.tolerated = False

    @property
    def filled(self) -> bool:
        """Whether an INSERT may leave it out."""
        given = self.default is not None and not _is_null(self.default)
        return self.null or given or bool(self.suffix) or self.generated is not None


class Unique(NamedTuple):
    """Columns, or expressions, that must be unique, in all rows or where a condition holds."""

    columns: frozenset[str]
    expressions: str = ""
    condition: str = ""
    nulls_distinct: bool = True
    deferrable: bool = False
    name: str = ""
    constraint: Any = None
    model: Any = None

    @property
    def key(self) -> tuple[Any, ...]:
        """What it is, without its name."""
        return self[:5]

    @property
    def is_target(self) -> bool:
        """Whether ON CONFLICT can name it: what is unique in all rows, and checked at once."""
        return bool(self.columns) and not (self.expressions or self.condition or self.deferrable)


class Check(NamedTuple):
    """A condition that all rows meet."""

    condition: Condition
    name: str = ""
    # The column whose type brings it.
    column: str = ""
    query: Any = None
    model: Any = None


class Entry(NamedTuple):
    """An index, and what is wrong with its entries."""

    key: tuple[Any, ...]
    name: str
    findings: tuple[Finding, ...] = ()


class Table:
    """What the database has of one table."""

    def __init__(self, name: str, origin: str | None) -> None:
        self.name = name
        self.origin = origin
        self.columns: dict[str, Column] = {}
        self.uniques: list[Unique] = []
        self.checks: list[Check] = []
        self.entries: list[Entry] = []
        self.excludes: list[str] = []

    def before(self, column: str) -> str:
        """Return the name that a column had before the plan; for a new one, a name that none had."""
        found = self.columns.get(column)
        return column if found is None else found.origin or "new " + column

    def rename(self, old: str, new: str) -> None:
        """Follow a column to its new name."""
        if old in self.columns:
            column = self.columns[new] = self.columns.pop(old)
            if column.origin is None:
                names = {"new " + old: "new " + new}
                self.checks = [one._replace(condition=one.condition.renamed(names)) for one in self.checks]
        self.checks = [one._replace(column=new) if one.column == old else one for one in self.checks]
        self.uniques = [
            one._replace(columns=frozenset(new if name == old else name for name in one.columns))
            for one in self.uniques
        ]


class Database:
    """The tables of the models of a state."""

    def __init__(self, connection: Any, state: Any) -> None:
        self._connection = connection
        self.tables: dict[str, Table] = {}
        for model in state.apps.get_models(include_auto_created=True):
            if not model._meta.proxy and not model._meta.swapped:
                self.add(model, is_new=False)

    def add(self, model: Any, is_new: bool) -> Table:
        """Add the table of a model; several models may have the same one."""
        options = model._meta
        table = self.tables.get(options.db_table)
        if table is None or is_new:
            table = self.tables[options.db_table] = Table(options.db_table, None if is_new else options.db_table)
        for field in options.local_concrete_fields:
            if field.db_parameters(connection=self._connection)["type"] is not None:
                self.add_column(table, field, None if is_new else field.column)
        for group in options.unique_together:
            table.uniques.append(Unique(frozenset(options.get_field(name).column for name in group)))
        for constraint in options.constraints:
            self.add_constraint(table, model, constraint)
        return table

    def add_column(self, table: Table, field: Any, origin: str | None) -> Column:
        """Add the column of a field, with what comes with it."""
        column = table.columns[field.column] = Column(field, self._connection, origin)
        column.reference = self.reference(field)
        if field.unique:
            table.uniques.append(Unique(frozenset([field.column])))
        self.add_field_check(table, field)
        return column

    def add_field_check(self, table: Table, field: Any) -> None:
        """Add the check that the type of a field brings."""
        text = field.db_parameters(connection=self._connection)["check"]
        if text:
            atom = Atom(table.before(field.column), "gte", 0)
            plain = re.fullmatch(r"\W*{}\W* >= 0".format(re.escape(field.column)), text)
            table.checks.append(
                Check(Condition("atom", atom=atom) if plain else opaque(text), text, field.column, model=field.model)
            )

    def add_constraint(self, table: Table, model: Any, constraint: Any) -> Any:
        """Add a constraint of a model; return it as it is kept."""
        from django.db.models import CheckConstraint, UniqueConstraint

        if isinstance(constraint, UniqueConstraint):
            unique = self.unique(model, constraint)
            table.uniques.append(unique)
            return unique
        if isinstance(constraint, CheckConstraint):
            # Django 5.1 has renamed it.
            query = getattr(constraint, "condition", None) or constraint.check
            found = condition(query, model, lambda field: table.before(field.column))
            check = Check(found, constraint.name, query=query, model=model)
            table.checks.append(check)
            return check
        table.excludes.append(constraint.name)
        return None

    @staticmethod
    def unique(model: Any, constraint: Any) -> Unique:
        """Return a unique constraint as it is kept."""
        return Unique(
            frozenset(model._meta.get_field(name).column for name in constraint.fields),
            repr(constraint.expressions) if constraint.expressions else "",
            repr(constraint.condition) if constraint.condition else "",
            getattr(constraint, "nulls_distinct", None) is not False,
            bool(constraint.deferrable),
            constraint.name,
            constraint,
            model,
        )

    def reference(self, field: Any) -> tuple[str, str, str] | None:
        """Return what a foreign key constraint of the field refers to."""
        if not self._connection.features.supports_foreign_keys:
            return None
        if not field.remote_field or not getattr(field, "db_constraint", False) or not field.concrete:
            return None
        target = field.target_field
        table = self.tables.get(target.model._meta.db_table)
        name = table.origin or "new " + table.name if table else target.model._meta.db_table
        column = table.before(target.column) if table else target.column
        # Django 6.1 has some that the database does.
        action = getattr(field.remote_field.on_delete, "operation", "") or ""
        return str(name), column, str(action)


class Told(NamedTuple):
    """A finding on the schema as it is at a moment, with what it is about: a table, and a column or a constraint."""

    finding: Finding
    table: str
    subject: str = ""

    @property
    def key(self) -> tuple[str, str, str]:
        """What tells it from others."""
        return self.table, self.subject, self.finding.reason


class Judge:
    """The rules: a method for each method of Django's schema editor, with its arguments.

    Each changes what is known of the database by then, and returns what can be said without knowing what follows. What
    running code meets is told by :meth:`meet`, whenever others see what has been changed.
    """

    def __init__(self, connection: Any, state: Any, large: int) -> None:
        self._connection = connection
        self._large = large
        self._before = Database(connection, state)
        self._now = Database(connection, state)
        self.catalogue = Catalogue(connection) if connection.vendor == "postgresql" else None
        # The columns of each table whose values have to fit an entry of an index already.
        self._limited = self.catalogue.limited() if self.catalogue else {}
        # The tables that the transaction has locked by then, and the statement that did.
        self._held: dict[str, tuple[str, str]] = {}
        self._told: set[tuple[str, str, str]] = set()
        self._content_types = _content_types(state)
        # The editor that collects the SQL of the migration which is being judged, and whether that is a transaction.
        self.editor: Any = None
        self.atomic = True
        # The tables, by the names before the plan, that were changed since others saw them last, and by this operation.
        self._changed: set[str] = set()
        self._touched: set[str] = set()

    def begin(self, editor: Any, atomic: bool) -> None:
        """Take note of the migration that an operation is part of."""
        self.editor, self.atomic = editor, atomic
        self._touched = set()

    def knows(self, table: str, column: str | None = None) -> bool:
        """Tell whether running code uses the table, or this column of it, under the name that it has by then."""
        found = self._now.tables.get(table)
        if found is None or found.origin not in self._before.tables:
            return False
        if column is None:
            return True
        known = found.columns.get(column)
        return known is not None and known.origin is not None

    def is_used(self, table: str) -> bool:
        """Tell whether running code uses a table of this name."""
        return table in self._before.tables or self.knows(table)

    # What the editor does.

    def create_model(self, model: Any) -> list[Finding]:
        """A new table is nothing to code that doesn't know it."""
        findings = []
        for each in [model, *(self._through(field) for field in model._meta.local_many_to_many)]:
            if each is None:
                continue
            self._now.add(each, is_new=True)
            findings.append(
                Finding(COMPATIBLE, "creates the table {}, which no running code uses".format(each._meta.db_table))
            )
            findings += self._references(each._meta.local_fields)
        return findings

    def delete_model(self, model: Any) -> list[Finding]:
        """Dropping a table is what running code can't bear."""
        findings = []
        for each in [model, *(self._through(field) for field in model._meta.local_many_to_many)]:
            if each is not None:
                findings += self._drop_table(each._meta.db_table)
        return findings

    def alter_db_table(self, _model: Any, old_db_table: str, new_db_table: str) -> list[Finding]:
        """The same for renaming it."""
        same = old_db_table == new_db_table
        if same or (self._connection.features.ignores_table_name_case and old_db_table.lower() == new_db_table.lower()):
            return []
        return self._rename_table(old_db_table, new_db_table)

    def add_field(self, model: Any, field: Any) -> list[Finding]:
        """Running code doesn't give a new column a value: it must do without, or the database must have one."""
        table = model._meta.db_table
        if field.many_to_many:
            through = self._through(field)
            return self.create_model(through) if through else []
        if field.db_parameters(connection=self._connection)["type"] is None:
            return []
        name = "{}.{}".format(table, field.column)
        column = self._now.add_column(self._table(table), field, None)
        if not self.knows(table):
            return [_new_table(table)]
        findings = self._references([field])
        if column.default is None and column.generated is None:
            column.fill = self.editor.effective_default(field)
        if column.fill is not None and column.reference:
            why = "the rows that are there get a default, which may refer to no row of {}".format(column.reference[0])
            findings.append(Finding(UNKNOWN, why))
        if field.primary_key:
            findings.append(Finding(UNKNOWN, "adds {} as a primary key to a table that is in use".format(name)))
        elif column.generated is not None:
            findings.append(Finding(COMPATIBLE, "adds the column {}, which the database calculates".format(name)))
        elif column.default is not None:
            findings.append(Finding(COMPATIBLE, "adds the column {}, which has a default in the database".format(name)))
        elif field.null:
            findings.append(Finding(COMPATIBLE, "adds the column {}, which may be NULL".format(name)))
        self._field_entry(model, field)
        return findings

    def remove_field(self, model: Any, field: Any) -> list[Finding]:
        """Django's SELECT names all columns, so one that is gone fails it."""
        if field.many_to_many:
            through = self._through(field)
            return self._drop_table(through._meta.db_table) if through else []
        if field.db_parameters(connection=self._connection)["type"] is None:
            return []
        return self._drop_column(model._meta.db_table, field.column)

    def alter_field(self, model: Any, old_field: Any, new_field: Any, strict: bool = False) -> list[Finding]:
        """All that can change in a column."""
        if not self.editor._field_should_be_altered(old_field, new_field):
            return []
        if old_field.many_to_many or new_field.many_to_many:
            if self._through(old_field) and self._through(new_field):
                return self._alter_many_to_many(model, old_field, new_field, strict)
            return []
        types = [field.db_parameters(connection=self._connection)["type"] for field in (old_field, new_field)]
        if None in types:
            return []
        table = self._table(model._meta.db_table)
        column = table.columns.get(old_field.column)
        if column is None:
            # It is there, although no model of now knows it.
            column = self._now.add_column(table, old_field, None)
            column.tolerated = not column.filled
        findings = []
        if old_field.column != new_field.column:
            findings += self._rename_column(table.name, old_field.column, new_field.column)
        self._alter_column(table, column, old_field, new_field)
        if self.editor._field_should_be_indexed(model, new_field):
            self._field_entry(new_field.model, new_field)
        else:
            table.entries = [one for one in table.entries if one.key[:2] != ("field", new_field.column)]
        if not self.knows(table.name):
            return [*findings, _new_table(table.name)]
        return findings

    def _alter_many_to_many(self, _model: Any, old_field: Any, new_field: Any, strict: bool) -> list[Finding]:
        """The table in the middle: its name, and both of its foreign keys."""
        old, new = old_field.remote_field.through, new_field.remote_field.through
        findings = self.alter_db_table(new, old._meta.db_table, new._meta.db_table)
        for name in ("m2m_field_name", "m2m_reverse_field_name"):
            ends = (old._meta.get_field(getattr(old_field, name)()), new._meta.get_field(getattr(new_field, name)()))
            findings += self.alter_field(new, *ends, strict=strict)
        return findings

    def alter_unique_together(self, model: Any, old_unique_together: Any, new_unique_together: Any) -> list[Finding]:
        """Groups of columns that must be unique together: new ones, and those that need not any more."""
        table = self._table(model._meta.db_table)
        new, old = ({tuple(group) for group in groups or []} for groups in (new_unique_together, old_unique_together))

        def unique(group: tuple[str, ...]) -> Unique:
            return Unique(frozenset(model._meta.get_field(name).column for name in group))

        for group in sorted(old - new):
            self._remove_unique(table, unique(group))
        table.uniques += [unique(group)._replace(model=model) for group in sorted(new - old)]
        return []

    def alter_index_together(self, model: Any, old_index_together: Any, new_index_together: Any) -> list[Finding]:
        """New groups of columns with an index, before Django 5.1."""
        old = {tuple(group) for group in old_index_together or []}
        for group in sorted({tuple(group) for group in new_index_together or []} - old):
            fields = [model._meta.get_field(name) for name in group]
            key = ("together", *(field.column for field in fields))
            self._table(model._meta.db_table).entries.append(
                Entry(key, "", tuple(self._entry_findings(model, "an index", fields, [], "btree")))
            )
        return []

    def add_index(self, model: Any, index: Any, concurrently: bool = False) -> list[Finding]:
        """Statements need no index, but its making locks the table, and its entries have a limit."""
        table = model._meta.db_table
        what = "the index {}".format(index.name)
        names = [name for name, _order in index.fields_orders] if hasattr(index, "fields_orders") else index.fields
        fields = [model._meta.get_field(name) for name in [*names, *index.include]]
        method = getattr(index, "suffix", "idx") or "idx"
        findings = self._entry_findings(model, what, fields, index.expressions, method)
        key = ("index", *(self._table(table).before(field.column) for field in fields), repr(index.expressions), method)
        self._table(table).entries.append(Entry((*key, repr(index.condition)), index.name, tuple(findings)))
        if not self.knows(table):
            return [_new_table(table)]
        how = " while others read and write" if concurrently else self._size(table)
        return [Finding(COMPATIBLE, "builds {} on {}{}".format(what, table, how))]

    def add_constraint(self, model: Any, constraint: Any) -> list[Finding]:
        """Rows that running code may write, and that the database then rejects."""
        self._now.add_constraint(self._table(model._meta.db_table), model, constraint)
        return [] if self.knows(model._meta.db_table) else [_new_table(model._meta.db_table)]

    def remove_index(self, model: Any, index: Any, concurrently: bool = False) -> list[Finding]:  # noqa: ARG002 - same
        """Statements need no index."""
        table = self._table(model._meta.db_table)
        table.entries = [one for one in table.entries if one.name != index.name]
        return [Finding(COMPATIBLE, "drops the index {}".format(index.name))]

    def rename_index(self, model: Any, old_index: Any, new_index: Any) -> list[Finding]:
        """Nor its name."""
        table = self._table(model._meta.db_table)
        table.entries = [
            one._replace(name=new_index.name) if one.name == old_index.name else one for one in table.entries
        ]
        return [Finding(COMPATIBLE, "renames the index {} to {}".format(old_index.name, new_index.name))]

    def remove_constraint(self, model: Any, constraint: Any) -> list[Finding]:
        """What was accepted still is, but a unique constraint is also what an upsert refers to."""
        self._remove_constraint(self._table(model._meta.db_table), constraint.name)
        return [Finding(COMPATIBLE, "drops the constraint {}".format(constraint.name))]

    def alter_db_table_comment(self, model: Any, _old_comment: Any, _new_comment: Any) -> list[Finding]:
        """A comment is for people."""
        return [Finding(COMPATIBLE, "changes the comment of the table {}".format(model._meta.db_table))]

    def execute(self, sql: Any, params: Any = ()) -> list[Finding]:
        """SQL that comes from none of the editor's own methods."""
        doubt = [Finding(UNKNOWN, "runs SQL of its own, which may do anything")]
        if self.catalogue is None:
            return doubt
        text = str(sql)
        if params:
            text %= tuple(map(self.editor.quote_value, params))
        actions = read(text)
        findings: list[Finding] = []
        for action in actions:
            rule = getattr(self, "_sql_" + action.kind.replace(" ", "_"), None)
            findings += rule(action) if rule else doubt
        return findings

    def statement(self, sql: str) -> list[Finding]:
        """Return what is to be said of the locks of a statement that is collected, and of what PostgreSQL refuses."""
        if self.catalogue is None:
            return []
        findings = []
        actions = read(sql)
        if any("concurrently" in action.flags for action in actions) and (self.atomic or len(actions) > 1):
            why = "it runs concurrently, which is not possible inside of a transaction"
            findings.append(_refused(why, sql, "set atomic = False on the migration"))
        for action in actions:
            effect = self.catalogue.do(action)
            if effect.refused:
                findings.append(_refused(effect.refused, action.text, effect.instead))
            findings += self._lock(effect, action.text)
        if not self.atomic:
            self._held.clear()
        return findings

    def rename_content_type(self, old: str, new: str) -> list[Finding]:
        """Django's content types follow a model to its new name, and running code looks for the old one."""
        if not self._content_types:
            return []
        why = (
            "renames the content type of {} to {}: running code makes a new one for the old name, and finds nothing any"
            " more that refers to the old one ({})".format(old, new, ", ".join(self._content_types))
        )
        return [Finding(INCOMPATIBLE, why, "rename the class in a release that is deployed while nothing else runs")]

    # What SQL of its own does, on PostgreSQL.

    def _sql_nothing(self, action: Action) -> list[Finding]:
        return [Finding(COMPATIBLE, "changes nothing that running code meets: {}".format(_short(action.text)))]

    _sql_setting = _sql_comment = _sql_analyze = _sql_extension = _sql_set_constraints = _sql_nothing
    _sql_validate = _sql_rename_index = _sql_nothing

    def _sql_create_table(self, action: Action) -> list[Finding]:
        if re.search(r"\bAS\b|\bREFERENCES\b|\bLIKE\b|\bINHERITS\b|\bPARTITION\b", action.text, re.IGNORECASE):
            return [Finding(UNKNOWN, "creates the table {} in a way that is not known".format(action.table))]
        if self.is_used(action.table):
            return [Finding(UNKNOWN, "creates the table {}, which running code knows".format(action.table))]
        return [Finding(COMPATIBLE, "creates the table {}, which no running code uses".format(action.table))]

    def _sql_drop_table(self, action: Action) -> list[Finding]:
        found = self._drop_table(action.table)
        if "cascade" in action.flags:
            found.append(Finding(UNKNOWN, "drops whatever depends on {}".format(action.table)))
        return found

    def _sql_rename_table(self, action: Action) -> list[Finding]:
        return self._rename_table(action.table, action.new)

    def _sql_rename_column(self, action: Action) -> list[Finding]:
        return self._rename_column(action.table, action.name, action.new)

    def _sql_drop_column(self, action: Action) -> list[Finding]:
        return self._drop_column(action.table, action.name)

    def _sql_rename_constraint(self, action: Action) -> list[Finding]:
        return self._sql_nothing(action)

    def _sql_set_default(self, action: Action) -> list[Finding]:
        return self._sql_default(action, None if (action.default or "NULL").upper() == "NULL" else RAW)

    def _sql_drop_default(self, action: Action) -> list[Finding]:
        return self._sql_default(action, None)

    def _sql_default(self, action: Action, default: Any) -> list[Finding]:
        table = self._there(action.table)
        column = table.columns.get(action.name) if table else None
        if column is None:
            if default is None and self.is_used(action.table) and not self._may_be_null(action.table, action.name):
                return [_not_null("{}.{}".format(action.table, action.name))]
            return [_unused(action.table, action.name)]
        column.default = default
        return self._sql_nothing(action)

    def _may_be_null(self, table: str, column: str) -> bool:
        """Tell whether a column that no model knows may be NULL."""
        return self.catalogue is None or self.catalogue.tables.get(table, {}).get(column, ("", True))[1]

    def _sql_set_not_null(self, action: Action) -> list[Finding]:
        return self._sql_null(action, False)

    def _sql_drop_not_null(self, action: Action) -> list[Finding]:
        return self._sql_null(action, True)

    def _sql_null(self, action: Action, null: bool) -> list[Finding]:
        table = self._there(action.table)
        column = table.columns.get(action.name) if table else None
        if column is None:
            if self.is_used(action.table) and not null:
                return [Finding(UNKNOWN, "makes {}.{} NOT NULL, of which nothing is known".format(*action[1:3]))]
            return [_unused(action.table, action.name)]
        column.null = null
        return self._sql_nothing(action)

    def _sql_add_column(self, action: Action) -> list[Finding]:
        name = "{}.{}".format(action.table, action.name)
        if not self.is_used(action.table):
            return [_new_table(action.table)]
        doubts = action.flags.intersection(("unique", "primary", "check", "generated", "identity"))
        if doubts or action.target:
            return [Finding(UNKNOWN, "adds the column {} with more than a type and a default".format(name))]
        given = action.default is not None and action.default.upper() != "NULL"
        if action.not_null and not given:
            return [_not_null(name)]
        return [Finding(COMPATIBLE, "adds the column {}, which running code can leave out".format(name))]

    def _sql_alter_type(self, action: Action) -> list[Finding]:
        table = self._there(action.table)
        column = table.columns.get(action.name) if table else None
        if action.flags or column is None:
            return [Finding(UNKNOWN, "changes the type of {}.{} in a way that is not known".format(*action[1:3]))]
        column.kind = plain_type(action.sort)
        return self._sql_nothing(action)

    def _sql_add_constraint(self, action: Action) -> list[Finding]:
        if not self.is_used(action.table):
            return [_new_table(action.table)]
        why = "adds a constraint to {}, which may reject what running code writes".format(action.table)
        return [Finding(UNKNOWN, why)]

    def _sql_drop_constraint(self, action: Action) -> list[Finding]:
        table = self._there(action.table)
        if table is not None and self.catalogue is not None:
            known = self.catalogue.constraint(action.table, action.name)
            if not self._remove_constraint(table, action.name) and known and known.sort in ("unique", "primary"):
                if known.sort == "primary":
                    return [Finding(UNKNOWN, "drops the primary key of {}".format(action.table))]
                self._remove_unique(table, Unique(frozenset(known.columns)))
        return [Finding(COMPATIBLE, "drops the constraint {}".format(action.name))]

    def _sql_create_index(self, action: Action) -> list[Finding]:
        table = action.table
        if not self.is_used(table):
            return [_new_table(table)]
        what = "the index {}".format(action.name)
        if "unique" in action.flags:
            return [Finding(UNKNOWN, "adds {}, which is unique and may reject what running code writes".format(what))]
        if "" in action.columns or "include" in action.flags:
            return [Finding(UNKNOWN, "an expression of {} may fail for what running code writes".format(what))]
        known = self._table(table).columns
        if any(name not in known for name in action.columns):
            return [Finding(COMPATIBLE, "builds {} on columns that no running code uses".format(what))]
        fields = [known[name].field for name in action.columns]
        findings = self._entry_findings(None, what, fields, [], action.sort, table=table)
        return findings or [Finding(COMPATIBLE, "builds {} on {}{}".format(what, table, self._size(table)))]

    def _sql_drop_index(self, action: Action) -> list[Finding]:
        index = self.catalogue.indexes.get(action.name) if self.catalogue else None
        table = self._there(index.table) if index else None
        if index and table and index.unique and not self._remove_constraint(table, action.name):
            self._remove_unique(table, Unique(frozenset(index.columns)))
        if "cascade" in action.flags:
            return [Finding(UNKNOWN, "drops whatever depends on {}".format(action.name))]
        return [Finding(COMPATIBLE, "drops the index {}".format(action.name))]

    # What these change, whoever asks for it.

    def _there(self, name: str) -> Table | None:
        """Return a table that is to be changed, None when nothing is known of it."""
        found = self._now.tables.get(name)
        self._touched.add((found.origin if found else None) or name)
        return found

    def _table(self, name: str) -> Table:
        return self._there(name) or self._now.tables.setdefault(name, Table(name, None))

    def _drop_table(self, name: str) -> list[Finding]:
        used = self.knows(name)
        self._there(name)
        self._now.tables.pop(name, None)
        return [] if used else [Finding(COMPATIBLE, "drops the table {}, which no running code uses".format(name))]

    def _rename_table(self, old: str, new: str) -> list[Finding]:
        used = self.knows(old)
        self._there(old)
        table = self._now.tables.pop(old, None) or Table(old, None)
        table.name = new
        self._now.tables[new] = table
        if used:
            return []
        return [Finding(COMPATIBLE, "renames the table {} to {}, which no running code uses".format(old, new))]

    def _drop_column(self, name: str, column: str) -> list[Finding]:
        used = self.knows(name, column)
        table = self._there(name)
        if table is not None:
            found = table.columns.pop(column, None)
            table.uniques = [one for one in table.uniques if column not in one.columns]
            table.entries = [one for one in table.entries if column not in one.key]
            gone = found.origin or "new " + column if found else column
            table.checks = [one for one in table.checks if gone not in {atom.column for atom in one.condition.atoms()}]
            for other, calculated in list(table.columns.items()):
                # CASCADE takes what is calculated from it as well.
                if (
                    found is not None
                    and calculated.generated is not None
                    and found.field.name in _names(calculated.generated, calculated.field.model)
                ):
                    del table.columns[other]
        return [] if used else [_unused(name, column, "drops")]

    def _rename_column(self, name: str, old: str, new: str) -> list[Finding]:
        used = self.knows(name, old)
        table = self._there(name)
        if table is not None:
            table.rename(old, new)
        what = "renames the column {0}.{1} to {0}.{2}, which no running code uses".format(name, old, new)
        return [] if used else [Finding(COMPATIBLE, what)]

    def _remove_unique(self, table: Table, unique: Unique) -> None:
        found = next((one for one in table.uniques if one.key == unique.key), None)
        if found is not None:
            table.uniques.remove(found)

    def _remove_constraint(self, table: Table, name: str) -> bool:
        """Take a constraint away by its name, and tell whether there was one."""
        before = len(table.uniques) + len(table.checks) + len(table.excludes)
        table.uniques = [one for one in table.uniques if one.name != name]
        table.checks = [one for one in table.checks if one.name != name]
        table.excludes = [one for one in table.excludes if one != name]
        return len(table.uniques) + len(table.checks) + len(table.excludes) < before

    def _alter_column(self, table: Table, column: Column, old_field: Any, new_field: Any) -> None:
        """Only what Django changes: the rest may have been changed by SQL."""
        old, new = (Column(field, self._connection, None) for field in (old_field, new_field))
        column.field = new_field
        for name in ("kind", "null", "suffix", "collation", "primary", "generated"):
            if getattr(old, name) != getattr(new, name):
                setattr(column, name, getattr(new, name))
        if repr(old.default) != repr(new.default):
            column.default = new.default
        column.reference = self._now.reference(new_field)
        if old_field.unique and not new_field.unique:
            self._remove_unique(table, Unique(frozenset([new_field.column])))
        elif new_field.unique and not old_field.unique:
            table.uniques.append(Unique(frozenset([new_field.column]), model=new_field.model))
        checks = [field.db_parameters(connection=self._connection)["check"] for field in (old_field, new_field)]
        if checks[0] != checks[1] and old_field.column == new_field.column:
            table.checks = [one for one in table.checks if one.column != old_field.column]
            self._now.add_field_check(table, new_field)

    def _field_entry(self, model: Any, field: Any) -> None:
        """The index of a field, db_index."""
        table = self._table(model._meta.db_table)
        key = ("field", field.column)
        if not any(one.key == key for one in table.entries) and self.editor._field_should_be_indexed(model, field):
            what = "the index on {}.{}".format(model._meta.db_table, field.column)
            table.entries.append(Entry(key, "", tuple(self._entry_findings(model, what, [field], [], "btree"))))

    def _entry_findings(
        self,
        model: Any,
        what: str,
        fields: list[Any],
        expressions: Any,
        method: str,
        table: str = "",
    ) -> list[Finding]:
        """Tell whether an index takes all that running code may write: it may fail to calculate, or be too long."""
        table = table or model._meta.db_table
        if self._connection.vendor != "postgresql" or not self.knows(table):
            return []
        shapes = [self._shape(table, field) for field in fields]
        if expressions:
            by_name = self._shapes_of(table, model, for_entry=True)
            for expression in expressions:
                one = shape(expression, by_name)
                if one.risk:
                    return [_risk(what, one)]
                shapes.append(one)
        kinds = [self._now.tables[table].columns[field.column].kind for field in fields]
        if method in ("idx", "btree"):
            total = 0
            limited = self._limited.get(self._now.tables[table].origin or "", set())
            for one, name in zip(shapes, [*(field.column for field in fields), *[""] * len(shapes)]):  # noqa: B905 - Python 3.9
                if one.bytes is None and self._now.tables[table].before(name) in limited:
                    continue
                if one.bytes is None and one.kind != "text":
                    reason = "it is not known how long entries of {} may get".format(what)
                    return [Finding(UNKNOWN, reason, "index a hash of the values, or a part of them")]
                total += 10**9 if one.bytes is None else one.bytes
            if total > BTREE_BYTES:
                reason = (
                    "an entry of {} takes at most {:,} bytes, and running code may write longer values: the INSERT"
                    " fails".format(what, BTREE_BYTES)
                )
                return [Finding(INCOMPATIBLE, reason, "index a hash of the values, or a part of them", lasting=True)]
        elif method == "gin" and any(re.match("(text|varchar)", kind) and kind.endswith("[]") for kind in kinds):
            return [Finding(UNKNOWN, "an element of an array may be too long for {}".format(what))]
        elif method not in ("hash", "gin") and any(one.bytes is None for one in shapes):
            return [Finding(UNKNOWN, "it is not known how long entries of {} may get".format(what))]
        return []

    def _shapes_of(self, table: str, model: Any, for_entry: bool = False) -> Callable[[str], Shape | None]:
        limited = self._limited.get(self._now.tables[table].origin or "", set()) if for_entry else set()

        def by_name(name: str) -> Shape | None:
            try:
                field = model._meta.pk if name == "pk" else model._meta.get_field(name)
            except Exception:  # a transform or an annotation
                return None
            found = self._shape(table, field)
            fits = found.kind == "text" and self._now.tables[table].before(field.column) in limited
            return found._replace(characters=0) if fits else found

        return by_name

    def _shape(self, table: str, field: Any) -> Shape:
        """Return what running code may write to a column; for one that is new, its default."""
        now = self._now.tables[table]
        column = now.columns.get(field.column)
        origin = column.origin if column else None
        if origin is None:
            if column is not None and column.generated is not None:
                return self._of_kind(column.kind)
            # NULL, or the default.
            found = self._of_kind(column.kind) if column else Shape("other")
            return Shape(found.kind or "other", 0 if found.kind == "text" else None, 0, 0, found.integer)
        before = self._before.tables[now.origin or ""].columns[origin]
        return self._of_kind(before.kind)

    @staticmethod
    def _of_kind(kind: str) -> Shape:
        family, sizes = _family("postgresql", kind)
        if family == "text":
            return Shape("text", int(sizes[0]) if sizes[0] else None)
        if family == "integer":
            low, high = RANGES[kind]
            return Shape("integer", low=low, high=high, integer=kind)
        if family in ("decimal", "float"):
            return Shape("number")
        if family == "boolean":
            return Shape("boolean")
        if family in ("date", "time", "timestamp", "interval", "uuid", "address"):
            return Shape("other")
        # json, bytes, arrays, and what is not known: as long as they like.
        return Shape("text" if family in ("json", "bytes") or kind.endswith("[]") else "")

    def _references(self, fields: list[Any]) -> list[Finding]:
        found = [self._now.reference(field) for field in fields]
        return [
            Finding(
                COMPATIBLE,
                "rows of {} can be deleted as long as no row of the new code refers to them".format(target[0]),
            )
            for target in found
            if target and target[0] in self._before.tables
        ]

    def _through(self, field: Any) -> Any:
        """Return the model that Django makes for a many-to-many field."""
        if not field.many_to_many or not field.remote_field.through._meta.auto_created:
            return None
        return field.remote_field.through

    # Locks.

    def _lock(self, effect: Effect, text: str) -> list[Finding]:
        """Tell who waits for a statement that takes long: those who use what the transaction has locked."""
        for table, mode in effect.locks:
            known = self._held.get(table)
            if known is None or (mode == ALL and known[0] != ALL):
                self._held[table] = (mode, text)
        if not effect.why or self.catalogue is None or self.catalogue.rows(effect.worked) < self._large:
            return []
        findings = []
        for table, (mode, statement) in self._held.items():
            if not self.knows(table) and table not in self._before.tables:
                continue
            of = "" if table == effect.worked else " of {}".format(effect.worked)
            who = "statements" if mode == ALL else "INSERT, UPDATE and DELETE"
            reason = "{} is locked while {}{}{}: {} of running code wait".format(
                table, effect.why, of, self._size(effect.worked), who
            )
            cause = text if statement == text else "{}; after {}".format(text, statement)
            findings.append(Finding(INCOMPATIBLE, "{} ({})".format(reason, _short(cause)), effect.instead))
        return findings

    def end(self) -> None:
        """Take note that a transaction is over."""
        self._held.clear()

    def _size(self, table: str) -> str:
        if self.catalogue is None:
            return ""
        return " (about {:,} rows, large from {:,} on)".format(self.catalogue.rows(table), self._large)

    # What running code meets.

    def meet(self) -> list[Told]:
        """Return what running code would meet in the tables that the operation has changed, as they are by now."""
        self._changed |= self._touched
        found = [told for told in self._meet(self._touched) if told.key not in self._told]
        self._told.update(told.key for told in found if told.finding.lasting)
        return found

    def commit(self) -> list[Told]:
        """Return what running code meets now that others see the changes, as far as it has not met it before."""
        found = [told for told in self._meet(self._changed) if told.key not in self._told]
        self._told.update(told.key for told in found)
        self._changed = set()
        return found

    def _meet(self, names: set[str]) -> list[Told]:
        found = []
        by_origin = {table.origin: table for table in self._now.tables.values() if table.origin is not None}
        for name in sorted(names.intersection(self._before.tables)):
            before, now = self._before.tables[name], by_origin.get(name)
            if now is None:
                why = "drops the table {}, which running code uses".format(name)
                found.append(Told(Finding(INCOMPATIBLE, why, DROP_LATER), name))
                continue
            if now.name != name:
                why = "renames the table {} to {}, which running code uses".format(name, now.name)
                found.append(Told(Finding(INCOMPATIBLE, why, KEEP_NAME), name))
            found += self._meet_table(before, now)
        return found

    def _meet_table(self, before: Table, now: Table) -> Iterator[Told]:
        by_origin = {column.origin: (name, column) for name, column in now.columns.items() if column.origin is not None}
        for name, column in before.columns.items():
            there, found = by_origin.get(name, ("", None))
            if found is None:
                why = "drops the column {}.{}, which running code reads and writes".format(before.name, name)
                yield Told(Finding(INCOMPATIBLE, why, DROP_LATER), now.name, name)
                continue
            if there != name:
                why = "renames the column {0}.{1} to {0}.{2}, which running code reads and writes".format(
                    before.name, name, there
                )
                yield Told(Finding(INCOMPATIBLE, why, KEEP_NAME), now.name, there)
            for finding in self._meet_column("{}.{}".format(now.name, there), column, found, now):
                yield Told(finding, now.name, there)
        for name, column in now.columns.items():
            if column.origin is None and name not in before.columns:
                for finding in self._meet_new("{}.{}".format(now.name, name), column, now):
                    yield Told(finding, now.name, name)
        yield from self._meet_uniques(before, now)
        yield from self._meet_checks(before, now)
        for constraint in now.excludes:
            if constraint not in before.excludes:
                why = "adds the constraint {} to {}, which may reject what running code writes".format(
                    constraint, now.name
                )
                yield Told(Finding(INCOMPATIBLE, why, HEED_FIRST, lasting=True), now.name, constraint)
        for entry in now.entries:
            for finding in entry.findings:
                yield Told(finding, now.name, entry.name)

    def _meet_column(self, name: str, before: Column, now: Column, table: Table) -> Iterator[Finding]:
        """A column that running code reads and writes."""
        if before.kind != now.kind:
            verdict = self._type_change(before.kind, now.kind)
            if verdict != COMPATIBLE:
                why = "the type of {} changes from {} to {}".format(name, before.kind, now.kind)
                yield Finding(verdict, why, NEW_COLUMN, lasting=True)
        if before.suffix and not now.suffix and self._connection.vendor == "postgresql" and now.default is None:
            yield Finding(INCOMPATIBLE, "{} loses its sequence, which gives running code its keys".format(name))
        elif before.suffix != now.suffix and self._connection.vendor != "postgresql":
            yield Finding(UNKNOWN, "the source of the values of {} changes".format(name))
        if before.collation != now.collation:
            yield Finding(UNKNOWN, "the collation of {} changes: what is equal, and in what order".format(name))
        if (before.generated is None) != (now.generated is None):
            who = (
                "the database no longer calculates"
                if now.generated is None
                else "the database, not running code, gives"
            )
            yield Finding(INCOMPATIBLE, "{} {}".format(who, name))
        elif before.generated is not None and repr(before.generated) != repr(now.generated):
            yield Finding(INCOMPATIBLE, "{} is calculated in another way".format(name))
        if before.null and not now.null:
            yield Finding(
                INCOMPATIBLE,
                "{} becomes NOT NULL, and running code may write NULL".format(name),
                "release code that writes no NULL first, and make it NOT NULL in the release after that",
                lasting=True,
            )
        # Where INSERT knows no DEFAULT, Django itself puts the value in, from the running code's model.
        keyword = getattr(self._connection.features, "supports_default_keyword_in_insert", True)
        if before.default is not None and keyword:
            if now.default is None:
                yield Finding(
                    INCOMPATIBLE,
                    "{} loses its default in the database, which running code relies on".format(name),
                    "release code that gives it a value first, and drop the default in the release after that",
                )
            elif repr(before.default) != repr(now.default):
                yield from self._meet_default(name, now)
        if now.primary != before.primary:
            yield Finding(UNKNOWN, "changes the primary key of {}".format(table.name))
            if before.primary and self._connection.features.allows_group_by_selected_pks:
                yield Finding(
                    INCOMPATIBLE,
                    "{} is no longer the primary key, by which alone running code groups rows".format(name),
                )
        if now.reference != before.reference:
            if before.reference and before.reference[2] not in ("", "NO ACTION"):
                why = "{}: the database no longer does on DELETE what running code leaves to it".format(name)
                yield Finding(INCOMPATIBLE, why, HEED_FIRST)
            elif now.reference and (before.reference is None or before.reference[:2] != now.reference[:2]):
                target = now.reference[0].replace("new ", "")
                why = "{} must refer to a row of {}, which running code doesn't heed".format(name, target)
                yield Finding(INCOMPATIBLE, why, HEED_FIRST, lasting=True)

    def _meet_new(self, name: str, column: Column, table: Table) -> Iterator[Finding]:
        """A column that running code leaves out."""
        if column.tolerated:
            return
        if not column.filled and not column.primary:
            yield _not_null(name)
        if column.generated is not None:
            yield from self._meet_generated(name, column, table)
        elif column.default is not None:
            yield from self._meet_default(name, column)
            if column.reference and not _is_null(column.default):
                yield Finding(UNKNOWN, "its default may refer to no row of {}".format(column.reference[0]))

    def _meet_default(self, name: str, column: Column) -> Iterator[Finding]:
        """A default that does not fit: the INSERT of running code that leaves it out fails."""
        from django.db.models import Value

        if not isinstance(column.default, Value) or self._connection.vendor != "postgresql":
            return
        value = column.default.value
        family, sizes = _family("postgresql", column.kind)
        too_long = family == "text" and sizes[0] and isinstance(value, str) and len(value) > int(sizes[0])
        number = isinstance(value, int) and not isinstance(value, bool)
        beyond = family == "integer" and number and not RANGES[column.kind][0] <= value <= RANGES[column.kind][1]
        if family == "decimal" and sizes[0] and isinstance(value, (int, float, decimal.Decimal)):
            beyond = abs(value) >= 10 ** (int(sizes[0]) - int(sizes[1] or 0))
        if too_long or beyond:
            why = "the default of {} does not fit the type {}".format(name, column.kind)
            yield Finding(INCOMPATIBLE, why, lasting=True)
        if value is None and not column.null:
            yield _not_null(name)

    def _meet_generated(self, name: str, column: Column, table: Table) -> Iterator[Finding]:
        """A column that the database calculates from what running code writes."""
        if self._connection.vendor != "postgresql":
            return
        found = shape(column.generated, self._shapes_of(table.name, column.field.model))
        what = "{}, which the database calculates,".format(name)
        if found.risk:
            yield _risk(what, found)
            return
        family, sizes = _family("postgresql", column.kind)
        if family == "text" and found.kind in ("text", "integer", "boolean"):
            longest = found.characters if found.kind == "text" else 20
            fits = not sizes[0] or (longest is not None and longest <= int(sizes[0]))
        elif family == "integer" and found.kind == "integer":
            fits = RANGES[column.kind][0] <= found.low and found.high <= RANGES[column.kind][1]
        elif family == "boolean" and found.kind == "boolean":
            fits = True
        else:
            known = self._of_kind(column.kind).kind == found.kind and found.kind in ("number", "other")
            if not known or family == "decimal":
                yield Finding(UNKNOWN, "{} may not fit its type {}".format(what, column.kind))
            return
        if not fits:
            why = "{} may not fit its type {}: the INSERT of running code fails".format(what, column.kind)
            yield Finding(
                INCOMPATIBLE, why, "give it a type that is as wide as what it is calculated from", lasting=True
            )

    def _meet_uniques(self, before: Table, now: Table) -> Iterator[Told]:
        def renamed(one: Unique) -> Unique:
            return one._replace(columns=frozenset(now.before(name) for name in one.columns))

        there = [(one, renamed(one)) for one in now.uniques]
        can_name = self._connection.features.supports_update_conflicts_with_target
        for one in before.uniques:
            if not one.is_target or not can_name:
                continue
            if not any(other.is_target and other.columns == one.columns for _now, other in there):
                if not one.columns.issubset({column.origin for column in now.columns.values()}):
                    continue  # It went with a column, which is told.
                names = ", ".join(sorted(one.columns))
                what = (
                    "drops the unique constraint {} of {} ({})".format(one.name, now.name, names)
                    if one.name
                    else "{} ({}) is no longer unique".format(now.name, names)
                )
                why = (
                    "{}: an upsert of running code, such as bulk_create() with update_conflicts and these"
                    " unique_fields, fails, as nothing matches its ON CONFLICT ({})".format(what, names)
                )
                yield Told(Finding(INCOMPATIBLE, why, "release code without such an upsert first"), now.name, names)
        known = {one.key for one in before.uniques}
        for one, as_before in there:
            if as_before.key in known:
                continue
            for finding in self._new_unique(before, now, one, as_before):
                yield Told(finding, now.name, ", ".join(sorted(one.columns)) or one.name)

    def _new_unique(self, before: Table, now: Table, one: Unique, as_before: Unique) -> Iterator[Finding]:
        """Rows of running code that are the same in what must be unique."""
        name = "{} ({})".format(now.name, ", ".join(sorted(one.columns)) or one.name)
        fields = [now.columns[column].field for column in sorted(one.columns) if column in now.columns]
        if len(fields) < len(one.columns):
            return
        fresh = [now.columns[column] for column in one.columns if now.columns[column].origin is None]
        left_null = any(column.null and column.default is None and column.generated is None for column in fresh)
        if any(column.fill is not None for column in fresh) and self._has_rows(now):
            why = "the rows that are there get the same value, and {} must be unique".format(name)
            yield Finding(INCOMPATIBLE, why, "add the column without a default first", lasting=True)
        if one.nulls_distinct and left_null:
            yield from self._unique_entry(now, one, fields, name)
            return
        implied = any(
            known.columns <= as_before.columns
            and known.columns
            and not (known.expressions or known.condition)
            and (
                one.nulls_distinct or not known.nulls_distinct or not any(before.columns[c].null for c in known.columns)
            )
            for known in before.uniques
        )
        if implied and not one.expressions:
            # NULLs that are the same in the rest, too, are no twins as long as the part that is unique has none.
            yield from self._unique_entry(now, one, fields, name)
            return
        verdict = INCOMPATIBLE
        if one.constraint is not None and one.constraint.condition is not None:
            found = self._outcomes(before, now, one.constraint.condition, one.model)
            if True not in found:
                yield Finding(COMPATIBLE, "{} must be unique in no row that running code writes".format(name))
                return
            names = _names(one.constraint.condition, one.model)
            if not all(self.knows(now.name, one.model._meta.get_field(each).column) for each in names):
                verdict = UNKNOWN
        if any(column.origin is None and column.default is RAW for column in fresh):
            verdict = UNKNOWN
        default_varies = [column for column in fresh if column.default is not None and not _constant(column.default)]
        if default_varies:
            verdict = UNKNOWN
        why = "{} must be unique, and running code may write what is there already".format(name)
        yield Finding(verdict, why, HEED_FIRST, lasting=True)

    def _has_rows(self, table: Table) -> bool:
        return self.catalogue is None or self.catalogue.has_rows(table.name)

    def _unique_entry(self, now: Table, one: Unique, fields: list[Any], name: str) -> Iterator[Finding]:
        if one.model is not None:
            yield from self._entry_findings(
                one.model, "the index for {}".format(name), fields, [], "btree", table=now.name
            )

    def _ranges(self, before: Table, now: Table) -> dict[str, Range]:
        """Return what values running code's rows may have in each column, by the names before the plan."""
        from django.db.models import Value

        ranges = {}
        for name, column in now.columns.items():
            if column.origin is not None:
                # Of a column whose type changes, what running code may write.
                kept = before.columns[column.origin]
                ranges[column.origin] = _range(kept.kind, kept.null)
            elif column.generated is not None:
                continue
            elif column.default is None:
                ranges["new " + name] = Range("", True, only=(None,) if column.fill is None else (None, column.fill))
            elif isinstance(column.default, Value):
                ranges["new " + name] = Range("", True, only=(column.default.value,))
        return ranges

    def _outcomes(self, before: Table, now: Table, query: Any, model: Any) -> set[bool | None]:
        """Return what a condition may be for rows that running code writes."""
        found = condition(query, model, lambda field: now.before(field.column))
        return truth(found, self._ranges(before, now))

    def _meet_checks(self, before: Table, now: Table) -> Iterator[Told]:
        known = {one.condition for one in before.checks}
        ranges = self._ranges(before, now)
        for one in now.checks:
            if one.condition in known or implies([each.condition for each in before.checks], one.condition, ranges):
                continue
            finding = self._new_check(now, one)
            if finding is not None:
                yield Told(finding, now.name, one.name)

    def _new_check(self, now: Table, one: Check) -> Finding | None:
        column = now.columns.get(one.column)
        left_out = column is not None and column.origin is None and column.null and column.default is None
        if left_out and column is not None and column.fill is None:
            return None  # Running code leaves it NULL, which meets them all.
        if one.query is not None:
            fields = [one.model._meta.get_field(name) for name in _names(one.query, one.model)]
            used = any(self.knows(now.name, field.column) for field in fields)
            columns = [now.columns[field.column] for field in fields if field.column in now.columns]
            calculated = any(column.generated is not None or column.fill is not None for column in columns)
            # Where running code leaves all of them to the database, the database can tell.
            if fields and not used and not calculated and self._meets(one.query, fields):
                return None
        what = "the check {} to {}".format(one.name, now.name)
        why = "adds {}, which may reject what running code writes".format(what)
        return Finding(INCOMPATIBLE, why, HEED_FIRST, lasting=True)

    def _meets(self, query: Any, fields: list[Any]) -> bool:
        """Ask the database whether a row without values for ``fields`` meets a condition on them."""
        from django.db.models import Q, Value

        values = {}
        for field in fields:
            default = _database_default(field)
            values[field.name] = Value(None, output_field=field) if default is None else default
        try:
            return bool(Q(query).check(values, using=self._connection.alias))
        except Exception:  # what the database can't calculate for these values, it rejects
            return False

    def _type_change(self, old: str, new: str) -> str:
        """Return the verdict on a change of type."""
        vendor = self._connection.vendor
        (family, before), (other, after) = (_family(vendor, kind) for kind in (old, new))
        if not family or not other:
            if vendor == "postgresql" and old.endswith("[]") and new.endswith("[]"):
                return self._type_change(old[:-2], new[:-2])
            return UNKNOWN
        if family != other:
            return INCOMPATIBLE
        if vendor == "sqlite":
            return COMPATIBLE  # It keeps sizes and ranges to itself.
        if family == "text":
            wider = after[0] is None or (before[0] is not None and int(after[0]) >= int(before[0]))
            return COMPATIBLE if wider else INCOMPATIBLE
        if family == "integer":
            return COMPATIBLE if _INTEGERS.index(new) > _INTEGERS.index(old) else INCOMPATIBLE
        if family == "decimal":
            if after[0] is None:
                return COMPATIBLE
            if before[0] is None:
                return INCOMPATIBLE
            (digits, places), (new_digits, new_places) = ([int(n) for n in sizes if n] for sizes in (before, after))
            wider = new_places >= places and new_digits - new_places >= digits - places
            return COMPATIBLE if wider else INCOMPATIBLE
        return UNKNOWN


class Recording:
    """What one migration does, by its operations' own account."""

    def __init__(self, connection: Any, judge: Judge, migration: Any) -> None:
        self._connection = connection
        self._judge = judge
        self._migration = migration
        self._editor = _editor_class(connection)(connection, collect_sql=True, atomic=False)
        self._editor.recording = self
        # What entering it as a context would do, save a transaction: a rule of a migration's own may refuse one.
        self._editor.deferred_sql = []
        self._atomic = is_transaction(migration, connection)
        self._depth = 0
        # Each operation's description and what was found.
        self._found: list[tuple[str, list[Finding]]] = []
        # By what running code would meet, and by what waits for the end: the number of the operation that it came with.
        self._first: dict[tuple[str, str, str], int] = {}
        self._deferred: dict[int, int] = {}
        self._operations: list[dict[str, Any]] = []

    @property
    def catalogue(self) -> Catalogue | None:
        """The schema as it is by then, None where there are no rules for the database."""
        return self._judge.catalogue

    @property
    def _findings(self) -> list[Finding]:
        """What was found of the operation that is being judged."""
        return self._found[-1][1]

    def forward(self, state: Any) -> Any:
        """Record the migration, from the state before it; return the one after it."""
        for operation in self._migration.operations:
            before = state.clone()
            operation.state_forwards(self._migration.app_label, state)
            self._operation(operation, before, state, backward=False)
        self._finish()
        return state

    def backward(self, state: Any) -> None:
        """Record the unapplication of the migration, from the state before it."""
        steps = []
        for operation in self._migration.operations:
            before, state = state, state.clone()
            operation.state_forwards(self._migration.app_label, state)
            steps.append((operation, before, state))
        for operation, before, after in reversed(steps):
            self._operation(operation, after, before, backward=True)
        self._finish()

    def answer(self) -> dict[str, Any]:
        """Return what has been recorded, see :func:`examine`."""
        return {
            "sql": list(self._editor.collected_sql),
            "verdict": worst([operation["verdict"] for operation in self._operations]),
            "reviewed": None,
            "operations": self._operations,
        }

    def call(self, name: str, method: Callable[..., Any], arguments: tuple[Any, ...], options: dict[str, Any]) -> Any:
        """Judge a call of the editor's method, unless it comes from another of them, and let it collect its SQL."""
        if self._depth:
            return self._collect(name, method, arguments, options)
        self._findings.extend(getattr(self._judge, name)(*arguments, **options))
        self._depth += 1
        try:
            return self._collect(name, method, arguments, options)
        except Exception as error:
            self._say_why(error)
            table = getattr(getattr(arguments[0], "_meta", None), "db_table", None) if arguments else None
            if table is None or self._judge.is_used(table):
                self._findings.append(_doubt("its SQL", error))
            return None
        finally:
            self._depth -= 1
            self._meet()

    def _collect(
        self, name: str, method: Callable[..., Any], arguments: tuple[Any, ...], options: dict[str, Any]
    ) -> Any:
        known = len(self._editor.collected_sql)
        result = method(*arguments, **options)
        if name == "execute":
            for text in self._editor.collected_sql[known:]:
                self._findings.extend(self._judge.statement(text))
        return result

    def _say_why(self, error: Exception) -> None:
        # It looked for something in the database that a migration before this one makes.
        self._editor.collected_sql.append("-- Not known before the migrations before it have run: {}".format(error))

    def _meet(self) -> None:
        """Tell what running code meets: at once, or when it is there at the end of the transaction."""
        for told in self._judge.meet():
            self._first.setdefault(told.key, len(self._found) - 1)
            if told.finding.lasting:
                self._findings.append(told.finding)
        if not self._atomic:
            self._commit()

    def _commit(self) -> None:
        for told in self._judge.commit():
            self._found[self._first.get(told.key, len(self._found) - 1)][1].append(told.finding)

    def _operation(self, operation: Any, before: Any, after: Any, backward: bool) -> None:
        comments = ["--", "-- {}{}".format("Undo " if backward else "", operation.describe()), "--"]
        self._editor.collected_sql.extend(comments)
        known = len(self._editor.collected_sql)
        self._found.append((operation.describe(), []))
        self._judge.begin(self._editor, self._atomic)
        self._run(operation, before, after, backward)
        self._findings.extend(self._of_content_type(operation, backward))
        for statement in self._editor.deferred_sql:
            self._deferred.setdefault(id(statement), len(self._found) - 1)
        if len(self._editor.collected_sql) == known:
            self._editor.collected_sql.append("-- (no-op)")

    def _of_content_type(self, operation: Any, backward: bool) -> list[Finding]:
        from django.db.migrations import RenameModel

        if not isinstance(operation, RenameModel):
            return []
        names = (operation.old_name, operation.new_name)
        return self._judge.rename_content_type(*(reversed(names) if backward else names))

    def _run(self, operation: Any, before: Any, after: Any, backward: bool) -> None:
        """Have the operation run against the editor, with the states before and after that in the direction of it."""
        from django.db.migrations.operations import SeparateDatabaseAndState

        label = self._migration.app_label
        if type(operation).database_forwards is SeparateDatabaseAndState.database_forwards:
            self._run_separate(operation, before, after, backward)
            return
        if not operation.reduces_to_sql:
            self._run_python(operation, backward)
            return
        kinds = {
            kind.__name__ for kind in type(operation).__mro__ if kind.__module__ == "django.contrib.postgres.operations"
        }
        harmless = kinds.intersection(_POSTGRES_OPERATIONS)
        mixins = {kind.__name__ for kind in type(operation).__mro__}
        if "NotInTransactionMixin" in mixins and self._atomic:
            why = "{} is not possible inside of a transaction".format(type(operation).__name__)
            self._findings.append(_refused(why, "", "set atomic = False on the migration"))
        whole = False
        if harmless and not backward:
            whole = True
            self._findings.extend([Finding(COMPATIBLE, _POSTGRES_OPERATIONS[kind]) for kind in sorted(harmless)])
        elif "AddConstraintNotValid" in kinds and not backward:
            model = after.apps.get_model(label, operation.model_name)
            if operation.allow_migrate_model(self._connection.alias, model):
                whole = True
                self._findings.extend(self._judge.add_constraint(model, operation.constraint))
        if not type(operation).__module__.startswith("django."):
            kind = "{}.{}".format(type(operation).__module__, type(operation).__qualname__)
            self._findings.append(Finding(UNKNOWN, "{} is not Django's, and may do more than it tells".format(kind)))
            whole = False
        # What has been judged as a whole is only to be collected.
        self._depth += whole
        try:
            move = operation.database_backwards if backward else operation.database_forwards
            move(label, self._editor, before, after)
        except Exception as error:
            self._say_why(error)
            self._findings.append(_doubt("what it does", error))
        finally:
            self._depth -= whole
            if whole:
                self._meet()

    def _run_separate(self, operation: Any, before: Any, after: Any, backward: bool) -> None:
        """The database's operations of SeparateDatabaseAndState, each with states of its own."""
        state = after if backward else before
        steps = []
        for part in operation.database_operations:
            start, state = state, state.clone()
            part.state_forwards(self._migration.app_label, state)
            steps.append((part, start, state))
        for part, start, end in reversed(steps) if backward else steps:
            self._run(part, *((end, start) if backward else (start, end)), backward=backward)

    def _run_python(self, operation: Any, backward: bool) -> None:
        from django.db import router
        from django.db.migrations import RunPython

        if isinstance(operation, RunPython):
            code = operation.reverse_code if backward else operation.code
            hints = operation.hints
            if code is RunPython.noop:
                return
            if not router.allow_migrate(self._connection.alias, self._migration.app_label, **hints):
                return
        self._editor.collected_sql.append("-- THIS OPERATION CANNOT BE WRITTEN AS SQL")
        self._findings.append(Finding(UNKNOWN, "runs Python code, which may do anything to data and schema"))

    def _finish(self) -> None:
        """Collect what the editor keeps for the end of the migration, with what it is about; sum up."""
        if self._found:
            self._judge.begin(self._editor, self._atomic)
            self._depth += 1
            for statement in self._editor.deferred_sql:
                self._found.append(self._found[self._deferred.get(id(statement), len(self._found) - 1)])
                self._editor.execute(statement, None)
                self._found.pop()
            self._depth -= 1
            self._commit()
            self._judge.end()
        for description, findings in self._found:
            if findings and self._connection.vendor not in _FAMILIES:
                findings = [Finding(UNKNOWN, "there are no rules for {}".format(self._connection.display_name))]
            if not findings:
                findings = [Finding(COMPATIBLE, "changes nothing in the database that running code relies on")]
            verdict = worst([finding.verdict for finding in findings])
            if verdict != COMPATIBLE:
                findings = [finding for finding in findings if finding.verdict != COMPATIBLE]
            findings.sort(key=lambda finding: -VERDICTS.index(finding.verdict))
            # Two fields of one operation may give the same reason.
            reasons = list(dict.fromkeys(finding.reason for finding in findings))
            instead = list(dict.fromkeys(finding.instead for finding in findings if finding.instead))
            self._operations.append(
                {"operation": description, "verdict": verdict, "reasons": reasons, "instead": instead}
            )


def _editor_class(connection: Any) -> Any:
    """Return a class like the database's own schema editor that tells its recording what is called."""

    class Editor(connection.SchemaEditorClass):  # type: ignore[misc]  # made at run time
        recording: Recording

        def _constraint_names(
            self,
            model: Any,
            column_names: Any = None,
            unique: Any = None,
            primary_key: Any = None,
            index: Any = None,
            foreign_key: Any = None,
            check: Any = None,
            type_: Any = None,
            exclude: Any = None,
        ) -> list[str]:
            """As Django's own, of the schema that the plan has made by then."""
            catalogue = self.recording.catalogue
            if catalogue is None:
                found = super()._constraint_names(
                    model, column_names, unique, primary_key, index, foreign_key, check, type_, exclude
                )
                return list(found)
            wanted = {"unique": unique, "primary_key": primary_key, "index": index, "check": check, "type": type_}
            return [
                name
                for name, details in catalogue.names(model._meta.db_table)
                if (column_names is None or list(column_names) == details["columns"])
                and all(value is None or details[key] == value for key, value in wanted.items())
                and (foreign_key is None or details["foreign_key"])
                and name not in (exclude or ())
            ]

    def told(name: str) -> Callable[..., Any]:
        def method(self: Any, *arguments: Any, **options: Any) -> Any:
            return self.recording.call(name, getattr(super(Editor, self), name), arguments, options)

        return method

    for name in _EDITOR_METHODS:
        # Django 5.1 has dropped alter_index_together, and not every database's editor has all.
        if hasattr(connection.SchemaEditorClass, name):
            setattr(Editor, name, told(name))
    return Editor


def is_transaction(migration: Any, connection: Any) -> bool:
    """Tell whether the database undoes all that a migration did when it fails, and shows nothing of it until then."""
    return bool(migration.atomic and connection.features.can_rollback_ddl)


def _new_table(table: str) -> Finding:
    return Finding(COMPATIBLE, "no running code uses {}, which is new as well".format(table))


def _family(vendor: str, kind: str) -> tuple[str, tuple[str | None, ...]]:
    """Return the family of a column type and the sizes in it."""
    for name, pattern in _FAMILIES.get(vendor, {}).items():
        match = re.fullmatch(pattern, kind, re.IGNORECASE)
        if match:
            return name, match.groups()
    return "", ()


def _database_default(field: Any) -> Any:
    """Return the expression of ``db_default`` (Django 5.0), None without one."""
    from django.db.models import Value
    from django.db.models.fields import NOT_PROVIDED

    default = getattr(field, "db_default", NOT_PROVIDED)
    if default is NOT_PROVIDED:
        return None
    return default if hasattr(default, "resolve_expression") else Value(default, output_field=field)


def _constant(default: Any) -> bool:
    """Tell whether a default is one for all rows of a statement, so that PostgreSQL needn't write the table anew."""
    from django.db.models import Value
    from django.db.models.functions import Now

    return isinstance(default, (Value, Now))


def _is_null(default: Any) -> bool:
    """Tell whether a default is none: NULL."""
    from django.db.models import Value

    return isinstance(default, Value) and default.value is None


def _content_types(state: Any) -> list[str]:
    """Return the foreign keys to content types that generic relations may have; permissions are told by names."""
    return sorted(
        "{}.{}".format(model._meta.label, field.name)
        for model in state.apps.get_models()
        for field in model._meta.local_fields
        if field.remote_field
        and getattr(field.remote_field.model, "_meta", None) is not None
        and field.remote_field.model._meta.label_lower == "contenttypes.contenttype"
        and model._meta.label_lower != "auth.permission"
    )


def _range(kind: str, null: bool) -> Range:
    """Return the values that a column of a type may have."""
    family, _sizes = _family("postgresql", kind)
    if family == "integer" and kind in RANGES:
        return Range("integer", null, *RANGES[kind])
    kinds = {"integer": "integer", "decimal": "number", "float": "number", "date": "moment", "timestamp": "moment"}
    return Range(kinds.get(family, family if family in ("text", "boolean") else ""), null)


def _short(text: str) -> str:
    """Return a statement as it fits in a sentence."""
    text = " ".join(text.split()).rstrip(";")
    return text if len(text) <= _LONGEST_STATEMENT else text[: _LONGEST_STATEMENT - 4] + " ..."


def _refused(why: str, text: str, instead: str) -> Finding:
    return Finding(
        INCOMPATIBLE, "can't be applied: {}{}".format(why, " ({})".format(_short(text)) if text else ""), instead
    )


def _not_null(name: str) -> Finding:
    return Finding(
        INCOMPATIBLE,
        "{} is NOT NULL without a default in the database (Django drops the one that it fills the rows with): an INSERT"
        " of running code, which does not know it, fails".format(name),
        "give it db_default (Django 5.0), or null=True and make it NOT NULL in the release after that",
    )


def _unused(table: str, column: str, verb: str = "changes") -> Finding:
    return Finding(COMPATIBLE, "{} the column {}.{}, which no running code uses".format(verb, table, column))


def _risk(what: str, found: Shape) -> Finding:
    if found.fails:
        why = "{} rejects what running code may write: {}".format(what, found.risk)
        return Finding(INCOMPATIBLE, why, lasting=True)
    why = "an expression of {} may fail for what running code writes: {}".format(what, found.risk)
    return Finding(UNKNOWN, why, lasting=True)


def _doubt(what: str, error: Exception) -> Finding:
    """Return what an error of Django's means for the judgement: some it will raise again when the plan is applied."""
    if "Modifying GeneratedFields" in str(error) or str(error).startswith("Cannot alter field"):
        return _refused(str(error), "", "drop the column and add another one")
    return Finding(UNKNOWN, "Django can't tell {} yet: {}".format(what, error))


def _names(condition: Any, model: Any) -> list[str]:
    """Return the names of the model's fields in a condition."""
    from django.db.models import F, Q

    if isinstance(condition, Q):
        children = list(condition.children)
    else:
        children = condition.get_source_expressions() if hasattr(condition, "get_source_expressions") else []
    found: list[str] = []
    for child in children:
        if isinstance(child, tuple):
            found.append(child[0].split("__")[0])
            child = child[1]
        if isinstance(child, F):
            found.append(child.name.split("__")[0])
        elif child is not None:
            found += _names(child, model)
    own = {field.name: field.name for field in model._meta.local_fields}
    own.update((field.attname, field.name) for field in model._meta.local_fields)
    own["pk"] = model._meta.pk.name
    return [own[name] for name in dict.fromkeys(found) if name in own]
