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
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn
from urllib.parse import quote, unquote

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.edusphere.django.plugins.module_utils import environment_file
from ansible_collections.edusphere.django.plugins.module_utils.containers import (
    ComposeTransport,
    ContainerTransport,
    Docker,
    ImageTransport,
    Inside,
)
from ansible_collections.edusphere.django.plugins.module_utils.probe import core, guard
from ansible_collections.edusphere.django.plugins.module_utils.transport import (
    Account,
    HostTransport,
    NotYetError,
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
    "container": {"type": "str"},
    "image": {"type": "str"},
    "network": {"type": "str"},
    "volumes": {"type": "list", "elements": "str", "default": []},
    "compose_service": {"type": "str"},
    "compose_project_dir": {"type": "path"},
    "compose_files": {"type": "list", "elements": "path", "default": []},
    "compose_project_name": {"type": "str"},
    "docker_cli": {"type": "path"},
}
# The parameters of which one at most says what container the project is in, and those that only go with it.
PLACES: dict[str, list[str]] = {
    "container": [],
    "image": ["network", "volumes"],
    "compose_service": ["compose_project_dir", "compose_files", "compose_project_name"],
}

# Variables that would make another interpreter of the project's one.
_INTERPRETER_VARIABLES = ("PYTHONHOME", "PYTHONSTARTUP", "__PYVENV_LAUNCHER__")
# Values of these are no secrets, and an error message without them ("no such database ***") helps nobody.
_PUBLIC_NAME = re.compile(
    r"(^|_)(HOSTS?|PORT|NAME|USER|USERNAME|DEBUG|MODE|SSLMODE|LEVEL|MODULE|PATH|FILE|DIR|PYTHONPATH|LANG|TZ|ORIGINS)$",
    re.I,
)
# The other way round: values of these are secret wherever they come from.
_SECRET_NAME = re.compile(
    r"SECRET|PASSWORD|PASSWD|PASSPHRASE|TOKEN|CREDENTIAL|PASS(_|$)|_PWD(_|$)|(^|_)(API|PRIVATE|ACCESS)?KEYS?(_|$)", re.I
)
# The password in a URL, up to the last @ before its path.
_URL_PASSWORD = re.compile(r"://[^\s:/?#@]*:([^\s/?#]+)@")
# In what was meant as one, the password may have characters that end that part of a URL; but a port is none.
_BAD_URL_PASSWORD = re.compile(r"://[^\s:/?#@]*:(?!\d*[/?#])(\S+)@")
# How much of what a project printed is shown, in characters.
_OUTPUT = 16 * 1024
# Shorter values can't be told from ordinary text: masked, they would make holes in every other word.
_SHORTEST_SECRET = 4
_SWITCHES = ("true", "false", "none", "null")
_MASK = "********"


class ProjectModule:
    """An Ansible module that asks one project one question."""

    # What is said when check mode can't know the answer, and what `changed` is: it must not look like nothing to do.
    UNKNOWN = ("What a run would do can't be known yet", True)

    def __init__(self, arguments: dict[str, dict[str, Any]]) -> None:
        self.module = AnsibleModule(argument_spec={**ARGUMENTS, **arguments}, supports_check_mode=True)
        self.parameters: dict[str, Any] = self.module.params
        # Those that the action gets; the others say where the project is.
        self._own = {name: self.parameters[name] for name in arguments}
        self.check_mode: bool = self.module.check_mode
        self._secrets: set[str] = {
            value
            for name, specification in arguments.items()
            if specification.get("no_log") and isinstance(value := self.parameters[name], str) and value
        }
        self._secrets |= secrets_of(os.environ)
        # Ansible would replace every occurrence of every value of `environment` in the results: with DEBUG=1, each 1.
        # Results hold no secrets, the texts that may hold some are masked in _mask(), and the parameters here.
        self.module.no_log_values.clear()
        self._shown = {
            name: "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"
            if {**ARGUMENTS, **arguments}.get(name, {}).get("no_log") and value
            else value
            for name, value in self.parameters.items()
        }

    def ask(self, action: ModuleType) -> Reply:
        """Run the probe ``action`` with the module's own parameters; end the module when there is no result.

        A reply that comes back has a final frame whose event is ``result``. An error ends the module with what
        :meth:`fail` is given by ``partial``; override that to report what was done before the error.
        """
        token = new_token()
        program = assemble(
            action,
            {
                "token": token,
                "directory": self._directory,
                "command": action.COMMAND,
                "check_mode": self.check_mode,
                "parameters": self._own,
            },
        )
        try:
            reply = self._transport().run(program, token, self.parameters["timeout"])
        except NotYetError as missing:
            if self.check_mode:
                self.unknown(str(missing))
            self.fail(str(missing))
        except TransportError as error:
            self.fail(str(error))
        except PermissionError as error:
            self.fail(f"{error.filename}: {error.strerror}; set become: true on the task, or another user")
        for frame in reply.frames:
            if frame["event"] == "environment":
                self._secrets |= secrets_of(frame["variables"])
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
        """End check mode without a prediction, and with a warning, as nobody looks at what has not failed."""
        words, changed = self.UNKNOWN
        message = f"{words}: {self._mask(reason)}"
        self.module.warn(message)
        self.module.exit_json(changed=changed, unknown=True, msg=message, invocation={"module_args": self._shown})

    def fail(self, message: str, **results: Any) -> NoReturn:
        """End the module with an error, all secrets in its texts masked."""
        self.module.fail_json(msg=self._mask(message), invocation={"module_args": self._shown}, **results)

    def _fail_reply(self, reply: Reply) -> NoReturn:
        final = reply.final
        output = self._mask(reply.noise).strip()
        output = output if len(output) <= _OUTPUT else "[…] " + output[-_OUTPUT:]
        results = dict(self.partial(reply), output=output)
        if reply.timed_out:
            self.fail(f"timeout: the project was stopped after {self.parameters['timeout']} seconds", **results)
        if final is None:
            code = reply.returncode or 0
            # 128 and the signal's number: as the guard, shells and engines tell it.
            killed = code > 128
            self.fail(
                f"{self.parameters['python']} {'was killed' if killed else 'ended'} without an answer"
                f" ({f'signal {code - 128}' if killed else f'return code {code}'}): {output}",
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
        # An exception's text, and what was printed, may have lost white space at its end.
        stripped = {secret.strip() for secret in self._secrets}
        forms = {
            form
            for secret in self._secrets.union(short for short in stripped if is_secret(short))
            for form in (secret, repr(secret)[1:-1], json.dumps(secret)[1:-1], quote(secret, safe=""))
        }
        for form in sorted(forms, key=len, reverse=True):
            text = text.replace(form, _MASK)
        return text

    def _transport(self) -> Transport:
        """Return the way to the project's interpreter, after all that can be wrong with the parameters."""
        problems = self._problems()
        if problems:
            self.fail("; ".join(problems))
        if any(self.parameters[name] for name in PLACES):
            return self._container_transport()
        account = self._account()
        environment = self._host_environment()
        if not Path(self._directory).is_dir():
            raise NotYetError(f"project_dir: there is no directory {self._directory}")
        return HostTransport(self._python(), self._directory, environment, account)

    @property
    def _directory(self) -> str:
        return str(Path(self.parameters["project_dir"]).absolute())

    def _problems(self) -> list[str]:
        """Return what is wrong with the parameters by themselves, in the words of error messages."""
        given = {name for name in ARGUMENTS if self.parameters[name] not in (None, [], {})}
        problems = []
        places = [name for name in PLACES if name in given]
        if len(places) > 1:
            problems.append(f"{', '.join(places)}: give one of them, as the project is in one place")
        for place, own in PLACES.items():
            problems += [f"{name}: only with {place}" for name in own if name in given and place not in given]
        if not places and "docker_cli" in given:
            problems.append(f"docker_cli: only with one of {', '.join(PLACES)}")
        if "compose_service" in given and "compose_project_dir" not in given:
            problems.append("compose_project_dir: give it with compose_service")
        for volume in self.parameters["volumes"]:
            if not re.fullmatch(r"[^:]+:/[^:]*(:[a-zA-Z,]+)?", volume):
                problems.append(f"volumes: {volume!r} is not SOURCE:TARGET or SOURCE:TARGET:OPTIONS")
        if places:
            if "group" in given and "user" not in given:
                problems.append("group: in a container only with user")
            if not self.parameters["project_dir"].startswith("/"):
                problems.append("project_dir: in a container it must be an absolute path")
        if self.parameters["timeout"] is not None and self.parameters["timeout"] < 1:
            problems.append("timeout: give at least one second, or leave it out for no limit")
        if "umask" in given and not re.fullmatch(r"0?[0-7]{3}", self.parameters["umask"]):
            problems.append(f"umask: {self.parameters['umask']!r} is not an octal number such as '0027'")
        for name, value in self.parameters["environment"].items():
            if not isinstance(value, str):
                problems.append(
                    f"environment: the value of {name} is a {type(value).__name__}; quote it to make it a string"
                )
            elif not name or "=" in name or "\0" in name + value:
                problems.append(f"environment: {name!r} can't be set: a NUL byte, or a '=' in the name")
        return problems

    def _container_transport(self) -> Transport:
        """Return the way to the project in a container; nothing of the host but what is in parameters gets there."""
        user, group = self.parameters["user"], self.parameters["group"]
        python = self.parameters["python"]
        inside = Inside(
            # A bare name is looked up by the engine.
            python=str(Path(self._directory, python)) if "/" in python else python,
            environment=self._environment(),
            pythonpath=self.parameters["pythonpath"],
            user=f"{user}:{group}" if group else user,
            umask=self._umask(),
        )
        docker = Docker(self.parameters["docker_cli"] or "docker")
        if self.parameters["container"]:
            return ContainerTransport(docker, inside, self.parameters["container"])
        if self.parameters["image"]:
            return ImageTransport(
                docker, inside, self.parameters["image"], self.parameters["network"], self.parameters["volumes"]
            )
        return ComposeTransport(
            docker,
            inside,
            self.parameters["compose_service"],
            str(Path(self.parameters["compose_project_dir"]).absolute()),
            self.parameters["compose_files"],
            self.parameters["compose_project_name"],
            self.check_mode,
        )

    def _python(self) -> str:
        python: str = self.parameters["python"]
        if os.sep not in python:
            found = self.module.get_bin_path(python)
            if not found:
                raise NotYetError(f"python: there is no {python} on the PATH")
            return str(found)
        interpreter = Path(self._directory, python)
        if not interpreter.is_file():
            raise NotYetError(f"python: there is no interpreter {interpreter}")
        if not os.access(interpreter, os.X_OK):
            self.fail(f"python: {interpreter} is not executable")
        return str(interpreter)

    def _account(self) -> Account:
        user, group = self.parameters["user"], self.parameters["group"]
        account = Account(umask=self._umask())
        try:
            entry = pwd.getpwnam(user) if user else None
        except KeyError:
            raise NotYetError(f"user: there is no account {user}") from None
        try:
            gid = grp.getgrnam(group).gr_gid if group else entry.pw_gid if entry else None
        except KeyError:
            raise NotYetError(f"group: there is no group {group}") from None
        if os.geteuid() == 0:
            account.uid = entry.pw_uid if entry else None
            account.gid = gid
            account.groups = os.getgrouplist(entry.pw_name, entry.pw_gid) if entry else None
        elif entry and entry.pw_uid != os.geteuid():
            self.fail(f"user: only root can run the project as {user}; set become: true on the task")
        elif gid is not None and gid != os.getegid():
            self.fail(f"group: only root can run the project with group {group}; set become: true on the task")
        return account

    def _umask(self) -> int:
        umask = self.parameters["umask"]
        return -1 if umask is None else int(umask, 8)

    def _host_environment(self) -> dict[str, str]:
        """Return all of the environment: that of the module, and the project's."""
        environment = {name: value for name, value in os.environ.items() if name not in _INTERPRETER_VARIABLES}
        if self.parameters["user"]:
            entry = pwd.getpwnam(self.parameters["user"])
            environment.update(HOME=entry.pw_dir, USER=entry.pw_name, LOGNAME=entry.pw_name)
        environment.update(self._environment())
        return guard.complete(environment, self.parameters["pythonpath"])

    def _environment(self) -> dict[str, str]:
        """Return the project's environment as the parameters tell it, and remember its secrets."""
        given = {**self._environment_file(), **self.parameters["environment"]}
        self._secrets |= secrets_of(given)
        self._secrets.update(
            value for name, value in given.items() if is_secret(value) and not _PUBLIC_NAME.search(name)
        )
        if self.parameters["settings"]:
            given["DJANGO_SETTINGS_MODULE"] = self.parameters["settings"]
        # The probe leaves nothing behind in the project.
        return {"PYTHONDONTWRITEBYTECODE": "1", **given}

    def _environment_file(self) -> dict[str, str]:
        path = self.parameters["environment_file"]
        if not path:
            return {}
        try:
            return environment_file.parse(Path(path).read_bytes().decode("utf-8"))
        except FileNotFoundError:
            raise NotYetError(f"environment_file: there is no file {path}") from None
        except OSError as error:
            self.fail(f"environment_file: {path} can't be read: {error.strerror}")
        except UnicodeDecodeError:
            self.fail(f"environment_file: {path} is not UTF-8")
        except environment_file.EnvironmentFileError as error:
            self.fail(f"environment_file: {path}: {error}")


def secrets_of(environment: Mapping[str, str]) -> set[str]:
    """Return what is secret in an environment that nobody gave as a secret: not all of it, as that may be anything.

    These are the values of the variables whose names say so, and the passwords in all URLs, as they stand there and
    decoded: an error of a database's driver quotes them alone.
    """
    found = {
        value for name, value in environment.items() if _SECRET_NAME.search(name) and not _PUBLIC_NAME.search(name)
    }
    for value in environment.values():
        passwords = _URL_PASSWORD.findall(value)
        for password in _BAD_URL_PASSWORD.findall(value) if not passwords else ():
            # What parses it takes one of its parts for a port, say, and quotes that.
            passwords += [password, *re.split("[/?#]", password)]
        found.update(form for password in passwords for form in (password, unquote(password)))
    return {value for value in found if is_secret(value)}


def is_secret(value: str) -> bool:
    """Tell whether a value can be told from ordinary text."""
    return len(value) >= _SHORTEST_SECRET and value.lower() not in _SWITCHES


def assemble(action: ModuleType, request: dict[str, Any]) -> str:
    """Return the program that runs the probe ``action`` with ``request`` in an interpreter of its own.

    The probe's modules keep their names there, so that they can import each other as they do here. What ``action``
    imports of them stands in its ``MODULES``.
    """
    also = [import_module("." + name, action.__package__) for name in getattr(action, "MODULES", ())]
    payload = json.dumps(
        {
            "modules": [[module.__name__, inspect.getsource(module)] for module in (core, *also, action)],
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
