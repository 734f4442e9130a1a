"""What containers the site is made of, what they may do and whom they reach."""

from __future__ import annotations

import json
from typing import Any

import pytest
from behaviour.hosts import probe
from behaviour.platforms import STACK, Stack
from testinfra.host import Host

SERVICES = ("backend", "nginx", "postgres", "redis")
USERS = {"backend": "10001:10001", "nginx": "101:101", "postgres": "999:999", "redis": "999:1000"}
# One line, because it travels as an argument; the images have no program in common that does it.
CONNECT = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 3)"


@pytest.fixture
def containers(vm: Host, stack: Stack) -> dict[str, dict[str, Any]]:
    """All that the engine says of the container of each service."""
    ids = " ".join(stack.container(service) for service in SERVICES)
    found = json.loads(vm.check_output(f"docker inspect {ids}"))
    return dict(zip(SERVICES, found, strict=True))


def test_nothing_else_runs(vm: Host) -> None:
    names = vm.check_output("docker ps --all --format '{{.Label \"com.docker.compose.service\"}}'").split()
    assert sorted(names) == sorted(SERVICES)


@pytest.mark.parametrize("service", SERVICES)
def test_no_more_rights_than_it_needs(containers: dict[str, dict[str, Any]], service: str) -> None:
    container = containers[service]
    assert container["Config"]["User"] == USERS[service]
    host = container["HostConfig"]
    assert host["ReadonlyRootfs"]
    assert (host["CapDrop"], host["CapAdd"]) == (["ALL"], None)
    assert host["SecurityOpt"] == ["no-new-privileges:true"]
    assert host["PidsLimit"] == 4096
    assert host["RestartPolicy"]["Name"] == "unless-stopped"
    assert host["LogConfig"]["Config"] == {"max-size": "20m", "max-file": "5"}
    assert container["State"]["Health"]["Status"] == "healthy"


@pytest.mark.parametrize("service", SERVICES)
def test_its_processes_are_not_root_and_have_no_capability(vm: Host, stack: Stack, service: str) -> None:
    pids = vm.check_output("docker top %s -o pid", stack.container(service)).split()[1:]
    # PostgreSQL's workers come and go; what has ended before it was looked at says nothing.
    found = [vm.run("cat /proc/%s/status", pid) for pid in pids]
    assert any(answer.succeeded for answer in found)
    for answer in found:
        if answer.failed:
            assert "No such" in answer.stderr
            continue
        status = dict(line.split(":\t", 1) for line in answer.stdout.splitlines())
        assert status["Uid"].split() == [USERS[service].partition(":")[0]] * 4
        assert int(status["CapEff"], 16) | int(status["CapBnd"], 16) == 0
        assert status["NoNewPrivs"] == "1"


@pytest.mark.parametrize("service", SERVICES)
def test_its_processes_have_a_limit(vm: Host, stack: Stack, service: str) -> None:
    """As the kernel says it, in either version of control groups."""
    files = "/sys/fs/cgroup/pids.max /sys/fs/cgroup/pids/pids.max"
    assert vm.run("docker exec %s sh -c %s", stack.container(service), f"cat {files}").stdout.split() == ["4096"]


def test_only_nginx_is_published(containers: dict[str, dict[str, Any]]) -> None:
    published = {name: sorted(found["HostConfig"]["PortBindings"] or {}) for name, found in containers.items()}
    assert published == {"backend": [], "nginx": ["80/tcp"], "postgres": [], "redis": []}


def test_database_and_cache_are_out_of_reach(
    vm: Host, neighbour: Host, vm_address: str, stack: Stack, containers: dict[str, dict[str, Any]]
) -> None:
    """Of nginx, which has neither their names nor a way to their addresses, and of other hosts."""
    addresses = {
        name: next(iter(containers[name]["NetworkSettings"]["Networks"].values()))["IPAddress"]
        for name in ("postgres", "redis")
    }
    inside = f"nsenter --target {stack.inspect('nginx', '{{.State.Pid}}')} --net python3 -c %s %s %s"
    backend = next(iter(containers["nginx"]["NetworkSettings"]["Networks"]))
    reachable = containers["backend"]["NetworkSettings"]["Networks"][backend]["IPAddress"]
    assert vm.run(inside, CONNECT, reachable, "8000").succeeded
    for name, port in (("postgres", "5432"), ("redis", "6379")):
        assert vm.run(inside, CONNECT, addresses[name], port).failed, name
        assert vm.run("docker exec %s getent hosts %s", stack.container("nginx"), name).failed, name
        assert vm.run("docker exec %s python -c %s %s %s", stack.container("backend"), CONNECT, name, port).succeeded
        neighbour.check_output("ip route add %s via %s", f"{addresses[name]}/32", vm_address)
        assert probe(neighbour, addresses[name], int(port)) != "open", name


def test_the_data_network_leads_nowhere(vm: Host, stack: Stack, vm_address: str) -> None:
    inside = f"nsenter --target {stack.inspect('postgres', '{{.State.Pid}}')} --net python3 -c %s %s 22"
    assert vm.run(inside, CONNECT, vm_address).failed


def test_the_service_may_write_its_volumes_and_nothing_else(vm: Host, stack: Stack) -> None:
    backend = stack.container("backend")
    for place in ("/app/media", "/app/logs", "/tmp"):  # noqa: S108 # in the container
        assert vm.run("docker exec %s sh -c %s", backend, f"touch {place}/.probe && rm {place}/.probe").succeeded, place
    # What visitors are served is the deployment's, also for processes beside the backend and what is run by hand.
    for place in ("/app", "/app/backend", "/app/staticfiles", "/opt/venv", "/etc", "/srv", "/srv/releases"):
        assert vm.run("docker exec %s touch %s", backend, f"{place}/.probe").failed, place
    for place in ("/srv/releases", "/srv/shared/media", "/etc/nginx/site"):
        assert vm.run("docker exec %s touch %s", stack.container("nginx"), f"{place}/.probe").failed, place


def test_the_application_has_a_database_and_no_more(stack: Stack) -> None:
    """As natively: its role is no superuser, which could read and run whatever the server's account can."""
    ask = ("psql", "--no-psqlrc", "--tuples-only", "--no-align", "--dbname", "coredb", "--username")
    rights = (
        "SELECT rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls, rolcanlogin"
        " FROM pg_roles WHERE rolname = 'db_user'"
    )
    answers = {
        rights: "f|f|f|f|f|t",
        "SELECT rolname FROM pg_roles WHERE rolsuper": "postgres",
        "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'coredb'": "db_user",
        "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'": "db_user",
        "SELECT has_database_privilege('public', 'coredb', 'CONNECT')": "f",
    }
    found = {question: stack.ask(*ask, "postgres", "--command", question).stdout.strip() for question in answers}
    assert found == answers
    assert "permission denied" in stack.ask(*ask, "db_user", "--command", "COPY (SELECT 1) TO PROGRAM 'true'").stderr
    over_tcp = ("psql", "--host", "postgres", "--command", "SELECT 1", "--username")
    assert stack.ask(*over_tcp, "db_user", "--dbname", "coredb").succeeded
    for user, database in (("postgres", "coredb"), ("db_user", "postgres")):
        assert "no pg_hba.conf entry" in stack.ask(*over_tcp, user, "--dbname", database).stderr


def test_the_environment_arrives_byte_for_byte(stack: Stack, secrets: dict[str, str]) -> None:
    environment = stack.environment
    assert {name: environment[name] for name in secrets} == secrets
    wanted = {"DB_HOST": "postgres", "DB_NAME": "coredb", "DB_USER": "db_user", "REDIS_HOST": "redis"}
    wanted |= {"REDIS_PORT": "6379", "DB_PORT": "5432", "DEBUG": "False"}
    wanted |= {"POSTGRES_DB": "coredb", "POSTGRES_USER": "db_user", "POSTGRES_PASSWORD": secrets["DB_PASSWORD"]}
    assert {name: environment[name] for name in wanted} == wanted


def test_each_has_the_secrets_that_it_needs(containers: dict[str, dict[str, Any]], secrets: dict[str, str]) -> None:
    """An environment is what `docker inspect` shows; a command line is what every account of the host sees."""
    for service, container in containers.items():
        environment = "\n".join(container["Config"]["Env"])
        known = {name for name, secret in secrets.items() if secret in environment}
        assert known == (set(secrets) if service == "backend" else set())
        assert not any(secret in json.dumps(container["Config"]["Cmd"]) for secret in secrets.values())


@pytest.mark.parametrize(
    ("path", "owner", "mode"),
    [
        ("", 0, 0o700),
        ("/.env.docker", 0, 0o600),
        ("/postgres/superuser-password", 999, 0o400),
        ("/redis/redis.conf", 999, 0o400),
        ("/compose.yaml", 0, 0o644),
        ("/nginx/nginx.conf", 0, 0o644),
        ("/nginx/site.conf", 0, 0o644),
        ("/docker/backend/Dockerfile", 0, 0o644),
        ("/docker/frontend/Dockerfile", 0, 0o644),
    ],
)
def test_owners_and_modes(vm: Host, path: str, owner: int, mode: int) -> None:
    file = vm.file(STACK + path)
    assert (file.uid, oct(file.mode)) == (owner, oct(mode))


def test_documented_commands(vm: Host) -> None:
    """In the stack's directory, as the platform's own documentation gives them."""
    here = f"cd {STACK} && docker compose exec -T backend"
    assert "No migrations to apply" in vm.check_output(f"{here} python manage.py migrate")
    assert "documented" in vm.check_output(
        f"{here} env DJANGO_SUPERUSER_PASSWORD=unimportant python manage.py createsuperuser --noinput"
        " --username documented --email documented@example.com && "
        f"{here} python manage.py shell -c 'from django.contrib.auth import get_user_model as m;"
        ' u = m().objects.get(username="documented"); print(u); u.delete()\''
    )
    places = "ls -d /app/manage.py /app/staticfiles/staticfiles.json /app/media /app/frontend/dist/index.html"
    assert vm.run(f"{here} {places}").succeeded


def test_backend_by_itself(stack: Stack) -> None:
    """uvicorn at the documented place."""
    assert "--host 0.0.0.0 --port 8000" in stack.inspect("backend", '{{join .Config.Cmd " "}}')


def test_what_the_build_needed_is_not_served(vm: Host, stack: Stack) -> None:
    backend = stack.container("backend")
    assert vm.run("docker exec %s sh -c 'command -v gcc || command -v node || command -v uv'", backend).failed
    assert vm.check_output("docker exec %s find /app -name node_modules -prune", backend) == ""
    assert vm.run("ls /srv/edusphere/releases/.building").failed
