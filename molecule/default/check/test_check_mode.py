"""What `site.yml --check` says of a provisioned host is what a run then does, and saying it changes nothing."""

from __future__ import annotations

import json
from typing import NamedTuple

import pytest
from behaviour.hosts import AsApplication, playbook
from behaviour.runs import Changes, distinct, run, run_that_nginx_rejects
from behaviour.visitor import Site
from testinfra.host import Host

# Runs on the host. Inode and ctime tell of every write, whatever it wrote. A unit's invocation ends with a restart, an
# nginx worker with a reload, and PostgreSQL remembers its own.
STATE = r"""
find /etc /srv /usr/local /root /var/spool/cron -printf '%p %i %m %u %g %s %C@ %l\n' | sort
systemctl show --property=Id,InvocationID,ActiveState,UnitFileState,NeedDaemonReload 'edusphere*' nginx 'redis-server*' \
  'postgresql*' systemd-journald
ps -C nginx -o pid=,args=
cat /var/log/dpkg.log
cd / && runuser -u postgres -- psql -XAtc 'SELECT pg_conf_load_time()' -c 'SELECT rolname, rolpassword FROM pg_authid'
runuser -u postgres -- psql -XAt -d coredb -c 'SELECT * FROM django_migrations'
"""


def state(vm: Host) -> list[str]:
    """Everything about the host that a deployment could change, in lines."""
    return list(vm.check_output(STATE).splitlines())


class Edit(NamedTuple):
    """A variable that an operator edits."""

    name: str
    value: object
    tags: str
    """Of the plays to run, to save the time of the others."""
    tasks: set[str]
    """What a run changes then."""


EDITS = [
    Edit("redis_maxmemory", "96mb", "cache", {"redis : Configure Redis", "redis : Run Redis"}),
    Edit(
        "edusphere_app_upload_limit",
        "11m",
        "edge",
        {"nginx : Configure nginx", "nginx : Run nginx with its configuration"},
    ),
    Edit(
        "edusphere_app_workers",
        3,
        "all",
        {
            "backend : Point the free slot at the release, and write its environment and its unit",
            "backend : Start the free slot",
            "backend : Record what serves",
            "nginx : Configure nginx",
            "nginx : Run nginx with its configuration",
            "backend : Keep the serving slot up, now and after a restart of the host",
            "backend : Stop the slot that no longer serves",
            "backend : Record that nothing is due any more",
        },
    ),
]


@pytest.mark.exhaustive("check mode on a finished site says nothing and changes nothing")
def test_nothing_to_do(vm: Host) -> None:
    before = state(vm)
    assert run({}, "--check", "--diff") == []
    assert state(vm) == before


@pytest.fixture(scope="module")
def foretold() -> Changes:
    """What check mode said of the edits so far, each by itself."""
    return []


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.name)
def test_check_mode_foretells_an_edit_and_changes_nothing(vm: Host, foretold: Changes, edit: Edit) -> None:
    before = state(vm)
    found = run({edit.name: edit.value}, "--check", "--diff", f"--tags={edit.tags}")
    assert state(vm) == before
    assert {task for task, _ in found} == edit.tasks
    foretold += found


def test_a_run_does_what_was_foretold(vm: Host, foretold: Changes) -> None:
    """Exactly those tasks, and in them exactly those items and files."""
    before = state(vm)
    assert distinct(run({edit.name: edit.value for edit in EDITS})) == distinct(foretold)
    assert state(vm) != before


def test_the_edits_took_effect(vm: Host, site: Site, main_pid: int, as_application: AsApplication) -> None:
    assert as_application("redis-cli", "CONFIG", "GET", "maxmemory").stdout.split()[1] == str(96 * 1024**2)
    assert site.request("POST", "/api/me/avatar/", data=bytes(10 * 1024**2 + 1)).status_code == 403
    workers = f"pgrep --parent {main_pid} --full spawn_main | wc --lines"
    assert vm.check_output(workers) == "3"


@pytest.mark.exhaustive("a package that is there for another's sake is asked for")
def test_a_package_that_would_go_is_asked_for(vm: Host) -> None:
    """It is there, but nobody has said that it is wanted for its own sake, so apt might remove it."""
    vm.check_output("apt-mark auto redis-server")
    run({}, "--tags=cache")
    assert "redis-server" in vm.check_output("apt-mark showmanual").split()


def test_nothing_secret_is_said(vm: Host, site: Site, secrets: dict[str, str]) -> None:
    """Not by a run that undoes the edits and writes every file with secrets anew, as talkative as it can be."""
    vm.check_output("rm /etc/edusphere/slot-*.env /etc/redis/redis-edusphere.conf")
    said = playbook("-vvv", "--diff").stdout
    assert "write its environment" in said
    for name, secret in secrets.items():
        for form in (secret, json.dumps(secret)[1:-1], repr(secret)[1:-1], secret.replace("$", "\\$")):
            assert form not in said, name
    assert site.get("/api/health/ready/").status_code == 200
    assert site.request("POST", "/api/me/avatar/", data=bytes(10 * 1024**2 + 1)).status_code == 413


def test_preflight_tells_everything_at_once(vm: Host) -> None:
    """A run with a dozen faults changes nothing and names each variable, or the host."""
    faults = {
        "edusphere_domain": "no_host_name",
        "edusphere_mode": "swarm",
        "edusphere_environment": "prod",
        "edusphere_tls": "yes please",
        "edusphere_secret_key": "short",
        "edusphere_database_password": "",
        "edusphere_app_source": "/nowhere/at/all",
        "edusphere_http_port": 22,
    }
    before = state(vm)
    refused = playbook(f"--extra-vars={json.dumps(faults)}", check=False)
    assert refused.returncode != 0
    assert state(vm) == before
    missing = [name for name in faults if name not in refused.stdout + refused.stderr]
    assert missing == []


@pytest.mark.exhaustive("natively, a changed environment that does not get ready leaves the live release alone")
def test_what_does_not_get_ready_leaves_the_rest_alone(vm: Host, site: Site, live: dict[str, str], unit: str) -> None:
    """Its environment and unit are its own: what serves would otherwise take them at its next restart."""
    files = f"sha256sum /etc/edusphere/slot-{live['slot']}.env /etc/edusphere/app.env /etc/systemd/system/{unit}"
    serving = f"{files} && systemctl show --property=InvocationID {unit} && readlink /etc/edusphere/app.env"
    before = vm.check_output(serving)
    wrong = {
        "edusphere_app_environment": {"NEVER": "in force"},
        "edusphere_app_workers": 4,
        "edusphere_app_readiness_expect": "never",
        "backend_ready_timeout": 2,
    }
    refused = playbook(f"--extra-vars={json.dumps(wrong)}", "--tags=app", check=False)
    assert refused.returncode != 0
    assert "did not get ready on default-vm, and was stopped" in refused.stdout
    assert "Started server process" in refused.stdout
    assert vm.check_output(serving) == before
    assert json.loads(vm.file("/srv/edusphere/records/live.fact").content_string) == live
    assert not vm.service(unit.replace(f"@{live['slot']}", "@b" if live["slot"] == "a" else "@a")).is_running
    assert site.get("/api/health/ready/").status_code == 200


def test_what_nginx_rejects_does_not_stay(vm: Host, site: Site, live: dict[str, str], unit: str) -> None:
    """It would keep nginx from starting again, whenever the host is. And nothing stays that it was to lead to."""
    files = "find /etc/nginx -type f -exec sha256sum {} + | sort"
    before = vm.check_output(files)
    run_that_nginx_rejects()
    assert vm.check_output(files) == before
    assert json.loads(vm.file("/srv/edusphere/records/live.fact").content_string) == live
    assert not vm.service(unit.replace(f"@{live['slot']}", "@b" if live["slot"] == "a" else "@a")).is_running
    vm.check_output("nginx -t && systemctl restart nginx")
    assert site.get("/api/health/ready/").status_code == 200
