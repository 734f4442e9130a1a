# Copyright: (c) 2026, EduSphere maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# mypy: allow-untyped-calls
"""Runs inside the project: the schema that PostgreSQL has, and what each statement of a plan would lock and work on.

:class:`Catalogue` is read from the server's own catalogues once. Each :class:`Action` of a statement then changes it,
as the statement would change the schema, and tells its :class:`Effect`. Nothing is changed in the database.

Sources: "Explicit Locking" and ALTER TABLE's notes in PostgreSQL's documentation; where they say nothing, what the
server does (src/backend/commands/tablecmds.c): which indexes and checks it makes anew for a change of type, and that a
column with a default that is no volatile one is added without writing the table.
"""

from __future__ import annotations

import re
from typing import Any, Iterable, NamedTuple

from ansible_collections.edusphere.django.plugins.module_utils.probe.statements import Action

# Rows on a page of PostgreSQL's, for tables without statistics: a guess that is on the safe side.
_ROWS_PER_PAGE = 100
# What a lock keeps others from: from everything, or from writing.
ALL, WRITES = "all", "writes"
_NAME = re.compile(r'"((?:[^"]|"")+)"|\b([a-z_][\w$]*)\b')
_IF = re.compile(r"\bIF (?:NOT )?EXISTS\b", re.IGNORECASE)
# What looks like a function in SQL, and is none.
_CALL = re.compile(r'(?:"([^"]+)"|([A-Za-z_]\w*))\s*\(')
_NO_FUNCTIONS = {
    "coalesce", "nullif", "greatest", "least", "cast", "case", "when", "then", "and", "or", "not", "in", "exists",
    "any",
    "values", "varchar", "numeric", "char", "check", "as", "on", "include", "where", "default", "using", "else", "end",
    "decimal", "character", "varying", "bit", "time", "timestamp", "interval", "with", "btree", "gin", "gist", "hash",
    "brin", "extract", "position", "substring", "trim", "overlay", "array", "row", "is",
}  # fmt: skip


class Index(NamedTuple):
    """An index; ``uses`` are all columns that it names, ``partial`` and ``expression`` say how."""

    table: str
    name: str
    columns: tuple[str, ...]
    unique: bool = False
    primary: bool = False
    method: str = "btree"
    uses: frozenset[str] = frozenset()
    # Whether it has a condition, or an expression: such an index is made anew with a column that it uses.
    computed: bool = False
    options: bool = False


class Constraint(NamedTuple):
    """A constraint; ``sort`` is that of :class:`Action`."""

    table: str
    name: str
    sort: str
    columns: tuple[str, ...] = ()
    target: str = ""
    valid: bool = True
    text: str = ""


class Effect(NamedTuple):
    """What an action does beside its change: what it locks, and how long that may take."""

    # The tables that it locks, with ALL or WRITES.
    locks: tuple[tuple[str, str], ...] = ()
    # Why all rows of a table are read or written, and which table that is; both are empty when none are.
    why: str = ""
    worked: str = ""
    # How to do it without that.
    instead: str = ""
    # Why the server refuses it.
    refused: str = ""


CONCURRENTLY = "build it with AddIndexConcurrently in a migration with atomic = False"
NOT_VALID = (
    "add it with AddConstraintNotValid, and validate it with ValidateConstraint in a migration of its own, which locks"
    " nothing"
)
NEW_COLUMN = (
    "add a new column, have the code write both, copy the rows in batches, and drop the old column in a later release"
)


class Catalogue:
    """The tables of a database, by the names that they have by then in the plan."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        # The type and the nullability of each column of each table.
        self.tables: dict[str, dict[str, tuple[str, bool]]] = {}
        self.constraints: dict[tuple[str, str], Constraint] = {}
        self.indexes: dict[str, Index] = {}
        # The names that tables had when all this was read; those that are new have none.
        self._origins: dict[str, str] = {}
        self._partitioned: set[str] = set()
        self._rows: dict[str, int] = {}
        self._volatility: dict[str, str] = {}
        # The columns that those which are calculated are calculated from, and those that views read.
        self._sources: dict[tuple[str, str], frozenset[str]] = {}
        self._viewed: set[tuple[str, str]] = set()
        # New columns that are NULL in rows that are there.
        self._empty: set[tuple[str, str]] = set()
        self._load()

    def _load(self) -> None:
        with self._connection.cursor() as cursor:
            cursor.execute(
                "SELECT c.relname, c.relkind::text, a.attname, format_type(a.atttypid, a.atttypmod), NOT a.attnotnull"
                " FROM pg_class c LEFT JOIN pg_attribute a"
                " ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"
                " WHERE c.relkind IN ('r', 'p') AND pg_table_is_visible(c.oid)"
                " AND c.relnamespace::regnamespace::text NOT IN ('pg_catalog', 'information_schema')"
            )
            for table, kind, column, sort, null in cursor.fetchall():
                columns = self.tables.setdefault(table, {})
                self._origins[table] = table
                if column is not None:
                    columns[column] = (plain_type(sort), null)
                if kind == "p":
                    self._partitioned.add(table)
            cursor.execute(
                "SELECT c.relname, n.conname, n.contype::text, t.relname, n.convalidated, pg_get_constraintdef(n.oid),"
                " array(SELECT a.attname::text FROM unnest(n.conkey) WITH ORDINALITY k(number, place)"
                " JOIN pg_attribute a ON a.attrelid = n.conrelid AND a.attnum = k.number ORDER BY k.place)"
                " FROM pg_constraint n JOIN pg_class c ON c.oid = n.conrelid"
                " LEFT JOIN pg_class t ON t.oid = n.confrelid"
                " WHERE n.conrelid <> 0 AND pg_table_is_visible(c.oid)"
                " AND c.relnamespace::regnamespace::text NOT IN ('pg_catalog', 'information_schema')"
            )
            sorts = {"p": "primary", "u": "unique", "c": "check", "f": "foreign", "x": "exclude"}
            for table, name, sort, target, valid, text, columns in cursor.fetchall():
                self.constraints[table, name] = Constraint(
                    table, name, sorts.get(sort, sort), tuple(columns), target or "", valid, text
                )
            cursor.execute(
                "SELECT c.relname, x.relname, i.indisunique, i.indisprimary, m.amname, x.reloptions IS NOT NULL,"
                " i.indpred IS NOT NULL OR i.indexprs IS NOT NULL, pg_get_indexdef(i.indexrelid),"
                " array(SELECT coalesce(a.attname::text, '') FROM unnest(i.indkey) WITH ORDINALITY k(number, place)"
                " LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number ORDER BY k.place)"
                " FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_class x ON x.oid = i.indexrelid"
                " JOIN pg_am m ON m.oid = x.relam WHERE pg_table_is_visible(c.oid)"
                " AND c.relnamespace::regnamespace::text NOT IN ('pg_catalog', 'information_schema', 'pg_toast')"
            )
            for table, name, unique, primary, method, options, computed, text, columns in cursor.fetchall():
                self.indexes[name] = Index(
                    *(table, name, tuple(columns), unique, primary, method),
                    uses=self._named(table, text) if computed else frozenset(columns),
                    computed=computed,
                    options=options,
                )

            cursor.execute(
                "SELECT c.relname, a.attname, pg_get_expr(d.adbin, d.adrelid)"
                " FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid"
                " JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum"
                " WHERE a.attgenerated <> '' AND pg_table_is_visible(c.oid)"
            )
            for table, column, text in cursor.fetchall():
                self._sources[table, column] = self._named(table, text)
            cursor.execute(
                "SELECT DISTINCT c.relname, a.attname FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid"
                " JOIN pg_class c ON c.oid = d.refobjid"
                " JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.refobjsubid"
                " WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass"
                " AND d.refobjsubid > 0 AND r.ev_class <> c.oid AND c.relkind IN ('r', 'p')"
                " AND pg_table_is_visible(c.oid)"
            )
            self._viewed.update(cursor.fetchall())

    def limited(self) -> dict[str, set[str]]:
        """Return the columns of each table of which an index holds all values, so that none can be too long for one."""
        found: dict[str, set[str]] = {}
        for index in self.indexes.values():
            if index.method == "btree" and not index.computed:
                found.setdefault(index.table, set()).update(index.columns)
        return found

    def rows(self, table: str) -> int:
        """Return PostgreSQL's estimate of the number of rows, 0 for a table that isn't there yet."""
        table = self._origins.get(table, "")
        if table and table not in self._rows:
            with self._connection.cursor() as cursor:
                # As the planner estimates: the rows per page that there were, on the pages that there are. The rows of
                # a partitioned table are those of its partitions.
                cursor.execute(
                    "SELECT coalesce(sum(CASE WHEN relpages > 0 THEN reltuples / relpages ELSE %s END"
                    " * pg_relation_size(oid) / current_setting('block_size')::int), 0)::bigint"
                    " FROM pg_class WHERE relkind = 'r' AND (oid = to_regclass(%s)"
                    " OR oid IN (SELECT relid FROM pg_partition_tree(to_regclass(%s))))",
                    [_ROWS_PER_PAGE, *[self._connection.ops.quote_name(table)] * 2],
                )
                self._rows[table] = cursor.fetchone()[0]
        return self._rows.get(table, 0)

    def has_rows(self, table: str) -> bool:
        """Tell whether a table that is there has a row."""
        table = self._origins.get(table, "")
        if not table:
            return False
        with self._connection.cursor() as cursor:
            query = "SELECT EXISTS (SELECT 1 FROM {})"
            cursor.execute(query.format(self._connection.ops.quote_name(table)))
            return bool(cursor.fetchone()[0])

    def volatility(self, text: str) -> str:
        """Return ``i``, ``s`` or ``v`` of SQL: immutable, stable or volatile, as its functions are; ``?`` in doubt."""
        without = re.sub(r"'(?:[^']|'')*'", "''", text)
        names = {(match[1] or match[2]).lower() for match in _CALL.finditer(without)} - _NO_FUNCTIONS
        words = set(re.findall(r"\b(?:current_\w+|localtime\w*|session_user)\b", without.lower()))
        found = ["s"] if words else ["i"]
        for name in sorted(names):
            if name not in self._volatility:
                with self._connection.cursor() as cursor:
                    query = "SELECT array_agg(DISTINCT provolatile::text) FROM pg_proc WHERE proname = %s"
                    cursor.execute(query, [name])
                    kinds = cursor.fetchone()[0] or ["?"]
                self._volatility[name] = kinds[0] if len(kinds) == 1 else "?" if "i" in kinds else max(kinds)
            found.append(self._volatility[name])
        return max(found, key="is?v".index)

    def names(self, table: str) -> list[tuple[str, dict[str, Any]]]:
        """Return the constraints and indexes of a table as far as Django's schema editor asks for them."""
        found = [
            (
                one.name,
                {
                    "columns": list(one.columns),
                    "primary_key": one.sort == "primary",
                    "unique": one.sort in ("primary", "unique"),
                    "foreign_key": one.sort == "foreign",
                    "check": one.sort == "check",
                    "index": False,
                    "type": None,
                },
            )
            for one in self.constraints.values()
            if one.table == table
        ]
        known = {name for name, _details in found}
        found += [
            (
                one.name,
                {
                    "columns": [name or None for name in one.columns] if any(one.columns) else [],
                    "primary_key": one.primary,
                    "unique": one.unique,
                    "foreign_key": None,
                    "check": False,
                    "index": True,
                    "type": "idx" if one.method == "btree" and not one.options else one.method,
                },
            )
            for one in self.indexes.values()
            if one.table == table and one.name not in known
        ]
        return found

    def constraint(self, table: str, name: str) -> Constraint | None:
        """Return a constraint by its name."""
        return self.constraints.get((table, name))

    def do(self, action: Action) -> Effect:
        """Change what an action changes; return what it locks and works on."""
        method = getattr(self, "_do_" + action.kind.replace(" ", "_"), None)
        effect: Effect = method(action) if method else Effect()
        return effect

    def _named(self, table: str, text: str) -> frozenset[str]:
        names = {(match[1] or match[2]).replace('""', '"') for match in _NAME.finditer(text)}
        return frozenset(names.intersection(self.tables.get(table, {})))

    def _column(self, table: str, name: str) -> tuple[str, bool] | None:
        return self.tables.get(table, {}).get(name)

    def _do_create_table(self, action: Action) -> Effect:
        if action.table in self.tables and not _IF.search(action.text):
            return Effect(refused="there is a table {} already".format(action.table))
        self.tables[action.table] = dict.fromkeys(action.columns, ("", True))
        self._origins.pop(action.table, None)
        return Effect()

    def _do_drop_table(self, action: Action) -> Effect:
        if action.table not in self.tables and not _IF.search(action.text):
            return Effect(refused="there is no table {}".format(action.table))
        self.tables.pop(action.table, None)
        targets = {one.target for one in self.constraints.values() if one.table == action.table and one.target}
        self.constraints = {key: one for key, one in self.constraints.items() if one.table != action.table}
        self.indexes = {key: one for key, one in self.indexes.items() if one.table != action.table}
        return Effect(_all([action.table, *sorted(targets)]))

    def _do_rename_table(self, action: Action) -> Effect:
        old, new = action.table, action.new
        self.tables[new] = self.tables.pop(old, {})
        if old in self._origins:
            self._origins[new] = self._origins.pop(old)
        if old in self._partitioned:
            self._partitioned.add(new)
        self.indexes = {key: one._replace(table=new) if one.table == old else one for key, one in self.indexes.items()}
        self._sources = {
            (new if table == old else table, name): sources for (table, name), sources in self._sources.items()
        }
        moved = {}
        for (table, name), one in self.constraints.items():
            one = one._replace(target=new) if one.target == old else one
            moved[new if table == old else table, name] = one._replace(table=new) if table == old else one
        self.constraints = moved
        return Effect(_all([new]))

    def _do_rename_column(self, action: Action) -> Effect:
        columns = self.tables.setdefault(action.table, {})
        if action.name in columns:
            columns[action.new] = columns.pop(action.name)
        if (action.table, action.name) in self._empty:
            self._empty.add((action.table, action.new))
        self._sources = {
            (table, action.new if (table, name) == (action.table, action.name) else name): (
                frozenset(action.new if source == action.name else source for source in sources)
                if table == action.table
                else sources
            )
            for (table, name), sources in self._sources.items()
        }

        def renamed(names: Iterable[str]) -> tuple[str, ...]:
            return tuple(action.new if name == action.name else name for name in names)

        for name, index in self.indexes.items():
            if index.table == action.table:
                self.indexes[name] = index._replace(columns=renamed(index.columns), uses=frozenset(renamed(index.uses)))
        for key, one in self.constraints.items():
            if one.table == action.table:
                self.constraints[key] = one._replace(columns=renamed(one.columns))
        return Effect(_all([action.table]))

    def _do_add_column(self, action: Action) -> Effect:
        table, flags = action.table, action.flags
        if action.name in self.tables.get(table, {}):
            refused = "" if _IF.search(action.text) else "there is a column {}.{} already".format(table, action.name)
            return Effect(refused=refused)
        self.tables.setdefault(table, {})[action.name] = (plain_type(action.sort), not action.not_null)
        locks = list(_all([table]))
        given = action.default is not None and action.default.upper() != "NULL"
        if not given and not flags.intersection(("identity", "generated")):
            if action.not_null and self.has_rows(table):
                why = "{} has rows, for which the new column {} is NOT NULL without a value".format(table, action.name)
                return Effect(tuple(locks), refused=why)
            self._empty.add((table, action.name))
        if "unique" in flags or "primary" in flags:
            name = "{}_{}_key".format(table, action.name)
            self.constraints[table, name] = Constraint(
                table, name, "primary" if "primary" in flags else "unique", (action.name,)
            )
        if action.target:
            match = re.search(r'CONSTRAINT ("(?:[^"]|"")+"|\w+) REFERENCES', action.text)
            name = match[1].strip('"') if match else "{}_{}_fkey".format(table, action.name)
            self.constraints[table, name] = Constraint(table, name, "foreign", (action.name,), action.target)
            locks.append((action.target, WRITES))
        if "generated" in flags:
            self._sources[table, action.name] = self._named(table, action.text) - {action.name}
        if "check" in flags:
            name = "{}_{}_check".format(table, action.name)
            self.constraints[table, name] = Constraint(table, name, "check", (action.name,), text=action.text)
        why = instead = ""
        two = "add the column without it first"
        if "identity" in flags or ("generated" in flags and "stored" in flags):
            why, instead = "the table is rewritten for the new column {}".format(action.name), NEW_COLUMN
        elif action.default is not None and self.volatility(action.default) in "v?":
            why, instead = "the table is rewritten for the default of the new column {}".format(action.name), two
        elif "unique" in flags or "primary" in flags:
            why = "an index on {}.{} is built for its uniqueness".format(table, action.name)
            instead = two + ", build a unique index concurrently, and make it a constraint"
        elif "check" in flags:
            why = "all rows are checked for the new column {}".format(action.name)
            instead = "add the column without a check, then " + NOT_VALID
        elif action.target and given:
            why, instead = "the foreign key of the new column {} is checked".format(action.name), two
        return Effect(tuple(locks), why, table if why else "", instead)

    def _do_drop_column(self, action: Action) -> Effect:
        if action.name not in self.tables.get(action.table, {}) and not _IF.search(action.text):
            return Effect(refused="there is no column {}.{}".format(action.table, action.name))
        self.tables.get(action.table, {}).pop(action.name, None)
        self._sources = {
            key: sources
            for key, sources in self._sources.items()
            if key != (action.table, action.name) and not (key[0] == action.table and action.name in sources)
        }
        targets = set()
        for key, one in list(self.constraints.items()):
            if one.table == action.table and action.name in one.columns:
                targets.add(one.target)
                del self.constraints[key]
        for name, index in list(self.indexes.items()):
            if index.table == action.table and action.name in {*index.columns, *index.uses}:
                del self.indexes[name]
        return Effect(_all([action.table, *sorted(filter(None, targets))]))

    def _do_alter_type(self, action: Action) -> Effect:
        table, new = action.table, plain_type(action.sort)
        old, null = self._column(table, action.name) or ("", True)
        self.tables.setdefault(table, {})[action.name] = (new, null)
        locks = _all([table])
        for (other, calculated), sources in self._sources.items():
            if other == table and action.name in sources:
                why = "PostgreSQL changes no type of {}.{}, from which {} is calculated".format(
                    table, action.name, calculated
                )
                return Effect(locks, refused=why, instead="drop what is calculated, and add it again afterwards")
        if (table, action.name) in self._viewed:
            why = "PostgreSQL changes no type of {}.{}, which a view reads".format(table, action.name)
            return Effect(locks, refused=why, instead="drop the view, and create it again afterwards")
        if rewrites(old, new):
            # The constraints that refer to it are checked again.
            others = [
                one
                for one in self.constraints.values()
                if one.sort == "foreign" and one.table == table and action.name in one.columns
            ]
            locks += tuple((one.target, WRITES) for one in others if one.target)
            why = "the table is rewritten for the new type of {}".format(action.name)
            return Effect(locks, why, table, NEW_COLUMN)
        for index in self.indexes.values():
            if index.table == table and index.computed and action.name in index.uses:
                why = "the index {} is built again for the new type of {}".format(index.name, action.name)
                return Effect(locks, why, table, "drop the index first, and build it again concurrently afterwards")
        for one in self.constraints.values():
            if one.table == table and one.sort == "check" and action.name in one.columns:
                why = "all rows are checked again by {} for the new type of {}".format(one.name, action.name)
                return Effect(locks, why, table, "drop the check first, and add it again NOT VALID afterwards")
        return Effect(locks)

    def _do_set_default(self, action: Action) -> Effect:
        return Effect(_all([action.table]))

    _do_drop_default = _do_add_identity = _do_drop_identity = _do_set_default

    def _do_set_not_null(self, action: Action) -> Effect:
        table = action.table
        sort, null = self._column(table, action.name) or ("", True)
        self.tables.setdefault(table, {})[action.name] = (sort, False)
        locks = _all([table])
        if not null:
            return Effect(locks)
        if (table, action.name) in self._empty and self.has_rows(table):
            refused = "{}.{} is NULL in the rows that are there, and becomes NOT NULL".format(table, action.name)
            return Effect(locks, refused=refused)
        proof = re.compile(r'CHECK \(\(?"?{}"? IS NOT NULL\)?\)'.format(re.escape(action.name)))
        if any(one.table == table and one.valid and proof.fullmatch(one.text) for one in self.constraints.values()):
            return Effect(locks)
        instead = "first add a check that it is not NULL with AddConstraintNotValid and ValidateConstraint, each in a"
        return Effect(
            locks, "its rows are checked for NULL in {}".format(action.name), table, instead + " migration of its own"
        )

    def _do_drop_not_null(self, action: Action) -> Effect:
        sort, _null = self._column(action.table, action.name) or ("", True)
        self.tables.setdefault(action.table, {})[action.name] = (sort, True)
        return Effect(_all([action.table]))

    def _do_add_constraint(self, action: Action) -> Effect:
        table, flags = action.table, action.flags
        columns = action.columns
        if action.sort == "check":
            columns = tuple(sorted(self._named(table, action.default or "")))
        valid = "not valid" not in flags
        text = "CHECK (({}))".format(action.default) if action.sort == "check" else action.text
        self.constraints[table, action.name] = Constraint(
            table, action.name, action.sort, columns, action.target, valid, text
        )
        if action.sort in ("unique", "primary", "exclude"):
            if "using index" in flags:
                self.indexes.pop(action.new, None)
                return Effect(_all([table]))
            self.indexes[action.name] = Index(
                table, action.name, columns, action.sort != "exclude", action.sort == "primary", uses=frozenset(columns)
            )
            why = "the index for {} ({}) is built".format(action.name, ", ".join(columns))
            return Effect(
                _all([table]), why, table, "build a unique index concurrently, and make it a constraint USING INDEX"
            )
        if action.sort == "foreign":
            locks = ((table, WRITES), (action.target, WRITES))
            if not valid:
                return Effect(locks)
            way = "add it NOT VALID with RunSQL, and validate it in a migration of its own, which locks nothing"
            return Effect(locks, "the foreign key {} is checked".format(action.name), table, way)
        if not valid:
            return Effect(_all([table]))
        return Effect(_all([table]), "all rows are checked by {}".format(action.name), table, NOT_VALID)

    def _do_drop_constraint(self, action: Action) -> Effect:
        one = self.constraints.pop((action.table, action.name), None)
        self.indexes.pop(action.name, None)
        return Effect(_all([action.table, *([one.target] if one and one.target else [])]))

    def _do_rename_constraint(self, action: Action) -> Effect:
        one = self.constraints.pop((action.table, action.name), None)
        if one:
            self.constraints[action.table, action.new] = one._replace(name=action.new)
        return Effect(_all([action.table]))

    def _do_validate(self, action: Action) -> Effect:
        one = self.constraints.get((action.table, action.name))
        if one is None or one.sort not in ("check", "foreign"):
            why = "{} has no check and no foreign key of the name {}".format(action.table, action.name)
            return Effect(refused=why)
        if one.valid:
            return Effect()
        self.constraints[action.table, action.name] = one._replace(valid=True)
        why = "all rows are checked by {}".format(action.name)
        return Effect((), why, action.table, "validate it in a migration of its own")

    def _do_create_index(self, action: Action) -> Effect:
        flags, table = action.flags, action.table
        computed = bool(flags.intersection(("where", "expression")))
        named = self._named(table, action.text)
        self.indexes[action.name] = Index(
            *(table, action.name, action.columns, "unique" in flags),
            method=action.sort,
            uses=named if computed else frozenset(action.columns),
            computed=computed,
        )
        if computed and self.volatility(action.text[action.text.index("(") :]) in "sv":
            return Effect(refused="functions of an index must be IMMUTABLE, and one of these is not")
        if "concurrently" in flags:
            if table in self._partitioned:
                why = "PostgreSQL builds no index concurrently on {}, which is partitioned"
                return Effect(refused=why.format(table))
            return Effect((), "the index {} is built".format(action.name), table, "build it in a migration of its own")
        return Effect(((table, WRITES),), "the index {} is built".format(action.name), table, CONCURRENTLY)

    def _do_drop_index(self, action: Action) -> Effect:
        index = self.indexes.pop(action.name, None)
        return Effect(_all([index.table]) if index and "concurrently" not in action.flags else ())

    def _do_rename_index(self, action: Action) -> Effect:
        index = self.indexes.pop(action.name, None)
        if index:
            self.indexes[action.new] = index._replace(name=action.new)
        return Effect()

    def _do_update(self, action: Action) -> Effect:
        match = re.match(r'UPDATE (?:ONLY )?\S+ SET ("(?:[^"]|"")+"|\w+) =', action.text)
        if match:
            self._empty.discard((action.table, match[1].strip('"')))
        locks = ((action.table, WRITES),)
        instead = "fill them in batches, by a command or a task of the application"
        return Effect(locks, "its rows are written", action.table, instead)

    _do_delete = _do_update


def _all(tables: Iterable[str]) -> tuple[tuple[str, str], ...]:
    return tuple((table, ALL) for table in tables)


def plain_type(text: str) -> str:
    """Return the name of a type as Django writes it."""
    text = re.sub(r"\s*([(),])\s*", r"\1", text.strip().replace('"', "")).lower()
    text = re.sub(r"^character varying", "varchar", text)
    text = re.sub(r"^(?:int4|int)$", "integer", re.sub(r"^int8$", "bigint", re.sub(r"^int2$", "smallint", text)))
    return re.sub(r"^(?:serial|integer generated.*)$", "integer", text)


def rewrites(old: str, new: str) -> bool:
    """Tell whether PostgreSQL writes a table anew for a column's change of type."""
    if old == new:
        return False
    texts = [re.fullmatch(r"(?:varchar(?:\((\d+)\))?|text)(\[\])?", kind) for kind in (old, new)]
    before, after = texts
    if before and after and before[2] == after[2]:
        return after[1] is not None and (before[1] is None or int(after[1]) < int(before[1]))
    numbers = [re.fullmatch(r"numeric(?:\((\d+),(\d+)\))?", kind) for kind in (old, new)]
    one, other = numbers
    if one and other:
        if other[1] is None:
            return False
        if one[1] is None:
            return True
        return one[2] != other[2] or int(other[1]) < int(one[1])
    return True
