"""What all modules share: reaching the project, its environment and account, its noise, and its ways of failing."""

from __future__ import annotations

import json
import os
import pathlib
import pwd
import subprocess
import sys
import venv
from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.edusphere.django.plugins.module_utils.probe.guard import LOADER
from own_collections import COLLECTIONS

from .conftest import PASSWORD

if TYPE_CHECKING:
    from .conftest import Project

ODD_VALUES = {
    "QUOTES": "\"double\" 'single' `back`",
    "DOLLAR": "$HOME ${HOME} $$",
    "BACKSLASH": "\\n \\ \\\\",
    "NEWLINES": "one\ntwo\r\n\tthree\n",
    "UNICODE": "äß☃\U0001f600",
    "SPACES": "  both ends  ",
    "EMPTY_VALUE": "",
    "EQUALS": "a=b==",
    "HASH": "#no comment",
    "JSON": '{"a": [1, "\\u0000"]}',
}


def report(project: Project) -> Any:
    """Let the settings write down what process they run in; return where that will be."""
    path = project.directory / "report.json"
    project.settings(
        f"""
        import glob, json, sys

        def read(name):
            try:
                return open(name, "rb").read().decode("utf-8", "replace")
            except OSError:
                return ""  # The process has ended meanwhile.

        with open({str(path)!r}, "w") as file:
            json.dump({{
                "environment": dict(os.environ),
                "arguments": sys.argv,
                "path": sys.path,
                "directory": os.getcwd(),
                "ids": [os.getresuid(), os.getresgid(), sorted(os.getgroups())],
                "umask": os.umask(0o077),
                "command_lines": list(map(read, glob.glob("/proc/[0-9]*/cmdline"))),
            }}, file)
        """
    )
    return path


def test_environment_is_exact_and_on_no_command_line(project: Project) -> None:
    path = report(project)
    given = {**project.environment, **ODD_VALUES, "PYTHONPATH": "/from/environment"}
    project.run("migrate", check=True, environment=given, pythonpath=["/extra/one", "/extra/two"])
    seen = json.loads(path.read_text())
    assert {name: seen["environment"][name] for name in ODD_VALUES} == ODD_VALUES
    assert seen["environment"]["DB_PASSWORD"] == PASSWORD
    assert seen["environment"]["DJANGO_SETTINGS_MODULE"] == "site_.settings"
    # The order of manage.py: the project, then PYTHONPATH.
    assert [entry for entry in seen["path"] if entry][:4] == [
        str(project.directory),
        "/extra/one",
        "/extra/two",
        "/from/environment",
    ]
    assert seen["arguments"] == ["manage.py", "migrate"]
    assert seen["directory"] == str(project.directory)
    # The module and its child were running when this list was made.
    lines = seen["command_lines"]
    assert any("modules.py" in line for line in lines)
    assert any(line == f"{sys.executable}\0-c\0{LOADER}\0" for line in lines)
    assert not any(PASSWORD in line or "$HOME ${HOME}" in line for line in lines)


def test_environment_file_below_environment(project: Project) -> None:
    path = report(project)
    escaped = PASSWORD.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$")
    file = project.write(
        "app.env",
        f'# comment\nDB_PASSWORD="{escaped}"\nDJANGO_SETTINGS_MODULE="site_.settings"\nBOTH=file\nFILE=file\n',
    )
    environment = {key: value for key, value in project.environment.items() if key != "DB_PASSWORD"}
    project.run(
        "migrate",
        check=True,
        settings=None,
        environment={**environment, "BOTH": "environment"},
        environment_file=str(file),
    )
    seen = json.loads(path.read_text())["environment"]
    assert seen["DB_PASSWORD"] == PASSWORD
    assert (seen["BOTH"], seen["FILE"]) == ("environment", "file")


def test_environment_file_that_is_missing_or_bad(project: Project) -> None:
    missing = str(project.directory / "no.env")
    assert project.fail("migrate", environment_file=missing)["msg"] == f"environment_file: there is no file {missing}"
    unknown = project.run("migrate", check=True, environment_file=missing)
    assert (unknown["changed"], unknown["unknown"]) == (True, True)
    bad = project.write("bad.env", "A=1\nexport B=2\n")
    assert (
        "line 2: 'export B' is not the name of a variable" in project.fail("migrate", environment_file=str(bad))["msg"]
    )
    not_text = project.write("binary.env", b"A=\xff\n")
    assert "is not UTF-8" in project.fail("migrate", environment_file=str(not_text))["msg"]


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"PORT": 5432}, "environment: the value of PORT is a int; quote it to make it a string"),
        ({"DEBUG": True}, "environment: the value of DEBUG is a bool; quote it to make it a string"),
        ({"A=B": "x"}, "environment: 'A=B' can't be set: a NUL byte, or a '=' in the name"),
        ({"A": "x\0y"}, "environment: 'A' can't be set: a NUL byte, or a '=' in the name"),
    ],
)
def test_environment_that_no_process_can_have(project: Project, environment: dict[str, Any], message: str) -> None:
    assert project.fail("migrate", environment={**project.environment, **environment})["msg"] == message


def test_settings_module_must_come_from_somewhere(project: Project) -> None:
    assert project.fail("migrate", settings=None)["msg"].startswith("settings: give the settings module here")


def test_noise_does_not_break_the_protocol(project: Project) -> None:
    project.settings(
        """
        import subprocess, sys
        print("printed", flush=True)
        sys.stderr.write("on stderr")
        os.write(1, b"raw \\xff bytes, no newline")
        subprocess.run(["echo", "from a child"])
        print('{"event": "result", "result": {"changed": true}}')
        print("x" * 3_000_000)
        """
    )
    done = project.predict_and_run("migrate")
    assert done["changed"]
    assert len(done["applied"]) == len(done["plan"]) > 10


def test_noise_while_the_answer_is_sent(project: Project) -> None:
    project.settings(
        """
        import threading

        def chatter():
            while True:
                os.write(1, b"chatter " * 100_000)

        threading.Thread(target=chatter, daemon=True).start()
        """
    )
    # An answer that no pipe can hold in one piece.
    project.migration("0002_many", "0001_initial", "*[migrations.RunPython(say)] * 20_000")
    predicted = project.run("migrate", check=True, app_label="blog")
    assert predicted["plan"][1]["operations"] == ["Raw Python operation"] * 20_000


def test_noise_is_kept_for_errors_bounded_and_masked(project: Project) -> None:
    project.settings(
        """
        print("x" * 3_000_000)
        print("password is", DATABASES["default"]["PASSWORD"], repr(DATABASES["default"]["PASSWORD"]))
        print("last words")
        raise RuntimeError("can't connect with " + os.environ["DB_PASSWORD"] + " to " + os.environ["DB_NAME"])
        """
    )
    failed = project.fail("migrate")
    assert failed["msg"] == (
        "Django could not be loaded with settings site_.settings: "
        f"RuntimeError: can't connect with ******** to {project.database}"
    )
    assert failed["output"].endswith("password is ******** '********'\nlast words")
    assert 16_000 < len(failed["output"]) < 17_000


def test_secrets_are_masked_wherever_they_come_from(project: Project) -> None:
    """Whole values that are given, and of all other variables what their names or a URL tell to be secret."""
    project.settings(
        """
        import json
        os.environ["DJANGO_TOKEN"] = "read-from-a-file"
        raise RuntimeError(json.dumps([os.environ["SAID"], os.environ["PLAIN"], os.environ["DJANGO_TOKEN"]]))
        """
    )
    # The words of drivers quote the password of a URL alone, decoded or not.
    secret = ["p@ss w/rd:1", "p%40ss%20w%2Frd:1", "broken", "worse", "from-the-task", "an0ther", "k3y-"]
    public = ["ordinary", "5432", "pw", "monkey", "localhost", "true", "/run/secrets/file"]
    given = {
        **project.environment,
        "DATABASE_URL": "postgres://shop:p%40ss%20w%2Frd:1@localhost:5432/shop",
        # Not a public part, though the name says so; two of them; and one that is no valid URL.
        "CACHE_HOST": "redis://:an0ther@localhost:6379/0,redis://:pw@localhost",
        "BROKER_HOST": "amqp://shop:broken#worse@localhost:5432",
        "SITE_HOST": "https://localhost:5432/~ordinary@home",
    }
    project.client = {
        "SAID": " | ".join([*secret, *public]),
        "SHOP_SECRET_NAMES": "from-the-task",
        "API_KEY": "k3y-",
        "MONKEYS": "monkey",
        "PLAIN": "ordinary",
        "USE_TOKENS": "true",
        "SHORT_PASSWORD": "pw",
        "TOKEN_FILE": "/run/secrets/file",
    }
    message = project.fail("migrate", environment=given)["msg"]
    said, plain, read = json.loads(message.partition("RuntimeError: ")[2])
    assert said.split(" | ") == ["********"] * len(secret) + public
    assert (plain, read) == ("ordinary", "********")


@pytest.mark.parametrize(
    ("code", "message", "kind"),
    [
        (
            "from django.core.exceptions import ImproperlyConfigured\nraise ImproperlyConfigured('Set the X variable')",
            "django.core.exceptions.ImproperlyConfigured: Set the X variable",
            "django.core.exceptions.ImproperlyConfigured",
        ),
        ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'", "ModuleNotFoundError"),
        ("os.environ['NO_SUCH_VARIABLE']", "KeyError: 'NO_SUCH_VARIABLE'", "KeyError"),
        ("raise SystemExit('bye')", "SystemExit: the project called sys.exit('bye')", "SystemExit"),
        ("def broken(:", "SyntaxError: invalid syntax (", "SyntaxError"),
        (
            "INSTALLED_APPS += ['no_such_app']",
            "ModuleNotFoundError: No module named 'no_such_app'",
            "ModuleNotFoundError",
        ),
    ],
)
def test_django_that_can_not_be_loaded(project: Project, code: str, message: str, kind: str) -> None:
    project.settings(code)
    failed = project.fail("migrate")
    assert f"Django could not be loaded with settings site_.settings: {message}" in failed["msg"]
    assert failed["exception_type"] == kind
    assert not failed["changed"]


def test_settings_that_are_not_there(project: Project) -> None:
    for check in (True, False):
        failed = project.fail("migrate", check=check, settings="nobodys.settings")
        assert failed["msg"] == (
            "Django could not be loaded with settings nobodys.settings: ModuleNotFoundError: No module named 'nobodys'"
        )


def test_slow_settings(project: Project) -> None:
    project.settings("import time; time.sleep(2)")
    assert project.run("migrate", check=True)["plan"]
    assert project.fail("migrate", timeout=1)["msg"] == "timeout: the project was stopped after 1 seconds"


def test_database_that_is_down(project: Project) -> None:
    environment = {**project.environment, "DB_HOST": "/no/such/directory"}
    for name, arguments in (("migrate", {}), ("superuser", {"username": "root"})):
        failed = project.fail(name, environment=environment, **arguments)
        assert failed["exception_type"] == "django.db.utils.OperationalError"
        assert "/no/such/directory" in failed["msg"]
        unknown = project.run(name, check=True, environment=environment, **arguments)
        assert (unknown["changed"], unknown["unknown"]) == (True, True)
        assert json.dumps(unknown["msg"]) in json.dumps(unknown["warnings"])


def test_database_without_rights(project: Project) -> None:
    project.sql(f"ALTER DATABASE {project.database} OWNER TO postgres")
    project.sql("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    failed = project.fail("migrate")
    assert "permission denied for schema public" in failed["msg"]
    assert not failed["changed"]


def test_project_that_dies(project: Project) -> None:
    project.settings("print('good bye', flush=True)\nos._exit(3)")
    failed = project.fail("migrate")
    assert failed["msg"] == f"{sys.executable} ended without an answer (return code 3): good bye"
    project.settings("")
    project.write("site_/settings.py", "import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n")
    assert "was killed without an answer (signal 11)" in project.fail("migrate")["msg"]


def test_project_that_leaves_processes_behind(project: Project) -> None:
    # It keeps all of the project's streams open.
    project.settings("import subprocess; subprocess.Popen(['sleep', '300'], start_new_session=True)")
    assert project.run("migrate", check=True)["changed"]


def test_timeout_ends_all_that_was_started(project: Project) -> None:
    marker = "300.125"
    project.settings(
        f"""
        import signal, subprocess, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        subprocess.Popen(["sleep", "{marker}"])
        time.sleep(300)
        """
    )
    failed = project.fail("migrate", timeout=2)
    assert failed["msg"] == "timeout: the project was stopped after 2 seconds"
    command_lines = [path.read_bytes() for path in pathlib.Path("/proc").glob("[0-9]*/cmdline")]
    assert not any(marker.encode() in line for line in command_lines)
    assert project.fail("migrate", timeout=0)["msg"].startswith("timeout: give at least one second")


def test_directory_and_interpreter_that_do_not_exist(project: Project) -> None:
    for arguments, message in (
        ({"project_dir": "/no/such/place"}, "project_dir: there is no directory /no/such/place"),
        ({"python": "/no/such/python"}, "python: there is no interpreter /no/such/python"),
        ({"python": ".venv/bin/python"}, f"python: there is no interpreter {project.directory}/.venv/bin/python"),
        ({"python": "python-of-nobody"}, "python: there is no python-of-nobody on the PATH"),
        ({"user": "nobody-at-all"}, "user: there is no account nobody-at-all"),
        ({"group": "nobody-at-all"}, "group: there is no group nobody-at-all"),
    ):
        assert project.fail("migrate", **arguments)["msg"] == message
        unknown = project.run("migrate", check=True, **arguments)
        assert unknown["changed"] is True
        assert unknown["unknown"] is True
        assert unknown["msg"] == f"What a run would do can't be known yet: {message}"


def test_interpreter_that_is_none(project: Project) -> None:
    script = project.write("python", "#!/no/such/interpreter\n")
    assert project.fail("migrate", python=str(script))["msg"] == f"python: {script} is not executable"
    script.chmod(0o755)
    assert project.fail("migrate", python=str(script))["msg"].startswith(f"python: {script} can't be run: ")
    # It answers with the program itself.
    assert "/bin/cat ended without an answer (return code" in project.fail("migrate", python="/bin/cat")["msg"]


def test_interpreter_without_django(project: Project) -> None:
    venv.create(project.directory / ".venv", symlinks=True)
    failed = project.fail("migrate", python=".venv/bin/python")
    assert failed["msg"].endswith("ModuleNotFoundError: No module named 'django'")


def test_runs_as_the_given_account(project: Project) -> None:
    # Not Python, as the test's own interpreter may be in a place that no other account can enter.
    script = project.write("python", "#!/bin/sh\nid -u; id -g; id -G; umask; echo $HOME $USER; pwd\n")
    script.chmod(0o755)
    # Only root can become another; anybody else can at least name himself.
    account = pwd.getpwnam("nobody" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name)
    failed = project.fail("migrate", python="./python", user=account.pw_name, umask="0027")
    uid, gid, groups, umask, names, directory = failed["output"].splitlines()
    assert (uid, gid, umask) == (str(account.pw_uid), str(account.pw_gid), "0027")
    assert {int(group) for group in groups.split()} == set(os.getgrouplist(account.pw_name, account.pw_gid))
    assert names == f"{account.pw_dir} {account.pw_name}"
    assert directory == str(project.directory)
    assert project.fail("migrate", umask="rwx")["msg"].startswith("umask: 'rwx' is not an octal number")


def test_only_root_can_become_another(project: Project) -> None:
    uid = pwd.getpwnam("nobody").pw_uid if os.geteuid() == 0 else None
    failed = project.start("migrate", user="root", uid=uid).result()
    assert failed["failed"]
    assert failed["msg"] == "user: only root can run the project as root; set become: true on the task"
    inner = project.write("locked/inner/file", "").parent
    inner.parent.chmod(0o700 if uid else 0)
    failed = project.start("migrate", project_dir=str(inner), uid=uid).result()
    inner.parent.chmod(0o700)
    assert failed["msg"].startswith(f"{inner}: Permission denied; set become: true on the task")
    failed = project.start("migrate", group="tty", uid=uid).result()
    assert failed["msg"] == "group: only root can run the project with group tty; set become: true on the task"


def test_through_ansible(project: Project) -> None:
    """The whole way, as the payload that Ansible sends to a host."""
    arguments = {
        "project_dir": str(project.directory),
        "python": sys.executable,
        "settings": "site_.settings",
        "environment": project.environment,
    }
    play = {
        "hosts": "localhost",
        "connection": "local",
        "gather_facts": False,
        "vars": {"ansible_python_interpreter": sys.executable},
        "tasks": [{"name": "Migrate", "edusphere.django.migrate": arguments}],
    }
    ansible = subprocess.run(
        [
            str(pathlib.Path(sys.executable).with_name("ansible-playbook")),
            *("-vvv", "--check", "--diff"),
            str(project.write("play.yml", json.dumps([play]))),
        ],
        env={
            **os.environ,
            "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
            "ANSIBLE_CONFIG": str(project.write("ansible.cfg", "[defaults]\n")),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    answer = ansible.stdout
    assert ansible.returncode == 0, answer + ansible.stderr
    assert '"name": "0001_initial"' in answer
    assert "changed=1" in answer
    assert "+blog.0001_initial" in answer
    assert '"environment": "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"' in answer
    assert PASSWORD not in answer + ansible.stderr
    assert json.dumps(PASSWORD)[1:-1] not in answer + ansible.stderr
