"""What is true of the machine itself once the site has been deployed."""

from __future__ import annotations

from testinfra.host import Host


def test_nothing_has_failed(vm: Host) -> None:
    """Every unit of systemd is well."""
    assert vm.check_output("systemctl --failed --no-legend --plain") == ""
