#!/usr/bin/python
# Copyright: (c) 2026, EduSphere platform contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# mypy: allow-untyped-calls

from __future__ import annotations

DOCUMENTATION = r"""
module: build_command
short_description: Run a command of a build where it can't harm its host
version_added: 0.1.0
author:
  - EduSphere platform contributors (!UNKNOWN)
description:
  - What a build runs is code of others. The command runs in a transient unit of systemd's, as an account of its own,
    and its control group is killed whole when it ends, so that no process of it is left. A command of the same unit
    that an interrupted run has left is killed first.
  - It writes to the directories that O(confinement) names and to a C(/tmp) of its own, and to nothing else. It does not
    see the homes, the devices, the directories that are hidden from it, and the address by which machines in a cloud
    are told their secrets.
  - Where the host runs out of memory, the kernel ends it before anything that serves, and the message says so.
  - Its environment is in no log, in no output, on no command line, and not in what systemd shows of the unit.
  - Run the task as root, which is whom systemd takes orders from.
attributes:
  check_mode:
    description: Nothing is run.
    support: full
  diff_mode:
    description: A command has no readable difference.
    support: none
options:
  argv:
    description: The command and its arguments. It is looked for on the C(PATH) of its environment.
    type: list
    elements: str
    required: true
  chdir:
    description: The directory that it runs in.
    type: path
    required: true
  stdin:
    description: What it reads from its standard input.
    type: str
    default: ""
  environment:
    description: Its environment, beside that of O(confinement).
    type: dict
    default: {}
  confinement:
    description: Who runs it, and what it reaches.
    type: dict
    required: true
    suboptions:
      unit:
        description: The name of its unit, without the C(.service). Two commands of one name never run at a time.
        type: str
        required: true
      user:
        description: The account that it runs as, whose group has the same name.
        type: str
        required: true
      writable:
        description: The directories that it may write to. They must be there.
        type: list
        elements: path
        required: true
      hidden:
        description: Files and directories that it does not see.
        type: list
        elements: path
        default: []
      memory_max:
        description: How much memory it may take, as systemd's C(MemoryMax=) has it. Empty, as much as there is.
        type: str
        default: ""
      environment:
        description: Environment of all commands. It is logged.
        type: dict
        default: {}
"""

EXAMPLES = r"""
- name: Build the pages
  edusphere.platform.build_command:
    argv: [npm, run, build]
    chdir: /srv/shop/releases/.building
    environment: {VITE_SHOP: books}
    confinement:
      unit: shop-build
      user: shop-build
      writable: [/srv/shop/releases/.building, /srv/shop/build/cache]
      hidden: [/etc/shop, /srv/shop/shared]
      memory_max: 2G
      environment: {PATH: /usr/local/bin:/usr/bin:/bin, HOME: /srv/shop/build/cache}
"""

RETURN = r"""
rc:
  description: The command's return code.
  returned: when it was run
  type: int
stdout:
  description: What it said.
  returned: when it was run
  type: str
stderr:
  description: What it said to its standard error.
  returned: when it was run
  type: str
"""

import contextlib
import os
import subprocess
import time
import typing as t
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.edusphere.platform.plugins.module_utils import confinement as confine
from ansible_collections.edusphere.platform.plugins.module_utils.secrecy import hide, secrets_of

# The setting that limits a build's memory.
SETTING = "release_build_memory_max"
# Where nothing outlives a boot, and what is there lies in memory.
RUN = "/run"
# systemd forgets a unit a moment after it has ended.
FORGETS = 10


def systemctl(*arguments: str) -> str:
    """What systemctl says; a unit that it does not know is no problem."""
    return subprocess.run(["systemctl", *arguments], capture_output=True, text=True, check=False).stdout


@contextlib.contextmanager
def environment_file(unit: str, text: str) -> t.Iterator[str]:
    """A file with an environment that only root reads, for as long as this lasts."""
    path = Path(RUN) / (unit + ".environment")
    # One that a run that was killed has left.
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as stream:
        stream.write(text)
    try:
        yield str(path)
    finally:
        path.unlink(missing_ok=True)


def run(command: t.List[str], stdin: str) -> subprocess.CompletedProcess[str]:
    """Run what starts the unit, once systemd has forgotten the command before."""
    until = time.monotonic() + FORGETS
    while True:
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, errors="replace", check=False)
        if done.returncode == 0 or "already loaded" not in done.stderr or time.monotonic() > until:
            return done
        time.sleep(0.1)


def outcome_of(unit: str, code: int) -> confine.Outcome:
    """How the unit's command ended that has failed."""
    said = systemctl("show", "--property=Result,ExecMainStatus", unit + ".service")
    found = dict(line.split("=", 1) for line in said.splitlines() if "=" in line)
    result, status = found.get("Result", ""), found.get("ExecMainStatus", "")
    killed = result == "signal"
    return confine.Outcome(int(status) if killed and status.isdigit() else code, result, killed)


def message(outcome: confine.Outcome, confinement: confine.Confinement) -> str:
    """Why it has failed, as far as it does not say that itself."""
    if confine.out_of_memory(outcome):
        return confine.without_memory(confinement, SETTING)
    if outcome.code in confine.NOT_STARTED:
        return "systemd could not start it (return code %d); `journalctl --unit %s` says why" % (
            outcome.code,
            confinement.unit,
        )
    return "non-zero return code: %d" % outcome.code


def main() -> None:
    options: t.Dict[str, t.Any] = {
        "unit": {"type": "str", "required": True},
        "user": {"type": "str", "required": True},
        "writable": {"type": "list", "elements": "path", "required": True},
        "hidden": {"type": "list", "elements": "path", "default": []},
        "memory_max": {"type": "str", "default": ""},
        "environment": {"type": "dict", "default": {}},
    }
    module = AnsibleModule(
        argument_spec={
            "argv": {"type": "list", "elements": "str", "required": True},
            "chdir": {"type": "path", "required": True},
            # Scripts, which would fill the log.
            "stdin": {"type": "str", "default": "", "no_log": True},
            "environment": {"type": "dict", "default": {}, "no_log": True},
            "confinement": {"type": "dict", "required": True, "options": options},
        },
        supports_check_mode=True,
    )
    given = module.params["confinement"]
    confinement = confine.Confinement(
        given["unit"], given["user"], tuple(given["writable"]), tuple(given["hidden"]), given["memory_max"]
    )
    own = {name: str(value) for name, value in module.params["environment"].items()}
    environment = {**{name: str(value) for name, value in given["environment"].items()}, **own}
    hide(module, secrets_of(own))
    # What stays of the call in the result is what may be logged.
    shown = {"argv": module.params["argv"], "chdir": module.params["chdir"], "environment": sorted(environment)}
    invocation = {"module_args": shown}
    if module.check_mode:
        module.exit_json(changed=True, invocation=invocation)
    service = confinement.unit + ".service"
    systemctl("stop", service)
    systemctl("reset-failed", service)
    try:
        with environment_file(confinement.unit, confine.environment_text(environment)) as path:
            command = confine.start(confinement, module.params["argv"], module.params["chdir"], path)
            done = run(command, module.params["stdin"])
    except (OSError, ValueError) as error:
        module.fail_json(msg=str(error), invocation=invocation)
    said: t.Dict[str, t.Any] = {
        "rc": done.returncode,
        "stdout": done.stdout,
        "stderr": done.stderr,
        "invocation": invocation,
    }
    if done.returncode:
        outcome = outcome_of(confinement.unit, done.returncode)
        systemctl("reset-failed", service)
        module.fail_json(msg=message(outcome, confinement), **said)
    module.exit_json(changed=True, **said)


if __name__ == "__main__":
    main()
