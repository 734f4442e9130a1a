# Copyright: (c) 2026, EduSphere maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# mypy: allow-untyped-calls
"""Runs inside the project: what can be told of Django's conditions and expressions without a row to try them on.

- :class:`Condition` is a check or a condition of an index, taken apart. :func:`implies` proves that rows that meet some
  conditions meet another one. A comparison with constants changes its value at the constants only, so that one value at
  each, one between each two, and one beyond each end stand for all.
- :func:`shape` tells what values an expression gives, and whether it may fail for one that running code writes.
"""

from __future__ import annotations

import datetime
import decimal
import itertools
from typing import Any, Callable, Mapping, NamedTuple

# Comparisons, by the names of Django's lookups.
_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "exact": lambda one, other: bool(one == other),
    "gt": lambda one, other: bool(one > other),
    "gte": lambda one, other: bool(one >= other),
    "lt": lambda one, other: bool(one < other),
    "lte": lambda one, other: bool(one <= other),
}
# The most rows of values that are tried, and of comparisons that are beyond these rules.
_MOST_ROWS = 20_000
_MOST_OPAQUE = 4
# The ranges of integers, by PostgreSQL's names.
RANGES = {"smallint": (-(2**15), 2**15 - 1), "integer": (-(2**31), 2**31 - 1), "bigint": (-(2**63), 2**63 - 1)}
# PostgreSQL refuses an entry of a B-tree of more bytes than this: a third of a page, less what a page begins with.
BTREE_BYTES = 2704
# UTF-8 takes up to four bytes for a character; lower() and upper() may give a character of more bytes than they get.
_BYTES_PER_CHARACTER = 4
# The bytes of what is always short.
_SHORT = 64


class Atom(NamedTuple):
    """A comparison of a column with a constant, or with another column."""

    column: str
    lookup: str
    value: Any
    # Whether the value is the name of a column.
    is_column: bool = False


class Condition(NamedTuple):
    """``and``, ``or`` and ``not`` with ``parts``, or an ``atom``, or what is ``opaque``, known by its text."""

    kind: str
    parts: tuple[Condition, ...] = ()
    atom: Atom | None = None
    text: str = ""

    def atoms(self) -> list[Atom]:
        """Return all comparisons in it."""
        own = [self.atom] if self.atom else []
        return own + [atom for part in self.parts for atom in part.atoms()]

    def renamed(self, names: Mapping[str, str]) -> Condition:
        """Return it with other names of columns."""
        atom = self.atom
        if atom is not None:
            value = names.get(atom.value, atom.value) if atom.is_column else atom.value
            atom = Atom(names.get(atom.column, atom.column), atom.lookup, value, atom.is_column)
        return self._replace(parts=tuple(part.renamed(names) for part in self.parts), atom=atom)

    def opaque(self) -> set[str]:
        """Return the texts of what is beyond these rules."""
        own = {self.text} if self.kind == "opaque" else set()
        return own.union(*(part.opaque() for part in self.parts))


class Range(NamedTuple):
    """What values a column may have: ``kind`` is integer, number, text, boolean, moment, or empty for anything else."""

    kind: str
    null: bool
    low: Any = None
    high: Any = None
    # The only value, in a list, that running code gives it: a default, or None.
    only: tuple[Any, ...] | None = None


def condition(query: Any, model: Any, column_of: Callable[[Any], str]) -> Condition:
    """Return what a Q is made of; ``column_of`` gives the name of a field's column."""
    return _node(query, model, column_of, negated=False)


def opaque(text: str) -> Condition:
    """Return a condition that is only known by its text."""
    return Condition("opaque", text=text)


def _node(node: Any, model: Any, column_of: Callable[[Any], str], negated: bool) -> Condition:
    from django.db.models import Q

    if isinstance(node, Q):
        within = negated != node.negated
        parts = tuple(_node(child, model, column_of, within) for child in node.children)
        if node.connector not in ("AND", "OR"):
            return opaque(repr(node))
        joined = Condition(node.connector.lower(), parts)
        return Condition("not", (joined,)) if node.negated else joined
    if not isinstance(node, tuple):
        return opaque(repr(node))
    name, value = node
    path, _separator, lookup = name.partition("__")
    try:
        field = model._meta.pk if path == "pk" else model._meta.get_field(path)
    except Exception:  # an annotation, or a transform: whatever it is, it is known by its text
        return opaque(repr(node))
    return _comparison(field, lookup or "exact", value, model, column_of, negated) or opaque(repr((field.column, node)))


def _comparison(
    field: Any, lookup: str, value: Any, model: Any, column_of: Callable[[Any], str], negated: bool
) -> Condition | None:
    from django.db.models import F, Value

    column = column_of(field)
    if lookup == "isnull" and isinstance(value, bool):
        return Condition("atom", atom=Atom(column, "isnull", value))
    if value is None and lookup == "exact":
        return Condition("atom", atom=Atom(column, "isnull", True))
    if isinstance(value, Value):
        value = value.value
    if lookup == "range" and isinstance(value, (list, tuple)) and len(value) == 2:
        ends = [_comparison(field, *end, model, column_of, negated) for end in zip(("gte", "lte"), value)]  # noqa: B905 - Python 3.9
        return Condition("and", tuple(ends)) if all(ends) else None  # type: ignore[arg-type]
    if lookup == "in" and isinstance(value, (list, tuple, set)):
        parts = [_comparison(field, "exact", each, model, column_of, negated) for each in value if each is not None]
        return Condition("or", tuple(parts)) if parts and all(parts) else None  # type: ignore[arg-type]
    if lookup not in _COMPARISONS:
        return None
    if isinstance(value, F):
        try:
            other = model._meta.get_field(value.name)
        except Exception:
            return None
        atom = Atom(column, lookup, column_of(other), True)
    elif _kind_of(value):
        atom = Atom(column, lookup, value)
    else:
        return None
    found = Condition("atom", atom=atom)
    if negated and field.null:
        # As Django writes it.
        return Condition("and", (found, Condition("atom", atom=Atom(column, "isnull", False))))
    return found


def _kind_of(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, (int, float, decimal.Decimal)):
        return "number"
    if isinstance(value, str):
        return "text"
    if isinstance(value, (datetime.datetime, datetime.date)):
        return "moment"
    return ""


def implies(given: list[Condition], wanted: Condition, ranges: Mapping[str, Range]) -> bool:
    """Tell whether every row that fails none of ``given`` fails not ``wanted`` either; False when that can't be told.

    ``ranges`` are those of all columns that the conditions name. As for a CHECK, what is NULL is no failure.
    """
    texts = sorted(wanted.opaque())
    columns = {name for atom in wanted.atoms() for name in _columns(atom)}
    # Others that have a say: those that name one of the same columns.
    used = [one for one in given if one.opaque().intersection(texts) or columns.intersection(*[_all_columns(one)])]
    every = [wanted, *used]
    texts = sorted(set().union(*(one.opaque() for one in every)))
    columns = set().union(*(_all_columns(one) for one in every))
    if len(texts) > _MOST_OPAQUE or not columns.issubset(ranges):
        return False
    points = {column: _points(column, every, ranges, len(columns)) for column in sorted(columns)}
    size = 3 ** len(texts)
    for found in points.values():
        if found is None:
            return False
        size *= len(found)
    if size > _MOST_ROWS:
        return False
    for row in itertools.product(*points.values()):  # type: ignore[arg-type]
        values = dict(zip(points, row))  # noqa: B905 - Python 3.9
        for truths in itertools.product((True, False, None), repeat=len(texts)):
            known = dict(zip(texts, truths))  # noqa: B905 - Python 3.9
            if all(_truth(one, values, known) is not False for one in used) and _truth(wanted, values, known) is False:
                return False
    return True


def truth(wanted: Condition, ranges: Mapping[str, Range]) -> set[bool | None]:
    """Return all that a condition may be for rows within ``ranges``; every one of the three when that can't be told."""
    columns = _all_columns(wanted)
    unknown: set[bool | None] = {True, False, None}
    if wanted.opaque() or not columns.issubset(ranges):
        return unknown
    points = {column: _points(column, [wanted], ranges, len(columns)) for column in sorted(columns)}
    size = 1
    for found in points.values():
        if found is None:
            return unknown
        size *= len(found)
    if size > _MOST_ROWS:
        return unknown
    rows = itertools.product(*points.values())  # type: ignore[arg-type]
    return {_truth(wanted, dict(zip(points, row)), {}) for row in rows}  # noqa: B905 - Python 3.9


def _columns(atom: Atom) -> list[str]:
    return [atom.column, atom.value] if atom.is_column else [atom.column]


def _all_columns(one: Condition) -> set[str]:
    return {name for atom in one.atoms() for name in _columns(atom)}


def _points(column: str, every: list[Condition], ranges: Mapping[str, Range], number: int) -> list[Any] | None:
    """Return values that stand for all that the column may have, None when these rules know none."""
    mine = ranges[column]
    if mine.only is not None:
        return list(mine.only)
    atoms = [atom for one in every for atom in one.atoms()]
    nulls = [None] if mine.null else []
    compared = [atom for atom in atoms if column in _columns(atom) and atom.lookup != "isnull"]
    if not compared:
        return [*nulls, _Any()]
    if mine.kind == "boolean":
        return [*nulls, True, False]
    if mine.kind == "text":
        if any(atom.lookup != "exact" for atom in compared):
            return None
        constants = {atom.value for atom in atoms if not atom.is_column and isinstance(atom.value, str)}
        return [*nulls, *sorted(constants), *(_Other(position) for position in range(number))]
    if mine.kind not in ("integer", "number", "moment"):
        return None
    family = "moment" if mine.kind == "moment" else "number"
    constants = {atom.value for atom in atoms if not atom.is_column and _kind_of(atom.value) == family}
    for other in ranges.values():
        if other.kind in (mine.kind, "integer", "number") and family == "number":
            constants.update(end for end in (other.low, other.high) if end is not None)
    try:
        ends: list[Any] = sorted(constants)
    except TypeError:  # a date and a moment
        return None
    if family == "moment":
        return _moments(ends, number, nulls)
    found: set[Any] = set()
    for low, high in zip([None, *ends], [*ends, None]):  # noqa: B905 - Python 3.9
        if low is None and high is None:
            found.update(range(number))
        elif low is None:
            found.update(high - step for step in range(1, number + 1))
        elif high is None:
            found.update(low + step for step in range(1, number + 1))
        elif mine.kind == "integer":
            found.update(itertools.islice(range(int(low) + 1, -int(-high // 1)), number))
        else:
            exact_low, exact_high = decimal.Decimal(low), decimal.Decimal(high)
            found.update(exact_low + (exact_high - exact_low) * step / (number + 1) for step in range(1, number + 1))
    found.update(end for end in ends if mine.kind != "integer" or end == int(end))
    within = [
        value
        for value in found
        if (mine.low is None or value >= mine.low) and (mine.high is None or value <= mine.high)
    ]
    return [*nulls, *sorted(within)]


def _moments(ends: list[Any], number: int, nulls: list[None]) -> list[Any] | None:
    if not ends:
        return [*nulls, *(_Other(position) for position in range(number))]
    step = datetime.timedelta(days=1) if not isinstance(ends[0], datetime.datetime) else datetime.timedelta(seconds=1)
    try:
        found = {ends[0] - step * (n + 1) for n in range(number)} | {ends[-1] + step * (n + 1) for n in range(number)}
        for low, high in zip(ends, ends[1:]):  # noqa: B905, RUF007 - Python 3.9
            found.update(low + step * n for n in range(1, number + 1) if low + step * n < high)
    except OverflowError:
        return None
    return [*nulls, *sorted(found.union(ends))]


class _Any:
    """A value that is only asked whether it is NULL."""


class _Other(NamedTuple):
    """A value that is none of the constants."""

    position: int


def _truth(one: Condition, values: Mapping[str, Any], known: Mapping[str, bool | None]) -> bool | None:
    """Return what SQL makes of a condition: true, false, or NULL."""
    if one.kind == "opaque":
        return known[one.text]
    if one.kind == "not":
        inner = _truth(one.parts[0], values, known)
        return None if inner is None else not inner
    if one.kind in ("and", "or"):
        found = [_truth(part, values, known) for part in one.parts]
        decisive: bool = one.kind == "or"
        if decisive in found:
            return decisive
        return None if None in found else not decisive
    atom = one.atom
    if atom is None:
        return None
    value = values[atom.column]
    if atom.lookup == "isnull":
        return bool((value is None) == atom.value)
    other = values[atom.value] if atom.is_column else atom.value
    if value is None or other is None:
        return None
    if isinstance(value, (_Other, _Any)) != isinstance(other, (_Other, _Any)):
        return False if atom.lookup == "exact" else None
    return _COMPARISONS[atom.lookup](value, other)


class Shape(NamedTuple):
    """What an expression gives: ``kind`` as of :class:`Range`; for texts the most characters, None without a limit."""

    kind: str
    characters: int | None = None
    low: Any = None
    high: Any = None
    # PostgreSQL's type of an integer, which its results must fit.
    integer: str = ""
    # The reason why it may fail, and whether it will for a value that running code may write.
    risk: str = ""
    fails: bool = False

    @property
    def bytes(self) -> int | None:
        """The most bytes that a value takes in an index, None without a limit."""
        if self.kind == "text":
            return None if self.characters is None else self.characters * _BYTES_PER_CHARACTER
        return _SHORT if self.kind else None


_UNKNOWN = "what it gives is not known"


def shape(expression: Any, column: Callable[[str], Shape | None]) -> Shape:
    """Return the shape of an expression; ``column`` gives that of a field by its name, None where there is none."""
    kind = type(expression).__name__
    if isinstance(expression, str):
        kind, name = "F", expression
    else:
        name = getattr(expression, "name", "")
    if kind == "F":
        return column(name) or Shape("", risk=_UNKNOWN)
    if kind == "Col":
        return column(expression.target.name) or Shape("", risk=_UNKNOWN)
    if kind == "Value":
        return _constant(expression.value)
    sources = [part for part in _sources(expression) if part is not None]
    if kind in ("OrderBy", "Collate", "IndexExpression", "ExpressionWrapper", "ExpressionList", "OpClass"):
        return shape(sources[0], column) if len(sources) == 1 else Shape("", risk=_UNKNOWN)
    if kind in ("Case", "When", "Coalesce"):
        return _one_of(expression, sources, kind, column)
    shapes = [shape(part, column) for part in sources]
    risk = next((one for one in shapes if one.risk), None)
    if risk:
        return risk
    if kind in ("Lower", "Upper", "Trim", "LTrim", "RTrim", "Reverse") and shapes[0].kind == "text":
        return shapes[0]
    if kind == "Length" and shapes[0].kind == "text":
        return Shape("integer", low=0, high=2**30, integer="integer")
    if kind == "MD5" and shapes[0].kind == "text":
        return Shape("text", 32)
    if kind in ("Concat", "ConcatPair"):
        return _concatenated(shapes)
    if kind in ("Left", "Right", "Substr") and shapes[0].kind == "text":
        length = shapes[-1]
        if length.low is not None and length.low == length.high and length.low >= 0:
            limit = shapes[0].characters
            return Shape("text", length.high if limit is None else min(limit, length.high))
        return shapes[0]
    if kind == "CombinedExpression" and len(shapes) == 2:
        return _combined(expression.connector, *shapes)
    if kind == "NegatedExpression" or kind == "Q":
        return Shape("boolean")
    return Shape("", risk="{} may fail for what running code writes".format(kind))


def _sources(expression: Any) -> list[Any]:
    return list(expression.get_source_expressions()) if hasattr(expression, "get_source_expressions") else []


def _constant(value: Any) -> Shape:
    kind = _kind_of(value)
    if isinstance(value, int) and kind == "number":
        size = next((name for name in ("integer", "bigint") if RANGES[name][0] <= value <= RANGES[name][1]), "")
        return Shape("integer" if size else "number", low=value, high=value, integer=size)
    if value is None:
        return Shape("text", 0)
    return Shape(kind or "other", len(value) if kind == "text" else None)


def _one_of(expression: Any, sources: list[Any], kind: str, column: Callable[[str], Shape | None]) -> Shape:
    """One of several results. A condition of Case is a comparison, which succeeds for every row, or has other parts."""
    if kind == "When":
        condition_shape = _risk_of_condition(expression.condition)
        result = shape(expression.result, column)
        return result._replace(risk=condition_shape) if condition_shape else result
    if kind == "Case":
        sources = [*expression.cases, expression.default]
    shapes = [shape(part, column) for part in sources]
    risk = next((one for one in shapes if one.risk), None)
    if risk:
        return risk
    real = [one for one in shapes if one != Shape("text", 0)] or shapes
    if len({one.kind for one in real}) != 1:
        return Shape("", risk=_UNKNOWN)
    first = real[0]
    if first.kind == "text":
        limits = [one.characters for one in real]
        return Shape("text", None if None in limits else max(limit for limit in limits if limit is not None))
    if first.kind == "integer":
        size = max((one.integer for one in real), key=list(RANGES).index)
        return Shape("integer", low=min(o.low for o in real), high=max(o.high for o in real), integer=size)
    return first


def _risk_of_condition(query: Any) -> str:
    from django.db.models import F, Q

    if not isinstance(query, Q):
        return _UNKNOWN
    for child in query.children:
        if isinstance(child, Q):
            found = _risk_of_condition(child)
        elif isinstance(child, tuple):
            parts = child[0].split("__")
            plain = len(parts) == 1 or (len(parts) == 2 and parts[1] in {*_COMPARISONS, "in", "isnull", "range"})
            found = "" if plain and (isinstance(child[1], F) or not hasattr(child[1], "as_sql")) else _UNKNOWN
        else:
            found = _UNKNOWN
        if found:
            return found
    return ""


def _concatenated(shapes: list[Shape]) -> Shape:
    total: int | None = 0
    for one in shapes:
        if one.kind == "text":
            part = one.characters
        elif one.kind in ("integer", "boolean"):
            part = 20
        else:
            return Shape("", risk=_UNKNOWN)
        total = None if total is None or part is None else total + part
    return Shape("text", total)


def _combined(connector: str, one: Shape, other: Shape) -> Shape:
    """Arithmetic of integers: PostgreSQL calculates in the wider of the two types, and fails beyond its range."""
    if one.kind != "integer" or other.kind != "integer" or connector not in "+-*" or None in (one.low, other.low):
        return Shape("", risk="a calculation may fail for what running code writes")
    pairs = list(itertools.product((one.low, one.high), (other.low, other.high)))
    calculate = {"+": int.__add__, "-": int.__sub__, "*": int.__mul__}[connector]
    results = [calculate(*pair) for pair in pairs]
    size = max(one.integer, other.integer, key=list(RANGES).index)
    low, high = min(results), max(results)
    if low < RANGES[size][0] or high > RANGES[size][1]:
        return Shape("", risk="its result may be beyond what the type {} holds".format(size), fails=True)
    return Shape("integer", low=low, high=high, integer=size)
