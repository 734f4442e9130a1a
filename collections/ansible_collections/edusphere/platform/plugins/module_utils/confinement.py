# Copyright: (c) 2026, EduSphere platform contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a command of a build may do on its host, as properties of a transient unit of systemd's (systemd.exec(5))."""

from __future__ import annotations

import re
import typing as t

# As the backend's own units have them; and nothing of the address by which machines in a cloud are told their secrets.
ALWAYS = (
    "KillMode=control-group",
    "KillSignal=SIGKILL",
    "UMask=0022",
    "NoNewPrivileges=true",
    "CapabilityBoundingSet=",
    "PrivateTmp=true",
    "PrivateDevices=true",
    "ProtectSystem=strict",
    "ProtectHome=true",
    "ProtectKernelTunables=true",
    "ProtectKernelModules=true",
    "ProtectKernelLogs=true",
    "ProtectControlGroups=true",
    "ProtectClock=true",
    "ProtectHostname=true",
    # Node.js asks the kernel for the machine's addresses by netlink.
    "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK",
    "RestrictNamespaces=true",
    "RestrictRealtime=true",
    "RestrictSUIDSGID=true",
    "LockPersonality=true",
    "SystemCallArchitectures=native",
    # Protection keys are what V8 has for its own code.
    "SystemCallFilter=@system-service @pkey",
    "SystemCallErrorNumber=EPERM",
    "IPAddressDeny=169.254.169.254/32 fd00:ec2::254/128",
    # Where memory runs out, the kernel ends a build before it ends a database or a backend.
    "OOMScoreAdjust=1000",
    "OOMPolicy=stop",
    "TasksMax=4096",
    # A builder may serve meanwhile: what a build takes of its processors is what visitors leave.
    "Nice=15",
)
# What systemd itself ends a command with that it could not confine or start (systemd.exec(5)).
NOT_STARTED = range(200, 246)
# What a shell says of a command that a signal has ended, which for want of memory is SIGKILL.
KILLED = 128 + 9


class Confinement(t.NamedTuple):
    """Who runs the commands of a build, and what they reach."""

    unit: str
    user: str
    writable: t.Tuple[str, ...]
    hidden: t.Tuple[str, ...] = ()
    memory_max: str = ""


class Outcome(t.NamedTuple):
    """How a command ended, as systemd tells it."""

    code: int
    result: str = ""
    signal: bool = False
    """Whether a signal has ended its first process."""


def properties(confinement: Confinement) -> t.List[str]:
    """The properties of the unit."""
    found = ["User=" + confinement.user, "Group=" + confinement.user, *ALWAYS]
    found += ("ReadWritePaths=" + path for path in confinement.writable)
    # Not everything is there before a site's first deployment.
    found += ("InaccessiblePaths=-" + path for path in (*confinement.hidden, "/run/dbus"))
    if confinement.memory_max:
        found += ["MemoryMax=" + confinement.memory_max]
    return found


def start(confinement: Confinement, argv: t.Sequence[str], directory: str, environment_file: str) -> t.List[str]:
    """The command that runs ``argv`` in its unit, waits for its end, and passes on what it says.

    What is looked for on the path is looked for on the unit's, not on that of who calls. systemd fills in variables.
    """
    words = [word.replace("$", "$$") for word in argv]
    return [
        *("systemd-run", "--quiet", "--wait", "--pipe", "--service-type=exec", "--unit=" + confinement.unit),
        *("--description=A command of a build", "--working-directory=" + directory),
        *("--property=" + each for each in [*properties(confinement), "EnvironmentFile=" + environment_file]),
        *("--", "/usr/bin/env", "--", *words),
    ]


def environment_text(environment: t.Mapping[str, str]) -> str:
    """An environment file of systemd's; ValueError, without values, for what it can't hold."""
    wrong = [name for name in environment if not re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", name)]
    wrong += [name for name, value in environment.items() if "\0" in value]
    if wrong:
        raise ValueError("environment: %s can't be set" % ", ".join(sorted(wrong)))
    escaped = {name: re.sub(r'([\\"$`])', r"\\\1", value) for name, value in sorted(environment.items())}
    return "".join('%s="%s"\n' % entry for entry in escaped.items())


def out_of_memory(outcome: Outcome) -> bool:
    """Whether the kernel has ended the command, or a part of it, for want of memory.

    Without control groups of the second version systemd does not know; nobody else kills a part of a build.
    """
    return outcome.result == "oom-kill" or outcome.code == KILLED or (outcome.signal and outcome.code == KILLED - 128)


def without_memory(confinement: Confinement, setting: str) -> str:
    """What to tell of a command that was ended for want of memory, where ``setting`` limits it."""
    if confinement.memory_max:
        return (
            "It was ended because it needed more memory than the %s that %s allows. Raise it, or build on another host "
            "(edusphere_builder)." % (confinement.memory_max, setting)
        )
    return (
        "It was ended because the host ran out of memory. Give the host more memory or swap, or build on another host "
        "(edusphere_builder). %s limits what a build may take." % setting
    )
