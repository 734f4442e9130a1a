"""PostgreSQL and Redis as the application needs them, and the upgrades that leave them alone."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from behaviour.hosts import AsApplication
from testinfra.backend.base import CommandResult
from testinfra.host import Host


def sql(vm: Host, query: str, database: str = "coredb") -> str:
    """PostgreSQL's answer to its administrator."""
    command = "runuser -u postgres -- psql --no-psqlrc --quiet --tuples-only --no-align --dbname %s --command %s"
    return str(vm.check_output(command, database, query))


@pytest.fixture
def log_in(as_application: AsApplication) -> Callable[[str, str], CommandResult]:
    """A function: a user and a database to the outcome of logging in there with the application's password."""

    def attempt(user: str, database: str) -> CommandResult:
        return as_application(
            *["psql", "--no-psqlrc", "--host", "127.0.0.1", "--username", user, "--dbname", database],
            *["--tuples-only", "--command", "SELECT 1"],
        )

    return attempt


@pytest.fixture
def redis_settings(as_application: AsApplication) -> dict[str, str]:
    """What Redis runs with."""
    lines = as_application("redis-cli", "CONFIG", "GET", "*").stdout.split("\n")
    return dict(zip(lines[::2], lines[1::2], strict=False))


def test_the_application_has_a_database_and_no_more(vm: Host) -> None:
    owner = "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'coredb'"
    assert sql(vm, owner) == "db_user"
    rights = (
        "SELECT rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls, rolcanlogin"
        " FROM pg_roles WHERE rolname = 'db_user'"
    )
    assert sql(vm, rights) == "f|f|f|f|f|t"
    assert sql(vm, "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'") == "db_user"
    assert sql(vm, "SELECT has_database_privilege('public', 'coredb', 'CONNECT')") == "f"


def test_passwords_are_scram(vm: Host, log_in: Callable[[str, str], CommandResult]) -> None:
    assert sql(vm, "SHOW password_encryption") == "scram-sha-256"
    assert sql(vm, "SELECT rolpassword LIKE 'SCRAM-SHA-256$%' FROM pg_authid WHERE rolname = 'db_user'") == "t"
    assert sql(vm, "SELECT string_agg(DISTINCT auth_method, ' ') FROM pg_hba_file_rules") == "peer scram-sha-256"
    assert sql(vm, "SELECT count(error) FROM pg_hba_file_rules") == "0"
    assert log_in("db_user", "coredb").succeeded
    wrong = "PGPASSWORD=wrong psql --no-psqlrc --host 127.0.0.1 --username db_user --dbname coredb --command 'SELECT 1'"
    assert "password authentication failed" in vm.run(wrong).stderr
    for user, database in (("postgres", "coredb"), ("db_user", "postgres")):
        assert "no pg_hba.conf entry" in log_in(user, database).stderr


def test_postgresql_fits_the_host(vm: Host) -> None:
    memory = int(re.findall(r"MemTotal:\s+(\d+)", vm.file("/proc/meminfo").content_string)[0]) * 1024
    buffers = int(sql(vm, "SELECT pg_size_bytes(current_setting('shared_buffers'))"))
    assert memory / 16 < buffers < memory / 4 or buffers == 8 * 1024**3
    assert sql(vm, "SHOW listen_addresses") == "localhost"
    assert sql(vm, "SELECT count(*) FROM pg_settings WHERE pending_restart") == "0"


def test_redis_keeps_nothing(vm: Host, as_application: AsApplication, redis_settings: dict[str, str]) -> None:
    assert redis_settings["save"] == ""
    assert redis_settings["appendonly"] == "no"
    files = "find /var/lib/redis /run/redis-edusphere -regex '.*[.]\\(rdb\\|aof.*\\)' -printf '%p %T@\\n'"
    before = vm.check_output(files)
    assert as_application("redis-cli", "SET", "kept", "yes").stdout == "OK\n"
    vm.check_output("systemctl restart redis-server@edusphere")
    assert as_application("redis-cli", "EXISTS", "kept").stdout == "0\n"
    assert vm.check_output(files) == before


def test_redis_is_bounded_and_spares_the_channel_layer(redis_settings: dict[str, str]) -> None:
    assert int(redis_settings["maxmemory"]) >= 64 * 1024**2
    assert redis_settings["maxmemory-policy"].startswith("volatile-")


def test_redis_asks_for_the_password(vm: Host) -> None:
    assert "NOAUTH" in vm.check_output("redis-cli PING")
    wrong = vm.run("REDISCLI_AUTH=wrong redis-cli PING")
    assert "WRONGPASS" in wrong.stdout + wrong.stderr


def test_upgrades_leave_the_servers_to_the_operator(vm: Host) -> None:
    """The list's patterns, held against the names of the packages that are installed."""
    lists = "import apt_pkg; apt_pkg.init(); print('\\n'.join(apt_pkg.config.value_list('Unattended-Upgrade::%s')))"
    held = vm.check_output("python3 -c %s", lists.replace("%s", "Package-Blacklist")).split()
    installed = vm.check_output("dpkg-query --show --showformat '${Package}\\n'").split()

    def is_held(package: str) -> bool:
        return any(re.match(pattern, package) for pattern in held)

    servers = [name for name in installed if re.search("postgresql|redis-server|nginx", name)]
    assert {name.partition("-")[0] for name in servers} >= {"nginx", "postgresql", "redis"}
    assert [name for name in servers if not is_held(name)] == []
    assert is_held("docker.io")
    assert [name for name in ("openssl", "libssl3t64", "openssh-server", "python3", "libc6") if is_held(name)] == []

    origins = vm.check_output("python3 -c %s", lists.replace("%s", "Origins-Pattern")).splitlines()
    assert origins
    assert all("-security" in origin for origin in origins)
    for name in ("Update-Package-Lists", "Unattended-Upgrade"):
        assert vm.check_output(f"apt-config shell value APT::Periodic::{name}") == "value='1'"
