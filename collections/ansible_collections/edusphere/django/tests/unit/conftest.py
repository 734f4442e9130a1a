"""Real projects on real Djangos and databases, and the modules executed as Ansible executes them.

Most tests run on one stack, the long-term release of Django on PostgreSQL. What is marked ``every_stack`` runs on each,
and what is marked ``every_django`` on each but the other ways into a container: test_transport.py is about these.
`make test` runs these on the usual stack, and on those that the mark names; the others are exhaustive.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import pathlib
import pwd
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import textwrap
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import psycopg2
import psycopg2.extensions
import pytest
from depth import pytest_collection_modifyitems
from engine import ROOT, docker, only_one
from modules import Call
from unit_fixtures import client, host_image

# Fixtures and a hook that pytest finds here.
__all__ = ["client", "host_image", "pytest_collection_modifyitems"]

ROLE = "project"
# Every test logs in with it: each of these characters means something to a shell, systemd, Compose, SQL or a URL.
PASSWORD = "s3cret \"'\\ $HOME ${x} `id` #% &;|<>äß\u2603\t=end "
# What modules answer with, apart from what a run only can know.
PREDICTED = {
    "changed", "unknown", "diff",
    "plan", "recorded", "resumed", "pending", "pruned", "created_tables", "databases", "safety",
    "static_root", "copied", "post_processed", "unchanged", "stale", "deleted", "duplicates",
    "username", "created", "promoted", "password_changed",
}  # fmt: skip

SETTINGS = """
import os

SECRET_KEY = "unused"
INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.staticfiles",
    "blog",
]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends." + os.environ["DB_ENGINE"],
        "HOST": os.environ["DB_HOST"],
        "NAME": os.environ["DB_NAME"],
        "USER": os.environ["DB_USER"],
        "PASSWORD": os.environ["DB_PASSWORD"],
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STATIC_URL = "/static/"
STATIC_ROOT = os.path.join(os.path.dirname(os.path.dirname(__file__)), "collected")
USE_TZ = True
"""

INITIAL = """
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True
    dependencies = []
    operations = [
        migrations.CreateModel(
            "Article",
            [
                ("id", models.BigAutoField(primary_key=True)),
                ("title", models.CharField(max_length=20)),
            ],
        ),
    ]
"""

# What a migration writes before an operation of django.contrib.postgres.
POSTGRES = "__import__('django.contrib.postgres.operations', fromlist=['x'])."

MODELS = """
from django.db import models


class Article(models.Model):
    title = models.CharField(max_length=20)
"""


@dataclass(frozen=True)
class Stack:
    """What a project runs on: a release of Django, with an interpreter that has it, a kind of database, and a place.

    ``place`` is empty for this machine, else the parameter that names what container the project is in.
    """

    django: str
    engine: str
    place: str = ""

    def __str__(self) -> str:
        return "-".join(part for part in (self.django, self.engine, self.place) if part)

    @property
    def python(self) -> str:
        """The interpreter, ready for use."""
        if self.place:
            return IMAGE_PYTHON
        return sys.executable if self.django == LONG_TERM else environment(self.django)


LONG_TERM, NEWEST = "5.2", "6.1"
USUAL = Stack(LONG_TERM, "postgresql")
SQLITE = Stack(LONG_TERM, "sqlite3")
STACKS = [
    USUAL,
    Stack("4.2", "postgresql"),
    SQLITE,
    Stack(NEWEST, "postgresql", "container"),
    Stack(NEWEST, "postgresql", "image"),
    Stack(NEWEST, "postgresql", "compose_service"),
]
HOST_STACKS = [stack for stack in STACKS if not stack.place]
# The newest Django takes another interpreter than this machine's.
IN_CONTAINER = next(stack for stack in STACKS if stack.place)
MARKED = {"every_stack": STACKS, "every_django": [*HOST_STACKS, IN_CONTAINER]}


def environment(version: str) -> str:
    """Make the virtual environment of another release of Django, unless it is there; return its interpreter."""
    lock = ROOT / f"tests/django-{version}.lock"
    wanted = hashlib.sha256(lock.read_bytes() + sys.version.encode()).hexdigest()
    with only_one(version) as directory:
        place = directory / version
        stamp = place / ".installed"
        if not stamp.is_file() or stamp.read_text() != wanted:
            run_uv("venv", "--clear", f"--python={sys.executable}", str(place))
            run_uv("pip", "sync", "--require-hashes", "--compile-bytecode", str(lock), VIRTUAL_ENV=str(place))
            stamp.write_text(wanted)
    return str(place / "bin/python")


IMAGE_PYTHON = "/opt/django/bin/python"
# The image's own entrypoint does nothing: the modules must get past it.
DOCKERFILE = """
ARG BASE
FROM $BASE
RUN python3 -m venv --without-pip /opt/django
COPY site-packages /opt/django/lib/python3.13/site-packages
RUN python3 -m compileall -q /opt/django/lib
ENV FROM_IMAGE="the image's" BOTH="the image's"
ENTRYPOINT ["/bin/false"]
"""


@pytest.fixture(scope="session")
def image(host_image: str) -> str:
    """The image of Debian 13's Python with the newest Django, on a test host's image; made unless it is there."""
    lock = ROOT / f"tests/django-{NEWEST}.lock"
    found = docker("image", "inspect", "--format={{.Id}}", host_image)
    key = hashlib.sha256(found.encode() + lock.read_bytes() + DOCKERFILE.encode()).hexdigest()[:16]
    name = f"edusphere-testbed-django:{key}"
    with only_one("image") as place:
        if not docker("images", "--quiet", name):
            context = place / "image"
            shutil.rmtree(context, ignore_errors=True)
            run_uv(
                *(
                    "pip",
                    "install",
                    "--require-hashes",
                    f"--requirement={lock}",
                    f"--target={context / 'site-packages'}",
                ),
                *("--python-version=3.13", f"--python-platform={os.uname().machine}-unknown-linux-gnu"),
                "--only-binary=:all:",
            )
            (context / "Dockerfile").write_text(DOCKERFILE)
            docker(
                *("build", "--quiet", "--force-rm", f"--tag={name}", f"--build-arg=BASE={host_image}"),
                *("--label=org.edusphere.testbed=image", str(context)),
                env={**os.environ, "DOCKER_BUILDKIT": "0"},
            )
            shutil.rmtree(context)
    return name


def run_uv(*arguments: str, **variables: str) -> None:
    """Run uv without noise."""
    uv = str(pathlib.Path(sys.executable).with_name("uv"))
    settings = {"UV_NATIVE_TLS": "1", "UV_PYTHON_DOWNLOADS": "never", "UV_NO_PROGRESS": "1"}
    subprocess.run([uv, "--quiet", *arguments], env={**os.environ, **settings, **variables}, check=True)


def on(stacks: list[Stack], *quick: str) -> list[Any]:
    """Return parameters for ``stack``: the usual one or else the first, those named, and the others as exhaustive."""
    usual = USUAL if USUAL in stacks else stacks[0]
    return [
        pytest.param(
            stack, id=str(stack), marks=[] if stack == usual or str(stack) in quick else [exhaustive_on(stack)]
        )
        for stack in stacks
    ]


def exhaustive_on(stack: Stack) -> pytest.MarkDecorator:
    """Return the mark of a test that shows on one more stack what `make test` shows on another."""
    database = {"postgresql": "PostgreSQL", "sqlite3": "SQLite"}[stack.engine]
    place = {"": "", "container": " in a running container", "image": " in a container of an image"}
    place["compose_service"] = " in a container of a Compose service"
    return pytest.mark.exhaustive(
        f"The modules of edusphere.django do the same with Django {stack.django} and {database}{place[stack.place]}."
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test on all the stacks that its mark stands for."""
    for name, stacks in MARKED.items():
        if mark := metafunc.definition.get_closest_marker(name):
            metafunc.parametrize("stack", on(stacks, *mark.args), indirect=True)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say what the judgement was tried on: the seed, and the share of each verdict."""
    for outcome in ("passed", "failed"):
        for report in terminalreporter.getreports(outcome):
            for name, words in report.user_properties:
                if name == "judged" and report.when == "call":
                    terminalreporter.write_line(f"judged: {words}")


@pytest.fixture
def stack(request: pytest.FixtureRequest) -> Stack:
    """What the projects of a test run on."""
    found: Stack = getattr(request, "param", USUAL)
    return found


@dataclass
class Cluster:
    """A private PostgreSQL cluster, reachable through a socket in its own directory only."""

    directory: pathlib.Path
    # The databases that projects as they are new have migrated, by the release of Django.
    migrated: dict[str, str] = field(default_factory=dict)

    def connect(self, database: str = "postgres") -> psycopg2.extensions.connection:
        """Connect as the superuser, in autocommit mode."""
        connection = psycopg2.connect(host=str(self.directory), dbname=database, user="postgres")
        connection.autocommit = True
        return connection

    def create(self, name: str, template: str = "template0") -> None:
        """Make a database of the projects' role, empty or with what another one has."""
        self._execute(f"CREATE DATABASE {name} OWNER {ROLE} TEMPLATE {template}")

    def drop(self, name: str) -> None:
        """Remove a database, whoever is connected to it."""
        self._execute(f"DROP DATABASE {name} WITH (FORCE)")

    def _execute(self, statement: str) -> None:
        with contextlib.closing(self.connect()) as connection, connection.cursor() as cursor:
            cursor.execute(statement)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """Start a PostgreSQL of Debian's; as root it runs as the account postgres, as initdb refuses root."""
    versions = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name))
    if not versions:
        pytest.fail("these tests need PostgreSQL's server: apt-get install postgresql", pytrace=False)
    account = "postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
    directory = pathlib.Path(tempfile.mkdtemp(prefix="postgresql-"))
    shutil.chown(directory, account)
    data = directory / "data"

    def run(program: str, *arguments: str) -> None:
        subprocess.run(
            [versions[-1] / program, *arguments],
            user=account if os.geteuid() == 0 else None,
            cwd=directory,
            check=True,
            stdout=subprocess.DEVNULL,
        )

    run("initdb", "--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync", str(data))
    (data / "pg_hba.conf").write_text("local all postgres trust\nlocal all all scram-sha-256\n")
    options = f"-c listen_addresses='' -c unix_socket_directories='{directory}' -c fsync=off"
    run("pg_ctl", f"--pgdata={data}", "--wait", f"--log={directory}/log", f"--options={options}", "start")
    try:
        found = Cluster(directory)
        with found.connect() as connection, connection.cursor() as cursor:
            cursor.execute(f"CREATE ROLE {ROLE} LOGIN PASSWORD %s", [PASSWORD])
        connection.close()
        yield found
    finally:
        run("pg_ctl", f"--pgdata={data}", "--mode=immediate", "--wait", "stop")
        shutil.rmtree(directory)


@dataclass
class Project:
    """A Django project in a directory of its own, with databases of its own."""

    directory: pathlib.Path
    cluster: Cluster
    stack: Stack = USUAL
    # The aliases of the settings, and the name of each database.
    databases: dict[str, str] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    # What tells a module how to get into the project's container, and the environment for docker's client.
    place: dict[str, Any] = field(default_factory=dict)
    image: str = ""
    client: dict[str, str] = field(default_factory=dict)

    @property
    def database(self) -> str:
        """The name of the default database."""
        return self.databases["default"]

    def add_database(self, alias: str) -> None:
        """Make an empty database, and name it in the settings unless it is the default one."""
        if self.stack.engine == "sqlite3":
            name = str(self.directory / f"{alias}.sqlite3")
        else:
            name = "test_" + uuid.uuid4().hex
            self.cluster.create(name)
        if alias != "default":
            self.settings(f"DATABASES[{alias!r}] = {{**DATABASES['default'], 'NAME': {name!r}}}")
        self.databases[alias] = name

    @property
    def volumes(self) -> list[str]:
        """What a container of the project must see of this machine: the project and the databases' socket."""
        return [f"{path}:{path}" for path in (self.directory, self.cluster.directory)]

    def contain(self, image: str, variables: dict[str, str] | None = None) -> None:
        """Give the project the place of its stack, made of an image; a container also has these ``variables``."""
        self.image = image
        if self.stack.place == "container":
            options = [f"--volume={volume}" for volume in self.volumes]
            options += [f"--env={name}={value}" for name, value in (variables or {}).items()]
            container = docker(
                *("run", "--detach", "--network=none", *options, "--entrypoint=sleep", image, "infinity"),
            )
            self.place = {"container": container}
        elif self.stack.place == "image":
            self.place = {"image": image, "volumes": self.volumes, "network": "none"}
        else:
            service = {"image": image, "volumes": self.volumes, "network_mode": "none", "depends_on": ["absent"]}
            self.compose({"web": service, "absent": {"image": "edusphere-testbed-absent"}})

    def compose(self, services: dict[str, Any], **more: Any) -> None:
        """Give the project a Compose file, and the service ``web`` as its place."""
        directory = self.directory.with_name(self.directory.name + "-compose")
        directory.mkdir(exist_ok=True)
        (directory / "compose.yaml").write_text(json.dumps({"services": services, **more}))
        self.place = {"compose_service": "web", "compose_project_dir": str(directory)}

    def remove(self) -> None:
        """Remove the directory, the databases, and the container."""
        if container := self.place.get("container"):
            docker("rm", "--force", "--volumes", container)
        if directory := self.place.get("compose_project_dir"):
            shutil.rmtree(directory)
        shutil.rmtree(self.directory)
        if self.stack.engine == "postgresql":
            for name in self.databases.values():
                self.cluster.drop(name)

    def write(self, path: str, text: str | bytes) -> pathlib.Path:
        """Write a file below the project's directory; a text may be indented as a whole."""
        target = self.directory / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(text, bytes):
            target.write_bytes(text)
        else:
            target.write_text(textwrap.dedent(text).lstrip("\n"))
        return target

    def settings(self, text: str) -> None:
        """Append to the settings."""
        path = self.directory / "site_/settings.py"
        path.write_text(path.read_text() + "\n" + textwrap.dedent(text) + "\n")

    def migration(self, name: str, after: str, operations: str, **attributes: Any) -> None:
        """Write a migration of the app blog; ``operations`` are the items of its list."""
        extra = "".join(f"    {key} = {value!r}\n" for key, value in attributes.items())
        self.write(
            f"blog/migrations/{name}.py",
            "import os, time\nfrom django.db import migrations, models\n\n\n"
            "def say(apps, schema_editor):\n"
            "    print('migrating')\n\n\n"
            "class Migration(migrations.Migration):\n"
            f"    dependencies = [('blog', {after!r})]\n{extra}"
            f"    operations = [{operations}]\n",
        )

    def start(self, name: str, *, check: bool = False, uid: int | None = None, **arguments: Any) -> Call:
        """Start the module ``edusphere.django.NAME`` as the account ``uid``; arguments of None are left out."""
        given = {
            "project_dir": str(self.directory),
            "python": self.stack.python,
            "settings": "site_.settings",
            "environment": self.environment,
            **self.place,
            "_ansible_check_mode": check,
            "_ansible_diff": True,
            **arguments,
        }
        request = {
            "module": f"edusphere.django.{name}",
            "arguments": {key: value for key, value in given.items() if value is not None},
            "environment": {**os.environ, **self.client},
            "uid": uid,
            # Some that a project that runs as another account must not get.
            "groups": [0, 1, 2],
        }
        return Call(request, PASSWORD.strip())

    def run(self, name: str, **arguments: Any) -> dict[str, Any]:
        """Run a module that must succeed."""
        result = self.start(name, **arguments).result()
        assert not result.get("failed"), result["msg"]
        return result

    def fail(self, name: str, **arguments: Any) -> dict[str, Any]:
        """Run a module that must fail; its message must be no traceback of anybody's."""
        result = self.start(name, **arguments).result()
        assert result.get("failed"), result
        assert "Traceback" not in result["msg"]
        assert "Traceback" not in result.get("output", "")
        return result

    def migrate(self) -> None:
        """Migrate a project that is as it was made: the module is run for the first one, the others get a copy."""
        assert (self.directory / "site_/settings.py").read_text().strip() == SETTINGS.strip()
        assert len(list((self.directory / "blog/migrations").iterdir())) == 2
        known = self.cluster.migrated
        if self.stack.engine == "sqlite3":
            self.run("migrate")
        elif self.stack.django not in known:
            self.run("migrate")
            known[self.stack.django] = f"{self.database}_migrated"
            self.cluster.create(known[self.stack.django], self.database)
        else:
            self.cluster.drop(self.database)
            self.cluster.create(self.database, known[self.stack.django])

    def predict_and_run(self, name: str, **arguments: Any) -> dict[str, Any]:
        """Run in check mode, for real, and again: the first changes nothing and says what the second does.

        The third must find nothing left to do. Returns the answer of the second.
        """
        before = self.state()
        predicted = self.run(name, check=True, **arguments)
        assert self.state() == before
        done = self.run(name, **arguments)
        assert {key: predicted[key] for key in PREDICTED & set(predicted)} == {
            key: done[key] for key in PREDICTED & set(done)
        }
        assert (self.state() != before) == done["changed"]
        after = self.state()
        again = self.run(name, **arguments)
        assert not again["changed"]
        assert again["diff"]["before"] == again["diff"]["after"]
        assert self.state() == after
        return done

    def state(self) -> str:
        """Return a digest of everything in the project's directory and in its databases."""
        hasher = hashlib.sha256()
        for path in sorted(self.directory.rglob("*")):
            # A database's file says more than what is in the database.
            if str(path) in self.databases.values():
                hasher.update(f"{path}\n".encode())
                continue
            status = path.lstat()
            hasher.update(os.fsencode(f"{path} {status.st_mode} {'' if path.is_dir() else status.st_mtime_ns}\n"))
            if path.is_file():
                hasher.update(path.read_bytes())
        for alias in self.databases:
            hasher.update(repr((alias, self.contents(alias))).encode())
        return hasher.hexdigest()

    def contents(self, alias: str = "default") -> list[Any]:
        """Return every table of a database: what it is made of, and its rows."""
        with self._database(alias) as ask:
            if self.stack.engine == "sqlite3":
                tables = ask("SELECT name, sql FROM sqlite_master WHERE type = 'table' ORDER BY 1")
            else:
                tables = ask(
                    "SELECT table_name, array_agg(concat_ws(' ', column_name, data_type, is_nullable, column_default)"
                    " ORDER BY ordinal_position) FROM information_schema.columns"
                    " WHERE table_schema = 'public' GROUP BY 1 ORDER BY 1",
                )
            found = []
            for table, columns in tables:
                rows = ask(f'SELECT * FROM "{table}"')  # noqa: S608 - a name from the catalogue
                found.append((table, columns, sorted(map(repr, rows))))
            return found

    def sql(self, statement: str, *parameters: Any, alias: str = "default") -> list[tuple[Any, ...]]:
        """Run a statement, as the superuser of PostgreSQL, and return its rows."""
        with self._database(alias) as ask:
            return ask(statement, *parameters)

    @contextlib.contextmanager
    def _database(self, alias: str) -> Iterator[Callable[..., list[tuple[Any, ...]]]]:
        """Yield ``sql`` on one connection."""
        name = self.databases[alias]
        if self.stack.engine == "sqlite3":
            # Connecting would make the file.
            if not pathlib.Path(name).exists():
                yield lambda _statement, *_parameters: []
                return
            file = sqlite3.connect(name)
            with contextlib.closing(file), file:
                yield lambda statement, *parameters: file.execute(statement, parameters).fetchall()
            return
        with contextlib.closing(self.cluster.connect(name)) as connection, connection.cursor() as cursor:

            def ask(statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
                cursor.execute(statement, parameters)
                return cursor.fetchall() if cursor.description else []

            yield ask

    def django(self, code: str) -> str:
        """Run code in the loaded project and return what it prints."""
        program = "import django; django.setup()\n" + textwrap.dedent(code)
        command = [self.stack.python, "-c", program]
        environment = {**self.environment, "DJANGO_SETTINGS_MODULE": "site_.settings"}
        if self.image:
            options = [f"--volume={volume}" for volume in self.volumes]
            options += [f"--env={name}" for name in environment]
            command = [
                *("docker", "run", "--rm", "--network=none", f"--workdir={self.directory}", *options),
                *("--entrypoint=", self.image, *command),
            ]
        return subprocess.run(
            command,
            cwd=self.directory,
            env={**os.environ, **environment},
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()


def new_project(cluster: Cluster, stack: Stack) -> Project:
    """Make a project with an app ``blog``, which has one migration."""
    # Not pytest's tmp_path, which other accounts can't enter.
    directory = pathlib.Path(tempfile.mkdtemp(prefix="project-"))
    directory.chmod(0o755)
    project = Project(directory, cluster, stack)
    project.add_database("default")
    project.environment = {
        "DB_ENGINE": stack.engine,
        "DB_HOST": str(cluster.directory),
        "DB_NAME": project.database,
        "DB_USER": ROLE,
        "DB_PASSWORD": PASSWORD,
        # Short values that are in all results: none of these may be masked there.
        "DEBUG": "1",
        "A": "a",
    }
    project.write("site_/__init__.py", "")
    project.write("site_/settings.py", SETTINGS)
    project.write("blog/__init__.py", "")
    project.write("blog/models.py", MODELS)
    project.write("blog/migrations/__init__.py", "")
    project.write("blog/migrations/0001_initial.py", INITIAL)
    return project


@pytest.fixture
def make_project(cluster: Cluster, stack: Stack, request: pytest.FixtureRequest) -> Iterator[Callable[[], Project]]:
    """Return a function that makes a project with an app ``blog``, which has one migration."""
    made: list[Project] = []

    def make() -> Project:
        project = new_project(cluster, stack)
        made.append(project)
        if stack.place:
            project.contain(request.getfixturevalue("image"))
            project.client = request.getfixturevalue("client")
        return project

    yield make
    for project in made:
        project.remove()


@pytest.fixture
def project(make_project: Callable[[], Project]) -> Project:
    """A project whose databases are empty."""
    return make_project()
