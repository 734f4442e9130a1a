"""Whose the files are, and that secrets are in none that others read."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from behaviour.hosts import write_secretly
from testinfra.host import Host


@pytest.mark.parametrize(
    ("path", "owner", "group", "mode"),
    [
        ("/etc/edusphere", "root", "root", 0o755),
        ("/etc/edusphere/slot-a.env", "root", "edusphere", 0o640),
        ("/srv/edusphere/current/.overlay", "root", "root", 0o755),
        ("/etc/redis/redis-edusphere.conf", "redis", "redis", 0o640),
        ("/srv/edusphere", "root", "root", 0o755),
        ("/srv/edusphere/releases", "root", "root", 0o755),
        ("/srv/edusphere/current/manage.py", "root", "root", 0o755),
        ("/srv/edusphere/current/.venv/bin/uvicorn", "root", "root", 0o755),
        ("/srv/edusphere/shared/media", "edusphere", "edusphere", 0o755),
        ("/srv/edusphere/shared/logs", "edusphere", "edusphere", 0o750),
        ("/usr/local/bin/edusphere-manage", "root", "root", 0o755),
    ],
)
def test_owners_and_modes(vm: Host, path: str, owner: str, group: str, mode: int) -> None:
    file = vm.file(path)
    assert (file.user, file.group, oct(file.mode)) == (owner, group, oct(mode))


def test_other_accounts_can_write_nothing(vm: Host) -> None:
    search = "cd / && runuser -u nobody -- find /srv /etc /usr /opt /var/lib /var/log -writable ! -type l 2>/dev/null"
    assert vm.run(search).stdout == ""


def test_the_service_cannot_change_what_it_runs(vm: Host) -> None:
    places = "/srv/edusphere/releases /srv/edusphere/slots /etc/edusphere /usr/local"
    assert vm.check_output(f"cd / && runuser -u edusphere -- find {places} -writable ! -type l") == ""
    assert vm.check_output("find /srv/edusphere/releases ! -user root -o ! -group root") == ""
    assert vm.check_output("find /srv/edusphere/releases -perm /022 ! -type l") == ""


def test_what_the_build_needed_is_not_served(vm: Host) -> None:
    assert vm.check_output("find /srv/edusphere/releases -name node_modules -prune") == ""
    assert vm.file("/srv/edusphere/build").mode == 0o750


@pytest.fixture
def patterns(vm_name: str, vm: Host, secrets: dict[str, str]) -> Iterator[str]:
    """A file that root reads: the secrets as they are, and as JSON, environment files and Redis' configuration have them."""
    forms = set(secrets.values())
    for secret in secrets.values():
        quoted = secret.replace("\\", "\\\\").replace('"', '\\"')
        forms |= {json.dumps(secret)[1:-1], quoted, quoted.replace("$", "\\$")}
    write_secretly(vm_name, "/root/patterns", "".join(f"{form}\n" for form in sorted(forms)))
    yield "/root/patterns"
    vm.check_output("rm /root/patterns")


def test_secrets_are_in_no_file_that_others_read(vm: Host, patterns: str) -> None:
    search = "runuser -u nobody -- grep --recursive --files-with-matches --no-messages --fixed-strings --file=-"
    places = "/etc /srv /home /opt /usr/local /var /run /tmp /dev/shm"
    assert vm.run(f"{search} {places} < {patterns}").stdout == ""


def test_secrets_are_in_no_log(vm: Host, patterns: str) -> None:
    """Not even in those that only root reads: what Ansible's modules were called with, what PostgreSQL was told."""
    assert vm.run(f"grep --recursive --files-with-matches --fixed-strings --file={patterns} /var/log").stdout == ""
    journal = "journalctl --quiet --no-pager --all --output=cat"
    assert int(vm.check_output(f"{journal} | wc --lines")) > 100
    assert vm.run(f"{journal} | grep --fixed-strings --file={patterns}").stdout == ""


def test_secrets_are_on_no_command_line(vm: Host, patterns: str) -> None:
    lines = "cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' '\\n'"
    assert "uvicorn" in vm.check_output(lines)
    assert vm.run(f"{lines} | grep --fixed-strings --file={patterns}").stdout == ""
