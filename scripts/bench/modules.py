"""Print what the modules of edusphere.django cost where there is nothing to do.

Their probes, which is what a module does on a host, stand beside Django's own commands; whole modules, as tasks of a
playbook, beside community.general.django_manage and beside ping, which is what Ansible itself takes to start a module.
All are run in turn, since seconds alone say more about the machine than about the modules. Medians of five.
"""

from __future__ import annotations

import compileall
import contextlib
import datetime
import importlib
import io
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

import django
from ansible.module_utils.testing import patch_module_args
from ansible.utils.collection_loader._collection_finder import _AnsibleCollectionFinder

ROOT = pathlib.Path(__file__).parents[2]
ROUNDS = 5
FILES = 5000
MIGRATIONS = 50
# Django's own command, which looks and writes nothing, and the most that the probe may cost in its terms.
GOALS = {"migrate": 1.15, "collectstatic": 1.0}

SETTINGS = """
import os

BASE = os.path.dirname(os.path.dirname(__file__))
SECRET_KEY = "unused"
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "blog",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
ROOT_URLCONF = "site_.urls"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.path.join(BASE, "database.sqlite3")}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
STATIC_URL = "/static/"
STATIC_ROOT = os.path.join(BASE, "collected")
"""
HASHED = """
from site_.settings import *

STATIC_ROOT += "-hashed"
STORAGES = {"staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"}}
"""
URLS = """
from django.contrib import admin
from django.urls import path

urlpatterns = [path("admin/", admin.site.urls)]
"""
MANAGE = f"""#!{sys.executable}
import os
import sys

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "site_.settings")
from django.core.management import execute_from_command_line

execute_from_command_line(sys.argv)
"""
MIGRATION = """
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = {dependencies}
    operations = [{operation}]
"""


def make_project(directory: pathlib.Path) -> None:
    """Write a project with an app, its migrations and its static files, and bring it up to date."""
    texts = {
        "manage.py": MANAGE,
        "site_/__init__.py": "",
        "site_/settings.py": SETTINGS,
        "site_/hashed.py": HASHED,
        "site_/urls.py": URLS,
        "blog/__init__.py": "",
        "blog/migrations/__init__.py": "",
    }
    create = 'migrations.CreateModel("Article", [("id", models.BigAutoField(primary_key=True))])'
    fields = ""
    for number in range(1, MIGRATIONS + 1):
        add = f'migrations.AddField("Article", "field_{number}", models.IntegerField(null=True))'
        texts[f"blog/migrations/{number:04}_step.py"] = MIGRATION.format(
            dependencies=[("blog", f"{number - 1:04}_step")] if number > 1 else [],
            operation=create if number == 1 else add,
        )
        fields += f"    field_{number} = models.IntegerField(null=True)\n" if number > 1 else ""
    texts["blog/models.py"] = f"from django.db import models\n\n\nclass Article(models.Model):\n{fields}"
    for number in range(FILES):
        # From a hundred bytes to some 12 KB. Every fifth is a style sheet, for which hashing takes longest.
        name, content = f"d{number % 50}/{number}", f"/* {number} */\n" * (20 + 997 * number % 1000)
        texts[f"blog/static/{name}.{'css' if number % 5 == 0 else 'js'}"] = content
    for name, text in texts.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(text)
    (directory / "manage.py").chmod(0o755)
    # Both ways leave no bytecode behind here, and nobody serves a site without.
    for place in (directory / "site_", directory / "blog", pathlib.Path(str(django.__file__)).parent):
        compileall.compile_dir(place, quiet=2)
    manage(directory, "migrate", "--verbosity=0")
    for settings in ("site_.settings", "site_.hashed"):
        manage(directory, "collectstatic", "--noinput", "--verbosity=0", f"--settings={settings}")


def manage(directory: pathlib.Path, *arguments: str) -> None:
    """Run a command of the project's manage.py, which must succeed."""
    subprocess.run([sys.executable, "manage.py", *arguments], cwd=directory, check=True, stdout=subprocess.DEVNULL)


def probe(name: str, directory: pathlib.Path, settings: str) -> None:
    """Run a module in this process, where it is loaded: what is left is the probe and little else."""
    module = importlib.import_module(f"ansible_collections.edusphere.django.plugins.modules.{name}")
    arguments = {"project_dir": str(directory), "python": sys.executable, "settings": settings}
    output = io.StringIO()
    with patch_module_args(arguments), contextlib.redirect_stdout(output), contextlib.suppress(SystemExit):
        module.main()
    require_no_change(name, json.loads(output.getvalue()))


def require_no_change(name: str, answer: dict[str, Any]) -> None:
    """End unless the answer of a module is that there was nothing to do."""
    if answer.get("failed") or answer.get("changed"):
        sys.exit(f"bench: {name} did not find everything as it should be: {answer}")


def seconds(do: Callable[[], None]) -> float:
    """Return how long it takes."""
    started = time.monotonic()
    do()
    return time.monotonic() - started


def compare_probes(directory: pathlib.Path) -> None:
    """Print Django's own commands and the probes."""
    subjects = [
        ("migrate", "migrate", "site_.settings", ["migrate", "--check"]),
        (f"collectstatic, {FILES} files", "collectstatic", "site_.settings", ["collectstatic", "--noinput"]),
        ("the same, hashed names", "collectstatic", "site_.hashed", ["collectstatic", "--noinput"]),
    ]
    print(f"{'':32}{'manage.py':>12}{'probe':>12}{'ratio':>8}{'goal':>8}")
    for title, name, settings, command in subjects:
        theirs, ours = [], []
        for _ in range(ROUNDS):
            theirs.append(seconds(lambda: manage(directory, *command, f"--settings={settings}")))  # noqa: B023 - called here
            ours.append(seconds(lambda: probe(name, directory, settings)))  # noqa: B023 - called here
        their, our = statistics.median(theirs), statistics.median(ours)
        goal = f"{GOALS[name]:.2f}" if settings == "site_.settings" else "-"
        print(f"{title:32}{their:11.2f}s{our:11.2f}s{our / their:8.2f}{goal:>8}")


def compare_modules(directory: pathlib.Path) -> None:
    """Print whole tasks: Ansible's own start of a module, our modules, and community.general's."""
    tasks: list[dict[str, Any]] = []
    for _ in range(ROUNDS):
        tasks.append({"name": "ping", "ansible.builtin.ping": {}})
        for name in GOALS:
            ours = {"project_dir": str(directory), "python": sys.executable, "settings": "site_.settings"}
            theirs = {"command": name, "project_path": str(directory), "virtualenv": sys.prefix}
            tasks.append({"name": f"ours {name}", f"edusphere.django.{name}": ours})
            tasks.append({"name": f"theirs {name}", "community.general.django_manage": theirs})
    play = {"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": tasks}
    playbook = directory / "playbook.yml"
    playbook.write_text(json.dumps([play]))
    output = subprocess.run(
        [
            "ansible-playbook",
            playbook,
            "--inventory=localhost,",
            f"--extra-vars=ansible_python_interpreter={sys.executable}",
        ],
        cwd=ROOT,
        env=os.environ
        | {"ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json", "ANSIBLE_CALLBACKS_ENABLED": "ansible.builtin.default"},
        capture_output=True,
        text=True,
    ).stdout
    found: dict[str, list[float]] = {}
    for task in json.loads(output[output.index("{") :])["plays"][0]["tasks"]:
        answer = task["hosts"]["localhost"]
        if answer.get("failed"):
            sys.exit(f"bench: {task['task']['name']}: {answer}")
        if task["task"]["name"].startswith("ours"):
            require_no_change(task["task"]["name"], answer)
        start, end = (datetime.datetime.fromisoformat(task["task"]["duration"][key]) for key in ("start", "end"))
        found.setdefault(task["task"]["name"], []).append((end - start).total_seconds())
    median = {name: statistics.median(values) for name, values in found.items()}
    print(f"\n{'a task of a playbook':32}{'ping':>12}{'module':>12}{'django_manage':>16}{'ratio':>8}")
    for name in GOALS:
        our, their = median[f"ours {name}"], median[f"theirs {name}"]
        print(f"{name:32}{median['ping']:11.2f}s{our:11.2f}s{their:15.2f}s{our / their:8.2f}")


def main() -> None:
    """Make the project, measure, print."""
    _AnsibleCollectionFinder(paths=[str(ROOT / "collections")])._install()
    print(
        f"edusphere.django, nothing to do: Python {platform.python_version()}, Django {django.__version__}, SQLite,"
        f" {os.cpu_count()} cores; medians of {ROUNDS}"
    )
    with tempfile.TemporaryDirectory() as place:
        directory = pathlib.Path(place)
        make_project(directory)
        compare_probes(directory)
        compare_modules(directory)


if __name__ == "__main__":
    main()
