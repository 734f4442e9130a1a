"""What a developer of the site does on its host: edits sources, and waits until it shows."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from testinfra.host import Host

CURRENT = "/srv/edusphere/current"
SECONDS = 30


def as_developer(vm: Host, command: str, *arguments: str) -> str:
    """What a command says that runs as the service account, in the sources."""
    said: str = vm.check_output(f"cd {CURRENT} && runuser -u edusphere -- {command}", *arguments)
    return said


@contextmanager
def edited(vm: Host, path: str, old: str, new: str) -> Iterator[None]:
    """A file of the sources with `old` replaced by `new`, as an editor does it, for as long as the context lasts."""
    as_developer(vm, "cp -p %s /tmp/original", path)
    try:
        as_developer(vm, "sed -i %s %s", f"s/{old}/{new}/", path)
        assert new in vm.check_output("cat %s", f"{CURRENT}/{path}")
        yield
    finally:
        as_developer(vm, "cp /tmp/original %s", path)


def eventually(question: Callable[[], Any], expected: object) -> None:
    """Ask until the answer is the expected one."""
    end = time.monotonic() + SECONDS
    while (answer := question()) != expected:
        assert time.monotonic() < end, f"still {answer!r} after {SECONDS} s, not {expected!r}"
        time.sleep(0.2)


def assert_tests_passed(said: str) -> None:
    """Fail unless Django's runner says that the application's own tests, which are many, passed."""
    ran = re.search(r"^Ran (\d+) tests.*\n\nOK$", said, re.MULTILINE)
    assert ran, said[-4000:]
    assert int(ran[1]) > 50
