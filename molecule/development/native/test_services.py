"""The services of a site in development, and the application's own tests beside them."""

from __future__ import annotations

import re

from behaviour.developer import CURRENT, as_developer, assert_tests_passed
from behaviour.hosts import probe
from testinfra.host import Host


def test_vite_is_for_nginx_alone(vm: Host, vm_address: str, neighbour: Host) -> None:
    """It listens where its documented command says, and another machine reaches it through nginx only."""
    assert "0.0.0.0:5173" in vm.check_output("ss -Hltn 'sport = :5173'")
    assert probe(neighbour, vm_address, 80) == "open"
    assert probe(neighbour, vm_address, 5173) == "silent"


def test_the_backends_own_tests(vm: Host) -> None:
    """With the real PostgreSQL and Redis, in a database of their own."""
    vm.check_output("runuser -u postgres -- createuser --createdb edusphere")
    try:
        # They bring host names of their own.
        run = vm.run(
            f"cd {CURRENT} && systemd-run --quiet --pipe --wait --collect --uid=edusphere --gid=edusphere --same-dir"
            " --property=EnvironmentFile=/etc/edusphere/app.env"
            " env --unset=ALLOWED_HOSTS --unset=CSRF_TRUSTED_ORIGINS DB_HOST=/run/postgresql DB_USER=edusphere"
            " .venv/bin/python manage.py test --noinput 2>&1"
        )
    finally:
        vm.check_output("runuser -u postgres -- dropuser edusphere")
    assert_tests_passed(run.stdout)
    assert run.rc == 0


def test_the_frontends_own_tests(vm: Host) -> None:
    """With the Node.js that the dev server has."""
    environment = vm.check_output("systemctl show --property Environment --value edusphere-vite")
    said = as_developer(vm, f"env {environment} CI=1 NO_COLOR=1 npm --prefix frontend test 2>&1")
    assert re.search(r"Tests +\d+ passed", said)
    as_developer(vm, f"env {environment} npm --prefix frontend run typecheck")
