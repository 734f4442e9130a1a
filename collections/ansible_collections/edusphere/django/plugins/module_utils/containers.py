# Copyright: (c) 2026, EduSphere maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs programs in containers: one that is up, or a new one of an image or of a Compose service for one run alone."""

from __future__ import annotations

import json
import os
import re
import secrets
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.edusphere.django.plugins.module_utils.probe import guard
from ansible_collections.edusphere.django.plugins.module_utils.transport import (
    NotYetError,
    Reply,
    TransportError,
    converse,
    letter,
)

# Where Compose looks in its project directory when it is told no file.
COMPOSE_FILES = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")

# Where the client reaches the engine unless it is told otherwise.
SOCKET = Path("/var/run/docker.sock")


@dataclass
class Inside:
    """What is to be run in a container.

    ``environment`` is added to the container's own. ``user`` is as docker's own option takes it, None for the
    container's. ``umask`` of -1 keeps the container's.
    """

    python: str
    environment: dict[str, str]
    pythonpath: list[str]
    user: str | None = None
    umask: int = -1


class Docker:
    """The engine, by its command-line client."""

    def __init__(self, client: str) -> None:
        self.client = client

    def inspect(self, kind: str, name: str, missing: str) -> Any:
        """Return what the engine knows about an object; ``missing`` is the message when it knows nothing.

        Raises :class:`NotYetError` for that, and when there is no engine yet.
        """
        found = self.ask(kind, "inspect", name)
        if found.returncode == 0:
            return json.loads(found.stdout)[0]
        engine = self.ask("version", "--format", "{{.Server.Version}}")
        if engine.returncode:
            if SOCKET.exists() and not os.access(SOCKET, os.R_OK | os.W_OK):
                raise TransportError(f"docker_cli: {SOCKET}: Permission denied; set become: true on the task")
            raise NotYetError(f"docker_cli: no Docker engine answers {self.client}: {words(engine)}")
        raise NotYetError(missing)

    def ask(self, *arguments: str, directory: str = "/") -> subprocess.CompletedProcess[str]:
        """Run a command of the client to its end."""
        try:
            return subprocess.run(
                [self.client, *arguments],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                cwd=directory,
                check=False,
            )
        except FileNotFoundError:
            raise NotYetError(f"docker_cli: there is no {self.client} on this host; install Docker's client") from None
        except OSError as error:
            raise TransportError(f"docker_cli: {self.client} can't be run: {error.strerror}") from error

    def converse(
        self,
        arguments: list[str],
        inside: Inside,
        where: str,
        exchange: tuple[str, str, float | None],
        remove: str | None = None,
        descriptors: tuple[int, ...] = (),
    ) -> Reply:
        """Run a command of the client that starts the loader in a container, and talk to that.

        ``exchange`` is what :meth:`Transport.run` was given; ``remove`` names the container that must not be left.
        """
        program, token, timeout = exchange
        process = subprocess.Popen(
            [self.client, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd="/",
            pass_fds=descriptors,
            start_new_session=True,
        )

        def abort() -> None:
            if remove:
                self.ask("rm", "--force", "--volumes", remove)
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)

        sent = letter(program, token, inside.environment, inside.pythonpath, inside.umask)
        reply = converse(process, sent, token, timeout, abort)
        if not reply.frames and not reply.timed_out:
            raise NotYetError(f"python: {inside.python} can't be run in {where}: {reply.noise}")
        return reply


@dataclass
class ContainerTransport:
    """Runs programs in a container that is up."""

    docker: Docker
    inside: Inside
    container: str

    def __post_init__(self) -> None:
        """Make sure of the container."""
        name = self.container
        found = self.docker.inspect("container", name, f"container: there is no container {name}; start it first")
        status = found["State"]["Status"]
        if status != "running":
            raise NotYetError(f"container: the container {name} is not running but {status}; start it first")

    def run(self, program: str, token: str, timeout: float | None) -> Reply:
        """See :meth:`Transport.run`."""
        arguments = ["exec", "--interactive"]
        if self.inside.user:
            arguments.append(f"--user={self.inside.user}")
        arguments += [self.container, self.inside.python, "-c", guard.LOADER]
        return self.docker.converse(arguments, self.inside, f"container {self.container}", (program, token, timeout))


@dataclass
class ImageTransport:
    """Runs each program in a new container of an image."""

    docker: Docker
    inside: Inside
    image: str
    network: str | None
    volumes: list[str]

    def __post_init__(self) -> None:
        """Make sure of all that the engine would fetch or make by itself."""
        image = self.image
        self.docker.inspect("image", image, f"image: there is no image {image} on this host; build or pull it first")
        if self.network:
            self.docker.inspect(
                "network", self.network, f"network: there is no network {self.network}; create it first"
            )
        for volume in self.volumes:
            source = volume.partition(":")[0]
            if not source.startswith("/"):
                self.docker.inspect("volume", source, f"volumes: there is no volume {source}; create it first")
            elif not Path(source).exists():
                raise NotYetError(f"volumes: there is no {source} on this host; make it first")

    def run(self, program: str, token: str, timeout: float | None) -> Reply:
        """See :meth:`Transport.run`."""
        name = one_off()
        arguments = ["run", "--rm", "--interactive", "--pull=never", "--no-healthcheck", f"--name={name}"]
        # What the project prints may hold secrets, and is for the module alone.
        arguments += ["--log-driver=none", f"--entrypoint={self.inside.python}"]
        if self.inside.user:
            arguments.append(f"--user={self.inside.user}")
        if self.network:
            arguments.append(f"--network={self.network}")
        arguments += [f"--volume={volume}" for volume in self.volumes]
        arguments += [self.image, "-c", guard.LOADER]
        return self.docker.converse(arguments, self.inside, f"image {self.image}", (program, token, timeout), name)


@dataclass
class ComposeTransport:
    """Runs each program in a new container of a Compose service, without the services that it depends on."""

    docker: Docker
    inside: Inside
    service: str
    directory: str
    files: list[str]
    project: str | None
    check_mode: bool

    def __post_init__(self) -> None:
        """Make sure of all that Compose would fetch or make by itself; in check mode, also of what it should."""
        if not Path(self.directory).is_dir():
            raise NotYetError(f"compose_project_dir: there is no directory {self.directory}")
        self.files = [str(Path(self.directory, file)) for file in self.files]
        for file in self.files:
            if not Path(file).is_file():
                raise NotYetError(f"compose_files: there is no file {file}")
        self.model = self._model()

    def run(self, program: str, token: str, timeout: float | None) -> Reply:
        """See :meth:`Transport.run`."""
        name = one_off()
        with memory_file(json.dumps(self.model)) as descriptor:
            arguments = [
                *self._compose(f"/dev/fd/{descriptor}"),
                *("run", "--rm", "--no-deps", "--no-TTY", f"--name={name}", self.service),
            ]
            return self.docker.converse(
                arguments,
                self.inside,
                f"compose service {self.service}",
                (program, token, timeout),
                name,
                (descriptor,),
            )

    def _compose(self, *files: str) -> list[str]:
        # The service may be in any profile.
        arguments = ["compose", "--profile=*", f"--project-directory={self.directory}"]
        if self.project:
            arguments.append(f"--project-name={self.project}")
        return [*arguments, *(f"--file={file}" for file in files)]

    def _model(self) -> dict[str, Any]:
        """Return the project as Compose resolves it, cut down to what one run of the service needs.

        Compose would build a missing image whatever its pull policy says, make networks and volumes, and check those
        of other services as well.
        """
        config = self.docker.ask(*self._compose(*self.files), "config", "--format=json", directory=self.directory)
        if config.returncode:
            if self.docker.ask("compose", "version").returncode:
                raise NotYetError(f"compose_service: {self.docker.client} has no Compose: {words(config)}")
            if not self.files and not any(Path(self.directory, name).exists() for name in COMPOSE_FILES):
                raise NotYetError(f"compose_files: there is no Compose file in {self.directory}")
            raise TransportError(f"compose_service: Compose can't read the project: {words(config)}")
        model: dict[str, Any] = json.loads(config.stdout)
        services: dict[str, Any] = model.get("services") or {}
        if self.service not in services:
            raise NotYetError(
                f"compose_service: the project {model['name']} has no service {self.service}, it has "
                + (", ".join(sorted(services)) or "none")
            )
        service = services[self.service]
        image = service.setdefault("image", f"{model['name']}-{self.service}")
        self.docker.inspect(
            "image",
            image,
            f"compose_service: there is no image {image} on this host; build or pull it first"
            f" (docker compose build {self.service}, or pull)",
        )
        for key in ("build", "depends_on", "container_name", "ports"):
            service.pop(key, None)
        service.update(
            pull_policy="never",
            entrypoint=[escape(self.inside.python), "-c", guard.LOADER],
            command=[],
            tty=False,
            stdin_open=True,
            healthcheck={"disable": True},
            logging={"driver": "none"},
        )
        if self.inside.user:
            service["user"] = escape(self.inside.user)
        model["services"] = {name: services[name] for name in needed(services, self.service)}
        for kind in ("networks", "volumes"):
            declared = model.get(kind) or {}
            model[kind] = {name: declared[name] for name in declared if uses(model["services"], kind, name)}
        self._pin(model)
        return model

    def _pin(self, model: dict[str, Any]) -> None:
        """Let Compose use the networks and volumes as they are; what is missing, it makes, but not in check mode."""
        for kind in ("networks", "volumes"):
            for key, declared in model[kind].items():
                name = declared["name"]
                try:
                    self.docker.inspect(
                        kind[:-1], name, f"compose_service: there is no {kind[:-1]} {name}, which a run would create"
                    )
                except NotYetError:
                    if self.check_mode:
                        raise
                else:
                    model[kind][key] = {"name": name, "external": True}
        service = model["services"][self.service]
        for volume in service.get("volumes", []) if self.check_mode else []:
            if volume["type"] == "bind" and not Path(volume["source"]).exists():
                raise NotYetError(f"compose_service: there is no {volume['source']}, which a run would create")
        for network in (service.get("networks") or {}).values():
            for address in ("ipv4_address", "ipv6_address", "mac_address"):
                # The service's own container has it.
                (network or {}).pop(address, None)


def needed(services: dict[str, Any], name: str) -> set[str]:
    """Return the service and those whose containers it shares something with."""
    found: set[str] = set()
    left = [name]
    while left:
        current = left.pop()
        found.add(current)
        shared = [services[current].get(key) or "" for key in ("network_mode", "ipc", "pid")]
        shared += services[current].get("volumes_from", [])
        others = [re.sub(r"^service:|:r[ow]$", "", part) for part in shared]
        left += [other for other in others if other in services and other not in found]
    return found


def uses(services: dict[str, Any], kind: str, name: str) -> bool:
    """Tell whether one of the services is on a network, or has a volume."""
    for service in services.values():
        entries = service.get(kind) or []
        if name in entries or any(isinstance(entry, dict) and entry.get("source") == name for entry in entries):
            return True
    return False


def escape(text: str) -> str:
    """Return a text that Compose reads as it is: only a dollar means something to it."""
    return text.replace("$", "$$")


def one_off() -> str:
    """Return a name that no container has."""
    return "edusphere-django-" + secrets.token_hex(8)


def words(answer: subprocess.CompletedProcess[str]) -> str:
    """Return what the client said about an error."""
    return answer.stderr.strip() or f"return code {answer.returncode}"


@contextmanager
def memory_file(text: str) -> Iterator[int]:
    """Yield the descriptor of a file that is on no disk: the model has the secrets of the service's environment."""
    descriptor = os.memfd_create("compose.json")
    try:
        with open(descriptor, "w", encoding="utf-8", closefd=False) as file:
            file.write(text)
        yield descriptor
    finally:
        os.close(descriptor)
