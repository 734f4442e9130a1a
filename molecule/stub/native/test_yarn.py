"""A frontend that Yarn builds, of both kinds that there are: 1, and the other program that 2 and later are."""

from __future__ import annotations

import json

import pytest
from behaviour.hosts import ROOT, playbook
from testinfra.host import Host

LOCKS = {"1.22.22": "molecule/stub/files/yarn-1.lock", "4.18.1": "tests/stub/frontend/yarn.lock"}


@pytest.mark.exhaustive("a frontend that Yarn builds, versions 1 and 4")
@pytest.mark.parametrize("version", LOCKS)
def test_it_builds(vm: Host, version: str) -> None:
    values = {"edusphere_app_package_manager_version": version, "stub_lock": str(ROOT / LOCKS[version])}
    playbook(f"--extra-vars={json.dumps(values)}", name="molecule/stub/yarn.yml")
    assert "<script" in vm.file(f"/srv/edusphere/build/yarn-{version}/frontend/dist/index.html").content_string
    # It was in the release that it built, and is there no longer.
    assert vm.check_output("ls /usr/local/lib/edusphere-node | grep -c yarn || true") == "0"
    assert not vm.file(f"/srv/edusphere/build/yarn-{version}/.edusphere").exists
