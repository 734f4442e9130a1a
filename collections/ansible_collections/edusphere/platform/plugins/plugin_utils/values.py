# Copyright: (c) 2026, EduSphere platform contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Values of Ansible's variables."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any


def plain(value: object) -> Any:
    """``value`` without the subclasses in which Ansible wraps its variables, lazily templated ones among them.

    Mappings, lists, text, numbers, booleans and nulls; TypeError for anything else.
    """
    if isinstance(value, Mapping):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(inner) for inner in value]
    if value is None or isinstance(value, bool):
        return value
    for kind in (str, int, float):
        if isinstance(value, kind):
            return kind(value)
    raise TypeError(f"{type(value).__name__} is no plain type")


def depends_on_facts(name: str, variables: Mapping[str, object]) -> bool:
    """Whether the template in ``name``, or one that it refers to, is made of facts or of other hosts' variables."""
    seen: set[str] = set()
    waiting = [name]
    while waiting:
        current = waiting.pop()
        if current in seen:
            continue
        seen.add(current)
        for word in _words(variables.get(current)):
            if word in ("ansible_facts", "hostvars"):
                return True
            if word in variables:
                waiting.append(word)
    return False


def _words(value: object) -> Iterator[str]:
    """The identifiers in all templates within ``value``."""
    if isinstance(value, Mapping):
        for inner in value.values():
            yield from _words(inner)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from _words(inner)
    elif isinstance(value, str) and ("{{" in value or "{%" in value):
        yield from re.findall(r"[A-Za-z_]\w*", value)
