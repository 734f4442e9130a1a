# Copyright: (c) 2026, EduSphere maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs inside the project: reads PostgreSQL's statements that change a schema.

These are the statements that Django writes, and those that people write in RunSQL. :func:`read` returns what they do as
:class:`Action`, with ``other`` for what it does not know. It only takes apart; what an action means is said elsewhere.

Sources: the grammar of ALTER TABLE, CREATE INDEX and others in PostgreSQL's reference, chapter SQL Commands.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_TOKEN = re.compile(
    r"""
      (?P<space>\s+|--[^\n]*|/\*.*?\*/)
    | (?P<quoted>"(?:[^"]|"")+")
    | (?P<text>[eE]'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*')
    | (?P<dollar>\$(?P<tag>\w*)\$.*?\$(?P=tag)\$)
    | (?P<number>\d+(?:\.\d+)?)
    | (?P<word>[A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*)
    | (?P<sign>::|<=|>=|<>|!=|\|\||.)
    """,
    re.VERBOSE | re.DOTALL,
)
# Kinds of constraints, by the word that they begin with.
_CONSTRAINTS = {"UNIQUE": "unique", "PRIMARY": "primary", "CHECK": "check", "FOREIGN": "foreign", "EXCLUDE": "exclude"}
# The words after which the type of a column is over.
_AFTER_TYPE = {
    "NULL", "NOT", "DEFAULT", "CONSTRAINT", "UNIQUE", "PRIMARY", "CHECK", "REFERENCES", "GENERATED", "COLLATE", "USING",
}  # fmt: skip


class Token(NamedTuple):
    """A word, a sign, or a name; ``value`` is what it stands for, and names differ from words by their ``kind``."""

    kind: str
    text: str

    @property
    def word(self) -> str:
        """The keyword that it may be."""
        return self.text.upper() if self.kind in ("word", "sign") else ""

    @property
    def name(self) -> str:
        """The name that it stands for; PostgreSQL folds those without quotes."""
        return self.text[1:-1].replace('""', '"') if self.kind == "quoted" else self.text.lower()


class Action(NamedTuple):
    """What a statement does to one thing."""

    kind: str
    table: str = ""
    # A column, an index, a constraint, or a setting; and the name that it gets.
    name: str = ""
    new: str = ""
    # Of a column: its type. Of a constraint: unique, primary, check, foreign, exclude. Of an index: its method.
    sort: str = ""
    columns: tuple[str, ...] = ()
    # The table that a foreign key refers to.
    target: str = ""
    not_null: bool = False
    default: str | None = None
    # The words in the definition: unique, primary, check, generated, identity, not valid, using index, where, ...
    flags: frozenset[str] = frozenset()
    text: str = ""


def read(sql: str) -> list[Action]:
    """Return what some statements do."""
    actions = []
    for tokens in _statements(sql):
        reader = _Reader(tokens)
        try:
            actions += reader.statement()
        except (IndexError, ValueError):
            actions.append(Action("other", text=reader.text))
    return actions


def _tokens(sql: str) -> list[Token]:
    found = []
    for match in _TOKEN.finditer(sql):
        kind = match.lastgroup or "sign"
        if match["space"] is None:
            found.append(Token("dollar" if kind == "tag" else kind, match.group()))
    return found


def _statements(sql: str) -> list[list[Token]]:
    found: list[list[Token]] = [[]]
    for token in _tokens(sql):
        if token == ("sign", ";"):
            found.append([])
        else:
            found[-1].append(token)
    return [tokens for tokens in found if tokens]


class _Reader:
    """Reads the tokens of one statement from left to right; IndexError and ValueError say that it is another one."""

    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._at = 0

    @property
    def text(self) -> str:
        """The statement."""
        return _joined(self._tokens)

    def statement(self) -> list[Action]:
        """Return what it does."""
        tokens = self._tokens
        first = tokens[0].word
        second = tokens[1].word if len(tokens) > 1 else ""
        if first == "SET":
            return self._set(second)
        if first == "RESET":
            return [Action("setting", name=second.lower(), text=self.text)]
        if first == "SELECT":
            return [self._select()]
        if first == "COMMENT":
            return [Action("comment", text=self.text)]
        if first in ("ANALYZE", "ANALYSE"):
            return [Action("analyze", text=self.text)]
        if first == "UPDATE":
            self._at = 1
            self._skip("ONLY")
            return [Action("update", self._name(), text=self.text)]
        if first == "DELETE":
            self._at = 1
            self._expect("FROM")
            self._skip("ONLY")
            return [Action("delete", self._name(), text=self.text)]
        if first == "ALTER":
            return self._alter(second)
        if first == "DROP":
            return self._drop(second)
        if first == "CREATE":
            return [self._create(second)]
        return [Action("other", text=self.text)]

    def _set(self, second: str) -> list[Action]:
        if second == "CONSTRAINTS":
            return [Action("set constraints", text=self.text)]
        self._at = 1
        self._skip("LOCAL") or self._skip("SESSION")
        return [Action("setting", name=self._name(), text=self.text)]

    def _select(self) -> Action:
        """Only a constant, or a setting: a function may do anything."""
        words = [token.word for token in self._tokens]
        if "(" not in words and "FROM" not in words and "INTO" not in words:
            return Action("nothing", text=self.text)
        if len(words) > 2 and words[1] in ("SET_CONFIG", "PG_SLEEP") and "FROM" not in words:
            return Action("setting" if words[1] == "SET_CONFIG" else "wait", text=self.text)
        return Action("other", text=self.text)

    def _create(self, second: str) -> Action:
        self._at = 1
        unique = self._skip("UNIQUE")
        if self._skip("INDEX"):
            return self._index(unique)
        if second == "TABLE":
            self._at = 2
            self._skip("IF", "NOT", "EXISTS")
            table = self._name()
            parts = _parts(self._group()) if self._tokens[self._at].text == "(" else []
            columns = tuple(part[0].name for part in parts if part[0].word not in {*_CONSTRAINTS, "CONSTRAINT", "LIKE"})
            return Action("create table", table, columns=columns, text=self.text)
        if second == "EXTENSION":
            return Action("extension", text=self.text)
        if second == "SEQUENCE":
            return Action("sequence", text=self.text)
        return Action("other", text=self.text)

    def _index(self, unique: bool) -> Action:
        flags = {"unique"} if unique else set()
        if self._skip("CONCURRENTLY"):
            flags.add("concurrently")
        self._skip("IF", "NOT", "EXISTS")
        name = "" if self._tokens[self._at].word == "ON" else self._name()
        self._expect("ON")
        self._skip("ONLY")
        table = self._name()
        method = self._name() if self._skip("USING") else "btree"
        group = self._group()
        parts = _parts(group)
        columns = tuple(part[0].name if _is_plain(part) else "" for part in parts)
        rest = [token.word for token in self._tokens[self._at :]]
        flags.update(word.lower() for word in ("WHERE", "INCLUDE") if word in rest)
        if "DISTINCT" in rest and "NOT" in rest[: rest.index("DISTINCT")]:
            flags.add("nulls not distinct")
        if "" in columns:
            flags.add("expression")
        return Action("create index", table, name, sort=method, columns=columns, flags=frozenset(flags), text=self.text)

    def _drop(self, second: str) -> list[Action]:
        self._at = 2
        flags = set()
        if second == "INDEX" and self._skip("CONCURRENTLY"):
            flags.add("concurrently")
        self._skip("IF", "EXISTS")
        names = [self._name()]
        while self._skip(","):
            names.append(self._name())
        flags.update(token.word.lower() for token in self._tokens[self._at :] if token.word)
        found = frozenset(flags)
        if second == "TABLE":
            return [Action("drop table", name, flags=found, text=self.text) for name in names]
        if second == "INDEX":
            return [Action("drop index", name=name, flags=found, text=self.text) for name in names]
        if second == "SEQUENCE":
            return [Action("sequence", text=self.text)]
        return [Action("other", text=self.text)]

    def _alter(self, second: str) -> list[Action]:
        self._at = 2
        if second == "SEQUENCE":
            return [Action("sequence", text=self.text)]
        if second == "INDEX":
            self._skip("IF", "EXISTS")
            name = self._name()
            self._expect("RENAME")
            self._expect("TO")
            return [Action("rename index", name=name, new=self._name(), text=self.text)]
        if second != "TABLE":
            return [Action("other", text=self.text)]
        self._skip("IF", "EXISTS")
        self._skip("ONLY")
        table = self._name()
        if self._skip("RENAME"):
            return [self._rename(table)]
        actions = []
        for part in _parts(self._tokens[self._at :]):
            reader = _Reader(part)
            actions += reader._change(table, _joined(self._tokens))
        return actions

    def _rename(self, table: str) -> Action:
        if self._skip("TO"):
            return Action("rename table", table, new=self._name(), text=self.text)
        kind = "rename constraint" if self._skip("CONSTRAINT") else "rename column"
        self._skip("COLUMN")
        old = self._name()
        self._expect("TO")
        return Action(kind, table, old, self._name(), text=self.text)

    def _change(self, table: str, text: str) -> list[Action]:
        """One of the changes that an ALTER TABLE may list."""
        if self._skip("ADD"):
            word = self._tokens[self._at].word
            if word == "CONSTRAINT" or word in _CONSTRAINTS:
                return [self._constraint(table, text)]
            self._skip("COLUMN")
            self._skip("IF", "NOT", "EXISTS")
            return [self._column(table, text)]
        if self._skip("DROP", "CONSTRAINT"):
            self._skip("IF", "EXISTS")
            return [Action("drop constraint", table, self._name(), text=text)]
        if self._skip("DROP"):
            self._skip("COLUMN")
            self._skip("IF", "EXISTS")
            return [Action("drop column", table, self._name(), text=text)]
        if self._skip("VALIDATE", "CONSTRAINT"):
            return [Action("validate", table, self._name(), text=text)]
        if self._skip("RENAME", "CONSTRAINT"):
            old = self._name()
            self._expect("TO")
            return [Action("rename constraint", table, old, self._name(), text=text)]
        self._expect("ALTER")
        self._skip("COLUMN")
        column = self._name()
        rest = self._tokens[self._at :]
        words = [token.word for token in rest]
        if words[:2] == ["SET", "DEFAULT"]:
            return [Action("set default", table, column, default=_joined(rest[2:]), text=text)]
        if words[:2] == ["DROP", "DEFAULT"]:
            return [Action("drop default", table, column, text=text)]
        if words[:3] == ["SET", "NOT", "NULL"]:
            return [Action("set not null", table, column, text=text)]
        if words[:3] == ["DROP", "NOT", "NULL"]:
            return [Action("drop not null", table, column, text=text)]
        if words[:1] == ["TYPE"] or words[:3] == ["SET", "DATA", "TYPE"]:
            kind = rest[1 if words[0] == "TYPE" else 3 :]
            end = next((at for at, token in enumerate(kind) if token.word in _AFTER_TYPE), len(kind))
            flags = frozenset(token.word.lower() for token in kind[end:] if token.word in ("USING", "COLLATE"))
            return [Action("alter type", table, column, sort=_joined(kind[:end]), flags=flags, text=text)]
        if words[:2] == ["ADD", "GENERATED"]:
            return [Action("add identity", table, column, text=text)]
        if words[:2] == ["DROP", "IDENTITY"]:
            return [Action("drop identity", table, column, text=text)]
        if words[:2] in (["SET", "STATISTICS"], ["SET", "STORAGE"]):
            return [Action("nothing", table, column, text=text)]
        return [Action("other", table, text=text)]

    def _column(self, table: str, text: str) -> Action:
        name = self._name()
        rest = self._tokens[self._at :]
        end = next((at for at, token in enumerate(rest) if token.word in _AFTER_TYPE), len(rest))
        kind, rest = _joined(rest[:end]), rest[end:]
        words = [token.word for token in rest]
        flags = {
            word.lower() for word in ("UNIQUE", "PRIMARY", "CHECK", "GENERATED", "IDENTITY", "STORED") if word in words
        }
        default = None
        if "DEFAULT" in words and words[max(0, words.index("DEFAULT") - 1)] != "BY":
            start = words.index("DEFAULT") + 1
            end = _end(rest, start)
            default = _joined(rest[start:end])
        target = ""
        if "REFERENCES" in words:
            target = rest[words.index("REFERENCES") + 1].name
        not_null = any(words[at : at + 2] == ["NOT", "NULL"] for at in range(len(words))) or "PRIMARY" in words
        return Action(
            *("add column", table, name),
            sort=kind,
            target=target,
            not_null=not_null,
            default=default,
            flags=frozenset(flags),
            text=text,
        )

    def _constraint(self, table: str, text: str) -> Action:
        name = self._name() if self._skip("CONSTRAINT") else ""
        sort = _CONSTRAINTS[self._tokens[self._at].word]
        words = [token.word for token in self._tokens]
        flags = set()
        if words[-2:] == ["NOT", "VALID"]:
            flags.add("not valid")
        self._at += 1
        self._skip("KEY")
        if self._skip("USING", "INDEX"):
            return Action(
                "add constraint", table, name, self._name(), sort=sort, flags=frozenset({"using index"}), text=text
            )
        if self._skip("NULLS", "NOT", "DISTINCT"):
            flags.add("nulls not distinct")
        self._skip("NULLS", "DISTINCT")
        columns: tuple[str, ...] = ()
        body: list[Token] = []
        if self._tokens[self._at].text == "(":
            body = self._group()
            columns = tuple(part[0].name for part in _parts(body) if len(part) == 1) if sort != "check" else ()
        target = self._name() if self._skip("REFERENCES") else ""
        if sort == "check":
            flags.update("column " + token.name for token in body if token.kind in ("quoted", "word"))
        return Action(
            *("add constraint", table, name),
            sort=sort,
            columns=columns,
            target=target,
            flags=frozenset(flags),
            default=_joined(body),
            text=text,
        )

    def _name(self) -> str:
        """Read a name, without the schema that it may have."""
        token = self._tokens[self._at]
        if token.kind not in ("quoted", "word"):
            raise ValueError(token.text)
        self._at += 1
        if self._at < len(self._tokens) and self._tokens[self._at].text == ".":
            self._at += 1
            return self._name()
        return token.name

    def _skip(self, *words: str) -> bool:
        """Read these words, if they come next; return whether they did."""
        if tuple(token.word for token in self._tokens[self._at : self._at + len(words)]) != words:
            return False
        self._at += len(words)
        return True

    def _expect(self, word: str) -> None:
        if not self._skip(word):
            raise ValueError(word)

    def _group(self) -> list[Token]:
        """Read what stands in parentheses."""
        self._expect("(")
        start, depth = self._at, 1
        while depth:
            depth += {"(": 1, ")": -1}.get(self._tokens[self._at].text, 0)
            self._at += 1
        return self._tokens[start : self._at - 1]


def _end(tokens: list[Token], start: int) -> int:
    """Return where an expression ends: before the next word of a column's definition outside of parentheses."""
    depth = 0
    for at in range(start, len(tokens)):
        depth += {"(": 1, ")": -1}.get(tokens[at].text, 0)
        word = tokens[at].word
        if not depth and at > start and word in _AFTER_TYPE - {"COLLATE"}:
            return at
    return len(tokens)


def _parts(tokens: list[Token]) -> list[list[Token]]:
    """Return what commas outside of parentheses part."""
    found: list[list[Token]] = [[]]
    depth = 0
    for token in tokens:
        depth += {"(": 1, ")": -1}.get(token.text, 0) if token.kind == "sign" else 0
        if token == ("sign", ",") and not depth:
            found.append([])
        else:
            found[-1].append(token)
    return [part for part in found if part]


def _is_plain(part: list[Token]) -> bool:
    """Tell whether a part of an index is a column, and what may follow one: an operator class, an order."""
    return part[0].kind in ("quoted", "word") and not any(token.text in ("(", ":", "::") for token in part)


def _joined(tokens: list[Token]) -> str:
    text = " ".join(token.text for token in tokens)
    return re.sub(r"\s*(::|[(),.])\s*", lambda match: ", " if match[1] == "," else match[1], text)
