# Copyright: (c) 2026, EduSphere platform contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The ranges of settings that are numbers, durations and sizes.

An option of a role's argument specification says its range in the last sentence of its description, where people read
it as well: C(ansible-doc), docs/variables.md and preflight have it from there.

    From 1 to 65535.                                a number
    From 1 to 1000, or 1% to 100%.                  a number or a share
    From 100 to 65533, or empty.                    a number, or nothing
    From 1:0 to 65533:65533.                        two numbers, each with its bounds
    From 16m to 16t, as Docker writes sizes.

The bounds belong to the range.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

# Sizes, by who reads them: the form of a whole one (number, unit), and each unit's bytes.
BINARY = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
NOTATIONS: dict[str, tuple[str, dict[str, int]]] = {
    # https://nginx.org/en/docs/syntax.html
    "nginx": (r"([0-9]{1,20})([kKmMgG]?)", BINARY),
    # systemd.resource-control(5), journald.conf(5)
    "systemd": (r"([0-9]{1,20}(?:\.[0-9]{1,9})?)([KMGT]?)", BINARY),
    # https://pkg.go.dev/github.com/docker/go-units#RAMInBytes
    "Docker": (r"([0-9]{1,20}(?:\.[0-9]{1,9})?)([bBkKmMgGtT]?|[kKmMgGtT][bB])", BINARY),
    # redis.conf: 1k is 1000 bytes, and 1kb is 1024.
    "Redis": (
        r"([0-9]{1,20})([bBkKmMgG]?|[kKmMgG][bB])",
        {"": 1, "b": 1, "k": 1000, "m": 1000**2, "g": 1000**3, "kb": 1 << 10, "mb": 1 << 20, "gb": 1 << 30},
    ),
}
WHOLE = r"(?:0|-?[1-9][0-9]{0,19})"


@dataclass(frozen=True)
class Measure:
    """What a value measures. Two that are of one kind can be compared."""

    kind: str
    """``empty``, ``number``, ``share``, ``pair`` or ``size``."""
    numbers: tuple[Fraction, ...] = ()


@dataclass(frozen=True)
class Range:
    """What a setting may be."""

    text: str
    """As the description says it, after the word From."""
    parts: tuple[tuple[Measure, Measure], ...]
    """The lowest and the highest values of each part."""
    notation: str = ""
    """Who reads the sizes."""

    def __contains__(self, value: object) -> bool:
        """Whether ``value`` lies within one of the parts."""
        found = measure(value, self.notation)
        return found is not None and any(
            found.kind == low.kind
            and all(
                least <= number <= most
                for least, number, most in zip(low.numbers, found.numbers, high.numbers, strict=True)
            )
            for low, high in self.parts
        )


def measure(value: object, notation: str = "") -> Measure | None:
    """What ``value`` measures, with sizes as ``notation`` has them; None for what is no number, share or size."""
    # True is a number to Python, and 80.0 to nobody who reads a port.
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        return None
    if isinstance(value, int):
        return _of_size(Fraction(value), notation)
    if value == "":
        return Measure("empty")
    if re.fullmatch(WHOLE, value):
        return _of_size(Fraction(value), notation)
    if re.fullmatch(f"{WHOLE}%", value):
        return Measure("share", (Fraction(value[:-1]),))
    if re.fullmatch(f"{WHOLE}:{WHOLE}", value):
        return Measure("pair", tuple(map(Fraction, value.split(":"))))
    if notation:
        form, units = NOTATIONS[notation]
        if found := re.fullmatch(form, value):
            unit = found[2].lower()
            return Measure("size", (Fraction(found[1]) * (units[unit] if unit in units else units[unit[0]]),))
    return None


def _of_size(number: Fraction, notation: str) -> Measure:
    return Measure("size" if notation else "number", (number,))


def range_of(option: Mapping[str, Any]) -> Range | None:
    """The range in the last sentence of an option's description; None without one, ValueError for one that is wrong."""
    description = option.get("description", "")
    text = description if isinstance(description, str) else " ".join(description)
    found = re.search(r"(?:^|\s)From ([^.]+)\.\s*$", text)
    return parse(" ".join(found[1].split())) if found else None


def parse(text: str) -> Range:
    """The range that ``text`` says, such as ``1 to 65535``; ValueError where it says none."""
    body, notation, parts = text, "", []
    if body.endswith(", or empty"):
        body = body.removesuffix(", or empty")
        parts.append((Measure("empty"), Measure("empty")))
    if named := re.fullmatch(r"(.+), as (\w+) writes sizes", body):
        body, notation = named[1], named[2]
        if notation not in NOTATIONS:
            raise ValueError(f"{text!r}: there is no notation {notation!r}")
    for part in body.split(", or "):
        low, high = (measure(bound, notation) for bound in part.partition(" to ")[::2])
        if low is None or high is None or low.kind != high.kind or low.kind == "empty":
            raise ValueError(f"{text!r}: {part!r} is no range, such as 1 to 100")
        if any(least > most for least, most in zip(low.numbers, high.numbers, strict=True)):
            raise ValueError(f"{text!r}: {part!r} has nothing in it")
        parts.append((low, high))
    return Range(text, tuple(parts), notation)


def out_of_range(name: str, option: Mapping[str, Any], value: object) -> Iterator[str]:
    """The problems of setting ``name``: values outside the range of their option, in lists and nested options as well.

    What has another type than the option wants is left to who checks types.
    """
    wanted = range_of(option)
    if wanted is not None:
        # An empty list is no choice of one of them.
        for one in value if isinstance(value, list) and value else [value]:
            if one not in wanted:
                yield f"{name}: is {_shown(one)} and must be {wanted.text}"
    nested = option.get("options") or {}
    for index, item in enumerate(value if isinstance(value, list) else [value]):
        if isinstance(item, Mapping):
            place = f"{name}[{index}]" if isinstance(value, list) else name
            for key, inner in nested.items():
                if item.get(key) is not None:
                    yield from out_of_range(f"{place}.{key}", inner, item[key])


def _shown(value: object) -> str:
    # Python refuses to write numbers of several thousand digits.
    text = "a huge number" if isinstance(value, int) and abs(value) >= 10**20 else repr(value)
    return text if len(text) <= 60 else f"{text[:60]}…"
