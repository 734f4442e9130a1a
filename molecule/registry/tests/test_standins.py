"""What users of Docker Hub's images rely on, asked of those that stand in for them and of containers made of them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, TypeAlias

import pytest
from testinfra.backend.base import CommandResult
from testinfra.host import Host

COMPOSE = "docker compose --project-directory /srv/stack"
PASSWORD = "quote' and $dollar"
# What says its version in each.
IMAGES = {
    "postgres:16": "postgres --version",
    "redis:6.0-alpine": "redis-server --version",
    "nginx:alpine": "nginx -v",
    "python:3.13-slim": "python --version",
    "node:24-slim": "node --version",
}
Image: TypeAlias = dict[str, Any]
Inside: TypeAlias = Callable[..., CommandResult]


@pytest.fixture(scope="module")
def images(vm: Host) -> dict[str, Image]:
    """The configuration of each image by its name, after the engine pulled it by that name."""
    vm.check_output(" && ".join(f"docker pull --quiet {name}" for name in IMAGES))
    found = json.loads(vm.check_output(f"docker image inspect {' '.join(IMAGES)}"))
    return {name: image["Config"] for name, image in zip(IMAGES, found, strict=True)}


@pytest.fixture(scope="module", autouse=True)
def stack(vm: Host, images: dict[str, Image]) -> None:
    """A stack of the images, all of it healthy."""
    assert images
    # Of an earlier run on the same host.
    vm.check_output(f"{COMPOSE} down --volumes")
    up(vm)


@pytest.fixture(scope="module")
def inside(vm: Host) -> Inside:
    """A function: a service, a command and its arguments to the outcome in the service's container."""

    def run(service: str, command: str, *arguments: str) -> CommandResult:
        return vm.run(f"docker exec stack-{service}-1 {command}", *arguments)

    return run


def up(vm: Host) -> None:
    """Bring the stack up in new containers, until every service is healthy."""
    outcome = vm.run(f"{COMPOSE} up --detach --build --wait --force-recreate")
    assert outcome.rc == 0, outcome.stderr + vm.run(f"{COMPOSE} logs --tail 20").stdout


def sql(inside: Inside, query: str, service: str = "postgres", user: str = "db_user", database: str = "coredb") -> str:
    """The answer of a service's PostgreSQL over its socket."""
    command = f"psql --no-psqlrc --tuples-only --no-align --username {user} --dbname {database} --command %s"
    outcome = inside(service, command, query)
    assert outcome.rc == 0, outcome.stderr
    return str(outcome.stdout.strip())


@pytest.mark.parametrize("name", IMAGES)
def test_an_image_says_what_it_really_is(vm: Host, images: dict[str, Image], name: str) -> None:
    labels = images[name]["Labels"]
    assert labels["org.opencontainers.image.description"].endswith(f"in the place of {name}")
    said = vm.run(f"docker run --rm {name} {IMAGES[name]}")
    assert said.rc == 0
    version = re.escape(labels["org.opencontainers.image.version"])
    assert re.search(rf"[ /=v]{version}(?![0-9])", said.stdout + said.stderr)


def test_images_are_configured_like_the_official_ones(images: dict[str, Image]) -> None:
    def of(name: str, *keys: str) -> list[Any]:
        return [images[name].get(key) for key in keys]

    keys = ["Cmd", "Entrypoint", "ExposedPorts", "Volumes", "StopSignal", "User"]
    started = ["docker-entrypoint.sh"]
    data: dict[str, Any] = {"/var/lib/postgresql/data": {}}
    assert of("postgres:16", *keys) == [["postgres"], started, {"5432/tcp": {}}, data, "SIGINT", ""]
    assert of("redis:6.0-alpine", *keys) == [["redis-server"], started, {"6379/tcp": {}}, {"/data": {}}, None, ""]
    nginx: list[Any] = [["nginx", "-g", "daemon off;"], ["/docker-entrypoint.sh"], {"80/tcp": {}}, None, "SIGQUIT", ""]
    assert of("nginx:alpine", *keys) == nginx
    assert of("python:3.13-slim", *keys) == [["python3"], None, None, None, None, ""]
    assert of("node:24-slim", *keys) == [["node"], started, None, None, None, ""]
    assert "PGDATA=/var/lib/postgresql/data" in images["postgres:16"]["Env"]


@pytest.mark.parametrize(
    ("service", "user", "ids", "data"),
    [
        ("postgres", "postgres", "999:999", "/var/lib/postgresql/data"),
        ("redis", "redis", "999:1000", "/data"),
        ("nginx", "nginx", "101:101", "/var/cache/nginx"),
        ("node", "node", "1000:1000", "/home/node"),
    ],
)
def test_users_have_the_official_ids(inside: Inside, service: str, user: str, ids: str, data: str) -> None:
    script = f"getent passwd {user} | cut -d: -f3-4; stat --format %u:%g {data}"
    assert inside(service, "sh -c %s", script).stdout.split() == [ids, ids]


@pytest.mark.parametrize(
    ("service", "program", "uid"),
    [
        ("postgres", "postgres", "999"),
        ("postgres-locked", "postgres", "999"),
        ("redis", "redis-server", "999"),
        ("redis-locked", "redis-server", "999"),
        # Its workers are nginx's.
        ("nginx", "nginx", "0"),
        ("nginx-locked", "nginx", "101"),
        ("python", "python", "0"),
        ("node", "node", "1000"),
    ],
)
def test_a_container_is_its_program_as_its_user(inside: Inside, service: str, program: str, uid: str) -> None:
    status = inside(service, "cat /proc/1/status").stdout
    said = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert said["Uid"].split() == [uid] * 4
    executable = inside(service, "cat /proc/1/cmdline").stdout.split("\0")[0]
    assert executable.rpartition("/")[2].startswith(program)


class TestPostgres:
    def test_variables_and_arguments_are_honoured(self, inside: Inside) -> None:
        settings = ["max_connections", "data_checksums", "wal_segment_size", "password_encryption", "listen_addresses"]
        shown = ", ".join(f"current_setting('{name}')" for name in settings)
        assert sql(inside, f"SELECT current_database(), {shown}") == "coredb|42|on|2MB|scram-sha-256|*"
        assert sql(inside, "SELECT datcollate FROM pg_database WHERE datname = 'coredb'") == "en_US.utf8"
        assert sql(inside, "SELECT rolsuper FROM pg_roles WHERE rolname = 'db_user'") == "t"
        # Without POSTGRES_USER and POSTGRES_DB.
        assert sql(inside, "SELECT current_user", "postgres-locked", "postgres", "postgres") == "postgres"

    def test_it_listens_to_nobody_before_it_is_initialised(self, inside: Inside) -> None:
        assert sql(inside, "SELECT listened, by, script FROM record") == "|db_user|coredb"

    def test_a_password_is_asked_for(self, inside: Inside) -> None:
        query = "psql --host %s --username %s --dbname %s --tuples-only --no-align --command 'SELECT 1'"
        for server, user, database in (("postgres", "db_user", "coredb"), ("postgres-locked", "postgres", "postgres")):
            to = (server, user, database)
            assert inside("postgres", f"env PGPASSWORD=%s {query}", PASSWORD, *to).stdout == "1\n"
            refused = inside("postgres", f"env PGPASSWORD=wrong {query}", *to)
            assert "password authentication failed" in refused.stderr
        assert sql(inside, "SELECT left(rolpassword, 14) FROM pg_authid WHERE rolname = 'db_user'") == "SCRAM-SHA-256$"

    def test_no_database_is_made_without_a_password_or_with_two(self, vm: Host) -> None:
        without = vm.run("timeout 30 docker run --rm postgres:16")
        assert without.rc == 1
        assert "POSTGRES_PASSWORD" in without.stderr
        variables = "--env POSTGRES_PASSWORD=1 --env POSTGRES_PASSWORD_FILE=/etc/hostname"
        both = vm.run(f"timeout 30 docker run --rm {variables} postgres:16")
        assert both.rc == 1
        assert "POSTGRES_PASSWORD_FILE" in both.stderr


class TestRedis:
    def test_other_containers_are_let_in(self, inside: Inside) -> None:
        assert inside("redis-locked", "redis-cli -h redis ping").stdout == "PONG\n"
        assert inside("redis", "redis-cli config get dir").stdout == "dir\n/data\n"

    def test_options_are_honoured(self, inside: Inside) -> None:
        assert "NOAUTH" in inside("redis", "redis-cli -h redis-locked ping").stdout
        assert inside("redis", "env REDISCLI_AUTH=secret redis-cli -h redis-locked ping").stdout == "PONG\n"


class TestNginx:
    def test_it_serves_and_proxies(self, inside: Inside) -> None:
        assert inside("redis", "wget -qO- http://nginx/own").stdout == "conf.d\n"
        assert inside("nginx", "curl --silent http://nginx-locked").stdout == "<h1>Mounted</h1>\n"
        # The body is kept in a file meanwhile.
        post = "curl --silent --output /dev/null --write-out %s --data body http://nginx/large"
        assert inside("nginx", post, "%{http_code}").stdout == "405"

    def test_an_upstream_is_resolved_while_it_runs(self, vm: Host, inside: Inside) -> None:
        """Compose mode addresses containers that come and go: `server NAME resolve`, of nginx 1.27.3 and newer."""
        ask = "curl --silent --fail --retry 30 --retry-delay 1 http://nginx/resolved"
        where = "getent hosts nginx-locked"
        assert inside("nginx", ask).stdout == "<h1>Mounted</h1>\n"
        before = inside("nginx", where).stdout
        vm.check_output("docker network disconnect stack_default stack-nginx-locked-1")
        # Somebody else's is the address now.
        vm.check_output("docker run --detach --rm --name taker --network stack_default redis:6.0-alpine")
        vm.check_output("docker network connect --alias nginx-locked stack_default stack-nginx-locked-1")
        try:
            assert inside("nginx", where).stdout != before
            assert inside("nginx", ask).stdout == "<h1>Mounted</h1>\n"
        finally:
            vm.check_output("docker rm --force taker")

    def test_logs_are_the_containers(self, vm: Host) -> None:
        container = vm.check_output(f"{COMPOSE} ps --quiet nginx")
        logs = vm.run(f"docker logs {container}")
        assert "GET /own HTTP" in logs.stdout
        assert "start worker process" in logs.stderr
        assert "docker-entrypoint.d ran" in logs.stdout


class TestPython:
    def test_it_is_slim_and_laid_out_as_the_official_one(self, inside: Inside) -> None:
        script = "import django, shutil; print(django.__file__, shutil.which('gcc'))"
        said = inside("python", "python -c %s", script).stdout
        assert said == "/usr/local/lib/python3.13/site-packages/django/__init__.py None\n"
        programs = ["python", "python3", "pip", "django-admin"]
        found = inside("python", f"which {' '.join(programs)}").stdout.split()
        assert found == [f"/usr/local/bin/{name}" for name in programs]
        environment = "python -c 'import ensurepip' && python -m venv --without-pip /venv && /venv/bin/python --version"
        assert inside("python", "sh -c %s", environment).rc == 0


class TestNode:
    def test_packages_are_installed_and_arguments_are_nodes(self, vm: Host, inside: Inside) -> None:
        assert inside("node", "node --print %s", "require('ms')('1m')").stdout == "60000\n"
        for program in ("npm", "npx", "corepack"):
            assert inside("node", f"{program} --version").stdout.count(".") == 2
        assert vm.check_output("docker run --rm node:24-slim --print 1+1") == "2"


def test_services_stop_in_order_and_new_containers_keep_the_data(vm: Host, inside: Inside) -> None:
    """The last test: it replaces the containers."""
    for service, user, database in (("postgres", "db_user", "coredb"), ("postgres-locked", "postgres", "postgres")):
        sql(inside, "CREATE TABLE kept AS SELECT 'yes' AS answer", service, user, database)
    inside("redis-locked", "env REDISCLI_AUTH=secret redis-cli set kept yes")
    vm.check_output(f"{COMPOSE} stop")
    for service, said in (
        ("postgres", "received fast shutdown request"),
        ("redis", "Redis is now ready to exit"),
        ("nginx", "signal 3 (SIGQUIT) received"),
    ):
        assert said in vm.check_output(f"{COMPOSE} logs {service}"), service
    up(vm)
    assert sql(inside, "SELECT answer FROM kept") == "yes"
    assert sql(inside, "SELECT answer FROM kept", "postgres-locked", "postgres", "postgres") == "yes"
    assert inside("redis", "env REDISCLI_AUTH=secret redis-cli -h redis-locked get kept").stdout == "yes\n"
