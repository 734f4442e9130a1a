"""What `site.yml --check` says of a provisioned host is what a run then does, and saying it changes nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from behaviour.hosts import AsApplication, playbook
from behaviour.visitor import Site
from testinfra.host import Host

# Runs on the host. Inode and ctime tell of every write, whatever it wrote. A unit's invocation ends with a restart, an
# nginx worker with a reload, and PostgreSQL remembers its own.
STATE = r"""
find /etc /srv /usr/local /root /var/spool/cron -printf '%p %i %m %u %g %s %C@ %l\n' | sort
systemctl show --property=Id,InvocationID,ActiveState,UnitFileState,NeedDaemonReload 'edusphere*' nginx redis-server \
  'postgresql*' systemd-journald
ps -C nginx -o pid=,args=
cat /var/log/dpkg.log
cd / && runuser -u postgres -- psql -XAtc 'SELECT pg_conf_load_time()' -c 'SELECT rolname, rolpassword FROM pg_authid'
runuser -u postgres -- psql -XAt -d coredb -c 'SELECT * FROM django_migrations'
"""
CHANGES = list[tuple[str, list[Any]]]


def state(vm: Host) -> list[str]:
    """Everything about the host that a deployment could change, in lines."""
    return list(vm.check_output(STATE).splitlines())


def changes(output: str) -> CHANGES:
    """The tasks of a run that report a change, each with its changed items, from the output of the JSON callback."""
    # What -v has to say comes before it.
    report = json.loads(output[output.index("\n{\n") if not output.startswith("{") else 0 :])
    assert report["plays"]
    found: CHANGES = []
    for task in (task for play in report["plays"] for task in play["tasks"]):
        for result in task["hosts"].values():
            if result.get("changed"):
                items = [entry.get("item") for entry in result.get("results", []) if entry.get("changed")]
                found.append((task["task"]["name"], items))
    return found


class Edits:
    """Variables as an operator would edit them, one after the other."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.values: dict[str, Any] = {}

    def run(self, *arguments: str) -> CHANGES:
        """Run site.yml with what was edited so far."""
        self.file.write_text(json.dumps(self.values))
        run = playbook(f"--extra-vars=@{self.file}", *arguments, ANSIBLE_STDOUT_CALLBACK="ansible.posix.json")
        return changes(run.stdout)


@pytest.fixture(scope="module")
def edits(tmp_path_factory: pytest.TempPathFactory) -> Edits:
    """The edits of this module's tests, which add up."""
    return Edits(tmp_path_factory.mktemp("edits") / "edits.json")


def test_nothing_to_do(vm: Host, edits: Edits) -> None:
    before = state(vm)
    assert edits.run("--check", "--diff") == []
    assert state(vm) == before


@pytest.mark.parametrize(
    ("name", "value", "tasks"),
    [
        ("redis_maxmemory", "96mb", {"redis : Configure Redis", "redis : Run Redis"}),
        ("edusphere_app_upload_limit", "11m", {"nginx : Configure nginx", "nginx : Run nginx with its configuration"}),
        (
            "edusphere_app_workers",
            3,
            {
                "backend : Write the unit and its programs",
                "backend : Point the free slot at the release",
                "backend : Start the free slot",
                "backend : Record what serves",
                "nginx : Configure nginx",
                "nginx : Run nginx with its configuration",
                "backend : Keep the serving slot up, now and after a restart of the host",
                "backend : Stop the slot that no longer serves",
            },
        ),
    ],
)
def test_one_edit_is_foretold(vm: Host, edits: Edits, name: str, value: object, tasks: set[str]) -> None:
    """Check mode names exactly the tasks, and the items in them, that a run then changes; and changes none of them."""
    edits.values[name] = value
    before = state(vm)
    foretold = edits.run("--check", "--diff")
    assert state(vm) == before
    done = edits.run()
    assert done == foretold
    assert {task for task, _ in done} == tasks
    assert state(vm) != before


def test_the_edits_took_effect(vm: Host, site: Site, main_pid: int, as_application: AsApplication) -> None:
    assert as_application("redis-cli", "CONFIG", "GET", "maxmemory").stdout.split()[1] == str(96 * 1024**2)
    assert site.request("POST", "/api/me/avatar/", data=bytes(10 * 1024**2 + 1)).status_code == 403
    workers = f"pgrep --parent {main_pid} --full spawn_main | wc --lines"
    assert vm.check_output(workers) == "3"


def test_nothing_secret_is_said(vm: Host, site: Site, secrets: dict[str, str]) -> None:
    """Not by a run that undoes the edits and writes every file with secrets anew, as talkative as it can be."""
    vm.check_output("rm /etc/edusphere/app.env /etc/redis/redis.conf")
    said = playbook("-vvv", "--diff").stdout
    assert "Write the environment" in said
    for name, secret in secrets.items():
        for form in (secret, json.dumps(secret)[1:-1], repr(secret)[1:-1], secret.replace("$", "\\$")):
            assert form not in said, name
    assert site.get("/api/health/ready/").status_code == 200
    assert site.request("POST", "/api/me/avatar/", data=bytes(10 * 1024**2 + 1)).status_code == 413
