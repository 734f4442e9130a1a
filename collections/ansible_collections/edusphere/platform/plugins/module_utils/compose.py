# Copyright: (c) 2026, EduSphere platform contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# mypy: allow-untyped-calls

"""What the containers of a Compose service need so that they are what the project's file says.

Compose can't be asked: its own dry run recreates containers (docker/compose#14029).  But it marks each container with a
hash of the service as it was resolved, and prints the hash of what the file says now.

Everything in the first half is free of side effects; :class:`Docker` is the only place that talks to the engine.
"""

from __future__ import annotations

import calendar
import json
import os
import re
import time
import typing as t
from pathlib import Path

from ansible_collections.edusphere.platform.plugins.module_utils.read_files import (
    Files,
    compare,
    listing,
    newer,
    start_time,
)

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

RECORD_DIRECTORY = "/var/lib/edusphere-platform/containers"

# Compose gives a container that is to replace another one the other's short id before its name, until that one is gone.
TEMPORARY = re.compile(r"[0-9a-f]{12}_")

# What the engine says of a process that never ran.
NEVER = "0001-"

# A container without a health check counts as up after so many seconds: one that can't start ends sooner.
SETTLED = 2.0

# The engine's own, for a health check that names none.
CHECK_TIMEOUT_NANOSECONDS = 30_000_000_000

LOG_LINES = 20


class ComposeError(Exception):
    """A problem whose text is meant for the operator."""


class MissingError(ComposeError):
    """Something is not there that an earlier task of the play may bring: unknown in check mode, an error in a run."""


class Container(t.NamedTuple):
    """What the engine says about one container of a service; of one that is only predicted, ``id`` is empty."""

    id: str
    name: str
    service: str
    number: int
    image: str
    """The image's name, as the file had it."""
    image_id: str
    hash: str
    """Compose's hash of the service that the container was made of."""
    status: str
    """``created``, ``running``, ``paused``, ``restarting``, ``removing``, ``exited`` or ``dead``."""
    exit_code: int
    health: str
    """``starting``, ``healthy``, ``unhealthy``, or empty where there is no health check."""
    health_output: str
    """What the last health check printed."""
    health_command: t.List[str]
    """What the health check runs in the container."""
    health_timeout: float
    """In seconds."""
    started_at: str
    """When its process started, as the engine writes it."""
    pid: int
    addresses: t.Dict[str, str]
    """The engine's names of its networks, and its address in each."""

    @property
    def ready(self) -> bool:
        """Whether it is healthy or, without a health check, stays up."""
        if self.status != "running":
            return False
        if self.health:
            return self.health == "healthy"
        started = parse_time(self.started_at)
        return started is not None and time.time() - started >= SETTLED


class Wanted(t.NamedTuple):
    """What the file says about one service."""

    service: str
    image: str
    image_id: str
    """Empty when the image is not on the host."""
    hash: str
    """The mark of a container that is started without the services it depends on, as the module does."""
    hash_with_dependencies: str
    """The mark of one that an operator's ``docker compose up`` started."""
    name: str
    """The name of its first container less the number, or the only one's name where ``container_name`` gives it."""
    fixed_name: bool

    def matches(self, container: Container) -> bool:
        """Whether a container is made of what the file says."""
        same = container.hash in (self.hash, self.hash_with_dependencies)
        return same and container.image_id == self.image_id and not TEMPORARY.match(container.name)


class Plan(t.NamedTuple):
    """What is to be done about the containers of one service."""

    remove: t.List[Container]
    """By id, before Compose is called."""
    recreate: t.List[Container]
    start: t.List[Container]
    create: t.List[Container]
    """Predictions."""
    keep: t.List[Container]
    """Those that stay as they are."""

    @property
    def calls_compose(self) -> bool:
        return bool(self.recreate or self.start or self.create)

    @property
    def acts(self) -> bool:
        return bool(self.remove) or self.calls_compose

    @property
    def scale(self) -> int:
        """How many containers Compose is told that the service has."""
        return len(self.recreate + self.start + self.create + self.keep)

    def outcome(self, wanted: Wanted) -> t.List[Container]:
        """The containers as they will be."""
        replaced = [
            old._replace(id="", image=wanted.image, image_id=wanted.image_id, hash=wanted.hash, status="running")
            for old in self.recreate
        ]
        started = [stopped._replace(started_at="", status="running") for stopped in self.start]
        return in_order(self.keep + replaced + started + self.create)


class Record(t.NamedTuple):
    """What was true when all of a service's containers were last known to have read their files."""

    starts: t.Dict[str, str]
    """Container id to the time it was started at."""
    reload: t.Dict[str, str]
    """Path to digest."""


def parse_time(text: str) -> t.Optional[float]:
    """``2026-11-22T17:39:01.123456789Z`` in seconds since the epoch; ``None`` for what never was."""
    if not text or text.startswith(NEVER):
        return None
    clock, fraction = (text.rstrip("Z") + ".").split(".")[:2]
    return calendar.timegm(time.strptime(clock, "%Y-%m-%dT%H:%M:%S")) + float("0." + (fraction or "0"))


def parse_container(found: t.Mapping[str, t.Any]) -> Container:
    """A :class:`Container` from what ``docker container inspect`` prints."""
    labels, state = found["Config"]["Labels"], found["State"]
    health = state.get("Health") or {}
    checks = health.get("Log") or [{}]
    status = health.get("Status", "")
    check = found["Config"].get("Healthcheck") or {}
    return Container(
        id=found["Id"],
        name=found["Name"].lstrip("/"),
        service=labels.get("com.docker.compose.service", ""),
        number=int(labels.get("com.docker.compose.container-number") or 0),
        image=found["Config"]["Image"],
        image_id=found["Image"],
        hash=labels.get("com.docker.compose.config-hash", ""),
        status=state["Status"],
        exit_code=int(state.get("ExitCode") or 0),
        health="" if status == "none" else status,
        health_output=(checks[-1].get("Output") or "").strip(),
        health_command=check_command(check.get("Test") or [], found["Config"].get("Shell") or []),
        health_timeout=(check.get("Timeout") or CHECK_TIMEOUT_NANOSECONDS) / 1e9,
        started_at=state["StartedAt"],
        pid=int(state.get("Pid") or 0),
        addresses={
            name: (network or {}).get("IPAddress", "")
            for name, network in sorted((found["NetworkSettings"].get("Networks") or {}).items())
        },
    )


def check_command(test: t.Sequence[str], shell: t.Sequence[str]) -> t.List[str]:
    """What the engine runs for a health check, by its form and the image's shell; empty where there is none.

    https://docs.docker.com/reference/dockerfile/#healthcheck
    """
    if test[:1] == ["CMD-SHELL"]:
        return [*(shell or ["/bin/sh", "-c"]), *test[1:]]
    return list(test[1:]) if test[:1] == ["CMD"] else []


def in_order(containers: t.Iterable[Container]) -> t.List[Container]:
    return sorted(containers, key=lambda container: (container.service, container.number, container.name))


def is_current(container: Container, wanted: t.Optional[Wanted]) -> bool:
    """Whether a container is up to date: it runs, and is what the file says."""
    return wanted is not None and container.status == "running" and wanted.matches(container)


def _new(wanted: Wanted, others: t.Sequence[Container], count: int) -> t.List[Container]:
    """Predict new containers, which Compose numbers after the last."""
    last = max((container.number for container in others), default=0)
    numbers = range(last + 1, last + 1 + count)
    return [
        Container(
            id="",
            name=wanted.name if wanted.fixed_name else "%s%d" % (wanted.name, number),
            service=wanted.service,
            number=number,
            image=wanted.image,
            image_id=wanted.image_id,
            hash=wanted.hash,
            status="running",
            exit_code=0,
            health="",
            health_output="",
            health_command=[],
            health_timeout=0,
            started_at="",
            pid=0,
            addresses={},
        )
        for number in numbers
    ]


def _is_broken(container: Container) -> bool:
    """Whether Compose would not bring a container up as it is: half made, or in a state that it does not start from."""
    return bool(TEMPORARY.match(container.name)) or container.status in ("paused", "dead", "removing")


def _lives(container: Container) -> bool:
    return container.status in ("running", "restarting")


def plan_present(containers: t.Sequence[Container], wanted: Wanted, replicas: int) -> Plan:
    """Have ``replicas`` containers, each of them what the file says."""
    remove = [container for container in containers if _is_broken(container)]
    usable = [container for container in in_order(containers) if container not in remove]
    # The best are kept: up to date and running, then up to date, then the rest; of equals those with low numbers.
    usable.sort(key=lambda container: (not wanted.matches(container), not _lives(container)))
    remove, usable = remove + usable[replicas:], usable[:replicas]
    matching = [container for container in usable if wanted.matches(container)]
    recreate = [container for container in usable if container not in matching]
    if recreate:
        # Without --no-recreate Compose compares the hashes as well, and knows only its own.
        recreate += [container for container in matching if container.hash != wanted.hash]
    return Plan(
        remove=in_order(remove),
        recreate=in_order(recreate),
        start=[container for container in matching if not _lives(container) and container not in recreate],
        create=_new(wanted, usable, replicas - len(usable)),
        keep=[container for container in matching if _lives(container) and container not in recreate],
    )


def plan_beside(containers: t.Sequence[Container], wanted: Wanted, replicas: int) -> Plan:
    """Have ``replicas`` containers that are what the file says, and leave the others that run."""
    matching = [container for container in containers if wanted.matches(container) and not _is_broken(container)]
    others = [container for container in containers if container not in matching and _lives(container)]
    keep = others + [container for container in matching if _lives(container)]
    start = [container for container in matching if container not in keep]
    return Plan(
        remove=[container for container in containers if container not in keep + start],
        recreate=[],
        start=start,
        create=_new(wanted, keep + start, replicas - len(matching)),
        keep=in_order(keep),
    )


def plan_retired(containers: t.Sequence[Container], wanted: Wanted, replicas: int) -> Plan:
    """Have no others than ``replicas`` containers that are what the file says; the highest numbers are the newest."""
    current = [container for container in in_order(containers) if is_current(container, wanted)]
    # Of a surplus the ready ones are kept.
    keep = sorted(current, key=lambda container: not container.ready)[:replicas]
    return Plan([container for container in containers if container not in keep], [], [], [], in_order(keep))


def plan_absent(containers: t.Sequence[Container]) -> Plan:
    return Plan(list(containers), [], [], [], [])


def label(container: Container, project: str) -> str:
    """A container's name for a person to read: without the project's."""
    prefix = project + "-"
    return container.name[len(prefix) :] if container.name.startswith(prefix) else container.name


def describe(project: str, before: t.Sequence[Container], after: t.Sequence[Container]) -> t.List[str]:
    """What was done, or will be, from the containers before and after."""
    old = {container.name: container for container in before}
    new = {container.name for container in after}
    done = ["remove " + label(container, project) for container in in_order(before) if container.name not in new]
    for container in in_order(after):
        if container.name not in old:
            done.append("create " + label(container, project))
        elif container.id != old[container.name].id:
            done.append("recreate " + label(container, project))
        elif container.started_at != old[container.name].started_at:
            done.append("start " + label(container, project))
    return done


def unread(
    containers: t.Sequence[Container], files: Files, record: t.Optional[Record]
) -> t.List[t.Tuple[Container, str]]:
    """Which containers have not read their files as they are now, and why."""
    found = []
    for container in containers:
        if record is not None and record.starts.get(container.id) == container.started_at:
            differences, moment = compare(record.reload, files), ""
        else:
            # It started without us: by itself, after a reboot, or for an operator. The files' times tell.
            differences = newer(process_start(container), files, record.reload if record else {})
            moment = " after it was started"
        if differences:
            found.append((container, listing(differences) + moment))
    return found


def process_start(container: Container) -> t.Optional[float]:
    """When a container's process began to start, on the clock that stamps files."""
    monotonic = None
    try:
        # Field 22 of proc(5): ticks since boot. The second one, a name, may have blanks and brackets in it.
        fields = Path("/proc/%d/stat" % container.pid).read_text(encoding="utf-8").rpartition(")")[2].split()
        monotonic = int(fields[19]) / os.sysconf("SC_CLK_TCK")
    except (OSError, IndexError, ValueError):
        pass  # It is gone or not to be seen from here; what the engine says is left.
    return start_time(parse_time(container.started_at), monotonic, time.time(), time.clock_gettime(time.CLOCK_BOOTTIME))


def record_path(project: str, service: str) -> str:
    return "%s/%s.%s.json" % (RECORD_DIRECTORY, project, service)


def load_record(path: str) -> t.Optional[Record]:
    """The record of a service, or ``None`` where there is none that can be read."""
    try:
        data = json.loads(Path(path).read_text(encoding="utf-8"))
        return Record(starts=dict(data["starts"]), reload=dict(data["reload"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None  # Without a record the times of the files decide, which is always safe.


def dump_record(record: Record) -> str:
    return json.dumps(record._asdict(), indent=1, sort_keys=True) + "\n"


def without_values(text: str) -> str:
    """Compose's words about a file that it can't read, less what it quotes of an environment file: that has secrets."""
    return re.sub(r"(line \d+: [^\"'`\n]*)[\"'`].*", r"\1…", text.strip(), flags=re.DOTALL)


class Answer(t.NamedTuple):
    rc: int
    out: str
    err: str

    @property
    def words(self) -> str:
        """What the client said about an error."""
        return self.err.strip() or self.out.strip() or "return code %d" % self.rc


class Docker:
    """The engine and Compose, by the ``docker`` command."""

    def __init__(
        self, module: AnsibleModule, directory: str, environment: t.Mapping[str, str], definition: t.Optional[str]
    ) -> None:
        """``definition`` is what to take for the content of the project's file, if not what it holds."""
        self.module = module
        self._definition = definition
        self._environment = dict(environment)
        self._directory = directory
        found: t.Optional[str] = module.get_bin_path("docker")
        if not found:
            raise MissingError(
                "there is no docker command on this host; install Docker's client and its Compose plugin"
            )
        self._docker = found

    def ask(self, *arguments: str, data: t.Optional[str] = None) -> Answer:
        """Run a command of the client to its end, away from any ``.env``."""
        environment = {"LC_ALL": "C.UTF-8"}
        return self._run(arguments, data, "/", environment)

    def compose(self, *arguments: str) -> Answer:
        """Run a command of Compose on the project's file."""
        options = ["compose", "--progress=quiet", "--profile=*", "--project-directory", self._directory]
        file = ["--file", "-" if self._definition else str(Path(self._directory, "compose.yaml"))]
        environment = {"LC_ALL": "C.UTF-8", **self._environment}
        return self._run([*options, *file, *arguments], self._definition, self._directory, environment)

    def _run(
        self, arguments: t.Sequence[str], data: t.Optional[str], directory: str, environment: t.Dict[str, str]
    ) -> Answer:
        rc, out, err = self.module.run_command(
            [self._docker, *arguments], data=data, cwd=directory, environ_update=environment
        )
        return Answer(int(rc), str(out), str(err))

    def listed(self, *arguments: str) -> t.List[str]:
        """The lines that a listing command prints; raises :class:`MissingError` where no engine answers."""
        answer = self.ask(*arguments)
        if answer.rc:
            raise MissingError(
                "no Docker engine answers, so start it (systemctl start docker), and run this task as root: "
                + answer.words
            )
        return answer.out.splitlines()

    def model(self) -> t.Dict[str, t.Any]:
        """The project as Compose resolves it."""
        answer = self.compose("config", "--format", "json")
        if answer.rc == 0:
            return dict(json.loads(answer.out))
        if self.ask("compose", "version").rc:
            raise MissingError("docker has no Compose; install its plugin (docker-compose or docker-compose-plugin)")
        raise MissingError(
            "project_dir: Compose can't read %s/compose.yaml; correct it, or the files that it names: %s"
            % (self._directory, without_values(answer.err))
        )

    def hashes(self, model: t.Mapping[str, t.Any], dependencies: bool) -> t.Dict[str, str]:
        """Compose's hash of each service of a resolved project, with or without what the services depend on.

        That of a file that is not resolved yet is wrong where services have environment files (up to 2.26.1 at least).
        """
        services = {
            name: {key: value for key, value in service.items() if dependencies or key != "depends_on"}
            for name, service in model["services"].items()
        }
        resolved = json.dumps({**model, "services": services})
        options = ["compose", "--project-name", model["name"], "--profile=*", "--file", "-"]
        answer = self.ask(*options, "config", "--hash", "*", data=resolved)
        if answer.rc:
            raise ComposeError("Compose can't hash the project: " + without_values(answer.err))
        return dict(line.split() for line in answer.out.splitlines())

    def containers(self, project: str, services: t.Container[str]) -> t.List[Container]:
        """The containers of services, whatever their state, but for those of ``docker compose run``."""
        options = ["ps", "--all", "--quiet", "--no-trunc", "--filter", "label=com.docker.compose.project=" + project]
        ids = self.listed(*options, "--filter", "label=com.docker.compose.oneoff=False")
        if not ids:
            return []
        # One that is gone by now is not in the answer, and the rest is.
        found = json.loads(self.ask("container", "inspect", *ids).out)
        return in_order(container for container in map(parse_container, found) if container.service in services)

    def image_ids(self, names: t.Iterable[str]) -> t.Dict[str, str]:
        """The ids of those of the images that are on the host."""
        found = {}
        for name in sorted(set(names)):
            answer = self.ask("image", "inspect", "--format", "{{.Id}}", name)
            if answer.rc == 0:
                found[name] = answer.out.strip()
        return found

    def check_health(self, container: Container) -> Answer:
        """Run a container's health check, within the time that it has."""
        client = ["timeout", "%.3f" % container.health_timeout, self._docker, "exec", container.id]
        command = [*client, *container.health_command]
        rc, out, err = self.module.run_command(command, environ_update={"LC_ALL": "C.UTF-8"})
        return Answer(int(rc), str(out), str(err))

    def logs(self, container: Container) -> str:
        answer = self.ask("logs", "--tail", str(LOG_LINES), container.id)
        return "\n".join((answer.out + answer.err).strip().splitlines()[-LOG_LINES:])

    def remove(self, containers: t.Sequence[Container], *options: str) -> None:
        """Stop containers, within the time that each was given for it, and remove them."""
        ids = [container.id for container in containers]
        if not ids:
            return
        self.ask("stop", *ids)
        answer = self.ask("rm", "--force", *options, *ids)
        if answer.rc:
            names = ", ".join(container.name for container in containers)
            raise ComposeError("%s: can't be removed: %s" % (names, answer.words))
