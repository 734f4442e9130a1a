"""edusphere.platform.compose_service on a real engine with a real Compose."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from engine import api, docker
from modules import Call

# Each of these characters means something to a shell, YAML or Compose.
SECRET = "s3cret \"'\\ $HOME ${x} `id` #% &;|<>äß=end"
MODULE_UTILS = "edusphere.platform.plugins.module_utils"
CREATED = "create network default"
# Says on the standard error what it has read, at its start and at each SIGHUP.
READER = """
trap 'cat /conf/site >&2' HUP
trap 'exit 0' TERM
cat /conf/site >&2
while :; do sleep 300 & wait $!; done
"""
NOISE = ("exec_", "health_status")


def healthy(test: str = "true", **changes: Any) -> dict[str, Any]:
    """A health check that is quick."""
    return {"test": ["CMD-SHELL", test], "interval": "200ms", "timeout": "5s", "retries": 2, **changes}


def service(image: str, **changes: Any) -> dict[str, Any]:
    """A service that runs for ever, is healthy and stops at once."""
    # The image's own signal is the one for systemd, which is not what runs here.
    stops = {"init": True, "stop_signal": "SIGTERM"}
    return {"image": image, "command": ["sleep", "infinity"], "healthcheck": healthy(), **stops, **changes}


class Stack:
    """A Compose project in a directory of its own."""

    def __init__(self, directory: pathlib.Path, image: str, client: dict[str, str]) -> None:
        """Name the project and an image of its own after the directory."""
        self.directory = directory
        self.name = directory.name
        self.client = client
        self.image = f"{self.name}:test"
        docker("tag", image, self.image)

    def write(self, services: dict[str, Any], **more: Any) -> None:
        """Write the project's file."""
        content = {"name": self.name, "services": services, **more}
        (self.directory / "compose.yaml").write_text(json.dumps(content))

    def compose(self, *arguments: str) -> str:
        """Run Compose by hand."""
        return docker("compose", "--progress=quiet", *arguments, cwd=self.directory, env={**os.environ, **self.client})

    def start(self, check: bool = False, **arguments: Any) -> Call:
        """Start the module, with the service ``web`` unless others are named."""
        request = {
            "module": "edusphere.platform.compose_service",
            "arguments": {
                "project_dir": str(self.directory),
                "services": ["web"],
                "timeout": 30,
                "_ansible_check_mode": check,
                "_ansible_diff": True,
                **arguments,
            },
            "environment": {**os.environ, **self.client},
            "places": {f"{MODULE_UTILS}.compose.RECORD_DIRECTORY": str(self.directory / "records")},
        }
        return Call(request, SECRET)

    def ask(self, **arguments: Any) -> dict[str, Any]:
        """Run the module."""
        return self.start(**arguments).result()

    def run(self, **arguments: Any) -> dict[str, Any]:
        """Run the module, which must succeed."""
        answer = self.ask(**arguments)
        assert not answer.get("failed"), answer["msg"]
        return answer

    def fail(self, **arguments: Any) -> str:
        """Run the module, which must fail; return its message."""
        answer = self.ask(**arguments)
        assert answer.get("failed"), answer
        assert "Traceback" not in answer["msg"]
        return str(answer["msg"])

    def predict_and_run(self, **arguments: Any) -> dict[str, Any]:
        """Run in check mode, for real, and again.

        The first changes nothing and says what the second does, and the third finds nothing left to do. Returns the
        answer of the second.
        """
        before = self.starts()
        predicted = self.check(**arguments)
        done = self.run(**arguments)
        assert not predicted["unknown"]
        assert predicted["actions"] == done["actions"]
        assert predicted["diff"] == done["diff"]
        assert predicted["changed"] == done["changed"] == bool(done["actions"])
        after = self.starts()
        if not done["changed"]:
            assert before == after
            return done
        pending = {"reload_pending"} & set(arguments)
        again = self.run(**{name: value for name, value in arguments.items() if name not in pending})
        assert (again["changed"], again["actions"]) == (False, [])
        assert again["diff"]["before"] == again["diff"]["after"]
        assert self.starts() == after
        return done

    def check(self, **arguments: Any) -> dict[str, Any]:
        """Run in check mode; the engine's log must have nothing of it."""
        before, since = self.starts(), time.time()
        predicted = self.run(check=True, **arguments)
        assert self.events(since) == []
        assert self.starts() == before
        return predicted

    def events(self, since: float) -> list[str]:
        """What the engine has logged of the project since a time: kind, action and object."""
        times = [f"--since={since:.6f}", f"--until={time.time():.6f}"]
        found = []
        for line in docker("events", "--format={{json .}}", *times).splitlines():
            event = json.loads(line)
            if self.name in json.dumps(event["Actor"]) and not event["Action"].startswith(NOISE):
                found.append(f"{event['Type']} {event['Action']} {event['Actor']['ID']}")
        return found

    def found(self) -> dict[str, dict[str, Any]]:
        """What the engine says of each container of the project, by name."""
        # Asked hundreds of times, and docker's own client takes long to start.
        engine = api()
        listed = engine.containers(all=True, filters={"label": f"com.docker.compose.project={self.name}"})
        found = (engine.inspect_container(container["Id"]) for container in listed)
        return {container["Name"].lstrip("/"): container for container in found}

    def starts(self) -> dict[str, tuple[str, str]]:
        """The id and the last start of each container, by name less the project's."""
        return {
            name.replace(f"{self.name}-", ""): (container["Id"], container["State"]["StartedAt"])
            for name, container in self.found().items()
        }

    def ids(self) -> dict[str, str]:
        """The id of each container, by name less the project's."""
        return {name: ids[0] for name, ids in self.starts().items()}

    def remake_image(self) -> None:
        """Give the image's name to another image."""
        dockerfile = f"FROM {self.image}\nLABEL made={uuid.uuid4()}\n"
        docker("build", "--quiet", f"--tag={self.image}", "-", input=dockerfile)

    def logs(self, container: str) -> str:
        """What a container has written."""
        command = ["docker", "logs", f"{self.name}-{container}"]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        return done.stdout + done.stderr

    def remove(self) -> None:
        """Remove all that the engine has of the project, and the directory."""
        label = f"--filter=label=com.docker.compose.project={self.name}"
        for kind, options in (("container", ["--force", "--volumes"]), ("network", []), ("volume", [])):
            listing = ["--all"] if kind == "container" else []
            if found := docker(kind, "ls", "--quiet", *listing, label).split():
                docker(kind, "rm", *options, *found)
        docker("rmi", "--force", self.image)
        shutil.rmtree(self.directory)


@pytest.fixture
def stack(host_image: str, client: dict[str, str]) -> Iterator[Stack]:
    """A project without a file."""
    # Compose and the engine take fewer characters than mkdtemp uses.
    directory = pathlib.Path(tempfile.gettempdir(), f"compose-service-{uuid.uuid4().hex[:12]}")
    directory.mkdir(mode=0o700)
    made = Stack(directory, host_image, client)
    yield made
    made.remove()


def eventually(true: Callable[[], Any]) -> bool:
    """Wait until something is true."""
    deadline = time.monotonic() + 60
    while not true() and time.monotonic() < deadline:
        time.sleep(0.05)
    return bool(true())


def test_what_the_file_says_is_created_and_nothing_else(stack: Stack) -> None:
    (stack.directory / "app.env").write_text("A='of the file $x'\n")
    web = service(
        stack.image,
        depends_on={"db": {"condition": "service_healthy"}},
        env_file=["app.env"],
        deploy={"replicas": 7},
        networks=["front", "back"],
    )
    db = service(stack.image, networks=["back"], volumes=["data:/data"])
    stack.write(
        {"web": web, "db": db, "other": service(stack.image)},
        networks={"front": {}, "back": {"name": f"{stack.name}-of-its-own"}},
        volumes={"data": {}},
    )
    done = stack.predict_and_run(services=["db", "web"])
    made = ["create network back", CREATED, "create network front", "create volume data"]
    assert done["actions"] == [*made, "create db-1", "create web-1"]
    (container,) = done["services"]["web"]["current"]
    assert container["id"] == stack.ids()["web-1"]
    assert (container["name"], container["number"]) == (f"{stack.name}-web-1", 1)
    assert (container["running"], container["health"]) == (True, "healthy")
    known = stack.found()[f"{stack.name}-web-1"]["NetworkSettings"]["Networks"]
    assert container["address"] == {
        "back": known[f"{stack.name}-of-its-own"]["IPAddress"],
        "front": known[f"{stack.name}_front"]["IPAddress"],
    }
    assert done["services"]["web"]["outdated"] == []
    place = docker("volume", "inspect", "--format={{.Mountpoint}}", f"{stack.name}_data")
    assert done["volumes"] == {"data": {"name": f"{stack.name}_data", "mountpoint": place}}
    # One of `docker compose run` is nobody's.
    stack.compose("run", "--detach", "--no-deps", "web")
    assert not stack.run(services=["db", "web"])["changed"]
    # What an operator has made by hand is the same, though Compose itself marks it otherwise.
    stack.compose("up", "--detach", "--force-recreate", "--scale=web=1", "web")
    assert not stack.run(services=["db", "web"])["changed"]


def test_only_the_readers_of_a_changed_value_are_recreated(stack: Stack) -> None:
    (stack.directory / ".env").write_text("RELEASE=old\n")
    for name in ("a", "b"):
        (stack.directory / f"{name}.env").write_text(f"VALUE='{name}'\n")
    environment = {"RELEASE": "${RELEASE}", "SECRET": "${SECRET:-}"}
    stack.write(
        {
            "a": service(stack.image, env_file=["a.env"]),
            "b": service(stack.image, env_file=["b.env"]),
            "c": service(stack.image, environment=environment),
        }
    )
    services = ["a", "b", "c"]
    stack.run(services=services)
    (stack.directory / "b.env").write_text("VALUE='b2'\n")
    assert stack.predict_and_run(services=services)["actions"] == ["recreate b-1"]
    # The parameter wins over the project's own file, and is on no command line.
    given = {"RELEASE": "new", "SECRET": SECRET}
    called = record_calls(stack)
    done = stack.predict_and_run(services=services, environment=given)
    assert done["actions"] == ["recreate c-1"]
    assert "--no-deps" in called.read_text()
    assert "s3cret" not in called.read_text()
    seen = stack.found()[f"{stack.name}-c-1"]["Config"]["Env"]
    assert {"RELEASE=new", f"SECRET={SECRET}"} <= set(seen)
    # Variables for Compose itself don't count.
    stack.client = {**stack.client, "COMPOSE_PROJECT_NAME": "nobodys", "COMPOSE_FILE": "/no/such/file"}
    assert not stack.run(services=services, environment=given)["changed"]


def record_calls(stack: Stack) -> pathlib.Path:
    """Have the arguments of each call of docker's client written to a file."""
    called, client = stack.directory / "called", stack.directory / "bin/docker"
    client.parent.mkdir()
    client.write_text(f'#!/bin/sh\nprintf \'%s\\n\' "$@" >> {called}\nexec {shutil.which("docker")} "$@"\n')
    client.chmod(0o755)
    stack.client = {**stack.client, "PATH": f"{client.parent}:{os.environ['PATH']}"}
    return called


@pytest.mark.exhaustive("compose_service recreates a container whose image has the same name and other contents.")
def test_another_image_under_the_same_name_recreates(stack: Stack) -> None:
    stack.write({"web": service(stack.image)})
    stack.run()
    stack.remake_image()
    done = stack.predict_and_run()
    assert done["actions"] == ["recreate web-1"]
    before, after = done["diff"]["before"], done["diff"]["after"]
    assert before != after
    assert after.splitlines()[0] == f"{stack.name}-web-1:"
    image = docker("image", "inspect", "--format={{.Id}}", stack.image)
    assert f"  image: {stack.image} ({image[7:19]})" in after
    assert after.endswith("  state: running\n")


@pytest.mark.exhaustive("compose_service brings any mixture of containers to the wanted number of up-to-date ones.")
def test_as_many_as_wanted_and_none_stopped(stack: Stack) -> None:
    stack.write({"web": service(stack.image)})
    assert stack.predict_and_run(replicas=3)["actions"] == [
        CREATED, "create web-1", "create web-2", "create web-3",
    ]  # fmt: skip
    docker("stop", f"{stack.name}-web-2")
    assert stack.predict_and_run(replicas=3)["actions"] == ["start web-2"]
    docker("pause", f"{stack.name}-web-1")
    docker("rm", "--force", f"{stack.name}-web-3")
    done = stack.predict_and_run(replicas=2)
    assert done["actions"] == ["remove web-1", "create web-3"]
    docker("stop", f"{stack.name}-web-2")
    assert stack.predict_and_run(replicas=1)["actions"] == ["remove web-2"]
    # Some up to date, some not, one marked by an operator's Compose.
    stack.write({"web": service(stack.image, environment={"A": "1"})})
    assert stack.predict_and_run(replicas=2)["actions"] == ["recreate web-3", "create web-4"]
    assert stack.predict_and_run(state="absent")["actions"] == ["remove web-3", "remove web-4"]


def test_a_new_release_runs_beside_the_old_one_until_that_is_retired(stack: Stack) -> None:
    web = service(stack.image, environment={"RELEASE": "${RELEASE}"})
    stack.write({"web": web})
    old, new = {"RELEASE": "1"}, {"RELEASE": "2"}
    stack.run(environment=old, replicas=2)
    first = stack.starts()
    # Nothing up to date runs yet: nothing is retired, though check mode takes it for started.
    assert stack.check(environment=new, replicas=2, state="retired")["actions"] == ["remove web-1", "remove web-2"]
    message = stack.fail(environment=new, replicas=2, state="retired")
    assert message.startswith("web: 0 of 2 up-to-date containers are running and healthy, so nothing was removed")
    assert stack.starts() == first
    done = stack.predict_and_run(environment=new, replicas=2, beside=True)
    assert done["actions"] == ["create web-3", "create web-4"]
    assert {name: stack.starts()[name] for name in first} == first
    split = done["services"]["web"]
    assert [[entry["number"] for entry in split[key]] for key in ("current", "outdated")] == [[3, 4], [1, 2]]
    assert stack.predict_and_run(environment=new, replicas=2, state="retired")["actions"] == [
        "remove web-1",
        "remove web-2",
    ]


@pytest.mark.exhaustive("compose_service retires surplus, half-made and stopped containers with the old release.")
def test_what_goes_with_the_old_release(stack: Stack) -> None:
    stack.write({"web": service(stack.image, environment={"RELEASE": "${RELEASE}"})})
    old, new = {"RELEASE": "1"}, {"RELEASE": "2"}
    stack.run(environment=old, replicas=2)
    stack.run(environment=new, replicas=2, beside=True)
    retired = {"environment": new, "state": "retired", "replicas": 1}
    # A surplus goes, and what was left half-made.
    docker("create", *(f"--label={label}" for label in of_compose(stack, "web", 9)), stack.image)
    done = stack.predict_and_run(**retired)
    assert [action for action in done["actions"] if "web-" in action] == [
        "remove web-1",
        "remove web-2",
        "remove web-4",
    ]
    assert len(done["actions"]) == 4
    assert list(stack.ids()) == ["web-3"]
    # An old one that does not run is no old one.
    docker("stop", f"{stack.name}-web-3")
    assert stack.predict_and_run(environment=old, beside=True)["actions"] == ["remove web-3", "create web-1"]


def of_compose(stack: Stack, name: str, number: int) -> list[str]:
    """The labels that Compose knows a container by."""
    labels = {"project": stack.name, "service": name, "container-number": number, "oneoff": "False", "config-hash": 0}
    return [f"com.docker.compose.{label}={value}" for label, value in labels.items()]


def test_a_release_that_never_gets_healthy_leaves_the_old_one_alone(stack: Stack) -> None:
    script = "for i in $$(seq 30); do echo line $$i; done; exec sleep infinity"
    test = 'echo checked; test "$$RELEASE" = 1'
    environment = {"RELEASE": "${RELEASE}", "SECRET": "${SECRET:-}"}
    stack.write(
        {"web": service(stack.image, command=["sh", "-c", script], environment=environment, healthcheck=healthy(test))}
    )
    stack.run(environment={"RELEASE": "1"})
    before = stack.starts()
    ill = {"environment": {"RELEASE": "2", "SECRET": SECRET}, "timeout": 2}
    message = stack.fail(beside=True, **ill)
    assert message.startswith(
        "web: did not get healthy within 2 s (parameter timeout); its health check says: checked\n"
    )
    assert message.splitlines()[1:] == [
        f"The last lines of {stack.name}-web-2:",
        *(f"line {number}" for number in range(11, 31)),
    ]
    assert stack.starts() == before


@pytest.mark.exhaustive(
    "A container that is not healthy is up to date, waited for again, and replaced by the old release."
)
def test_a_release_that_never_gets_healthy_is_in_the_old_ones_place(stack: Stack) -> None:
    """Without beside."""
    test = 'test "$$RELEASE" = 1'
    stack.write({"web": service(stack.image, environment={"RELEASE": "${RELEASE}"}, healthcheck=healthy(test))})
    stack.run(environment={"RELEASE": "1"})
    before = stack.starts()
    ill = {"environment": {"RELEASE": "2"}, "timeout": 2}
    assert "did not get healthy" in stack.fail(**ill)
    assert stack.ids()["web-1"] != before["web-1"][0]
    # It is up to date, and waited for.
    assert "did not get healthy" in stack.fail(**ill)
    assert stack.check(**ill)["actions"] == []
    assert stack.predict_and_run(environment={"RELEASE": "1"})["actions"] == ["recreate web-1"]


@pytest.mark.exhaustive("If one of several new containers does not get healthy, compose_service removes all of them.")
def test_of_several_that_did_not_all_get_healthy_none_is_left(stack: Stack) -> None:
    """Nobody would ask it."""
    script = "mkdir /shared/$$RELEASE && touch /tmp/first; exec sleep infinity"
    web = service(
        stack.image,
        command=["sh", "-c", script],
        environment={"RELEASE": "${RELEASE}"},
        healthcheck=healthy('test "$$RELEASE" = 1 || test -e /tmp/first'),
        volumes=["shared:/shared"],
    )
    stack.write({"web": web}, volumes={"shared": {}})
    made = stack.run(environment={"RELEASE": "1"})
    assert [each["image"] for each in made["services"]["web"]["current"]] == [stack.image]
    before = stack.starts()
    message = stack.fail(environment={"RELEASE": "2"}, replicas=2, beside=True, timeout=3)
    assert message.startswith("web: did not get healthy within 3 s")
    assert stack.starts() == before


@pytest.mark.exhaustive("compose_service runs the health check itself where the engine would first do so in an hour.")
@pytest.mark.parametrize("form", ["CMD", "CMD-SHELL"])
def test_nobody_waits_for_the_engine_to_ask(stack: Stack, form: str) -> None:
    """Its first look at a container is an hour away."""
    file = "/tmp/$$RELEASE here"  # noqa: S108  # in the container
    test = ["CMD", "sh", "-c", f'test -e "{file}"'] if form == "CMD" else ["CMD-SHELL", f'test -e "{file}"']
    script = f'sleep 2; touch "{file}"; exec sleep infinity'
    check = {"test": test, "interval": "1h", "timeout": "5s", "start_period": "1h"}
    environment = {"RELEASE": "${RELEASE}"}
    stack.write({"web": service(stack.image, command=["sh", "-c", script], environment=environment, healthcheck=check)})
    made = stack.run(environment={"RELEASE": "1"})
    assert made["services"]["web"]["current"][0]["health"] == "healthy"
    assert [each["State"]["Health"]["Status"] for each in stack.found().values()] == ["starting"]
    second: dict[str, Any] = {"environment": {"RELEASE": "2"}}
    # Not before it is healthy itself.
    assert stack.predict_and_run(**second, beside=True)["actions"] == ["create web-2"]
    assert stack.predict_and_run(**second, state="retired")["actions"] == ["remove web-1"]
    ill = stack.fail(environment={"RELEASE": "3"}, timeout=1)
    assert ill.startswith("web: did not get healthy within 1 s")


@pytest.mark.parametrize(
    "restart",
    [
        "no",
        pytest.param(
            "always",
            marks=pytest.mark.exhaustive(
                "compose_service says that a container that is restarted again and again does not stay up."
            ),
        ),
    ],
)
def test_a_container_that_ends_is_no_running_one(stack: Stack, restart: str) -> None:
    ends = service(stack.image, command=["sh", "-c", "echo last words; exit 3"], restart=restart)
    del ends["healthcheck"]
    stack.write({"web": ends})
    message = stack.fail(timeout=4)
    problem = "ended with status 3" if restart == "no" else "does not stay up"
    assert message.startswith(f"web: {problem}")
    assert message.splitlines()[1] == f"The last lines of {stack.name}-web-1:"
    assert message.splitlines()[-1] == "last words"


@pytest.mark.parametrize(
    "then",
    [
        "at once",
        "after the engine has ended what it was told",
    ],
)
def test_a_run_that_is_killed_is_repaired_by_the_next(stack: Stack, then: str) -> None:
    # It takes its time to stop.
    stubborn = service(stack.image, command=["sh", "-c", "trap '' TERM; while :; do sleep 1; done"])
    stubborn.update(init=False, stop_grace_period="3s", environment={"RELEASE": "${RELEASE}"})
    stack.write({"web": stubborn})
    stack.run(environment={"RELEASE": "1"})
    (old,) = stack.ids().values()
    process = stack.start(environment={"RELEASE": "2"})
    assert eventually(lambda: any("_" in name for name in stack.ids()))
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if then != "at once":
        docker("rm", "--force", old)
    assert any("_" in name for name in stack.ids())
    done = stack.run(environment={"RELEASE": "2"})
    assert done["changed"]
    assert list(stack.ids()) == ["web-1"]
    assert stack.ids()["web-1"] != old
    assert stack.found()[f"{stack.name}-web-1"]["State"]["Running"]
    assert stack.predict_and_run(environment={"RELEASE": "2"})["actions"] == []


def reader(stack: Stack) -> tuple[pathlib.Path, dict[str, Any]]:
    """Write a service that reads a file, which holds "one"; return the file and the parameters for its reload."""
    site = stack.directory / "conf/site"
    site.parent.mkdir()
    site.write_text("one\n")
    web = service(stack.image, init=False, command=["bash", "-c", READER.replace("$", "$$")])
    stack.write({"web": {**web, "volumes": ["./conf:/conf:ro"]}})
    return site, {
        "reload_on": [str(site.parent)],
        "reload_command": ["bash", "-c", "kill -HUP 1"],
        "validate_command": ["bash", "-c", "echo it is $(cat /conf/site) >&2; ! grep -q wrong /conf/site"],
    }


def test_a_changed_file_is_read_again(stack: Stack) -> None:
    site, reload = reader(stack)
    stack.run(**reload)
    site.write_text("wrong\n")
    assert stack.fail(**reload).endswith("so nothing was reloaded:\nit is wrong")
    assert stack.logs("web-1") == "one\n"
    site.write_text("two\n")
    assert stack.predict_and_run(**reload)["actions"] == ["reload web"]
    assert eventually(lambda: stack.logs("web-1") == "one\ntwo\n")


@pytest.mark.exhaustive(
    "compose_service reloads a file exactly where it has not been read: after reboots, failures and lost records."
)
def test_files_are_read_again_where_they_have_not_been(stack: Stack) -> None:
    site, reload = reader(stack)
    # One that is made now reads them by itself.
    assert stack.predict_and_run(**reload)["actions"] == [CREATED, "create web-1"]
    assert stack.logs("web-1") == "one\n"
    site.write_text("two\n")
    done = stack.predict_and_run(**reload)
    assert (done["actions"], done["reason"]) == (["reload web"], f"{site} changed")
    assert done["diff"]["before"] != done["diff"]["after"]
    assert eventually(lambda: stack.logs("web-1") == "one\ntwo\n")
    # What check mode can't see, it is told.
    assert stack.check(**reload, reload_pending=True)["actions"] == ["reload web"]
    assert stack.predict_and_run(**reload)["actions"] == []
    # It has started since, as after a reboot of the machine: it has read them.
    site.write_text("three\n")
    docker("restart", "--time=1", f"{stack.name}-web-1")
    assert stack.predict_and_run(**reload)["actions"] == []
    assert stack.logs("web-1") == "one\ntwo\nthree\n"
    # Without a record the times tell.
    shutil.rmtree(stack.directory / "records")
    assert stack.predict_and_run(**reload)["actions"] == []
    shutil.rmtree(stack.directory / "records")
    site.write_text("four\n")
    done = stack.predict_and_run(**reload)
    assert (done["actions"], done["reason"]) == (["reload web"], f"{site} changed after it was started")
    assert eventually(lambda: stack.logs("web-1").endswith("four\n"))
    # What is wrong is not read, and not forgotten.
    site.write_text("wrong\n")
    for _attempt in range(2):
        message = stack.fail(**reload)
        assert message.endswith("so nothing was reloaded:\nit is wrong")
    assert stack.logs("web-1").endswith("four\n")
    failing = {**reload, "reload_command": ["false"], "validate_command": []}
    assert f"`false` failed in {stack.name}-web-1 (status 1)" in stack.fail(**failing)
    site.write_text("five\n")
    assert stack.predict_and_run(**reload)["actions"] == ["reload web"]
    # A new container has nothing to read again.
    stack.remake_image()
    site.write_text("six\n")
    assert stack.check(**reload, reload_pending=True)["actions"] == ["recreate web-1"]
    assert stack.predict_and_run(**reload)["actions"] == ["recreate web-1"]
    assert stack.logs("web-1") == "six\n"


def test_what_is_read_at_the_start_alone_takes_a_restart(stack: Stack) -> None:
    site = stack.directory / "conf/site"
    site.parent.mkdir()
    site.write_text("one\n")
    web = service(stack.image, init=False, command=["bash", "-c", READER.replace("$", "$$")])
    stack.write({"web": {**web, "volumes": ["./conf:/conf:ro"]}})
    restart = {"restart_on": [str(site.parent)]}
    stack.run(**restart)
    before = stack.ids()
    site.write_text("two\n")
    done = stack.predict_and_run(**restart)
    assert (done["actions"], done["reason"]) == (["restart web"], f"{site} changed")
    (web_1,) = done["services"]["web"]["current"]
    assert (web_1["running"], web_1["health"]) == (True, "healthy")
    assert stack.logs("web-1") == "one\ntwo\n"
    assert stack.ids() == before
    assert stack.check(**restart, restart_pending=True)["actions"] == ["restart web"]


@pytest.mark.exhaustive("compose_service says why a container that it restarted did not come up again.")
def test_one_that_does_not_come_up_again_says_why(stack: Stack) -> None:
    site = stack.directory / "conf/site"
    site.parent.mkdir()
    site.write_text("one\n")
    restart = {"restart_on": [str(site.parent)]}
    picky = ["bash", "-c", "! grep wrong /conf/site && exec sleep 300"]
    stack.write({"web": service(stack.image, command=picky, volumes=["./conf:/conf:ro"])})
    stack.run(**restart)
    site.write_text("wrong\n")
    message = stack.fail(**restart)
    assert "web: ended with status 1" in message
    assert message.endswith("wrong")


def test_check_mode_can_be_told_what_the_file_would_hold(stack: Stack) -> None:
    web = service(stack.image)
    stack.write({"web": web, "other": service(stack.image)})
    both = ["web", "other"]
    stack.run(services=both)
    changed = {"web": {**web, "hostname": "changed"}, "other": service(stack.image)}
    told = json.dumps({"name": stack.name, "services": changed})
    assert stack.check(services=both, definition=told)["actions"] == ["recreate web-1"]
    assert stack.run(services=both, definition=told)["actions"] == []


def test_absent_keeps_networks_and_volumes(stack: Stack) -> None:
    web = service(stack.image, volumes=["data:/data", "/unnamed"])
    more: dict[str, Any] = {"volumes": {"data": {}}}
    stack.write({"web": web, "other": service(stack.image)}, **more)
    stack.run(services=["web", "other"])
    other = stack.ids()["other-1"]
    web_1 = stack.found()[f"{stack.name}-web-1"]
    volumes = {mount["Name"] for mount in web_1["Mounts"]}
    assert len(volumes) == 2
    # Also what the file does not have any more.
    stack.write({"other": service(stack.image)}, **more)
    assert stack.predict_and_run(state="absent")["actions"] == ["remove web-1"]
    assert stack.ids() == {"other-1": other}
    assert volumes <= set(docker("volume", "ls", "--quiet").split())
    assert f"{stack.name}_default" in docker("network", "ls", "--format={{.Name}}").split()
    docker("volume", "rm", *volumes)


def test_what_is_not_there_yet(stack: Stack) -> None:
    """Unknown in check mode, and an error in a run."""

    def unknown(message: str, **arguments: Any) -> None:
        predicted = stack.check(**arguments)
        assert (predicted["unknown"], predicted["changed"], predicted["actions"]) == (True, True, ["create the stack"])
        assert message in predicted["reason"]
        assert message in stack.fail(**arguments)

    predicted = stack.check(state="absent")
    assert (predicted["unknown"], predicted["changed"], predicted["actions"]) == (True, False, [])
    assert "compose.yaml" in stack.fail(state="absent")
    unknown(f"project_dir: there is no {stack.directory}/compose.yaml; write it")
    unknown("project_dir: there is no /no/such/place/compose.yaml", project_dir="/no/such/place")
    stack.write({"web": service(stack.image, env_file=["missing.env"])})
    unknown("missing.env not found")
    for content in (f"A=1\nSECRET='{SECRET}\nB=2\n", f'SECRET!="{SECRET}"\n', f'"{SECRET}"\n'):
        (stack.directory / "missing.env").write_text(content)
        message = stack.fail()
        assert message.startswith(f"project_dir: Compose can't read {stack.directory}/compose.yaml; correct it, or the")
        assert "s3cret" not in message
    (stack.directory / "compose.yaml").write_text("services: [")
    unknown("did not find expected node content")
    stack.write({"web": service(stack.image)})
    client = stack.client
    stack.client = {**client, "DOCKER_HOST": "unix:///no/such/socket"}
    unknown("no Docker engine answers, so start it (systemctl start docker)")
    stack.client = {**client, "PATH": "/no/such/place"}
    unknown("there is no docker command on this host")


def test_what_the_file_asks_for_and_is_not_there(stack: Stack) -> None:
    missing = stack.directory / "missing"
    mount = {"type": "bind", "source": str(missing), "target": "/x"}
    stack.write(
        {"web": service(stack.image, volumes=["data:/data", mount], networks=["net"])},
        volumes={"data": {"external": True, "name": f"{stack.name}-data"}},
        networks={"net": {"external": True, "name": f"{stack.name}-net"}},
    )
    lines = [
        "services: the project {0} has no service api; it has web",
        "web: there is no {1} on this host to mount; make it first",
        "api, web: the project's network net is external and does not exist; create it first"
        " (docker network create {0}-net)",
        "api, web: the project's volume data is external and does not exist; create it first"
        " (docker volume create {0}-data)",
    ]
    expected = [line.format(stack.name, missing) for line in lines]
    assert stack.fail(services=["api", "web"]).splitlines() == expected
    predicted = stack.check(services=["api", "web"])
    assert (predicted["changed"], predicted["unknown"], predicted["reason"].splitlines()) == (True, True, expected)
    assert stack.ids() == {}


def test_images_that_are_not_there(stack: Stack) -> None:
    # Nobody listens there.
    image = f"127.0.0.1:1/{stack.name}/missing:1"
    stack.write(
        {"web": service(image), "own": service(image, pull_policy="never"), "build": {"image": image, "build": "."}}
    )
    predicted = stack.check()
    assert predicted["actions"] == [f"pull {image}", CREATED, "create web-1"]
    message = stack.fail()
    assert message.startswith(
        f"web: the image {image} can't be pulled; correct its name, reach and log in to its registry"
    )
    assert "127.0.0.1:1" in message.splitlines()[-1]
    for name in ("own", "build"):
        predicted = stack.check(services=[name])
        assert predicted["unknown"]
        assert predicted["actions"] == [CREATED, f"create {name}-1"]
        message = (
            f"{name}: there is no image {image} on this host, and the file does not let it be pulled; build or load it"
        )
        assert stack.fail(services=[name]).startswith(message)
    assert stack.ids() == {}


@pytest.mark.exhaustive("compose_service says which container could not publish a port that is taken.")
def test_a_taken_port_is_said_to_be(stack: Stack) -> None:
    with contextlib.closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        web = service(stack.image, ports=[f"127.0.0.1:{port}:80"], environment={"RELEASE": "${RELEASE:-1}"})
        stack.write({"web": web, "holder": web})
        message = stack.fail()
        assert message.startswith("web: can't be started: ")
        if shutil.which("ss"):
            assert f"Port {port} is taken by " in message
            assert f"(process {os.getpid()})" in message
    stack.run(services=["holder"])
    assert f"Port {port} is taken by container {stack.name}-holder-1. Stop that" in stack.fail()
    stack.run(services=["holder"], state="absent")
    # What a failed start left is repaired.
    assert stack.predict_and_run()["actions"] == ["start web-1"]
    before = stack.starts()
    message = stack.fail(beside=True, environment={"RELEASE": "2"})
    assert f"Port {port} is taken by container {stack.name}-web-1. Stop that" in message
    assert stack.starts() == before


def test_a_full_disk_is_said_to_be(stack: Stack) -> None:
    # The image's files are copied to a new volume, and this one has room for none.
    tiny = {"driver_opts": {"type": "tmpfs", "device": "tmpfs", "o": "size=4k"}}
    stack.write({"web": service(stack.image, volumes=["tiny:/etc"])}, volumes={"tiny": tiny})
    message = stack.fail()
    assert message.startswith("web: can't be started: ")
    assert "is full" in message.splitlines()[-1]


@pytest.mark.parametrize("check", [True, False])
def test_parameters_that_do_not_go_together(stack: Stack, check: bool) -> None:
    stack.write({"web": service(stack.image, container_name=f"{stack.name}-fixed")})
    wrong = {
        "services": [],
        "replicas": 0,
        "timeout": 0,
        "state": "absent",
        "beside": True,
        "environment": {"DEBUG": 1},
        "reload_on": ["/etc"],
    }
    names = [line.partition(":")[0] for line in stack.fail(check=check, **wrong).splitlines()]
    expected = ["services", "replicas", "beside", "timeout", "environment", "reload_on", "reload_on", "reload_on"]
    assert names == expected
    wrong = {"reload_command": ["a"], "validate_command": ["b"]}
    assert stack.fail(check=check, **wrong).splitlines() == [
        "reload_command: only with reload_on",
        "validate_command: only with reload_on",
    ]
    assert "one container alone" in stack.fail(check=check, replicas=2)
    assert stack.ids() == {}


@pytest.mark.exhaustive("compose_service takes the project's name as a parameter.")
def test_a_name_that_is_given(stack: Stack) -> None:
    stack.write({"web": service(stack.image, container_name=f"{stack.name}-fixed")})
    assert stack.predict_and_run()["actions"] == [CREATED, "create fixed"]
