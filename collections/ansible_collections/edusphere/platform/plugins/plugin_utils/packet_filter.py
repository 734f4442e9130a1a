# Copyright: (c) 2026, EduSphere platform contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a host's packet filter shuts a port to others: ufw, or an operator's own table.

It reads what ``nft --numeric list ruleset`` prints, https://manpages.debian.org/stable/nftables/nft.8.en.html. A port
is shut if a chain with the hook input drops what no rule accepts, and no rule that it leads to accepts the port. A rule
that can't be read here may do so: then the port counts as open, since a wrong warning is worse than none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

# What makes a rule one for some packets alone. An accept without any of it lets everything in.
CONDITION = re.compile(
    r"\b(?:ct|iif|iifname|iiftype|oif|oifname|saddr|daddr|sport|dport|icmp|icmpv6|ipv6-icmp|igmp|udp|esp|ah|sctp|"
    r"pkttype|fib|mark|limit|skuid|protocol|l4proto|nexthdr|type|nftrace)\b"
)
# Rules of modules that nft can't translate, and sets that are listed elsewhere.
UNREADABLE = re.compile(r"xt match|\bdport (?:vmap )?@")
PORTS = re.compile(r"\bdport (?:vmap )?(?:\{([^}]*)\}|([0-9-]+))")
# A rule that ends its chain for everything that comes to it, counted or not.
DROPS = re.compile(r"(?:counter(?: packets \d+ bytes \d+)? )?(?:drop|reject\b.*)")


@dataclass(frozen=True)
class Chain:
    """A chain that drops what no rule accepts."""

    table: str
    """Its family and name."""
    name: str
    ports: tuple[tuple[int, int], ...]
    """Ranges of ports that something is accepted for."""

    def shuts(self, port: int) -> bool:
        """Whether no rule lets anybody reach the port."""
        return not any(first <= port <= last for first, last in self.ports)

    def opens(self, port: int) -> str:
        """The command that opens the port."""
        if "ufw-user-input" in self.name:
            return f"ufw allow {port}/tcp"
        return f"nft insert rule {self.table} {self.name} tcp dport {port} accept"


def dropping(lines: Sequence[str]) -> tuple[Chain, ...]:
    """The chains that what comes to the host has to pass, and that drop by default, in the lines of a ruleset."""
    found = []
    for table, chains in _tables(lines).items():
        for name, rules in chains.items():
            drops = any("policy drop" in rule for rule in rules) or (rules and DROPS.fullmatch(rules[-1]))
            if not drops or not any("hook input" in rule for rule in rules):
                continue
            passed = _passed(name, chains)
            accepts = [rule for chain in passed for rule in chains[chain] if re.search(r"\baccept\b", rule)]
            if all(CONDITION.search(rule) and not UNREADABLE.search(rule) for rule in accepts):
                ports = tuple(pair for rule in accepts for pair in _ports(rule))
                found.append(Chain(table, "ufw-user-input" if "ufw-user-input" in passed else name, ports))
    return tuple(found)


def _passed(name: str, chains: Mapping[str, Sequence[str]]) -> list[str]:
    """The chain and those that its rules lead to."""
    passed = [name]
    for chain in passed:
        for rule in chains[chain]:
            led = re.findall(r"\b(?:jump|goto) (\S+?)(?=[, }]|$)", rule)
            passed += [to for to in dict.fromkeys(led) if to in chains and to not in passed]
    return passed


def _tables(lines: Sequence[str]) -> dict[str, dict[str, list[str]]]:
    """The rules of each chain of each table."""
    tables: dict[str, dict[str, list[str]]] = {}
    chains: dict[str, list[str]] = {}
    rules: list[str] = []
    for line in lines:
        text = re.sub(r'\s*(?:#.*|comment "[^"]*")$', "", line.strip())
        if match := re.fullmatch(r"table (\S+ \S+) \{", text):
            chains = tables.setdefault(match[1], {})
        elif match := re.fullmatch(r"chain (\S+) \{", text):
            rules = chains.setdefault(match[1], [])
        elif match := re.fullmatch(r"(?:set|map|flowtable|ct \S+) .*\{", text):
            rules = []
        elif text and text != "}":
            rules.append(text)
    return tables


def _ports(rule: str) -> list[tuple[int, int]]:
    found = []
    for match in PORTS.finditer(rule):
        for first, last in re.findall(r"(\d+)(?:-(\d+))?(?=\s*(?:,|:|$))", (match[1] or match[2]).strip()):
            found.append((int(first), int(last or first)))
    return found
