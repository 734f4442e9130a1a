# Copyright: (c) 2026, EduSphere maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# mypy: allow-untyped-calls
"""The part of every probe that runs first, inside the project's interpreter: load Django, answer, fail well.

Needs nothing but the standard library and, from :func:`main` on, the project's own Django.
"""

from __future__ import annotations

import gc
import json
import os
import sys
from pathlib import Path
from typing import Any, Callable
from urllib.parse import parse_qs, unquote, urlsplit


class UnknownError(Exception):
    """Something that is needed does not exist yet: what a run would do is unknown in check mode, else it's an error."""


class RefusedError(Exception):
    """The request can't be met; the message names the parameter and the fix."""


class Channel:
    """The way back to the module, out of reach of whatever the project prints.

    A duplicate of standard output is taken before the project's code is loaded; from then on everything printed to
    standard output joins standard error.
    """

    def __init__(self, token: str) -> None:
        self._token = token
        self._stream = os.fdopen(os.dup(1), "wb", buffering=0)
        os.dup2(2, 1)

    def send(self, event: str, **content: Any) -> None:
        """Send one frame; ``content`` must be JSON."""
        line = "\n{} {}\n".format(self._token, json.dumps(dict(content, event=event)))
        data = memoryview(line.encode("ascii"))
        while data:
            data = data[self._stream.write(data) or 0 :]


class Project:
    """What an action gets to work with."""

    def __init__(self, channel: Channel, check_mode: bool) -> None:
        self.channel = channel
        self.check_mode = check_mode

    def connection(self, alias: str) -> Any:
        """Return Django's connection of that alias, connected.

        In check mode a database that can't be reached makes the answer unknown, as the run before this one in the
        same play may be what creates it. An SQLite database whose file a run would create is an empty one there.
        """
        from django.db import connections
        from django.db.utils import OperationalError

        if alias not in connections:
            raise RefusedError(
                "database: the settings have no database {!r}, they have {}".format(
                    alias, ", ".join(sorted(connections))
                )
            )
        if self.check_mode and would_create_file(connections[alias]):
            connections[alias].settings_dict["NAME"] = ":memory:"
        try:
            connections[alias].ensure_connection()
        except OperationalError as error:
            if self.check_mode:
                raise UnknownError("the database can't be reached: {}".format(str(error).strip())) from error
            raise
        return connections[alias]


def would_create_file(connection: Any) -> bool:
    """Tell whether merely connecting to the database makes its file, as SQLite does."""
    if connection.vendor != "sqlite" or connection.is_in_memory_db():
        return False
    name = str(connection.settings_dict["NAME"])
    if name.startswith("file:"):
        # https://www.sqlite.org/uri.html: without a mode, that of the call, which creates files.
        uri = urlsplit(name)
        if parse_qs(uri.query).get("mode", ["rwc"])[-1] != "rwc":
            return False
        name = unquote(uri.path)
    # SQLite takes ".." as text, also after a directory that does not exist.
    path = Path(os.path.normpath(name))
    return not path.exists() and path.parent.is_dir()


def describe(error: BaseException) -> dict[str, str]:
    """Return the type and the text of an exception, as its author worded them."""
    if isinstance(error, SystemExit):
        return {"type": "SystemExit", "message": "the project called sys.exit({!r})".format(error.code)}
    kind = type(error)
    name = kind.__qualname__ if kind.__module__ == "builtins" else "{}.{}".format(kind.__module__, kind.__qualname__)
    if isinstance(error, SyntaxError) and error.filename:
        return {"type": name, "message": "{} ({}, line {})".format(error.msg, error.filename, error.lineno)}
    # What was added to it on the way, such as the line of a style sheet.
    return {"type": name, "message": "\n".join([str(error).strip(), *getattr(error, "__notes__", [])])}


def load(directory: str, command: str) -> None:
    """Load Django with the project's settings, as ``manage.py COMMAND`` in ``directory`` would."""
    try:
        os.chdir(directory)
    except (FileNotFoundError, NotADirectoryError):
        raise UnknownError("project_dir: there is no directory {}".format(directory)) from None
    except PermissionError:
        raise RefusedError("project_dir: {}: Permission denied; give another user".format(directory)) from None
    if not os.environ.get("DJANGO_SETTINGS_MODULE"):
        raise RefusedError("settings: give the settings module here, or as DJANGO_SETTINGS_MODULE in the environment")
    if directory not in sys.path:
        sys.path.insert(0, directory)
    # Settings commonly look at sys.argv[1] to tell commands apart.
    sys.argv[:] = ["manage.py", command]
    # What is loaded stays, so looking through it for garbage again and again is a twentieth of the time for nothing.
    gc.disable()
    import django

    django.setup()
    gc.freeze()
    gc.enable()


def main(request: dict[str, Any], action: Callable[[Project, dict[str, Any]], dict[str, Any]]) -> None:
    """Run ``action`` in the loaded project and send its result, or the reason why there is none."""
    channel = Channel(request["token"])
    stage = "load"
    # Of a container's own the module knows nothing, and is to mask what is secret there in what it shows of this run.
    before = dict(os.environ)
    channel.send("environment", variables=before)
    try:
        try:
            load(request["directory"], request["command"])
        finally:
            # Settings may have read a file of the project's.
            if dict(os.environ) != before:
                channel.send("environment", variables=dict(os.environ))
        stage = "action"
        result = action(Project(channel, request["check_mode"]), request["parameters"])
    except (UnknownError, RefusedError) as error:
        if isinstance(error, UnknownError) and request["check_mode"]:
            channel.send("unknown", message=str(error))
        else:
            channel.send("error", stage="refused", type="", message=str(error))
    except BaseException as error:  # Settings may call sys.exit(), and that must be told as well.
        channel.send("error", stage=stage, **describe(error))
    else:
        channel.send("result", result=result)
