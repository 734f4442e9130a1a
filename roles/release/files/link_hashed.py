"""Links built files whose names change with their content into a directory of their own: link_hashed.py BUILT PLACE.

nginx serves what is there with a year to be kept. Vite's manifest says which files Vite has named; of a build without
one, those count whose names surely have a hash. A name that only looks like one, `hero-homepage.jpg`, does not.
"""

from __future__ import annotations

import json
import os
import pathlib
import re
import shutil
import sys
from collections.abc import Iterable
from typing import Any

# Vite's own place for it, and that of Vite 4 and older.
MANIFESTS = (".vite/manifest.json", "manifest.json")
# What a hash of Vite's is made of, in every version: base64url, or hexadecimal digits.
HASH = re.compile(r"[A-Za-z0-9_-]{8,}")
# A word, an abbreviation, a number, a separator: what names that people give are made of.
PART = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[0-9]+|[_-]+")
# How many characters such a part has at most in a hash, on average. In names, they have more.
LONGEST = 1.8


def is_surely_a_hash(text: str) -> bool:
    """Tell a hash from words, dates and sizes. About every other hash could be one of those, and is not recognized."""
    if not HASH.fullmatch(text):
        return False
    hexadecimal = re.fullmatch("[0-9a-f]+", text) is not None
    classes = ["[0-9]", "[a-z]"] if hexadecimal else ["[0-9]", "[a-z]", "[A-Z]"]
    return all(re.search(each, text) for each in classes) and len(text) <= LONGEST * len(PART.findall(text))


def stem(path: str) -> str:
    """Return a path's name without what says its kind: `.js`, `.js.map`."""
    name = path.rpartition("/")[2]
    return name.removesuffix(".map").rpartition(".")[0] or name


def named_by_vite(manifest: dict[str, Any]) -> set[str]:
    """Return the files of a manifest whose names Vite has given a hash.

    Without a hash, as a project's configuration may want it, a file's name is that of its source or of its chunk.
    """
    emitted: set[str] = set()
    names: set[str] = set()
    for key, entry in manifest.items():
        if isinstance(entry, dict) and isinstance(entry.get("file"), str):
            lists = [each for each in (entry.get("css"), entry.get("assets")) if isinstance(each, list)]
            emitted |= {entry["file"], *(file for each in lists for file in each if isinstance(file, str))}
            names |= {stem(key), str(entry.get("name", "")), stem(str(entry.get("src", "")))} - {""}
    return {file for file in emitted if stem(file) not in names and _has_hash(stem(file), names)}


def _has_hash(name: str, names: Iterable[str]) -> bool:
    """Tell whether a name is one of the names, a separator and what may be a hash; or surely has one."""
    return _surely_has_hash(name) or any(
        name.startswith(each) and name[len(each)] in "-." and HASH.fullmatch(name[len(each) + 1 :]) is not None
        for each in names
        if len(each) < len(name)
    )


def _surely_has_hash(name: str) -> bool:
    match = re.fullmatch(r"(?s).+[-.]([^-.]+)", name)
    return match is not None and is_surely_a_hash(match[1])


def hashed(files: Iterable[str], manifest: dict[str, Any]) -> set[str]:
    """Return those of the files whose content can't change while their names stay."""
    named = named_by_vite(manifest)
    return {file for file in files if file.removesuffix(".map") in named or _surely_has_hash(stem(file))}


def read_manifest(built: pathlib.Path) -> dict[str, Any]:
    """Return a build's manifest; an empty one if there is none. A web application's may have the same name."""
    for name in MANIFESTS:
        try:
            content = json.loads((built / name).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if isinstance(content, dict):
            return content
    return {}


def main() -> None:
    """Link them. What an earlier try, or the source itself, has at that place goes."""
    built, place = (pathlib.Path(argument) for argument in sys.argv[1:])
    if place.is_symlink() or place.is_file():
        place.unlink()
    elif place.exists():
        shutil.rmtree(place)
    found = [path for path in built.rglob("*") if path.is_file() and not path.is_symlink()]
    files = [path.relative_to(built).as_posix() for path in found]
    for file in hashed(files, read_manifest(built)):
        target = place / file
        target.parent.mkdir(parents=True, exist_ok=True)
        os.link(built / file, target)


if __name__ == "__main__":
    main()
