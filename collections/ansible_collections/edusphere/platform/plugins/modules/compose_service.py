#!/usr/bin/python
# Copyright: (c) 2026, EduSphere platform contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# mypy: allow-untyped-calls

from __future__ import annotations

DOCUMENTATION = r"""
module: compose_service
short_description: Make services of a Compose project run what its file says
version_added: 0.1.0
author:
  - EduSphere platform contributors (!UNKNOWN)
description:
  - Creates, recreates, starts, reloads or removes the containers of services, and touches no other service. In which
    order services start is the playbook's to say.
  - What is needed follows from state, from what the containers are made of against what C(compose.yaml) says now,
    and not from a notification. A run that was killed half-way is therefore repaired by the next one.
  - A container is up to date when it runs, Compose's hash of its service is that of the service as it is now
    resolved, with all values of environment files, and its image is the one that the image's name stands for on this
    host now.
  - The contents of files that are mounted, and of secrets and configs, are not part of that. See O(reload_on) and
    O(restart_on).
  - Containers of C(docker compose run) are never looked at.
  - The engine makes the first health check of a container only after the check's interval. Meanwhile this module runs
    it, so that nobody waits for a container that is healthy.
  - An image that is missing is pulled, unless the service's C(pull_policy) is V(never) or V(build), or the service
    has C(build) and no C(pull_policy). Nothing is ever built, and an image that is there is never pulled again.
notes:
  - Needs the C(docker) command with Compose 2 (tested with 2.26.1) and an engine of version 20.10 or later.
  - The project is C(compose.yaml), and its profiles are all active. C(COMPOSE_) variables in the environment of the
    task are ignored.
  - Services are started without those that they depend on, which is part of Compose's hash. C(docker compose up) by
    hand therefore recreates containers that this module made; they are up to date for this module all the same.
attributes:
  check_mode:
    description:
      - Predicts what a run would do, without an event in the engine's log other than that of a command run in a
        container.
      - What can't be known yet (there is no engine, no file, or no image) is said to be so in RV(unknown).
    support: full
  diff_mode:
    description: Says image, hash of the configuration and state of each container, and no values of the environment.
    support: full
extends_documentation_fragment:
  - edusphere.platform.drain
options:
  project_dir:
    description:
      - The directory with C(compose.yaml). The project's name is what that file says.
    type: path
    required: true
  services:
    description:
      - The services to bring to O(state).
    type: list
    elements: str
    required: true
  state:
    description:
      - V(present) has O(replicas) up-to-date containers of each service run, healthy where they have a health check.
        Those that are out of date are recreated, unless O(beside=true), and a surplus is removed.
      - V(retired) ends what O(beside=true) began. Containers that are not up to date, and a surplus of those that
        are, are stopped and removed. Unless O(replicas) up-to-date containers of each service are running and
        healthy, nothing is.
      - V(absent) stops and removes all containers of the services, also of services that the file does not have any
        more. Networks and volumes stay.
    type: str
    choices: [present, absent, retired]
    default: present
  replicas:
    description:
      - How many containers each of the services has. C(deploy.replicas) and C(scale) in the file are ignored.
    type: int
    default: 1
  beside:
    description:
      - With O(state=present), leave running containers that are out of date as they are, and have O(replicas)
        up-to-date ones run beside them.
      - When these don't get healthy, they are removed again and the task fails.
      - Not for services with C(container_name).
    type: bool
    default: false
  definition:
    description:
      - For check mode only, where a changed template is reported but not written. What C(compose.yaml) would hold.
      - In a real run it is ignored.
    type: str
  environment:
    description:
      - Variables for the interpolation of C(compose.yaml), which win over those of its C(.env).
      - They never appear on a command line or in a result.
    type: dict
    default: {}
  reload_on:
    description:
      - Absolute paths of files, directories and shell patterns on the host that the process of the service reads
        again at a reload. As with O(edusphere.platform.systemd_unit#module:reload_on), content, mode and owner count.
      - A container that has not read them as they are is reloaded. One that was started after they were written has
        read them.
      - A record of their digests is kept in C(/var/lib/edusphere-platform/containers).
      - Only with one service in O(services), and with O(state=present).
    type: list
    elements: path
    default: []
  reload_command:
    description:
      - The command and its arguments, run in the container, that make the process read its files again.
    type: list
    elements: str
    default: []
  validate_command:
    description:
      - A command and its arguments, run in the container before a reload. When it fails nothing is reloaded.
    type: list
    elements: str
    default: []
  reload_pending:
    description:
      - For check mode only, where a changed template is reported but not written, so that no digest can tell.
        Say here whether an earlier task reported a change of the O(reload_on) files.
      - In a real run it is ignored.
    type: bool
    default: false
  restart_on:
    description:
      - As O(reload_on), for what the process of the service reads only when it starts. Its container is restarted.
      - Not together with O(reload_on).
    type: list
    elements: path
    default: []
  restart_pending:
    description:
      - As O(reload_pending), for the O(restart_on) files.
    type: bool
    default: false
  timeout:
    description:
      - How many seconds containers may take to become healthy. A container without a health check has to stay up for
        two.
    type: int
    default: 120
seealso:
  - module: edusphere.platform.systemd_unit
"""

EXAMPLES = r"""
- name: Run the database
  edusphere.platform.compose_service:
    project_dir: /srv/edusphere/stack
    services: [postgres]

- name: Run nginx with the configuration that is there
  edusphere.platform.compose_service:
    project_dir: /srv/edusphere/stack
    services: [nginx]
    reload_on: [/srv/edusphere/stack/nginx/]
    reload_command: [nginx, -s, reload]
    validate_command: [nginx, -t, -q]
    reload_pending: "{{ __nginx_configuration is changed }}"

- name: Start two backends of the new release beside those that serve
  edusphere.platform.compose_service:
    project_dir: /srv/edusphere/stack
    services: [backend]
    replicas: 2
    beside: true
    environment:
      RELEASE: 2.1.0-4f1c

- name: Stop those of the old release
  edusphere.platform.compose_service:
    project_dir: /srv/edusphere/stack
    services: [backend]
    state: retired
    replicas: 2
    environment:
      RELEASE: 2.1.0-4f1c
    drain_time: 30
    drain_proxy: nginx
    drain_proxy_files: [/srv/edusphere/stack/nginx/site.conf]
"""

RETURN = r"""
actions:
  description:
    - What was done, or in check mode would be. Each is a word and what it is about.
    - The words are C(pull) with an image, C(create network) and C(create volume) with the name in the file,
      C(remove), C(recreate), C(start) and C(create) with a container's name less the project's, and C(reload) and
      C(restart) with a service.
  returned: success
  type: list
  elements: str
  sample: ["create volume media", "create backend-3", "reload nginx"]
unknown:
  description:
    - Whether check mode can't tell exactly what a run would do, as something that it would work with is not there.
  returned: success
  type: bool
reason:
  description: What is not known, or why a container is reloaded or restarted; empty otherwise.
  returned: success
  type: str
services:
  description: By service, its containers as they are after the run, and in check mode as they are.
  returned: success
  type: dict
  contains:
    current:
      description: Those that are up to date.
      type: list
      elements: dict
      sample:
        - id: 3c4735954174c1e2f0b7ad3cd0bf5f2c1c6c8c1f5ea0b2f5d1d0b8fbf0f0a1b2
          name: edusphere-backend-3
          number: 3
          image: edusphere/backend:2.1.0-4f1c
          address: {back: 172.18.0.5}
          running: true
          health: healthy
    outdated:
      description: All others, also those that don't run.
      type: list
      elements: dict
memory:
  description: Bytes of memory that the services' processes have, and that the host could give without swapping.
  returned: success
  type: dict
  sample: {used: 185000000, available: 412000000}
volumes:
  description: By name in the file, those volumes of the project that exist, each with C(name) and C(mountpoint).
  returned: success
  type: dict
  sample: {media: {name: edusphere_media, mountpoint: /var/lib/docker/volumes/edusphere_media/_data}}
"""

import json
import os
import re
import shutil
import time
import typing as t
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.edusphere.platform.plugins.module_utils.compose import (
    ComposeError,
    Container,
    Docker,
    MissingError,
    Plan,
    Record,
    Wanted,
    describe,
    dump_record,
    is_current,
    load_record,
    plan_absent,
    plan_beside,
    plan_present,
    plan_retired,
    record_path,
    unread,
)
from ansible_collections.edusphere.platform.plugins.module_utils.drain import PARAMETERS, UNSETTLED, drain, settle
from ansible_collections.edusphere.platform.plugins.module_utils.processes import memory_available, memory_of
from ansible_collections.edusphere.platform.plugins.module_utils.read_files import Files, digests, survey, write_record

POLL = 0.5  # Seconds between two looks at a container's health.

# Less free space than this is worth a word beside an error, in bytes.
LITTLE_SPACE = 64 << 20


class Stack:
    """The services that a task names, in a Compose project on an engine."""

    def __init__(self, module: AnsibleModule) -> None:
        self.params: t.Dict[str, t.Any] = module.params
        self.check_mode: bool = module.check_mode
        self.services: t.List[str] = list(dict.fromkeys(self.params["services"]))
        self.state: str = self.params["state"]
        self.beside: bool = self.params["beside"]
        self.replicas: int = self.params["replicas"]
        self.pulled: t.List[str] = []
        directory = Path(self.params["project_dir"])
        if not (directory / "compose.yaml").is_file():
            raise MissingError("project_dir: there is no %s/compose.yaml; write it before this task" % directory)
        definition = self.params["definition"] if self.check_mode else None
        self.docker = Docker(module, str(directory), self.params["environment"], definition)
        self.model = self.docker.model()
        self.project: str = self.model["name"]
        self.before = self.look()
        self.wanted: t.Dict[str, Wanted] = {}
        self.resources = self.list_resources()
        if self.state != "absent":
            self.check_model()
            self.read_wanted()

    def look(self) -> t.List[Container]:
        return [self.examined(container) for container in self.docker.containers(self.project, self.services)]

    def examined(self, container: Container) -> Container:
        """A container as its health check finds it: the engine makes the first one only after the check's interval."""
        asks = self.state != "absent" and container.health_command
        if container.status != "running" or container.health != "starting" or not asks:
            return container
        answer = self.docker.check_health(container)
        health = "starting" if answer.rc else "healthy"
        return container._replace(health=health, health_output=(answer.out + answer.err).strip())

    # --- What the file says ------------------------------------------------------------------------------------------

    def check_model(self) -> None:
        """Compare what the parameters and the file ask for with what there is; all problems at once."""
        missing = []
        known = self.model.get("services") or {}
        for name in self.services:
            if name not in known:
                others = ", ".join(sorted(known)) or "none"
                missing.append("services: the project %s has no service %s; it has %s" % (self.project, name, others))
                continue
            if known[name].get("container_name") and (self.replicas > 1 or self.beside):
                raise ComposeError(
                    "%s: replicas, beside: a service with container_name has one container alone; remove that from the"
                    " file" % name
                )
            for volume in known[name].get("volumes") or []:
                source = volume.get("source", "")
                made = (volume.get("bind") or {}).get("create_host_path", False)
                if volume["type"] == "bind" and not made and not Path(source).exists():
                    missing.append("%s: there is no %s on this host to mount; make it first" % (name, source))
        for kind in ("network", "volume"):
            for key, declared in self.declared(kind):
                if declared.get("external") and declared["name"] not in self.resources[kind]:
                    missing.append(
                        "%s: the project's %s %s is external and does not exist; create it first (docker %s create %s)"
                        % (", ".join(self.services), kind, key, kind, declared["name"])
                    )
        if missing:
            raise MissingError("\n".join(missing))

    def declared(self, kind: str) -> t.List[t.Tuple[str, t.Dict[str, t.Any]]]:
        """The networks or volumes of the project that services use, by their names in the file."""
        return sorted((self.model.get(kind + "s") or {}).items())

    def list_resources(self) -> t.Dict[str, t.Dict[str, str]]:
        """The engine's networks and volumes, and where the latter are."""
        listed = {
            kind: [json.loads(line) for line in self.docker.listed(kind, "ls", "--format", "{{json .}}")]
            for kind in ("network", "volume")
        }
        return {kind: {entry["Name"]: entry.get("Mountpoint", "") for entry in listed[kind]} for kind in listed}

    def absent_resources(self) -> t.List[str]:
        """The actions that create what networks and volumes the project lacks: Compose makes all of them at once."""
        return [
            "create %s %s" % (kind, key)
            for kind in ("network", "volume")
            for key, declared in self.declared(kind)
            if not declared.get("external") and declared["name"] not in self.resources[kind]
        ]

    def read_wanted(self) -> None:
        """What each service should be like."""
        services = self.model["services"]
        hashes = self.docker.hashes(self.model, dependencies=False)
        own = {hashes[name] for name in self.services}
        # One that an operator started has another mark; the question costs, so it is asked only then.
        foreign = any(container.hash not in own for container in self.before)
        with_dependencies = self.docker.hashes(self.model, dependencies=True) if foreign else hashes
        images = {name: services[name].get("image") or "%s-%s" % (self.project, name) for name in self.services}
        ids = self.docker.image_ids(images.values())
        for name in self.services:
            fixed = services[name].get("container_name")
            self.wanted[name] = Wanted(
                service=name,
                image=images[name],
                image_id=ids.get(images[name], ""),
                hash=hashes[name],
                hash_with_dependencies=with_dependencies[name],
                name=fixed or "%s-%s-" % (self.project, name),
                fixed_name=bool(fixed),
            )

    # --- What is to be done ------------------------------------------------------------------------------------------

    def of(self, containers: t.Iterable[Container], service: str) -> t.List[Container]:
        return [container for container in containers if container.service == service]

    def plan(self, service: str) -> Plan:
        containers = self.of(self.before, service)
        if self.state == "absent":
            return plan_absent(containers)
        if self.state == "retired":
            return plan_retired(containers, self.wanted[service], self.replicas)
        planner = plan_beside if self.beside else plan_present
        return planner(containers, self.wanted[service], self.replicas)

    def check_retirement(self) -> None:
        """Nothing is retired before its successors serve."""
        problems = []
        for service in self.services:
            ready = [c for c in self.of(self.before, service) if is_current(c, self.wanted[service]) and c.ready]
            if len(ready) < self.replicas:
                problems.append(
                    "%s: %d of %d up-to-date containers are running and healthy, so nothing was removed; start them"
                    " before (state=present, beside=true)" % (service, len(ready), self.replicas)
                )
        if problems:
            raise ComposeError("\n".join(problems))

    def empty(self) -> None:
        """Take the connections of what is to be retired away over a time, once nginx brings no new ones."""
        seconds, proxy = self.params["drain_time"], self.params["drain_proxy"]
        leaving = [c for service in self.services for c in self.plan(service).remove if c.status == "running"]
        if not leaving or seconds <= 0:
            return
        mains = [container.pid for container in self.docker.containers(self.project, [proxy])] if proxy else []
        if mains and not settle(mains, self.params["drain_proxy_files"]):
            raise ComposeError(UNSETTLED % (proxy, ", ".join(container.name for container in leaving)))
        drain([container.pid for container in leaving], seconds)

    def pullable(self, service: str) -> bool:
        definition = self.model["services"][service]
        policy = definition.get("pull_policy")
        return policy not in ("never", "build") and not (policy is None and "build" in definition)

    # --- Doing it ----------------------------------------------------------------------------------------------------

    def pull(self, service: str) -> None:
        """Have the service's image on the host."""
        wanted = self.wanted[service]
        if not self.pullable(service):
            raise MissingError(
                "%s: there is no image %s on this host, and the file does not let it be pulled; build or load it first"
                % (service, wanted.image)
            )
        platform = self.model["services"][service].get("platform")
        options = ["--platform", platform] if platform else []
        answer = self.docker.ask("pull", "--quiet", *options, wanted.image)
        if answer.rc:
            raise ComposeError(
                "%s: the image %s can't be pulled; correct its name, reach and log in to its registry (docker login),"
                " or load it first: %s%s" % (service, wanted.image, answer.words, self.space_hint(answer.words))
            )
        ids = self.docker.image_ids([wanted.image])
        for name, other in self.wanted.items():
            if other.image == wanted.image:
                self.wanted[name] = other._replace(image_id=ids[wanted.image])
        self.pulled.append(wanted.image)

    def bring_up(self, service: str, plan: Plan) -> None:
        """Have Compose do what the plan leaves to it."""
        options = ["--no-recreate"] if not plan.recreate else []
        scale = ["--scale", "%s=%d" % (service, plan.scale)]
        rest = ["--detach", "--no-deps", "--no-build", "--pull", "never"]
        answer = self.docker.compose("up", *rest, *options, *scale, service)
        if answer.rc == 0:
            return
        words = "\n".join(answer.words.splitlines()[-3:])
        hints = self.port_hint(service) + self.space_hint(words)
        self.give_up(service, "can't be started: %s%s" % (words, hints))

    def act(self, plans: t.Mapping[str, Plan], restarts: t.Sequence[Container]) -> t.List[Container]:
        """Do what is planned, and wait until all containers that are wanted are ready; the containers then."""
        for container in restarts:
            self.restart(container)
        for service, plan in plans.items():
            # Volumes without a name go with their container, unless the data are to stay.
            self.docker.remove(plan.remove, *(["--volumes"] if self.state != "absent" else []))
            if plan.calls_compose:
                self.bring_up(service, plan)
        seen = self.look() if restarts or any(plan.acts for plan in plans.values()) else self.before
        return self.wait(seen) if self.state == "present" else seen

    def wait(self, seen: t.List[Container]) -> t.List[Container]:
        """Wait until all containers that are wanted are ready, from what was seen of them; the containers then."""
        deadline = time.monotonic() + self.params["timeout"]
        while True:
            unready = []
            for service in self.services:
                matching = [c for c in self.of(seen, service) if self.wanted[service].matches(c)]
                unready += [container for container in matching if not container.ready]
                if len(matching) < self.replicas:
                    self.give_up(service, "has %d of %d containers" % (len(matching), self.replicas))
            if not unready:
                return seen
            ended = [container for container in unready if container.status in ("exited", "dead")]
            if ended:
                self.give_up(ended[0].service, "ended with status %d" % ended[0].exit_code)
            if time.monotonic() > deadline:
                is_ill = unready[0].health
                problem = "did not get healthy" if is_ill else "does not stay up"
                said = "; its health check says: %s" % unready[0].health_output if unready[0].health_output else ""
                within = " within %d s (parameter timeout)" % self.params["timeout"]
                self.give_up(unready[0].service, problem + within + said)
            time.sleep(POLL)
            seen = self.look()

    def give_up(self, service: str, problem: str) -> t.NoReturn:
        """Fail with a container's last words; what was started beside others in vain is removed."""
        wanted, known = self.wanted[service], {container.id for container in self.before}
        after = self.of(self.look(), service)
        failed = [container for container in after if wanted.matches(container) and not container.ready]
        logs = self.docker.logs(failed[-1]) if failed else ""
        if logs:
            problem += "\nThe last lines of %s:\n%s" % (failed[-1].name, logs)
        if self.beside:
            others = [container for container in after if not wanted.matches(container)]
            vain = failed if others else []
            # One that is ready would be left alone, and for nothing.
            vain += [c for c in after if wanted.matches(c) and c.id not in known and c not in vain]
            self.docker.remove(vain, "--volumes")
        raise ComposeError("%s: %s" % (service, problem))

    def port_hint(self, service: str) -> str:
        """Who has the ports that a service publishes, as a sentence."""
        hints = []
        own = {container.name for container in self.of(self.before, service)}
        for port in self.model["services"][service].get("ports") or []:
            published, protocol = str(port.get("published") or ""), port.get("protocol", "tcp")
            if not published.isdigit():
                continue
            publish = "publish=%s/%s" % (published, protocol)
            containers = self.docker.listed("ps", "--format", "{{.Names}}", "--filter", publish)
            others = ["container " + name for name in containers if name not in own or self.beside]
            others = others or ([] if containers else self.listeners(published, protocol))
            if others:
                hints.append("Port %s is taken by %s." % (published, ", ".join(others)))
        return "".join("\n" + hint + " Stop that, or publish another port." for hint in hints)

    def listeners(self, port: str, protocol: str) -> t.List[str]:
        """The processes of the host that listen on a port."""
        kind = "--udp" if protocol == "udp" else "--tcp"
        module = self.docker.module
        if not module.get_bin_path("ss"):
            return []
        out = module.run_command(
            ["ss", "--no-header", "--listening", "--numeric", "--processes", kind, "sport", "=", port]
        )
        found = re.findall(r'\("([^"]+)",pid=(\d+)', str(out[1]))
        return ["%s (process %s)" % pair for pair in dict.fromkeys(found)] or (["another process"] if out[1] else [])

    def space_hint(self, words: str) -> str:
        """Whether the engine's disk is full, as a sentence."""
        root = "".join(self.docker.ask("info", "--format", "{{.DockerRootDir}}").out.split())
        try:
            free = shutil.disk_usage(root or "/").free
        except OSError:
            return ""
        if free >= LITTLE_SPACE and "no space left on device" not in words:
            return ""
        return "\nThe disk of %s is full (%d MB are free); make room, for example by docker image prune." % (
            root,
            free >> 20,
        )

    # --- Files that are read again -----------------------------------------------------------------------------------

    def restart(self, container: Container) -> None:
        """Have one container's process start again, with its files as they are."""
        answer = self.docker.ask("restart", container.id)
        if answer.rc:
            self.give_up(container.service, "can't be restarted: %s" % answer.words)

    def validate_and_reload(self, container: Container) -> None:
        """Have one container's process read its files again."""
        for parameter in ("validate_command", "reload_command"):
            command: t.List[str] = self.params[parameter]
            if not command:
                continue
            answer = self.docker.ask("exec", container.id, *command)
            if answer.rc == 0:
                continue
            said = "\n".join((answer.out + answer.err).strip().splitlines()[-20:])
            problem = "%s: `%s` failed in %s (status %d), so " % (
                container.service,
                " ".join(command),
                container.name,
                answer.rc,
            )
            consequence = "nothing was reloaded" if parameter == "validate_command" else "it has not read its files"
            raise ComposeError(problem + consequence + ":\n" + said)

    # --- The answer --------------------------------------------------------------------------------------------------

    def answer(
        self, actions: t.List[str], reason: str, before: str, after: str, seen: t.List[Container]
    ) -> t.Dict[str, t.Any]:
        networks = {declared["name"]: key for key, declared in self.declared("network")}

        def shown(container: Container) -> t.Dict[str, t.Any]:
            return {
                "id": container.id,
                "name": container.name,
                "number": container.number,
                "image": container.image,
                "address": {networks.get(name, name): address for name, address in container.addresses.items()},
                "running": container.status == "running",
                "health": container.health,
            }

        services = {}
        for service in self.services:
            split: t.Dict[str, t.List[t.Dict[str, t.Any]]] = {"current": [], "outdated": []}
            for container in self.of(seen, service):
                split["current" if is_current(container, self.wanted.get(service)) else "outdated"].append(
                    shown(container)
                )
            services[service] = split
        return {
            "changed": bool(actions),
            "actions": actions,
            "unknown": False,
            "reason": reason,
            "services": services,
            "memory": {"used": memory_of([container.pid for container in seen]), "available": memory_available()},
            "volumes": {
                key: {"name": declared["name"], "mountpoint": self.resources["volume"][declared["name"]]}
                for key, declared in self.declared("volume")
                if declared["name"] in self.resources["volume"]
            },
            "diff": {
                "before_header": self.project,
                "after_header": self.project,
                "before": before,
                "after": after,
            },
        }


def difference(containers: t.Sequence[Container], notes: t.Mapping[str, str]) -> str:
    """The containers as ``--diff`` shows them; ``notes`` say how they stand to their files, by container."""
    lines = []
    for container in sorted(containers, key=lambda container: container.name):
        image = "%s (%s)" % (container.image, container.image_id.rpartition(":")[2][:12] or "not here yet")
        lines += [
            "%s:" % container.name,
            "  config: %s" % container.hash[:12],
            "  image: %s" % image,
            "  state: %s" % container.status,
        ]
        if container.name in notes:
            lines.append("  files: %s" % notes[container.name])
    return "".join(line + "\n" for line in lines)


def run(module: AnsibleModule) -> t.Dict[str, t.Any]:
    """Bring the services to where the parameters want them; the module's result."""
    check_parameters(module.params)
    stack = Stack(module)
    if stack.state == "retired" and not stack.check_mode:
        stack.check_retirement()
        stack.empty()
    guesses = pull_images(stack)
    plans = {service: stack.plan(service) for service in stack.services}

    service = stack.services[0]
    files = survey(watched(module.params))
    path = record_path(stack.project, service)
    record = load_record(path)
    reloads = find_reloads(module.params, stack, plans[service], files, record)
    reason = "; ".join(dict.fromkeys(why for _container, why in reloads))
    old_notes = {container.name: "not read as they are" for container, _why in reloads}
    new_notes = dict.fromkeys(old_notes, "read")
    said = ["%s %s" % ("restart" if module.params["restart_on"] else "reload", service)] if reloads else []
    old = difference(stack.before, old_notes)

    calls_compose = any(plan.calls_compose for plan in plans.values())
    pulls = ["pull " + image for image in stack.pulled]
    made = stack.absent_resources() if calls_compose else []
    if stack.check_mode:
        after = [c for name in stack.services for c in plans[name].outcome(stack.wanted[name])] if stack.wanted else []
        actions = pulls + made + describe(stack.project, stack.before, after) + said
        result = stack.answer(actions, reason or guesses, old, difference(after, new_notes), stack.before)
        return {**result, "unknown": bool(guesses)}

    for container, _why in reloads:
        if not module.params["restart_on"]:
            stack.validate_and_reload(container)
    restarts = [container for container, _why in reloads] if module.params["restart_on"] else []
    after = stack.act(plans, restarts)
    if made:
        stack.resources = stack.list_resources()
        made = [action for action in made if action not in stack.absent_resources()]
    acted = [name for name, plan in plans.items() if plan.acts]
    done = describe(
        stack.project,
        [container for container in stack.before if container.service in acted],
        [container for container in after if container.service in acted],
    )
    keep_record(module.params, stack, path, record, files, after)
    return stack.answer(pulls + made + done + said, reason, old, difference(after, new_notes), after)


def watched(params: t.Mapping[str, t.Any]) -> t.List[str]:
    """The files that the service's process has to have read."""
    return [*params["restart_on"], *params["reload_on"]]


def check_parameters(params: t.Mapping[str, t.Any]) -> None:
    """Raise :class:`ComposeError` with all that is wrong with the parameters as such."""
    problems = []
    if not params["services"]:
        problems.append("services: name one at least")
    if params["replicas"] < 1:
        problems.append("replicas: it is at least 1; to have no container, set state: absent")
    if params["beside"] and params["state"] != "present":
        problems.append("beside: only with state: present")
    if params["timeout"] < 1:
        problems.append("timeout: it is at least 1 (seconds)")
    if params["drain_time"] and params["state"] != "retired":
        problems.append("drain_time: only with state: retired")
    problems += [
        "environment: %s is not a string; quote it" % name
        for name, value in params["environment"].items()
        if not isinstance(value, str)
    ]
    if params["reload_on"] and params["restart_on"]:
        problems.append("restart_on: not together with reload_on")
    if params["reload_on"] and not params["reload_command"]:
        problems.append("reload_on: needs reload_command")
    for name in ("reload_on", "restart_on"):
        if params[name] and len(set(params["services"])) != 1:
            problems.append(name + ": only with one service in services")
        if params[name] and params["state"] != "present":
            problems.append(name + ": only with state: present")
    if not params["reload_on"]:
        problems += [name + ": only with reload_on" for name in ("reload_command", "validate_command") if params[name]]
    if problems:
        raise ComposeError("\n".join(problems))


def pull_images(stack: Stack) -> str:
    """Have the images that are missing, or in check mode say that they would be pulled; what is then unknown."""
    guesses = []
    for service in stack.services if stack.state == "present" else []:
        wanted = stack.wanted[service]
        if wanted.image_id:
            continue
        if not stack.check_mode:
            stack.pull(service)
            continue
        if stack.pullable(service):
            if wanted.image not in stack.pulled:
                stack.pulled.append(wanted.image)
        else:
            guesses.append("%s: there is no image %s on this host yet" % (service, wanted.image))
        # Whether what runs is of that image is not to be known.
        if any(c.hash == wanted.hash for c in stack.of(stack.before, service)):
            guesses.append("%s: there is no image %s to compare with" % (service, wanted.image))
    return "\n".join(dict.fromkeys(guesses))


def find_reloads(
    params: t.Mapping[str, t.Any], stack: Stack, plan: Plan, files: Files, record: t.Optional[Record]
) -> t.List[t.Tuple[Container, str]]:
    """Which containers are to read their files again, and why."""
    if not watched(params):
        return []
    wanted = stack.wanted[stack.services[0]]
    kept = [container for container in plan.keep if is_current(container, wanted)]
    found = unread(kept, files, record)
    pending = params["restart_pending"] if params["restart_on"] else params["reload_pending"]
    if stack.check_mode and pending and not found:
        return [(container, "its files would change") for container in kept]
    return found


def keep_record(
    params: t.Mapping[str, t.Any],
    stack: Stack,
    path: str,
    record: t.Optional[Record],
    files: Files,
    after: t.Sequence[Container],
) -> None:
    """Remember which containers have read which files."""
    if stack.state == "absent":
        for service in stack.services:
            Path(record_path(stack.project, service)).unlink(missing_ok=True)
    if not watched(params):
        return
    wanted = stack.wanted[stack.services[0]]
    starts = {container.id: container.started_at for container in after if is_current(container, wanted)}
    new = Record(starts, digests(files))
    if new != record:
        write_record(path, dump_record(new))


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **PARAMETERS,
            "project_dir": {"type": "path", "required": True},
            "services": {"type": "list", "elements": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "absent", "retired"], "default": "present"},
            "replicas": {"type": "int", "default": 1},
            "beside": {"type": "bool", "default": False},
            "definition": {"type": "str"},
            "environment": {"type": "dict", "default": {}, "no_log": True},
            "reload_on": {"type": "list", "elements": "path", "default": []},
            "reload_command": {"type": "list", "elements": "str", "default": []},
            "validate_command": {"type": "list", "elements": "str", "default": []},
            "reload_pending": {"type": "bool", "default": False},
            "restart_on": {"type": "list", "elements": "path", "default": []},
            "restart_pending": {"type": "bool", "default": False},
            "timeout": {"type": "int", "default": 120},
        },
        supports_check_mode=True,
    )
    # Ansible would replace every occurrence of every value of `environment` in the result: with DEBUG=1, each 1. The
    # result holds none of them but for the parameters themselves.
    module.no_log_values.clear()
    shown = {
        **module.params,
        "environment": dict.fromkeys(module.params["environment"], "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"),
    }
    invocation = {"module_args": shown}
    # The project is its file and the parameters alone.
    for name in [name for name in os.environ if name.startswith("COMPOSE_")]:
        del os.environ[name]
    try:
        module.exit_json(**run(module), invocation=invocation)
    except MissingError as error:
        if not module.check_mode:
            module.fail_json(msg=str(error), invocation=invocation)
        brings = module.params["state"] == "present"
        result = {"unknown": True, "reason": str(error), "services": {}, "volumes": {}}
        actions = ["create the stack"] if brings else []
        module.exit_json(changed=brings, actions=actions, invocation=invocation, **result)
    except (ComposeError, OSError) as error:
        module.fail_json(msg=str(error), invocation=invocation)


if __name__ == "__main__":
    main()
