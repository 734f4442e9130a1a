"""How the site runs on its host, for tests that ask the same in both modes: systemd services, or containers."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager

from testinfra.backend.base import CommandResult
from testinfra.host import Host

from behaviour.hosts import environment_of, with_environment_of

STACK = "/srv/edusphere/stack"
BACKENDS = "label=com.docker.compose.service=backend --filter label=com.docker.compose.oneoff=False"


class Platform(ABC):
    """A host in all groups."""

    environment_file: str
    """What the application's environment is read from."""
    account: str
    """Whom the application runs as, as it sees itself."""

    def __init__(self, vm: Host) -> None:
        self.vm = vm

    @property
    def live(self) -> dict[str, str]:
        """The host's own record of what serves: release, version and since when."""
        return dict(json.loads(self.vm.file("/srv/edusphere/records/live.fact").content_string))

    @property
    @abstractmethod
    def uid(self) -> int:
        """The number of that account on the host."""

    @property
    @abstractmethod
    def main_pid(self) -> int:
        """The first process of what serves."""

    @property
    @abstractmethod
    def start(self) -> str:
        """What is another one after each start of the backend."""

    @property
    @abstractmethod
    def releases(self) -> list[str]:
        """The ids of all releases that are there to be served."""

    @property
    @abstractmethod
    def directory(self) -> str:
        """The release's root, as the application sees it."""

    @property
    @abstractmethod
    def backends(self) -> dict[str, str]:
        """Every slot or container of the backend, with how it is."""

    @property
    @abstractmethod
    def running(self) -> list[str]:
        """The releases that the backends run which are up."""

    @abstractmethod
    def main_pid_of_nginx(self) -> int:
        """The first process of nginx, as the host sees it."""

    @abstractmethod
    def published(self, path: str) -> str:
        """Where the host has what nginx serves as the release's file."""

    @abstractmethod
    def shared(self, path: str) -> str:
        """Where the host has what releases share."""

    def uploaded(self, path: str) -> str:
        """Where the host has what nginx serves below /media/."""
        return self.shared(f"media/{path}")

    @abstractmethod
    def ask(self, *command: str) -> CommandResult:
        """Run redis-cli or psql, word by word, beside its server, with the application's passwords."""

    @abstractmethod
    def restart_redis(self) -> None:
        """Restart it, and wait until it answers."""

    @abstractmethod
    def log_of_backend(self) -> str:
        """All that the backend said since the site was made."""

    @abstractmethod
    def log_of_requests(self) -> str:
        """All requests."""

    @property
    def environment(self) -> dict[str, str]:
        """The environment of what serves, as the kernel has it."""
        return environment_of(self.vm, self.main_pid)


class Services(Platform):
    """Native mode."""

    environment_file = "/etc/edusphere/app.env"
    account = "edusphere"

    @property
    def unit(self) -> str:
        """The systemd unit that serves."""
        return f"edusphere-backend@{self.live['slot']}.service"

    @property
    def uid(self) -> int:
        """The number that the host gave the account."""
        return int(self.vm.check_output("id --user edusphere"))

    @property
    def main_pid(self) -> int:
        """Ask systemd."""
        return int(self.vm.check_output("systemctl show --property MainPID --value %s", self.unit))

    @property
    def start(self) -> str:
        """systemd's id of it."""
        return str(self.vm.check_output("systemctl show --property InvocationID --value %s", self.unit))

    @property
    def releases(self) -> list[str]:
        """Directories."""
        return str(self.vm.check_output("ls /srv/edusphere/releases")).split()

    @property
    def backends(self) -> dict[str, str]:
        """The two slots' units."""
        show = "systemctl show --property ActiveState,UnitFileState %s"
        states = {slot: str(self.vm.check_output(show, f"edusphere-backend@{slot}")) for slot in "ab"}
        # A slot that no candidate release was prepared in has no unit, and starts as little as a disabled one.
        return {slot: f"{state}disabled" if state.endswith("=") else state for slot, state in states.items()}

    @property
    def running(self) -> list[str]:
        """Of the slots that are active."""
        active = [slot for slot, state in self.backends.items() if "ActiveState=active" in state]
        slots = "/srv/edusphere/slots"
        return [self.vm.check_output("readlink %s", f"{slots}/{slot}").rpartition("/")[2] for slot in active]

    def main_pid_of_nginx(self) -> int:
        """Ask systemd."""
        return int(self.vm.check_output("systemctl show --property MainPID --value nginx"))

    @property
    def directory(self) -> str:
        """Where it is on the host."""
        return str(self.vm.check_output("readlink --canonicalize /srv/edusphere/current"))

    def published(self, path: str) -> str:
        """In the release."""
        return f"/srv/edusphere/current/{path}"

    def shared(self, path: str) -> str:
        """Beside the releases."""
        return f"/srv/edusphere/shared/{path}"

    def ask(self, *command: str) -> CommandResult:
        """On the host."""
        return with_environment_of(self.vm, self.main_pid)(*command)

    def restart_redis(self) -> None:
        """systemd waits."""
        self.vm.check_output("systemctl restart redis-server@edusphere")

    def log_of_backend(self) -> str:
        """The journal."""
        return str(self.vm.check_output("journalctl --quiet --no-pager --output cat --unit 'edusphere-backend@*'"))

    def log_of_requests(self) -> str:
        """nginx' own file."""
        return str(self.vm.file("/var/log/nginx/access.log").content_string)


class Stack(Platform):
    """Compose mode."""

    environment_file = f"{STACK}/.env.docker"
    account = "app"
    uid = 10001
    directory = "/app"

    def container(self, service: str) -> str:
        """The id of the service's first container."""
        return str(self.vm.check_output(f"cd {STACK} && docker compose ps --quiet {service}").split()[0])

    def inspect(self, service: str, form: str) -> str:
        """What the engine says of it."""
        return str(self.vm.check_output("docker inspect --format %s %s", form, self.container(service)))

    @contextmanager
    def elsewhere(self, service: str) -> Iterator[None]:
        """Restart the service's container at another address, which it has as long as the context lasts."""
        where = "{{.NetworkSettings.Networks.edusphere_front.IPAddress}}"
        address, container = self.inspect(service, where), self.container(service)
        self.vm.check_output("docker stop %s", container)
        # As many as there are addresses below: whichever way the engine hands them out, this one's is gone.
        squatter = "docker run --detach --rm --network edusphere_front --entrypoint sleep python:3.13-slim 600"
        others = [self.vm.check_output(squatter) for _ in range(int(address.rpartition(".")[2]))]
        try:
            self.vm.check_output("docker start %s", container)
            assert self.inspect(service, where) != address
            yield
        finally:
            self.vm.check_output(f"docker rm --force {' '.join(others)}")

    def volume(self, name: str) -> str:
        """Where the engine keeps it."""
        return str(self.vm.check_output("docker volume inspect --format %s %s", "{{.Mountpoint}}", f"edusphere_{name}"))

    @property
    def main_pid(self) -> int:
        """As the host sees it."""
        return int(self.inspect("backend", "{{.State.Pid}}"))

    @property
    def backends(self) -> dict[str, str]:
        """The containers."""
        listed = f"docker ps --all --no-trunc --filter {BACKENDS} --format '{{{{.Names}}}} {{{{.ID}}}} {{{{.State}}}}'"
        return {line.split()[0]: line for line in self.vm.check_output(listed).splitlines()}

    @property
    def running(self) -> list[str]:
        """Of the containers that run, by their image's name."""
        listed = f"docker ps --filter {BACKENDS} --format '{{{{.Image}}}}'"
        return [image.rpartition(":")[2] for image in self.vm.check_output(listed).split()]

    def main_pid_of_nginx(self) -> int:
        """As the host sees it."""
        return int(self.inspect("nginx", "{{.State.Pid}}"))

    @property
    def start(self) -> str:
        """A container may start again."""
        return self.inspect("backend", "{{.Id}} {{.State.StartedAt}}")

    @property
    def releases(self) -> list[str]:
        """Images."""
        return sorted(self.vm.check_output("docker images --format '{{.Tag}}' edusphere/backend").split())

    def published(self, path: str) -> str:
        """In the volume that nginx serves from."""
        return f"{self.volume('staticfiles')}/{self.live['release']}/{path}"

    def shared(self, path: str) -> str:
        """In a volume of each directory's name."""
        directory, _, rest = path.partition("/")
        return f"{self.volume(directory)}/{rest}"

    def ask(self, *command: str) -> CommandResult:
        """In the server's container."""
        service = {"redis-cli": "redis", "psql": "postgres"}[command[0]]
        inside = ["docker", "exec", "--env", "REDISCLI_AUTH", "--env", "PGPASSWORD", self.container(service)]
        return with_environment_of(self.vm, self.main_pid)(*inside, *command)

    def restart_redis(self) -> None:
        """Ask without the password."""
        self.vm.check_output(
            f"cd {STACK} && docker compose restart redis && docker compose up --detach --no-recreate --wait redis"
        )

    def log_of_backend(self) -> str:
        """The engine's log."""
        return str(self.vm.check_output(f"cd {STACK} && docker compose logs --no-color --no-log-prefix backend 2>&1"))

    def log_of_requests(self) -> str:
        """The engine's log of nginx."""
        return str(self.vm.check_output(f"cd {STACK} && docker compose logs --no-color --no-log-prefix nginx 2>&1"))
