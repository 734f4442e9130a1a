# Copyright: (c) 2026, EduSphere maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads environment files the way systemd's ``EnvironmentFile=`` does."""

from __future__ import annotations

import re

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
# The characters that a backslash unescapes inside double quotes: systemd's SHELL_NEED_ESCAPE.
_UNESCAPED_IN_QUOTES = '"\\`$'
_NEWLINE = "\n\r"
_WHITESPACE = " \t" + _NEWLINE


class EnvironmentFileError(ValueError):
    """A line that systemd would skip, or read differently from version to version."""


def parse(text: str) -> dict[str, str]:
    """Return the variables that systemd would read from ``text``.

    The states are those of systemd's own parser (src/basic/env-file.c). Where systemd only logs and skips a line,
    an :class:`EnvironmentFileError` names its number: a variable must not get lost silently.
    """
    variables: dict[str, str] = {}
    state = "before name"
    name = ""
    value: list[str] = []
    kept = 0  # how much of an unquoted value survives the stripping of trailing whitespace
    line = 1

    def finish() -> None:
        stripped = name.rstrip(_WHITESPACE)
        if not _NAME.match(stripped):
            raise EnvironmentFileError(f"line {line}: {stripped!r} is not the name of a variable")
        result = "".join(value[:kept] if state == "value" else value)
        if "\0" in result:
            raise EnvironmentFileError(f"line {line}: the value of {stripped} contains a NUL byte")
        variables[stripped] = result

    for character in text:
        newline = character in _NEWLINE
        if state == "before name":
            if character in "#;":
                state = "comment"
            elif character not in _WHITESPACE:
                state, name, value, kept = "name", character, [], 0
        elif state == "name":
            if newline:
                raise EnvironmentFileError(f"line {line}: no '=' after {name!r}")
            if character == "=":
                state = "before value"
            else:
                name += character
        elif state == "before value":
            if newline:
                finish()
                state = "before name"
            elif character == "'":
                state = "single quotes"
            elif character == '"':
                state = "double quotes"
            elif character == "\\":
                state = "escape"
            elif character not in _WHITESPACE:
                state = "value"
                value.append(character)
                kept = len(value)
        elif state == "value":
            if newline:
                finish()
                state = "before name"
            elif character == "\\":
                state = "escape"
            else:
                value.append(character)
                if character not in _WHITESPACE:
                    kept = len(value)
        elif state == "escape":
            state = "value"
            if not newline:
                value.append(character)
            kept = len(value)
        elif state == "single quotes":
            if character == "'":
                state = "before value"
            else:
                value.append(character)
        elif state == "double quotes":
            if character == '"':
                state = "before value"
            elif character == "\\":
                state = "escape in double quotes"
            else:
                value.append(character)
        elif state == "escape in double quotes":
            state = "double quotes"
            if character in _UNESCAPED_IN_QUOTES:
                value.append(character)
            elif character != "\n":
                value.extend(("\\", character))
        elif state == "comment":
            if newline:
                state = "before name"
            elif character == "\\":
                state = "escape in comment"
        elif state == "escape in comment":
            if newline:
                raise EnvironmentFileError(
                    f"line {line}: systemd before 254 lets a comment that ends in a backslash swallow the next line"
                )
            state = "comment"
        if character == "\n":
            line += 1

    if state in ("single quotes", "double quotes", "escape in double quotes"):
        raise EnvironmentFileError(f"line {line}: the value of {name} has no closing quote")
    if state == "name":
        raise EnvironmentFileError(f"line {line}: no '=' after {name!r}")
    if state in ("before value", "value", "escape"):
        finish()
    return variables
