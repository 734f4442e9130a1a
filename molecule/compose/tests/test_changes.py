"""What `site.yml --check` says of a stack is what a run then does; who doesn't read what changed is left alone."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from behaviour.hosts import playbook
from behaviour.platforms import STACK, Stack
from behaviour.runs import Changes, distinct, run, run_that_nginx_rejects
from behaviour.visitor import Site
from testinfra.host import Host

# Of a container, an image, a volume or a network; commands that are run in a container are none of them.
NOISE = ("exec_", "health_status")
FILES = "find /srv/edusphere /etc/docker /usr/local -printf '%p %i %m %u %g %s %C@ %l\n' | sort"
EDIT = {
    "edusphere_app_environment": {"SOME": 'value with "quotes", $dollars and #hashes'},
    # Stands in compose.yaml.
    "edusphere_app_workers": 3,
}
TASKS = {
    "compose : Describe the stack",
    "backend : Write the environment of the release",
    "backend : Start the containers",
    "backend : Make the release the stack's own",
    "backend : Record what serves",
    "nginx : Configure nginx",
    "nginx : Run nginx with its configuration",
    "backend : Remove the containers that no longer serve",
    "backend : Record that nothing is due any more",
}


def containers(vm: Host) -> dict[str, str]:
    """Each container's id and start, by its service."""
    lines = vm.check_output(
        f'cd {STACK} && docker inspect --format \'{{{{index .Config.Labels "com.docker.compose.service"}}}} '
        "{{.Id}} {{.State.StartedAt}}' $(docker compose ps --all --quiet)"
    ).splitlines()
    assert len(lines) == len({line.split()[0] for line in lines})
    return dict(line.split(" ", 1) for line in lines)


@contextmanager
def untouched(vm: Host) -> Iterator[None]:
    """Fail unless files, containers and the engine's log are as they were."""
    files, running, since = vm.check_output(FILES), containers(vm), vm.check_output("date +%s.%N")
    yield
    events = vm.check_output("docker events --since %s --until %s --format '{{.Type}} {{.Action}}'", since, "0s")
    assert [event for event in events.splitlines() if not event.split()[1].startswith(NOISE)] == []
    assert containers(vm) == running
    assert vm.check_output(FILES) == files


@pytest.fixture(scope="module")
def foretold() -> Changes:
    """What check mode said of the edit."""
    return []


@pytest.mark.exhaustive("check mode on a finished stack says nothing and changes nothing")
def test_nothing_to_do(vm: Host) -> None:
    with untouched(vm):
        assert run({}, "--check", "--diff") == []


def test_check_mode_foretells_an_edit_and_changes_nothing(vm: Host, foretold: Changes) -> None:
    with untouched(vm):
        foretold += run(EDIT, "--check", "--diff", "--tags=app")
    assert {task for task, _ in foretold} == TASKS


def test_a_run_does_what_was_foretold_and_leaves_the_others_alone(
    vm: Host, site: Site, stack: Stack, foretold: Changes
) -> None:
    before = containers(vm)
    assert distinct(run(EDIT, "--tags=app")) == distinct(foretold)
    after = containers(vm)
    assert {service for service in after if after[service] != before[service]} == {"backend"}
    assert stack.environment["SOME"] == 'value with "quotes", $dollars and #hashes'
    assert stack.inspect("backend", "{{index .Config.Cmd 6}}") == "3"
    assert site.get("/api/health/ready/").status_code == 200


@pytest.mark.exhaustive("containers that do not get ready leave the live release alone")
def test_what_does_not_get_ready_leaves_the_rest_alone(vm: Host, site: Site, stack: Stack) -> None:
    """What serves has its environment still, and so has the stack's directory."""
    before, files = containers(vm), f"cd {STACK} && sha256sum .env .env.docker nginx/*"
    digests, live = vm.check_output(files), stack.live
    wrong = {
        "edusphere_app_environment": {"NEVER": "in force"},
        "edusphere_app_readiness_expect": "never",
        "backend_ready_timeout": 2,
    }
    refused = playbook(f"--extra-vars={json.dumps(wrong)}", "--tags=app", check=False)
    assert refused.returncode != 0
    assert "did not get ready on compose-vm, and was stopped" in refused.stdout
    assert "Started server process" in refused.stdout
    assert containers(vm) == before
    assert (vm.check_output(files), stack.live) == (digests, live)
    assert site.get("/api/health/ready/").status_code == 200


@pytest.mark.exhaustive("in Compose mode, a configuration that nginx rejects is taken back")
def test_what_nginx_rejects_does_not_stay(vm: Host, site: Site, stack: Stack) -> None:
    """It would keep nginx from starting again, whenever the host is. And nothing stays that it was to lead to."""
    files = f"cd {STACK} && sha256sum .env .env.docker nginx/*"
    before, digests, live = containers(vm), vm.check_output(files), stack.live
    run_that_nginx_rejects()
    assert containers(vm) == before
    assert (vm.check_output(files), stack.live) == (digests, live)
    vm.check_output(f"cd {STACK} && docker compose restart nginx")
    site.wait_until_ready()


def test_a_backend_that_comes_back_elsewhere_is_found(site: Site, stack: Stack) -> None:
    """Containers keep their names, and not their addresses: nginx asks again."""
    with stack.elsewhere("backend"):
        site.wait_until_ready()
        deadline = time.monotonic() + 60
        while stack.inspect("backend", "{{.State.Health.Status}}") != "healthy":
            assert time.monotonic() < deadline
            time.sleep(0.5)
