"""The ways into a project: an interpreter of the host, a container, and one-off containers of an image or a service."""

from __future__ import annotations

import json
import os
import pathlib
import re
import subprocess
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from engine import docker

from .conftest import IMAGE_PYTHON, PASSWORD, STACKS, USUAL, Stack, on
from .test_project import ODD_VALUES, report

if TYPE_CHECKING:
    from .conftest import Project

CONTAINERS = [stack for stack in STACKS if stack.place]
CONTAINER, IMAGE, SERVICE = CONTAINERS
in_each_container = pytest.mark.parametrize("stack", on(CONTAINERS), indirect=True)
# Quick everywhere: what each way needs to be one.
by_each_way = pytest.mark.parametrize("stack", CONTAINERS, ids=str, indirect=True)


def only(stack: Stack) -> pytest.MarkDecorator:
    """Run a test on one stack."""
    return pytest.mark.parametrize("stack", [stack], ids=str, indirect=True)


def containers(project: Project) -> list[str]:
    """Return the ids of all containers that see the project, whatever their state."""
    return docker("ps", "--all", "--quiet", "--no-trunc", f"--filter=volume={project.directory}").split()


def own(project: Project) -> list[str]:
    """Return the containers that the test made."""
    return [container for name, container in project.place.items() if name == "container"]


def objects(project: Project) -> list[str]:
    """Return what the engine has under the project's name: images, networks and volumes."""
    name = project.directory.name
    return [
        f"{kind} {found}"
        for kind, command in (
            ("image", ["images", "--format={{.Repository}}", f"--filter=reference=*{name}*"]),
            ("network", ["network", "ls", "--format={{.Name}}", f"--filter=name={name}"]),
            ("volume", ["volume", "ls", "--format={{.Name}}", f"--filter=name={name}"]),
        )
        for found in docker(*command).splitlines()
    ]


def running(marker: str) -> bool:
    """Tell whether a process has a text on its command line."""
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if marker.encode() in path.read_bytes():
                return True
        except OSError:
            continue
    return False


def eventually(true: Callable[[], bool]) -> bool:
    """Wait until something is true."""
    deadline = time.monotonic() + 60
    while not true() and time.monotonic() < deadline:
        time.sleep(0.05)
    return true()


def unknown(project: Project, message: str, **arguments: Any) -> None:
    """Assert that something is unknown in check mode, which makes nothing, and an error in a run."""
    before = objects(project), containers(project)
    predicted = project.run("migrate", check=True, **arguments)
    assert (predicted["changed"], predicted["unknown"]) == (True, True)
    assert message in predicted["msg"]
    assert (objects(project), containers(project)) == before
    assert message in project.fail("migrate", **arguments)["msg"]
    assert (objects(project), containers(project)) == before


@by_each_way
def test_environment_is_exact_and_on_no_command_line(project: Project) -> None:
    path = report(project)
    project.settings(
        f"""
        import time
        while not os.path.exists({str(project.directory / "go")!r}):
            time.sleep(0.05)
        """
    )
    given = {**project.environment, **ODD_VALUES, "BOTH": "the project's", "PYTHONPATH": "/from/environment"}
    call = project.start("migrate", check=True, environment=given, pythonpath=["/extra"])
    assert eventually(path.exists)
    command_lines = [file.read_bytes() for file in pathlib.Path("/proc").glob("[0-9]*/cmdline") if file.exists()]
    (container,) = containers(project)
    known = docker("inspect", container)
    project.write("go", "")
    assert call.result()["plan"]
    seen = json.loads(path.read_text())
    assert {name: seen["environment"][name] for name in ODD_VALUES} == ODD_VALUES
    assert seen["environment"]["DB_PASSWORD"] == PASSWORD
    assert seen["environment"]["FROM_IMAGE"] == "the image's"
    assert seen["environment"]["BOTH"] == "the project's"
    # Nothing of the host's.
    assert not {"OLDPWD", "SHLVL", "PYTEST_CURRENT_TEST"} & set(seen["environment"])
    assert [entry for entry in seen["path"] if entry][:3] == [str(project.directory), "/extra", "/from/environment"]
    assert seen["directory"] == str(project.directory)
    assert seen["arguments"] == ["manage.py", "migrate"]
    assert any(str(container).encode() in line or b"edusphere-django-" in line for line in command_lines)
    for secret in (PASSWORD.strip(), ODD_VALUES["JSON"], "the project's"):
        assert not any(secret.encode() in line for line in command_lines)
        assert secret not in known
        assert json.dumps(secret)[1:-1] not in known
    assert containers(project) == own(project)


@in_each_container
def test_environment_file_is_the_hosts(project: Project, tmp_path: pathlib.Path) -> None:
    path = report(project)
    file = tmp_path / "app.env"
    file.write_text('FROM_FILE="of the host"\nBOTH="the file\'s"\nDJANGO_SETTINGS_MODULE=site_.settings\n')
    project.run("migrate", check=True, settings=None, environment_file=str(file))
    seen = json.loads(path.read_text())["environment"]
    assert (seen["FROM_FILE"], seen["BOTH"]) == ("of the host", "the file's")


@in_each_container
def test_account_and_umask(project: Project) -> None:
    path = report(project)
    project.directory.chmod(0o777)
    # Nobody may enter the directory of the databases' socket, but the settings are loaded by then.
    result = project.run("migrate", check=True, user="nobody", group="tty", umask="0027", python=IMAGE_PYTHON)
    assert result["unknown"]
    assert path.stat().st_mode & 0o777 == 0o640
    seen = json.loads(path.read_text())
    assert seen["ids"][0] == [65534] * 3
    assert seen["ids"][1] == [5] * 3


@only(CONTAINER)
def test_account_without_rights(project: Project) -> None:
    (project.directory / "site_/settings.py").chmod(0o600)
    failed = project.fail("migrate", user="nobody")
    assert "PermissionError: [Errno 13] Permission denied: " in failed["msg"]
    project.directory.chmod(0o700)
    failed = project.fail("migrate", user="nobody")
    assert failed["msg"] == f"project_dir: {project.directory}: Permission denied; give another user"


@in_each_container
def test_noise_does_not_break_the_protocol(project: Project) -> None:
    project.settings(
        """
        import subprocess, sys, threading

        def chatter():
            while True:
                os.write(1, b"chatter " * 100_000)

        print("printed", flush=True)
        os.write(1, b"raw \\xff bytes, no newline")
        subprocess.run(["echo", "from a child"])
        print('{"event": "result", "result": {"changed": true}}')
        threading.Thread(target=chatter, daemon=True).start()
        """
    )
    # An answer that no pipe can hold in one piece.
    project.migration("0002_many", "0001_initial", "*[migrations.RunPython(say)] * 20_000")
    predicted = project.run("migrate", check=True, app_label="blog")
    assert predicted["plan"][1]["operations"] == ["Raw Python operation"] * 20_000
    assert containers(project) == own(project)


@in_each_container
def test_failure_is_the_projects_own(project: Project) -> None:
    project.settings("print('last words', os.environ['DB_PASSWORD'])\nraise RuntimeError('no')")
    failed = project.fail("migrate")
    assert failed["msg"] == "Django could not be loaded with settings site_.settings: RuntimeError: no"
    assert failed["output"].endswith("last words ********")
    project.write("site_/settings.py", "import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n")
    assert f"{IMAGE_PYTHON} was killed without an answer (signal 11)" in project.fail("migrate")["msg"]
    assert containers(project) == own(project)


@pytest.mark.parametrize("stack", on([CONTAINER, SERVICE]), indirect=True)
def test_secrets_of_the_containers_own_environment_are_masked(project: Project) -> None:
    """In errors, in what is printed, and in what comes with a result."""
    variables = {
        "SHOP_TOKEN": "the container's own",
        "DATABASE_URL": "postgres://shop:p%40ssword@nowhere/shop",
        "PLAIN": "plain",
    }
    said = f"{variables['SHOP_TOKEN']}, p@ssword, p%40ssword, plain"
    if "container" in project.place:
        docker("rm", "--force", "--volumes", project.place["container"])
        project.contain(project.image, variables)
    else:
        service = {"image": project.image, "volumes": project.volumes, "environment": variables}
        project.compose({"web": {**service, "network_mode": "none"}})
    project.settings(f"DATABASES['other'] = {{'ENGINE': 'site_.other', 'NAME': {said!r}}}")
    project.write("site_/other/__init__.py", "")
    project.write(
        "site_/other/base.py",
        """
        from django.db.backends.dummy.base import DatabaseWrapper as Dummy


        class DatabaseWrapper(Dummy):
            def ensure_connection(self):
                raise self.Error(self.settings_dict["NAME"])

            class Error(Exception):
                pass
        """,
    )
    error = project.run("info", gather_subset=["databases"])["databases"]["other"]["error"]
    assert error.endswith("********, ********, ********, plain")
    project.settings(f"print({said!r})\nraise RuntimeError({said!r})")
    failed = project.fail("migrate")
    assert failed["msg"].endswith("RuntimeError: ********, ********, ********, plain")
    assert failed["output"].endswith("********, ********, ********, plain")


def stubborn(project: Project) -> tuple[str, pathlib.Path]:
    """Let the project start another process and wait, and neither care for SIGTERM.

    Returns what is on the other's command line, and the file that is there as soon as both run.
    """
    marker, started = f"marker-of-{project.directory.name}", project.directory / "started"
    project.settings(
        f"""
        import signal, subprocess, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        endless = "trap '' TERM; touch $1; while true; do sleep 300; done"
        subprocess.Popen(["sh", "-c", endless, {marker!r}, {str(started)!r}])
        time.sleep(300)
        """
    )
    return marker, started


@in_each_container
def test_timeout_ends_all_that_was_started(project: Project) -> None:
    marker, started = stubborn(project)
    failed = project.fail("migrate", timeout=10)
    assert failed["msg"] == "timeout: the project was stopped after 10 seconds"
    assert started.exists()
    assert eventually(lambda: not running(marker))
    assert containers(project) == own(project)


@pytest.mark.parametrize("stack", on([USUAL, *CONTAINERS], str(IMAGE)), indirect=True)
def test_killed_module_leaves_nothing_behind(project: Project) -> None:
    marker, started = stubborn(project)
    call = project.start("migrate")
    assert eventually(started.exists)
    assert running(marker)
    call.kill()
    call.wait()
    assert eventually(lambda: not running(marker))
    assert eventually(lambda: containers(project) == own(project))


@pytest.mark.parametrize("stack", on([IMAGE, SERVICE]), indirect=True)
def test_killed_client_leaves_nothing_behind(project: Project) -> None:
    marker, started = stubborn(project)
    call = project.start("migrate")
    assert eventually(started.exists)
    (container,) = containers(project)
    name = docker("inspect", "--format={{.Name}}", container).lstrip("/")
    subprocess.run(["pkill", "-KILL", "-f", f"name={name}"], check=True)
    assert call.result()["failed"]
    assert eventually(lambda: not running(marker))
    assert eventually(lambda: containers(project) == [])


@only(CONTAINER)
def test_container_that_is_not_there(project: Project) -> None:
    unknown(project, "container: there is no container nobodys; start it first", container="nobodys")
    docker("stop", "--time=0", project.place["container"])
    name = project.place["container"]
    unknown(project, f"container: the container {name} is not running but exited; start it first")


@in_each_container
def test_what_is_not_in_the_container(project: Project) -> None:
    unknown(project, "project_dir: there is no directory /no/such/place", project_dir="/no/such/place")
    unknown(project, "python: /no/such/python can't be run in ", python="/no/such/python")
    unknown(project, f"python: {project.directory}/.venv/bin/python can't be run in ", python=".venv/bin/python")
    unknown(project, "nobody-at-all", user="nobody-at-all")
    failed = project.fail("migrate", python="python3")
    assert failed["msg"].endswith("ModuleNotFoundError: No module named 'django'")


@only(IMAGE)
def test_image_and_what_it_needs(project: Project) -> None:
    unknown(project, "image: there is no image nobodys:1 on this host; build or pull it first", image="nobodys:1")
    name = project.directory.name
    unknown(project, f"network: there is no network {name}; create it first", network=name)
    unknown(project, f"volumes: there is no volume {name}; create it first", volumes=[f"{name}:/data"])
    missing = str(project.directory / "missing")
    unknown(project, f"volumes: there is no {missing} on this host; make it first", volumes=[f"{missing}:/data:ro"])
    assert not pathlib.Path(missing).exists()


@only(IMAGE)
def test_no_engine_and_no_client(project: Project) -> None:
    unknown(project, "docker_cli: there is no /no/docker on this host", docker_cli="/no/docker")
    project.client = {**project.client, "DOCKER_HOST": "unix:///no/such/socket"}
    unknown(project, "docker_cli: no Docker engine answers docker: ")


@only(SERVICE)
def test_service_and_what_it_needs(project: Project) -> None:
    directory = project.place["compose_project_dir"]
    unknown(project, "compose_project_dir: there is no directory /no/such", compose_project_dir="/no/such")
    unknown(project, f"compose_files: there is no file {directory}/more.yaml", compose_files=["more.yaml"])
    unknown(
        project,
        f"compose_files: there is no Compose file in {project.directory}",
        compose_project_dir=str(project.directory),
    )
    message = f"compose_service: the project {pathlib.Path(directory).name} has no service api, it has absent, web"
    unknown(project, message, compose_service="api")
    unknown(
        project, "compose_service: there is no image edusphere-testbed-absent on this host", compose_service="absent"
    )
    # An image that Compose would build, and pull.
    project.compose({"web": {"build": {"context": ".", "dockerfile_inline": f"FROM {project.image}"}}})
    unknown(project, f"there is no image {pathlib.Path(directory).name}-web on this host; build or pull it first")
    pathlib.Path(directory, "compose.yaml").write_text("services: [")
    for check in (True, False):
        message = project.fail("migrate", check=check)["msg"]
        assert message.startswith("compose_service: Compose can't read the project: ")
    project.client = {"DOCKER_CONFIG": "/no/such/place"}
    if subprocess.run(
        ["docker", "compose", "version"], capture_output=True, check=False, env={**os.environ, **project.client}
    ).returncode:
        unknown(project, "compose_service: docker has no Compose: ")


@only(SERVICE)
def test_service_among_others(project: Project) -> None:
    """What Compose would do besides running the service, it may do in a run, but never in check mode, nor to others."""
    name = pathlib.Path(project.place["compose_project_dir"]).name
    missing = project.directory / "missing"
    network = {"default": {"ipv4_address": "198.18.78.2"}}
    web = {
        "image": project.image,
        "build": {"context": "/no/such/context"},
        "pull_policy": "always",
        "volumes": [*project.volumes, "data:/data", f"{missing}:/missing"],
        "networks": network,
        "depends_on": ["never"],
        "container_name": f"{name}-other-1",
        "ports": ["198.18.78.1:80:80"],
        "healthcheck": {"test": ["CMD", "touch", str(project.directory / "health")], "interval": "100ms"},
        "environment": {"FROM_SERVICE": "a $$dollar"},
        "profiles": ["nobodys"],
        "restart": "always",
        "tty": True,
        "user": "nobody",
    }
    other = {
        "image": project.image,
        "entrypoint": ["sleep", "infinity"],
        "networks": network,
        "volumes": [f"{project.directory}:/project"],
        "stop_signal": "SIGKILL",
    }
    project.compose(
        {"web": web, "other": other, "never": {"image": "edusphere-testbed-absent", "networks": ["unused"]}},
        networks={"default": {"ipam": {"config": [{"subnet": "198.18.78.0/24"}]}}, "unused": {}},
        volumes={"data": {}, "unused": {}},
    )
    compose = ["compose", f"--project-directory={project.place['compose_project_dir']}"]
    client = {**os.environ, **project.client}

    def would_make(what: str) -> None:
        before = objects(project), containers(project)
        predicted = project.run("migrate", check=True, user="root")
        assert (predicted["changed"], predicted["unknown"]) == (True, True)
        assert f"there is no {what}, which a run would create" in predicted["msg"]
        assert not missing.exists()
        assert (objects(project), containers(project)) == before

    try:
        would_make(f"network {name}_default")
        docker(*compose, "up", "--detach", "other", env=client)
        (id_of_other,) = containers(project)
        before = docker("network", "inspect", f"{name}_default")
        would_make(f"volume {name}_data")
        docker("volume", "create", f"{name}_data")
        would_make(str(missing))
        missing.mkdir()
        path = report(project)
        # What is no service of the project any more would go, if Compose were told of the one service alone.
        project.client = {**project.client, "COMPOSE_REMOVE_ORPHANS": "true"}
        predicted = project.run("migrate", check=True, user="root")
        done = project.run("migrate", user="root")
        assert predicted["plan"] == done["plan"] != []
        assert containers(project) == [id_of_other]
        assert docker("network", "inspect", f"{name}_default") == before
        assert not (project.directory / "health").exists()
        assert json.loads(path.read_text())["environment"]["FROM_SERVICE"] == "a $dollar"
        # What is missing, a run makes.
        docker(*compose, "--profile=*", "down", "--volumes", env=client)
        assert objects(project) == []
        assert not project.run("migrate", user="root")["changed"]
        assert objects(project) == [f"network {name}_default", f"volume {name}_data"]
        assert containers(project) == []
    finally:
        docker(*compose, "--profile=*", "down", "--volumes", env=client)


@pytest.mark.parametrize("check", [True, False])
def test_parameters_that_do_not_go_together(project: Project, check: bool) -> None:
    assert project.fail("migrate", check=check, container="a", image="b", compose_service="c")["msg"].split("; ") == [
        "container, image, compose_service: give one of them, as the project is in one place",
        "compose_project_dir: give it with compose_service",
    ]
    alone = {
        "network": "a",
        "volumes": ["b"],
        "compose_project_dir": "c",
        "compose_files": ["d"],
        "compose_project_name": "e",
        "docker_cli": "f",
    }
    assert project.fail("migrate", check=check, **alone)["msg"].split("; ") == [
        "network: only with image",
        "volumes: only with image",
        "compose_project_dir: only with compose_service",
        "compose_files: only with compose_service",
        "compose_project_name: only with compose_service",
        "docker_cli: only with one of container, image, compose_service",
        "volumes: 'b' is not SOURCE:TARGET or SOURCE:TARGET:OPTIONS",
    ]
    inside = {"container": "a", "group": "b", "project_dir": "c", "umask": "d", "timeout": 0, "environment": {"E": 1}}
    assert re.findall(r"(?:^|; )(\w+): ", project.fail("migrate", check=check, **inside)["msg"]) == [
        "group",
        "project_dir",
        "timeout",
        "umask",
        "environment",
    ]
