"""What of the host can be reached over the network."""

from __future__ import annotations

import pytest
from behaviour.hosts import probe
from testinfra.host import Host


@pytest.mark.parametrize("port", [22, 80])
def test_open(neighbour: Host, vm_address: str, port: int) -> None:
    assert probe(neighbour, vm_address, port) == "open"


@pytest.mark.parametrize("port", [443, 5173, 5432, 6379, 8000])
def test_closed(neighbour: Host, vm_address: str, port: int) -> None:
    assert probe(neighbour, vm_address, port) == "refused"


def test_nothing_else_listens(vm: Host) -> None:
    """On any address but the host's own loopback."""
    for protocol, expected in (("tcp", {"22", "80"}), ("udp", set())):
        sockets = vm.check_output(f"ss --no-header --numeric --listening --{protocol}").splitlines()
        listening = [line.split()[3].rpartition(":") for line in sockets]
        assert {port for address, _, port in listening if not address.startswith(("127.", "[::1]"))} == expected
