# Copyright: (c) 2026, EduSphere maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# mypy: allow-untyped-calls
"""What the modules share: the parameters that describe a project, and the way from a module to its probe and back."""

from __future__ import annotations

import grp
import inspect
import json
import os
import pwd
import re
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn
from urllib.parse import quote

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.edusphere.django.plugins.module_utils import environment_file
from ansible_collections.edusphere.django.plugins.module_utils.probe import core
from ansible_collections.edusphere.django.plugins.module_utils.transport import (
    Account,
    HostTransport,
    Reply,
    Transport,
    TransportError,
    new_token,
)

ARGUMENTS: dict[str, dict[str, Any]] = {
    "project_dir": {"type": "path", "required": True},
    "python": {"type": "path", "required": True},
    "settings": {"type": "str"},
    "pythonpath": {"type": "list", "elements": "path", "default": []},
    "environment": {"type": "dict", "default": {}, "no_log": True},
    "environment_file": {"type": "path"},
    "user": {"type": "str"},
    "group": {"type": "str"},
    "umask": {"type": "str"},
    "timeout": {"type": "int"},
}

# Variables that would make another interpreter of the project's one.
_INTERPRETER_VARIABLES = ("PYTHONHOME", "PYTHONSTARTUP", "__PYVENV_LAUNCHER__")
# Values of these are no secrets, and an error message without them ("no such database ***") helps nobody.
_PUBLIC_NAME = re.compile(
    r"(^|_)(HOSTS?|PORT|NAME|USER|USERNAME|DEBUG|MODE|SSLMODE|LEVEL|MODULE|PATH|PYTHONPATH|LANG|TZ|ORIGINS)$", re.I
)
# Shorter values can't be told from ordinary text.
_SHORTEST_SECRET = 4
_MASK = "********"


class _NotYetError(Exception):
    """Something of the project does not exist, which in check mode only means that a run would make it."""


class ProjectModule:
    """An Ansible module that asks one project one question."""

    def __init__(self, arguments: dict[str, dict[str, Any]]) -> None:
        self.module = AnsibleModule(argument_spec={**ARGUMENTS, **arguments}, supports_check_mode=True)
        self.parameters: dict[str, Any] = self.module.params
        self.check_mode: bool = self.module.check_mode
        self._secrets: set[str] = {
            value
            for name, specification in arguments.items()
            if specification.get("no_log") and isinstance(value := self.parameters[name], str) and value
        }
        # Ansible would replace every occurrence of every value of `environment` in the results: with DEBUG=1, each 1.
        # Results hold no secrets, the texts that may hold some are masked in _mask(), and the parameters here.
        self.module.no_log_values.clear()
        self._shown = {
            name: "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"
            if {**ARGUMENTS, **arguments}.get(name, {}).get("no_log") and value
            else value
            for name, value in self.parameters.items()
        }

    def ask(self, action: ModuleType, parameters: dict[str, Any]) -> Reply:
        """Run the probe ``action`` with ``parameters``; end the module when there is no result.

        A reply that comes back has a final frame whose event is ``result``. An error ends the module with what
        :meth:`fail` is given by ``partial``; override that to report what was done before the error.
        """
        try:
            transport, directory = self._transport()
        except _NotYetError as missing:
            if self.check_mode:
                self.unknown(str(missing))
            self.fail(str(missing))
        except PermissionError as error:
            self.fail(f"{error.filename}: {error.strerror}; set become: true on the task, or another user")
        token = new_token()
        program = assemble(
            action,
            {
                "token": token,
                "directory": directory,
                "command": action.COMMAND,
                "check_mode": self.check_mode,
                "parameters": parameters,
            },
        )
        try:
            reply = transport.run(program, token, self.parameters["timeout"])
        except TransportError as error:
            self.fail(f"python: {self.parameters['python']} can't be run: {error}")
        final = reply.final
        if final and final["event"] == "unknown":
            self.unknown(final["message"])
        if not final or final["event"] != "result":
            self._fail_reply(reply)
        return reply

    def partial(self, reply: Reply) -> dict[str, Any]:  # noqa: ARG002 - for the modules that override it
        """Return what is to be reported of a run that failed."""
        return {"changed": False}

    def succeed(self, diff: dict[str, str] | None = None, **results: Any) -> NoReturn:
        """End the module."""
        if diff is not None and self.module._diff:
            results["diff"] = diff
        self.module.exit_json(unknown=False, invocation={"module_args": self._shown}, **results)

    def unknown(self, reason: str) -> NoReturn:
        """End check mode without a prediction: reported as changed, as it must not look like nothing to do."""
        self.module.exit_json(
            changed=True,
            unknown=True,
            msg="What a run would do can't be known yet: " + self._mask(reason),
            invocation={"module_args": self._shown},
        )

    def fail(self, message: str, **results: Any) -> NoReturn:
        """End the module with an error, all secrets in its texts masked."""
        self.module.fail_json(msg=self._mask(message), invocation={"module_args": self._shown}, **results)

    def _fail_reply(self, reply: Reply) -> NoReturn:
        final = reply.final
        results = dict(self.partial(reply), output=self._mask(reply.noise))
        if reply.timed_out:
            self.fail(f"timeout: the project was stopped after {self.parameters['timeout']} seconds", **results)
        if final is None:
            ended = "ended" if (reply.returncode or 0) >= 0 else "was killed"
            self.fail(
                f"{self.parameters['python']} {ended} without an answer (return code {reply.returncode}): "
                + reply.noise,
                **results,
            )
        text = ": ".join(part for part in (final["type"], final["message"]) if part)
        if final["stage"] == "load":
            settings = self.parameters["settings"] or "DJANGO_SETTINGS_MODULE"
            text = f"Django could not be loaded with settings {settings}: {text}"
        if final["type"]:
            results["exception_type"] = final["type"]
        self.fail(text, **results)

    def _mask(self, text: str) -> str:
        forms = {
            form
            for secret in self._secrets
            for form in (secret, repr(secret)[1:-1], json.dumps(secret)[1:-1], quote(secret, safe=""))
        }
        for form in sorted(forms, key=len, reverse=True):
            text = text.replace(form, _MASK)
        return text

    def _transport(self) -> tuple[Transport, str]:
        """Return the way to the project, and its directory as the project's interpreter sees it."""
        if self.parameters["timeout"] is not None and self.parameters["timeout"] < 1:
            self.fail("timeout: give at least one second, or leave it out for no limit")
        account = self._account()
        environment = self._environment()
        directory = Path(self.parameters["project_dir"]).absolute()
        if not directory.is_dir():
            raise _NotYetError(f"project_dir: there is no directory {directory}")
        return HostTransport(self._python(directory), str(directory), environment, account), str(directory)

    def _python(self, directory: Path) -> str:
        python: str = self.parameters["python"]
        if os.sep not in python:
            found = self.module.get_bin_path(python)
            if not found:
                raise _NotYetError(f"python: there is no {python} on the PATH")
            return str(found)
        interpreter = directory / python
        if not interpreter.is_file():
            raise _NotYetError(f"python: there is no interpreter {interpreter}")
        if not os.access(interpreter, os.X_OK):
            self.fail(f"python: {interpreter} is not executable")
        return str(interpreter)

    def _account(self) -> Account:
        user, group, umask = (self.parameters[name] for name in ("user", "group", "umask"))
        account = Account()
        if umask is not None:
            if not re.fullmatch(r"0?[0-7]{3}", umask):
                self.fail(f"umask: {umask!r} is not an octal number such as '0027'")
            account.umask = int(umask, 8)
        try:
            entry = pwd.getpwnam(user) if user else None
        except KeyError:
            raise _NotYetError(f"user: there is no account {user}") from None
        try:
            gid = grp.getgrnam(group).gr_gid if group else entry.pw_gid if entry else None
        except KeyError:
            raise _NotYetError(f"group: there is no group {group}") from None
        if os.geteuid() == 0:
            account.uid = entry.pw_uid if entry else None
            account.gid = gid
            account.groups = os.getgrouplist(entry.pw_name, entry.pw_gid) if entry else None
        elif entry and entry.pw_uid != os.geteuid():
            self.fail(f"user: only root can run the project as {user}; set become: true on the task")
        elif gid is not None and gid != os.getegid():
            self.fail(f"group: only root can run the project with group {group}; set become: true on the task")
        return account

    def _environment(self) -> dict[str, str]:
        given = dict(self._environment_file())
        for name, value in self.parameters["environment"].items():
            if not isinstance(value, str):
                self.fail(f"environment: the value of {name} is a {type(value).__name__}; quote it to make it a string")
            if not name or "=" in name or "\0" in name + value:
                self.fail(f"environment: {name!r} can't be set: a NUL byte, or a '=' in the name")
            given[name] = value
        self._secrets.update(
            value for name, value in given.items() if len(value) >= _SHORTEST_SECRET and not _PUBLIC_NAME.search(name)
        )
        environment = {name: value for name, value in os.environ.items() if name not in _INTERPRETER_VARIABLES}
        if self.parameters["user"]:
            entry = pwd.getpwnam(self.parameters["user"])
            environment.update(HOME=entry.pw_dir, USER=entry.pw_name, LOGNAME=entry.pw_name)
        # The probe leaves nothing behind in the project.
        environment["PYTHONDONTWRITEBYTECODE"] = "1"
        environment.update(given)
        if self.parameters["settings"]:
            environment["DJANGO_SETTINGS_MODULE"] = self.parameters["settings"]
        if not environment.get("DJANGO_SETTINGS_MODULE"):
            self.fail("settings: give the settings module here, or as DJANGO_SETTINGS_MODULE in the environment")
        path = [*self.parameters["pythonpath"], environment.get("PYTHONPATH", "")]
        if any(path):
            environment["PYTHONPATH"] = os.pathsep.join(part for part in path if part)
        return environment

    def _environment_file(self) -> dict[str, str]:
        path = self.parameters["environment_file"]
        if not path:
            return {}
        try:
            return environment_file.parse(Path(path).read_bytes().decode("utf-8"))
        except FileNotFoundError:
            raise _NotYetError(f"environment_file: there is no file {path}") from None
        except OSError as error:
            self.fail(f"environment_file: {path} can't be read: {error.strerror}")
        except UnicodeDecodeError:
            self.fail(f"environment_file: {path} is not UTF-8")
        except environment_file.EnvironmentFileError as error:
            self.fail(f"environment_file: {path}: {error}")


def assemble(action: ModuleType, request: dict[str, Any]) -> str:
    """Return the program that runs the probe ``action`` with ``request`` in an interpreter of its own.

    The probe's modules keep their names there, so that they can import each other as they do here.
    """
    payload = json.dumps(
        {
            "modules": [[module.__name__, inspect.getsource(module)] for module in (core, action)],
            "core": core.__name__,
            "action": action.__name__,
            "request": request,
        }
    )
    return _BOOTSTRAP.format(payload=repr(payload))


_BOOTSTRAP = """\
import json, sys, types
payload = json.loads({payload})
for name, source in payload["modules"]:
    module = sys.modules[name] = types.ModuleType(name)
    exec(compile(source, "<" + name + ">", "exec"), module.__dict__)
sys.modules[payload["core"]].main(payload["request"], sys.modules[payload["action"]].run)
"""
