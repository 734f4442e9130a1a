"""edusphere.django on a real host: what it made, two operators at once, and environment files as systemd reads them."""

from __future__ import annotations

import concurrent.futures
import json
import os
import random
import subprocess
from pathlib import Path
from typing import Any

from ansible_collections.edusphere.django.plugins.module_utils.environment_file import EnvironmentFileError, parse
from testinfra.host import Host

SCENARIO = Path(__file__).parents[1]
SSH_CONFIG = SCENARIO.parents[1] / ".cache/testbed/ssh/config"
INVENTORIES = [f"--inventory={SCENARIO.parent / 'shared/inventory'}", f"--inventory={SCENARIO / 'inventory'}"]
# What means something to systemd's parser, and what might.
CHARACTERS = "aZ_0 \t=#;'\"\\$`%{}()&|<>*?!~^@,.:/-\n\r\x01\x7f\x85é\u2028\u3000☃\U0001f600"
SEED = 20260
# Prints, as JSON, the environments of as many units as there are texts of environment files on standard input.
UNITS = """
import json, os, subprocess, sys, tempfile
found = []
for text in json.load(sys.stdin):
    with tempfile.NamedTemporaryFile() as file:
        file.write(text.encode())
        file.flush()
        unit = ["systemd-run", "--quiet", "--wait", "--pipe", "--property=EnvironmentFile=" + file.name]
        told = subprocess.run([*unit, "env", "--null"], check=True, stdout=subprocess.PIPE).stdout
        found.append(dict(entry.split("=", 1) for entry in told.decode().split("\\0") if entry))
json.dump(found, sys.stdout)
"""


def converge(*arguments: str) -> dict[str, Any]:
    """Run the scenario's playbook and return the results of its tasks by their names."""
    command = ["ansible-playbook", *INVENTORIES, *arguments, str(SCENARIO / "converge.yml")]
    settings = {
        "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json",
        "ANSIBLE_CALLBACKS_ENABLED": "ansible.builtin.default",
    }
    done = subprocess.run(command, env={**os.environ, **settings}, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    (play,) = json.loads(done.stdout)["plays"]
    return {task["task"]["name"]: next(iter(task["hosts"].values())) for task in play["tasks"]}


def read_by_systemd(texts: list[str]) -> list[dict[str, str]]:
    """Return the environments that units of the host get from environment files with these texts."""
    command = ["ssh", "-F", str(SSH_CONFIG), "django-vm", "sudo", "python3", "-c", f"exec({UNITS!r})"]
    command[-1] = "'" + command[-1].replace("'", "'\\''") + "'"
    told = subprocess.run(command, input=json.dumps(texts), check=True, stdout=subprocess.PIPE, text=True).stdout
    found: list[dict[str, str]] = json.loads(told)
    return found


def sql(vm: Host, statement: str, database: str = "shop") -> str:
    """Return the rows of a query as PostgreSQL's administrator."""
    return str(vm.check_output("runuser -u postgres -- psql -X -A -t -c %s %s", statement, database))


def test_it_is_the_newest_django_on_debians_python(vm: Host) -> None:
    said = vm.check_output(
        "/opt/shop/bin/python -c 'import django, sys; print(django.VERSION[0], *sys.version_info[:2])'"
    )
    assert said == "6 3 13"


def test_database_and_files(vm: Host) -> None:
    assert int(sql(vm, "SELECT count(*) FROM django_migrations")) > 15
    assert sql(vm, "SELECT username, email, is_superuser FROM auth_user") == "admin|admin@shop.example|t"
    manifest = vm.file("/srv/shop/static/staticfiles.json")
    assert manifest.user == "shop"
    hashed = json.loads(manifest.content_string)["paths"]["admin/css/base.css"]
    assert vm.file(f"/srv/shop/static/{hashed}").size > 1000
    # The project's code belongs to root, and whoever runs it leaves nothing there.
    assert vm.check_output("find /srv/shop -newer /etc/shop.env -not -path '/srv/shop/static*'") == ""


def test_two_operators_at_once(vm: Host) -> None:
    sql(vm, "CREATE DATABASE empty OWNER shop", "postgres")
    # What the one predicts, the other may do.
    arguments = ["--skip-tags=compare", '--extra-vars={"shop_overrides": {"DB_NAME": "empty"}}']
    with concurrent.futures.ThreadPoolExecutor() as pool:
        runs = [pool.submit(converge, *arguments) for _operator in range(2)]
        results = [run.result() for run in runs]
    for task in ("Migrate", "Make sure of the superuser"):
        assert sorted(result[task]["changed"] for result in results) == [False, True]
    assert sql(vm, "SELECT count(*) FROM auth_user", "empty") == "1"


def quoted(value: str, style: int) -> str:
    """Return a value as it can be written in an environment file: in double quotes, in single ones, or bare."""
    if style == 0:
        return '"' + "".join("\\" + each if each in '"\\`$' else each for each in value) + '"'
    if style == 1:
        return "'" + value.replace("'", "'\"'\"'") + "'"
    return "".join("\\" + each if each in "'\"\\ \t" else each for each in value if each not in "\r\n")


def test_environment_files_are_read_as_systemd_reads_them(vm: Host) -> None:
    assert int(vm.check_output("systemctl --version").split()[1]) >= 257
    randomly = random.Random(SEED)  # noqa: S311 - no secret

    def some(least: int, most: int) -> str:
        return "".join(randomly.choices(CHARACTERS, k=randomly.randint(least, most)))

    tidy = "".join(f"V{number}={quoted(some(0, 12), number % 3)}\n" for number in range(300))
    # Most lines with a newline in them have no meaning, so that nothing could be compared: these have it escaped.
    wild = [f"A={some(1, 12)}\n" for _text in range(200)]
    wild = [text[:-1].replace("\r", "").replace("\n", "\\\n") + "\n" for text in wild]
    texts = [tidy, *wild]
    agreed = 0
    for text, seen in zip(texts, read_by_systemd(texts), strict=True):
        try:
            variables = parse(text)
        except EnvironmentFileError:
            continue
        assert {name: seen.get(name) for name in variables} == variables, text
        agreed += len(variables)
    # All of the tidy one, and most of the others: what is left has an open quote.
    assert agreed > 300 + 100
