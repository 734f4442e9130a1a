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
import re
from typing import AbstractSet, Any, Callable, Iterator, NamedTuple

from ansible_collections.edusphere.django.plugins.module_utils.probe.core import RefusedError

COMPATIBLE = "compatible"
UNKNOWN = "unknown"
INCOMPATIBLE = "incompatible"
# From good to bad: the verdict on several things is the worst of them.
VERDICTS = (COMPATIBLE, UNKNOWN, INCOMPATIBLE)
# The attribute by which a migration says that somebody has reviewed it, and what it looks like.
DECLARATION = "deployment_safety"
_DECLARATION = re.compile(r"(compatible|incompatible)\s*:\s*(\S.*)", re.DOTALL)
# Rows on a page of PostgreSQL's, for tables without statistics: a guess that is on the safe side.
_ROWS_PER_PAGE = 100
# Expressions that succeed for every row; others, such as a cast or a division, may reject what running code writes.
_TOTAL = {
    "F", "Col", "Value", "OrderBy", "Collate", "IndexExpression", "ExpressionList", "ExpressionWrapper",
    "Lower", "Upper", "Length", "Trim", "LTrim", "RTrim", "Coalesce",
}  # fmt: skip
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
    # What may take it back before anybody sees it: a table, and columns of it that are unique again by the end of a
    # migration which is one transaction.
    unless_unique: tuple[str, frozenset[str]] | None = None


def worst(verdicts: list[str]) -> str:
    """Return the worst of some verdicts, ``compatible`` when there are none."""
    return max(verdicts, key=VERDICTS.index, default=COMPATIBLE)


def examine(connection: Any, executor: Any, plan: list[Any], large: int) -> dict[tuple[str, str], dict[str, Any]]:
    """Return what the migrations of ``plan`` do, by their app's label and their name.

    Each is ``{"sql": [statement], "verdict": ..., "reviewed": reason or None, "operations": [{"operation":
    description, "verdict": ..., "reasons": [...]}]}``. ``plan`` is one of Django's, of one direction; ``large`` is the
    number of rows from which on a table is too large to be locked while all of it is read or written.

    Raises RefusedError when a migration declares something that can't be understood.
    """
    reviews = {migration: declaration(migration) for migration, _backward in plan}
    running = executor._create_project_state(with_applied_migrations=True)
    judge = Judge(connection, Schema(running), large)
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


class Schema:
    """The tables and columns that running code uses, under the names that they have by then in the plan."""

    def __init__(self, state: Any) -> None:
        self._columns: dict[str, set[str]] = {}
        # The groups of columns that ON CONFLICT can name: what is unique in all rows, and checked at once.
        self._unique: dict[str, list[frozenset[str]]] = {}
        # The name that a table has now, by the one that it has by then.
        self._origins: dict[str, str] = {}
        for model in state.apps.get_models(include_auto_created=True):
            options = model._meta
            if options.proxy or options.swapped:
                continue
            self._columns.setdefault(options.db_table, set()).update(f.column for f in options.local_concrete_fields)
            names = [[field.name] for field in options.local_concrete_fields if field.unique]
            names.extend(options.unique_together)
            names.extend(constraint.fields for constraint in options.constraints if is_target(constraint))
            self._unique.setdefault(options.db_table, []).extend(
                frozenset(options.get_field(name).column for name in group) for group in names
            )
        # Those that there are by then, each as often as there are indexes for it.
        self._there = {table: list(groups) for table, groups in self._unique.items()}

    def knows(self, table: str, column: str | None = None) -> bool:
        """Tell whether running code uses the table, or this column of it."""
        return table in self._columns and (column is None or column in self._columns[table])

    def origin(self, table: str) -> str:
        """Return the name that the table has now."""
        return self._origins.get(table, table)

    def unique(self, table: str, columns: AbstractSet[str]) -> bool:
        """Tell whether running code's rows are unique in these columns anyway."""
        return any(group <= columns for group in self._unique.get(table, []))

    def add_unique(self, table: str, columns: frozenset[str]) -> None:
        """Take note of an index that makes these columns unique."""
        self._there.setdefault(table, []).append(columns)

    def remove_unique(self, table: str, columns: frozenset[str]) -> None:
        """Take note that it is gone."""
        if columns in self._there.get(table, []):
            self._there[table].remove(columns)

    def lacks(self, table: str, columns: frozenset[str]) -> bool:
        """Tell whether running code may name these columns to ON CONFLICT, and no index is left for them."""
        return columns in self._unique.get(table, []) and columns not in self._there[table]

    def rename_table(self, old: str, new: str) -> None:
        """Follow a table to its new name."""
        self._origins[new] = self.origin(old)
        if old in self._columns:
            self._columns[new] = self._columns.pop(old)
            for groups in (self._unique, self._there):
                groups[new] = groups.pop(old)

    def rename_column(self, table: str, old: str, new: str) -> None:
        """Follow a column to its new name."""
        if self.knows(table, old):
            self._columns[table] = self._columns[table] - {old} | {new}
            for groups in (self._unique, self._there):
                groups[table] = [
                    frozenset(new if column == old else column for column in group) for group in groups[table]
                ]


class Judge:
    """The rules: a method for each method of Django's schema editor, with its arguments, that returns findings."""

    def __init__(self, connection: Any, schema: Schema, large: int) -> None:
        self._connection = connection
        self._schema = schema
        self._large = large
        self._estimates: dict[str, int] = {}
        # The editor that collects the SQL of the migration which is being judged.
        self.editor: Any = None

    def create_model(self, model: Any) -> list[Finding]:
        """A new table is nothing to code that doesn't know it."""
        findings = [
            Finding(COMPATIBLE, "creates the table {}, which no running code uses".format(model._meta.db_table))
        ]
        for field in model._meta.local_fields:
            target = self._reference(field)
            if target and self._schema.knows(target[0]):
                findings.append(self._referenced(target[0]))
        return findings

    def delete_model(self, model: Any) -> list[Finding]:
        """Dropping a table is what running code can't bear."""
        return [
            self._finding_on_table(table, "drops the table {}".format(table))
            for table in [model._meta.db_table, *(self._through(field) for field in model._meta.local_many_to_many)]
            if table
        ]

    def alter_db_table(self, _model: Any, old_db_table: str, new_db_table: str) -> list[Finding]:
        """The same for renaming it."""
        same = old_db_table == new_db_table
        if same or (self._connection.features.ignores_table_name_case and old_db_table.lower() == new_db_table.lower()):
            return []
        finding = self._finding_on_table(old_db_table, "renames the table {} to {}".format(old_db_table, new_db_table))
        self._schema.rename_table(old_db_table, new_db_table)
        return [finding]

    def add_field(self, model: Any, field: Any) -> list[Finding]:
        """Running code doesn't give a new column a value: it must do without, or the database must have one."""
        table = model._meta.db_table
        if field.many_to_many:
            through = self._through(field)
            return self.create_model(field.remote_field.through) if through else []
        if field.db_parameters(connection=self._connection)["type"] is None:
            return []
        name = "{}.{}".format(table, field.column)
        if not self._schema.knows(table):
            return [_new_table(table)]
        findings = []
        target = self._reference(field)
        default = _database_default(field)
        if field.primary_key:
            findings.append(Finding(UNKNOWN, "adds {} as a primary key to a table that is in use".format(name)))
        elif getattr(field, "generated", False):
            findings.append(Finding(COMPATIBLE, "adds the column {}, which the database calculates".format(name)))
            if not _total(field.expression):
                findings.append(Finding(UNKNOWN, "its expression may fail for what running code writes"))
            if getattr(field, "db_persist", False):
                findings += self._locked(table, "the table is rewritten")
        elif default is not None:
            findings.append(Finding(COMPATIBLE, "adds the column {}, which has a default in the database".format(name)))
            if not _constant(default):
                findings += self._locked(table, "the table may be rewritten", UNKNOWN)
            if field.unique:
                findings.append(
                    Finding(
                        INCOMPATIBLE if _constant(default) else UNKNOWN,
                        "{} must be unique, and running code leaves it to the default".format(name),
                    )
                )
            if target:
                findings.append(Finding(UNKNOWN, "its default may refer to no row of {}".format(target[0])))
        elif field.null:
            findings.append(Finding(COMPATIBLE, "adds the column {}, which may be NULL".format(name)))
        else:
            findings.append(
                Finding(
                    INCOMPATIBLE,
                    "adds the column {}, which is NOT NULL without a default in the database (Django drops the one"
                    " that it fills the rows with): an INSERT of running code fails".format(name),
                )
            )
        if target and self._schema.knows(target[0]):
            findings.append(self._referenced(target[0]))
        if self.editor._field_indexes_sql(model, field) or field.unique:
            findings += self._locked(table, "an index on {} is built".format(name))
        return findings

    def remove_field(self, model: Any, field: Any) -> list[Finding]:
        """Django's SELECT names all columns, so one that is gone fails it."""
        table = model._meta.db_table
        if field.many_to_many:
            through = self._through(field)
            return [self._finding_on_table(through, "drops the table {}".format(through))] if through else []
        if field.db_parameters(connection=self._connection)["type"] is None:
            return []
        return [self._finding_on_column(table, field.column, "drops the column {}.{}".format(table, field.column))]

    def alter_field(self, model: Any, old_field: Any, new_field: Any, strict: bool = False) -> list[Finding]:
        """All that can change in a column."""
        if not self.editor._field_should_be_altered(old_field, new_field):
            return []
        if old_field.many_to_many or new_field.many_to_many:
            if self._through(old_field) and self._through(new_field):
                return self._alter_many_to_many(model, old_field, new_field, strict)
            return []
        table = model._meta.db_table
        if not self._schema.knows(table):
            return [_new_table(table)]
        findings = []
        known = self._schema.knows(table, old_field.column)
        if old_field.column != new_field.column:
            what = "renames the column {0}.{1} to {0}.{2}".format(table, old_field.column, new_field.column)
            findings.append(self._finding_on_column(table, old_field.column, what))
            self._schema.rename_column(table, old_field.column, new_field.column)
        findings += self._altered_values(table, old_field, new_field, known)
        findings += self._altered_constraints(table, old_field, new_field, known)
        # What reads and writes the column's values.
        if known:
            findings += self._altered_type(table, old_field, new_field)
        indexed = self.editor._field_should_be_indexed
        if indexed(model, new_field) and not indexed(model, old_field):
            findings += self._locked(table, "an index on {}.{} is built".format(table, new_field.column))
        return findings or [
            Finding(
                COMPATIBLE,
                "takes and gives what running code writes and reads in {}.{}".format(table, new_field.column),
            )
        ]

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
        new, old = ({tuple(group) for group in groups} for groups in (new_unique_together, old_unique_together))
        findings = []
        for group in sorted(new - old):
            findings += self._new_unique(model, [model._meta.get_field(name) for name in group])
        for group in sorted(old - new):
            findings += self._no_unique(model, [model._meta.get_field(name).column for name in group])
        return findings

    def alter_index_together(self, model: Any, old_index_together: Any, new_index_together: Any) -> list[Finding]:
        """New groups of columns with an index, before Django 5.1."""
        added = {tuple(group) for group in new_index_together} - {tuple(group) for group in old_index_together}
        return self._new_index(model, "an index", []) if added else []

    def add_index(self, model: Any, index: Any, concurrently: bool = False) -> list[Finding]:
        """An index takes no room in running code's statements, but its making locks the table."""
        what = "the index {}".format(index.name)
        return self._new_index(model, what, [*index.expressions, *filter(None, [index.condition])], concurrently)

    def add_constraint(self, model: Any, constraint: Any) -> list[Finding]:
        """Rows that running code may write, and that the database then rejects."""
        from django.db.models import CheckConstraint, UniqueConstraint

        table = model._meta.db_table
        if not self._schema.knows(table):
            return [_new_table(table)]
        if isinstance(constraint, CheckConstraint):
            return [self._new_check(model, constraint)]
        if isinstance(constraint, UniqueConstraint):
            fields = [model._meta.get_field(name) for name in constraint.fields]
            return self._new_unique(model, fields, constraint)
        return [
            Finding(
                INCOMPATIBLE,
                "adds the constraint {} to {}, which may reject what running code writes".format(
                    constraint.name, table
                ),
            )
        ]

    def remove_index(self, _model: Any, index: Any, concurrently: bool = False) -> list[Finding]:  # noqa: ARG002 - same
        """Statements need no index."""
        return [Finding(COMPATIBLE, "drops the index {}".format(index.name))]

    def rename_index(self, _model: Any, old_index: Any, new_index: Any) -> list[Finding]:
        """Nor its name."""
        return [Finding(COMPATIBLE, "renames the index {} to {}".format(old_index.name, new_index.name))]

    def remove_constraint(self, model: Any, constraint: Any) -> list[Finding]:
        """What was accepted still is, but a unique constraint is also what an upsert refers to."""
        findings = [Finding(COMPATIBLE, "drops the constraint {}".format(constraint.name))]
        if is_target(constraint):
            columns = [model._meta.get_field(name).column for name in constraint.fields]
            findings += self._no_unique(model, columns, constraint)
        return findings

    def alter_db_table_comment(self, model: Any, _old_comment: Any, _new_comment: Any) -> list[Finding]:
        """A comment is for people."""
        return [Finding(COMPATIBLE, "changes the comment of the table {}".format(model._meta.db_table))]

    def execute(self, sql: Any, params: Any = ()) -> list[Finding]:  # noqa: ARG002 - Django passes them by name
        """SQL that comes from none of the editor's own methods."""
        return [Finding(UNKNOWN, "runs SQL of its own, which may do anything")]

    def _altered_values(self, table: str, old_field: Any, new_field: Any, known: bool) -> list[Finding]:
        """NULL and the database's default."""
        name = "{}.{}".format(table, new_field.column)
        default, before = _database_default(new_field), _database_default(old_field)
        findings = []
        if not known:
            if not new_field.null and default is None and (old_field.null or before is not None):
                findings.append(
                    Finding(
                        INCOMPATIBLE,
                        "{} becomes NOT NULL without a default in the database, and running code gives it no"
                        " value".format(name),
                    )
                )
            elif old_field.null and not new_field.null:
                findings += self._locked(table, "its rows are checked for NULL")
            return findings
        if old_field.null and not new_field.null:
            findings.append(Finding(INCOMPATIBLE, "{} becomes NOT NULL, and running code may write NULL".format(name)))
        # Where INSERT knows no DEFAULT, Django itself puts the value in, from the running code's model.
        keyword = getattr(self._connection.features, "supports_default_keyword_in_insert", True)
        if before is not None and default is None and keyword:
            findings.append(
                Finding(INCOMPATIBLE, "{} loses its default in the database, which running code relies on".format(name))
            )
        return findings

    def _altered_constraints(self, table: str, old_field: Any, new_field: Any, known: bool) -> list[Finding]:
        """What a row must meet because of one of its columns."""
        name = "{}.{}".format(table, new_field.column)
        if not known and new_field.null and _database_default(new_field) is None:
            return []  # Running code leaves it NULL, which meets them all.
        doubt = INCOMPATIBLE if known else UNKNOWN
        findings = []
        target, before = self._reference(new_field), self._reference(old_field)
        if target and target != before:
            findings.append(
                Finding(doubt, "{} must refer to a row of {}, which running code doesn't heed".format(name, target[0]))
            )
        check, former = (field.db_parameters(connection=self._connection)["check"] for field in (new_field, old_field))
        if check and check != former and old_field.column == new_field.column:
            findings.append(Finding(doubt, "adds the check {} to {}".format(check, table)))
        if new_field.primary_key != old_field.primary_key:
            findings.append(Finding(UNKNOWN, "changes the primary key of {}".format(table)))
            if known and old_field.primary_key and self._connection.features.allows_group_by_selected_pks:
                findings.append(
                    Finding(
                        INCOMPATIBLE,
                        "{} is no longer the primary key, by which alone running code groups rows".format(name),
                    )
                )
        elif new_field.unique and not old_field.unique and not self._schema.unique(table, {new_field.column}):
            findings.append(
                Finding(doubt, "{} must be unique, and running code may write what is there already".format(name))
            )
        if new_field.unique and not old_field.unique:
            self._schema.add_unique(table, frozenset([new_field.column]))
        elif old_field.unique and not new_field.unique:
            findings += self._no_unique(new_field.model, [new_field.column])
        return findings

    def _altered_type(self, table: str, old_field: Any, new_field: Any) -> list[Finding]:
        """What is kept of a value, and what becomes of it in Python."""
        name = "{}.{}".format(table, new_field.column)
        old, new = (field.db_parameters(connection=self._connection) for field in (old_field, new_field))
        findings = []
        if old["type"] != new["type"]:
            verdict, rewritten = self._type_change(old["type"], new["type"])
            if verdict != COMPATIBLE:
                findings.append(
                    Finding(verdict, "the type of {} changes from {} to {}".format(name, old["type"], new["type"]))
                )
            elif rewritten:
                tables = {table}
                if new_field.unique:
                    # Columns that refer to this one change with it.
                    related = new_field.model._meta.get_fields(include_hidden=True)
                    tables.update(f.related_model._meta.db_table for f in related if f.auto_created and not f.concrete)
                for rewriting in sorted(tables):
                    findings += self._locked(rewriting, "the table is rewritten for the new type of {}".format(name))
        suffix, former = (field.db_type_suffix(connection=self._connection) for field in (new_field, old_field))
        if former and not suffix and self._connection.vendor == "postgresql":
            findings.append(
                Finding(INCOMPATIBLE, "{} loses its sequence, which gives running code its keys".format(name))
            )
        elif former != suffix:
            findings.append(Finding(UNKNOWN, "the source of the values of {} changes".format(name)))
        if old.get("collation") != new.get("collation"):
            findings.append(
                Finding(UNKNOWN, "the collation of {} changes: what is equal, and in what order".format(name))
            )
        return findings

    def _type_change(self, old: str, new: str) -> tuple[str, bool]:
        """Return the verdict on a change of type, and whether it writes the table anew."""
        vendor = self._connection.vendor
        (family, before), (other, after) = (_family(vendor, kind) for kind in (old, new))
        if not family or not other:
            return UNKNOWN, True
        if family != other:
            return INCOMPATIBLE, True
        if vendor == "sqlite":
            return COMPATIBLE, False  # It keeps sizes and ranges to itself.
        if family == "text":
            wider = after[0] is None or (before[0] is not None and int(after[0]) >= int(before[0]))
            return (COMPATIBLE if wider else INCOMPATIBLE), False
        if family == "integer":
            return (COMPATIBLE if _INTEGERS.index(new) > _INTEGERS.index(old) else INCOMPATIBLE), True
        if family == "decimal":
            if after[0] is None:
                return COMPATIBLE, False
            if before[0] is None:
                return INCOMPATIBLE, True
            (digits, places), (new_digits, new_places) = ([int(n) for n in sizes if n] for sizes in (before, after))
            wider = new_places >= places and new_digits - new_places >= digits - places
            return (COMPATIBLE if wider else INCOMPATIBLE), new_places != places
        return UNKNOWN, True

    def _new_check(self, model: Any, constraint: Any) -> Finding:
        table = model._meta.db_table
        # Django 5.1 has renamed it.
        condition = getattr(constraint, "condition", None) or constraint.check
        fields = [model._meta.get_field(name) for name in _names(condition, model)]
        used = any(self._schema.knows(table, field.column) for field in fields)
        # Where running code leaves all of them to the database, the database can tell.
        if fields and not used and self._meets(condition, fields):
            return Finding(COMPATIBLE, "the rows that running code writes meet the check {}".format(constraint.name))
        return Finding(
            INCOMPATIBLE,
            "adds the check {} to {}, which may reject what running code writes".format(constraint.name, table),
        )

    def _meets(self, condition: Any, fields: list[Any]) -> bool:
        """Ask the database whether a row without values for ``fields`` meets a condition on them."""
        from django.db.models import Q, Value

        values = {}
        for field in fields:
            default = _database_default(field)
            values[field.name] = Value(None, output_field=field) if default is None else default
        return bool(Q(condition).check(values, using=self._connection.alias))

    def _new_unique(self, model: Any, fields: list[Any], constraint: Any = None) -> list[Finding]:
        table = model._meta.db_table
        if not self._schema.knows(table):
            return [_new_table(table)]
        columns = frozenset(field.column for field in fields)
        if constraint is None or is_target(constraint):
            self._schema.add_unique(table, columns)
        name = "{} ({})".format(table, ", ".join(field.column for field in fields) or constraint.name)
        fresh = [field for field in fields if not self._schema.knows(table, field.column)]
        distinct = getattr(constraint, "nulls_distinct", None) is not False
        condition = getattr(constraint, "condition", None)
        if distinct and any(field.null and _database_default(field) is None for field in fresh):
            findings = [
                Finding(COMPATIBLE, "{} must be unique, but running code leaves a part of it NULL".format(name))
            ]
        elif fields and self._schema.unique(table, columns):
            findings = [Finding(COMPATIBLE, "{} is unique already in what running code writes".format(name))]
        elif condition and not all(
            self._schema.knows(table, model._meta.get_field(n).column) for n in _names(condition, model)
        ):
            findings = [Finding(UNKNOWN, "{} must be unique where columns that are new say so".format(name))]
        else:
            return [
                Finding(
                    INCOMPATIBLE, "{} must be unique, and running code may write what is there already".format(name)
                )
            ]
        return findings + self._locked(table, "the index for {} is built".format(name))

    def _no_unique(self, model: Any, columns: list[str], constraint: Any = None) -> list[Finding]:
        """What running code can't name to ON CONFLICT any more: the database then refuses the whole INSERT."""
        table, group = model._meta.db_table, frozenset(columns)
        self._schema.remove_unique(table, group)
        if not self._connection.features.supports_update_conflicts_with_target or not self._schema.lacks(table, group):
            return []
        names = ", ".join(columns)
        what = (
            "drops the unique constraint {} of {} ({})".format(constraint.name, table, names)
            if constraint
            else "{} ({}) is no longer unique".format(table, names)
        )
        why = (
            "{}: an upsert of running code, such as bulk_create() with update_conflicts and these unique_fields, fails,"
            " as nothing matches its ON CONFLICT ({})".format(what, names)
        )
        return [Finding(INCOMPATIBLE, why, (table, group))]

    def _new_index(self, model: Any, what: str, expressions: list[Any], concurrently: bool = False) -> list[Finding]:
        table = model._meta.db_table
        if not self._schema.knows(table):
            return [_new_table(table)]
        findings = []
        if not all(_total(expression) for expression in expressions):
            findings.append(Finding(UNKNOWN, "an expression of {} may fail for what running code writes".format(what)))
        if concurrently:
            return [*findings, Finding(COMPATIBLE, "{} on {} is built while others read and write".format(what, table))]
        locked = self._locked(table, "{} is built".format(what))
        return findings + (locked or [Finding(COMPATIBLE, "builds {} on {}{}".format(what, table, self._size(table)))])

    def _finding_on_table(self, table: str, what: str) -> Finding:
        if self._schema.knows(table):
            return Finding(INCOMPATIBLE, "{}, which running code uses".format(what))
        return Finding(COMPATIBLE, "{}, which no running code uses".format(what))

    def _finding_on_column(self, table: str, column: str, what: str) -> Finding:
        if self._schema.knows(table, column):
            return Finding(INCOMPATIBLE, "{}, which running code reads and writes".format(what))
        return Finding(COMPATIBLE, "{}, which no running code uses".format(what))

    def _reference(self, field: Any) -> tuple[str, str] | None:
        """Return the table and the column that a foreign key constraint of the field refers to."""
        if not self._connection.features.supports_foreign_keys:
            return None
        if not field.remote_field or not getattr(field, "db_constraint", False) or not field.concrete:
            return None
        target = field.target_field
        return self._schema.origin(target.model._meta.db_table), target.column

    def _referenced(self, table: str) -> Finding:
        return Finding(
            COMPATIBLE,
            "rows of {} can be deleted as long as no row of the new code refers to them".format(table),
        )

    def _through(self, field: Any) -> str | None:
        """Return the table that Django makes for a many-to-many field."""
        if not field.many_to_many or not field.remote_field.through._meta.auto_created:
            return None
        return str(field.remote_field.through._meta.db_table)

    def _locked(self, table: str, why: str, verdict: str = INCOMPATIBLE) -> list[Finding]:
        """Return a finding when the table is too large to be locked for as long as ``why`` takes.

        SQLite locks the whole database for every write, and knows no number of rows.
        """
        if self._connection.vendor != "postgresql" or self._rows(table) < self._large:
            return []
        return [
            Finding(
                verdict,
                "{} is locked while {}{}: statements of running code wait".format(table, why, self._size(table)),
            )
        ]

    def _size(self, table: str) -> str:
        if self._connection.vendor != "postgresql":
            return ""
        return " (about {:,} rows, large from {:,} on)".format(self._rows(table), self._large)

    def _rows(self, table: str) -> int:
        """Return PostgreSQL's estimate of the number of rows, 0 for a table that isn't there yet."""
        table = self._schema.origin(table)
        if table not in self._estimates:
            with self._connection.cursor() as cursor:
                # As the planner estimates: the rows per page that there were, on the pages that there are.
                cursor.execute(
                    "SELECT (CASE WHEN relpages > 0 THEN reltuples / relpages ELSE %s END"
                    " * pg_relation_size(oid) / current_setting('block_size')::int)::bigint"
                    " FROM pg_class WHERE oid = to_regclass(%s)",
                    [_ROWS_PER_PAGE, self._connection.ops.quote_name(table)],
                )
                row = cursor.fetchone()
            self._estimates[table] = row[0] if row else 0
        return self._estimates[table]


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
        self._findings: list[Finding] = []
        self._depth = 0
        # Each operation's description and what was found.
        self._found: list[tuple[str, list[Finding]]] = []
        self._operations: list[dict[str, Any]] = []

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
            return method(*arguments, **options)
        self._findings += getattr(self._judge, name)(*arguments, **options)
        self._depth += 1
        try:
            return method(*arguments, **options)
        except Exception as error:
            # It looked for something in the database that a migration before this one makes.
            self._editor.collected_sql.append("-- Not known before the migrations before it have run: {}".format(error))
            table = getattr(getattr(arguments[0], "_meta", None), "db_table", None) if arguments else None
            if table is None or self._judge._schema.knows(table):
                self._findings.append(Finding(UNKNOWN, "Django can't tell its SQL yet: {}".format(error)))
            return None
        finally:
            self._depth -= 1

    def _operation(self, operation: Any, before: Any, after: Any, backward: bool) -> None:
        comments = ["--", "-- {}{}".format("Undo " if backward else "", operation.describe()), "--"]
        self._editor.collected_sql.extend(comments)
        known = len(self._editor.collected_sql)
        self._findings = []
        self._judge.editor = self._editor
        self._run(operation, before, after, backward)
        if self._findings and self._connection.vendor not in _FAMILIES:
            self._findings = [Finding(UNKNOWN, "there are no rules for {}".format(self._connection.display_name))]
        if len(self._editor.collected_sql) == known:
            self._editor.collected_sql.append("-- (no-op)")
        self._found.append((operation.describe(), self._findings))

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
        judged = len(self._findings)
        if harmless and not backward:
            self._findings += [Finding(COMPATIBLE, _POSTGRES_OPERATIONS[kind]) for kind in sorted(harmless)]
        elif "AddConstraintNotValid" in kinds and not backward:
            model = after.apps.get_model(label, operation.model_name)
            if operation.allow_migrate_model(self._connection.alias, model):
                self._findings += self._judge.add_constraint(model, operation.constraint)
        if not type(operation).__module__.startswith("django."):
            kind = "{}.{}".format(type(operation).__module__, type(operation).__qualname__)
            self._findings.append(Finding(UNKNOWN, "{} is not Django's, and may do more than it tells".format(kind)))
            judged = len(self._findings)
        # What has been judged as a whole is only to be collected.
        whole = len(self._findings) > judged
        self._depth += whole
        try:
            move = operation.database_backwards if backward else operation.database_forwards
            move(label, self._editor, before, after)
        except Exception as error:
            self._editor.collected_sql.append("-- Not known before the migrations before it have run: {}".format(error))
            self._findings.append(Finding(UNKNOWN, "Django can't tell what it does yet: {}".format(error)))
        finally:
            self._depth -= whole

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
        """Collect what the editor keeps for the end of the migration, which was judged where it came from; sum up."""
        self._depth += 1
        for statement in self._editor.deferred_sql:
            self._editor.execute(statement, None)
        self._depth -= 1
        for description, findings in self._found:
            findings = [finding for finding in findings if not self._is_taken_back(finding)]
            if not findings:
                findings = [Finding(COMPATIBLE, "changes nothing in the database that running code relies on")]
            verdict = worst([finding.verdict for finding in findings])
            if verdict != COMPATIBLE:
                findings = [finding for finding in findings if finding.verdict != COMPATIBLE]
            findings.sort(key=lambda finding: -VERDICTS.index(finding.verdict))
            # Two fields of one operation may give the same reason.
            reasons = list(dict.fromkeys(finding.reason for finding in findings))
            self._operations.append({"operation": description, "verdict": verdict, "reasons": reasons})

    def _is_taken_back(self, finding: Finding) -> bool:
        """Tell whether nobody can see it, as it is undone in the same transaction."""
        return bool(
            finding.unless_unique
            and is_transaction(self._migration, self._connection)
            and not self._judge._schema.lacks(*finding.unless_unique)
        )


def _editor_class(connection: Any) -> Any:
    """Return a class like the database's own schema editor that tells its recording what is called."""

    class Editor(connection.SchemaEditorClass):  # type: ignore[misc]  # made at run time
        recording: Recording

    def told(name: str) -> Callable[..., Any]:
        def method(self: Any, *arguments: Any, **options: Any) -> Any:
            return self.recording.call(name, getattr(super(Editor, self), name), arguments, options)

        return method

    for name in _EDITOR_METHODS:
        # Django 5.1 has dropped alter_index_together, and not every database's editor has all.
        if hasattr(connection.SchemaEditorClass, name):
            setattr(Editor, name, told(name))
    return Editor


def is_target(constraint: Any) -> bool:
    """Tell whether a constraint is a unique one that ON CONFLICT can name by its columns."""
    from django.db.models import UniqueConstraint

    return bool(
        isinstance(constraint, UniqueConstraint)
        and constraint.fields
        and not constraint.condition
        and not constraint.deferrable
    )


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


def _total(expression: Any) -> bool:
    """Tell whether an expression succeeds for every row."""
    from django.db.models import Q

    if isinstance(expression, Q):
        return True
    return all(type(node).__name__ in _TOTAL for node in expression.flatten())


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
