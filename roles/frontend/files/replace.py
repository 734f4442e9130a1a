"""Replaces text in built files: replace.py REPLACEMENTS DIRECTORY.

REPLACEMENTS is a JSON list of {"regexp": …, "replace": …}, as Python's ``re.sub`` takes them with ``re.MULTILINE``.
"""

import json
import pathlib
import re
import sys

SUFFIXES = {".html", ".js", ".mjs", ".css", ".json", ".webmanifest"}

replacements = json.loads(pathlib.Path(sys.argv[1]).read_text())
for file in pathlib.Path(sys.argv[2]).rglob("*"):
    if file.is_file() and file.suffix in SUFFIXES:
        before = text = file.read_text()
        for replacement in replacements:
            text = re.sub(replacement["regexp"], replacement["replace"], text, flags=re.MULTILINE)
        if text != before:
            file.write_text(text)
