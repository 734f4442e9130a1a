"""Which ports a ruleset shuts, as nft lists it, and with what command they are opened."""

from __future__ import annotations

import pytest
from ansible_collections.edusphere.platform.plugins.plugin_utils.packet_filter import dropping

# nft indents by tabs; what stands here by spaces is the same to it.
# An operator's own, with a table of the platform's beside it.
OWN = """\
table inet filter {
    set admins {
        type ipv4_addr
        elements = { 192.0.2.7 }
    }
    chain input {
        type filter hook input priority filter; policy drop;
        iifname "lo" accept
        ct state vmap { invalid : drop, established : accept, related : accept }
        tcp dport 22 accept comment "ssh"
    }
    chain forward {
        type filter hook forward priority filter; policy accept;
        tcp dport 80 accept
    }
}
table inet edusphere {
    chain input {
        type filter hook input priority filter - 5; policy accept;
        ip saddr { 192.0.2.1 } tcp dport 5432 accept
        tcp dport 5432 drop
    }
}
"""
# ufw's, as `ufw allow OpenSSH && ufw enable` makes it, cut.
UFW = """\
table ip filter {
    chain ufw-before-input {
        iifname "lo" counter packets 1 bytes 5 accept
        ct state related,established counter packets 1 bytes 5 accept
        ip protocol icmp icmp type echo-request counter packets 0 bytes 0 accept
        udp sport 67 udp dport 68 counter packets 0 bytes 0 accept
        counter packets 0 bytes 0 jump ufw-user-input
    }
    chain ufw-user-input {
        tcp dport 22 counter packets 0 bytes 0 accept
    }
    chain INPUT {
        type filter hook input priority filter; policy drop;
        counter packets 1 bytes 5 jump ufw-before-input
    }
    chain DOCKER {
        ip daddr 172.17.0.2 tcp dport 80 counter packets 0 bytes 0 accept
    }
    chain FORWARD {
        type filter hook forward priority filter; policy drop;
        counter packets 0 bytes 0 jump DOCKER
    }
}
"""
OPENS = "tcp dport 22 accept"


def shut(text: str, port: int) -> list[str]:
    """The commands that open a port."""
    return [chain.opens(port) for chain in dropping(text.splitlines()) if chain.shuts(port)]


@pytest.mark.parametrize(
    ("text", "command"), [(OWN, "nft insert rule inet filter input tcp dport 80 accept"), (UFW, "ufw allow 80/tcp")]
)
def test_a_port_that_is_shut(text: str, command: str) -> None:
    assert shut(text, 80) == [command]
    assert shut(text, 22) == []
    # To some hosts, and by a table that lets the rest pass.
    assert dropping(OWN[OWN.index("table inet edusphere") :].splitlines()) == ()


@pytest.mark.parametrize(
    "rule",
    [
        "tcp dport 80 accept",
        "tcp dport { 22, 80, 443 } accept",
        "tcp dport 1-1023 counter accept",
        "tcp dport { 22, 79-81 } ct state new accept",
        "ip saddr 192.0.2.0/24 tcp dport 80 accept",
        "tcp dport vmap { 22 : accept, 80 : accept }",
        "tcp dport @web accept",
        'ip protocol tcp xt match "multiport" accept',
        "accept",
        "counter packets 3 bytes 180 accept",
    ],
)
def test_a_port_that_may_be_open(rule: str) -> None:
    assert shut(OWN.replace('tcp dport 22 accept comment "ssh"', rule), 80) == []


@pytest.mark.parametrize("rule", ["drop", "counter packets 3 bytes 180 drop", "reject with icmpx admin-prohibited"])
def test_a_chain_that_ends_with_a_drop(rule: str) -> None:
    text = OWN.replace("policy drop", "policy accept").replace(' accept comment "ssh"', f" accept\n{rule}")
    assert shut(text, 80) == ["nft insert rule inet filter input tcp dport 80 accept"]
    assert shut(OWN.replace("policy drop", "policy accept"), 80) == []


def test_no_rules() -> None:
    assert dropping([]) == ()
