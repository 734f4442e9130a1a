"""What hosts and their containers download is kept beside them, and fetched once."""

from __future__ import annotations

import pytest
from testinfra.host import Host

FILES = {
    "a package of Debian": "http://deb.debian.org/debian/pool/main/h/hello/hello_2.10-5_amd64.deb",
    "an archive of PyPI": "https://files.pythonhosted.org/packages/d9/5a/e7c31adbe875f2abbb91bd84cf2dc52d792b5a01506781dbcf25c91daf11"
    "/six-1.16.0-py2.py3-none-any.whl",
    "an archive of npm": "https://registry.npmjs.org/is-number/-/is-number-7.0.0.tgz",
    "a list of PyPI's": "https://pypi.org/simple/six/",
}
PROGRAM = """
import hashlib, sys, urllib.request
with urllib.request.urlopen(sys.argv[1], timeout=60) as answer:
    print(answer.headers["X-Testbed-Downloads"], hashlib.sha256(answer.read()).hexdigest())
"""


@pytest.mark.parametrize("url", FILES.values(), ids=FILES)
def test_the_second_download_is_kept(vm: Host, url: str) -> None:
    """Of the host, and of a container: both ask the same, and trust it."""
    _, first = vm.check_output("python3 -c %s %s", PROGRAM, url).split()
    again = vm.check_output("python3 -c %s %s", PROGRAM, url).split()
    inside = vm.check_output("docker run --rm python:3.13-slim python3 -c %s %s", PROGRAM, url).split()
    assert again == inside == ["HIT", first]
