"""Images of which the site is made: a registry's, an application's own, and those that are not to be had."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from behaviour.hosts import playbook
from behaviour.platforms import STACK, Stack
from behaviour.visitor import Site
from testinfra.host import Host

pytestmark = pytest.mark.exhaustive(
    "images of a registry with a login, an application's own Dockerfiles, builds that fail, a full disk"
)

SOURCE = Path(__file__).parents[3] / "examples/edusphere"
# Of the registry's one account: bcrypt of PASSWORD.
ACCOUNT, PASSWORD = "puller", "test-only-T0ken-$"
HTPASSWD = "$2y$04$rsB7mIC4ltn1lUk4W3ehc.Bm1j9tOI2sC5p5qlGfmWY2r52jJwJTq"
OTHER_PASSWORD = "test-only: another \"db\" \\pass''word $1 #%@/?&= \u00e9"
FILES = f"cd {STACK} && sha256sum .env .env.docker nginx/*"


def run(*arguments: str, check: bool = True, **variables: Any) -> str:
    """Deploy with these variables; return what is said. Without `check`, it must fail."""
    done = playbook(f"--extra-vars={json.dumps(variables)}", *arguments, check=check)
    assert check or done.returncode != 0
    return " ".join(done.stdout.split())


def on_this_machine(*command: str) -> str:
    """Run a command and return what it prints."""
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def untouched(vm: Host, stack: Stack, site: Site) -> Iterator[None]:
    """Fail unless what serves is as it was."""

    def state() -> list[str]:
        return [vm.check_output("docker ps --all --no-trunc --quiet | sort"), vm.check_output(FILES), str(stack.live)]

    before = state()
    yield
    assert state() == before
    assert site.get("/api/health/ready/").status_code == 200


@dataclass(frozen=True)
class Registry:
    """One that asks for a login, with an authority of its own."""

    name: str
    authority: Path

    def settings(self, password: str = PASSWORD) -> dict[str, Any]:
        """What the docker role is told of it."""
        return {
            "docker_registry_authorities": {self.name: str(self.authority)},
            "docker_registry_logins": [{"registry": self.name, "username": ACCOUNT, "password": password}],
        }


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """Run it beside the hosts."""
    place = tmp_path_factory.mktemp("registry")
    (place / "htpasswd").write_text(f"{ACCOUNT}:{HTPASSWD}\n")
    subnet = on_this_machine(
        "docker", "network", "inspect", "--format", "{{(index .IPAM.Config 0).Subnet}}", "edusphere-testbed"
    )
    address = subnet.replace(".0/24", ".6")
    settings = {
        "REGISTRY_ADDRESS": address,
        "REGISTRY_AUTH": "htpasswd",
        "REGISTRY_AUTH_HTPASSWD_REALM": "test",
        "REGISTRY_AUTH_HTPASSWD_PATH": "/etc/docker/registry/htpasswd",
    }
    container = on_this_machine(
        *["docker", "create", "--rm", "--network", "edusphere-testbed", "--ip", address],
        *["--label", "org.edusphere.testbed=registry"],
        *[f"--env={name}={value}" for name, value in settings.items()],
        "edusphere-testbed/registry:latest",
    )
    try:
        on_this_machine("docker", "cp", str(place / "htpasswd"), f"{container}:/etc/docker/registry/htpasswd")
        on_this_machine("docker", "start", container)
        up = "until : < /dev/tcp/127.0.0.1/5000; do sleep 0.1; done"
        on_this_machine("docker", "exec", container, "timeout", "30", "bash", "-c", up)
        on_this_machine("docker", "cp", f"{container}:/etc/docker/registry/ca.crt", str(place / "ca.crt"))
        yield Registry(f"{address}:5000", place / "ca.crt")
    finally:
        on_this_machine("docker", "rm", "--force", "--volumes", container)


@pytest.fixture(scope="module")
def pushed(vm: Host, registry: Registry) -> str:
    """The image that serves, as a registry's, by its digest."""
    live = json.loads(vm.file("/srv/edusphere/records/live.fact").content_string)["release"]
    trust = f"/etc/docker/certs.d/{registry.name}"
    vm.check_output("mkdir -p %s && echo %s > %s", trust, registry.authority.read_text(), f"{trust}/ca.crt")
    name = f"{registry.name}/team/learn"
    client = "docker --config /root/pusher"
    vm.check_output(f"printf %s | {client} login --username {ACCOUNT} --password-stdin {registry.name}", PASSWORD)
    vm.check_output(f"docker tag edusphere/backend:{live} {name}:v1 && {client} push --quiet {name}:v1")
    digest = vm.check_output("docker image inspect --format '{{index .RepoDigests 0}}' %s", f"{name}:v1")
    vm.check_output(f"rm -r /root/pusher {trust} && docker rmi {name}:v1")
    return str(digest)


@pytest.fixture(scope="module")
def image(pushed: str, registry: Registry) -> Callable[..., dict[str, Any]]:
    """A function: what is said of it otherwise, to the variables of the site that it makes."""

    def settings(**changes: Any) -> dict[str, Any]:
        return {
            **registry.settings(),
            "edusphere_app_source_type": "image",
            "edusphere_app_source": pushed,
            "edusphere_version": "from-registry",
            **changes,
        }

    return settings


@pytest.mark.usefixtures("untouched")
def test_a_registry_that_refuses_the_login(image: Callable[..., dict[str, Any]], registry: Registry) -> None:
    said = run("--tags=common", check=False, **image(**registry.settings("n0-T0ken")))
    assert f"docker_registry_logins: compose-vm could not log in. {registry.name}: " in said
    assert "401 Unauthorized" in said
    assert "n0-T0ken" not in said


@pytest.mark.usefixtures("untouched")
def test_an_image_that_is_not_to_be_had(vm: Host, stack: Stack) -> None:
    said = run("--tags=cache", check=False, edusphere_image_redis="redis:no-such-version")
    assert "redis: the image redis:no-such-version can't be pulled" in said.replace("''", "'")
    # What says which containers there are to be is whole again after the next run.
    run("--tags=cache")
    assert stack.inspect("redis", "{{.Config.Image}}") == "redis:6.0-alpine"
    assert "no-such-version" not in vm.file(f"{STACK}/compose.yaml").content_string


def test_a_release_from_a_registry_and_another_password(
    vm: Host, site: Site, stack: Stack, image: Callable[..., dict[str, Any]]
) -> None:
    """By digest, from a registry that asks for a login. The database stays the one that it was."""
    postgres = stack.inspect("postgres", "{{.Id}} {{.State.StartedAt}}")
    settings = image(edusphere_database_password=OTHER_PASSWORD)
    run(**settings)
    assert stack.live["version"] == "from-registry"
    assert site.get("/api/version/").json()["release"] == stack.live["release"]
    assert site.get("/").status_code == 200
    assert site.get("/static/admin/css/base.css").status_code in (200, 404)
    assert stack.environment["DB_PASSWORD"] == OTHER_PASSWORD
    assert stack.ask("psql", "-h", "postgres", "-U", "db_user", "coredb", "-c", "SELECT 1").succeeded
    assert stack.inspect("postgres", "{{.Id}} {{.State.StartedAt}}") == postgres
    login = vm.file("/root/.docker/config.json")
    assert oct(login.mode) == "0o600"
    assert "changed=0" in run(**settings)


def test_the_applications_own_dockerfiles(vm: Host, site: Site, stack: Stack, tmp_path: Path) -> None:
    """Of which only the images count: what they run is said in compose.yaml. The site has its first password again.

    And two replicas, both of which nginx knows.
    """
    source = tmp_path / "source"
    shutil.copytree(SOURCE, source, ignore=shutil.ignore_patterns("node_modules", ".venv", "dist"))
    (source / "docker").mkdir()
    base = stack.inspect("backend", "{{.Config.Image}}")
    (source / "docker/backend.Dockerfile").write_text(
        f'FROM {base}\nUSER 0\nCOPY backend /app/backend\nENV BROUGHT="its own"\nENTRYPOINT ["false"]\n'
    )
    (source / "docker/frontend.Dockerfile").write_text(
        "FROM node:24-slim\nRUN mkdir -p /app/frontend/dist && echo by hand > /app/frontend/dist/index.html\n"
    )
    run(
        edusphere_app_source=str(source),
        edusphere_version="own",
        edusphere_app_dockerfile="docker/backend.Dockerfile",
        edusphere_app_frontend_dockerfile="docker/frontend.Dockerfile",
        edusphere_backend_replicas=2,
    )
    assert site.get("/").text == "by hand\n"
    assert site.get("/api/version/").json()["release"] == stack.live["release"]
    assert stack.environment["BROUGHT"] == "its own"
    assert stack.inspect("backend", "{{.Config.User}}") == "10001:10001"
    assert stack.ask("psql", "-h", "postgres", "-U", "db_user", "coredb", "-c", "SELECT 1").succeeded

    replicas = vm.check_output(f"cd {STACK} && docker compose ps --format '{{{{.Name}}}}' backend").split()
    upstream = re.findall(r"server (\S+):8000 resolve", vm.file(f"{STACK}/nginx/site.conf").content_string)
    assert (len(replicas), sorted(upstream)) == (2, sorted(replicas))


@pytest.mark.usefixtures("untouched")
def test_a_full_disk(vm: Host) -> None:
    vm.check_output("mount -t tmpfs -o size=64k tmpfs /srv/edusphere/releases")
    try:
        said = run("--tags=app", check=False, edusphere_version="no-room")
    finally:
        vm.check_output("umount /srv/edusphere/releases")
    assert "No space left on device" in said


@pytest.mark.usefixtures("untouched")
def test_a_build_that_fails(tmp_path: Path) -> None:
    source = tmp_path / "source"
    shutil.copytree(SOURCE, source, ignore=shutil.ignore_patterns("node_modules", ".venv", "dist"))
    (source / "Dockerfile").write_text("FROM python:3.13-slim\nRUN echo the reason why >&2; exit 3\n")
    said = run(
        "--tags=app",
        check=False,
        edusphere_app_source=str(source),
        edusphere_app_dockerfile="Dockerfile",
        edusphere_app_frontend=False,
    )
    assert "could not be built on compose-vm. Nothing that serves was touched" in said
    assert "the reason why" in said.rpartition("last lines:")[2]
