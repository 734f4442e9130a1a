#!/usr/bin/python
# Copyright: (c) 2026, EduSphere platform contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# mypy: allow-untyped-calls

from __future__ import annotations

DOCUMENTATION = r"""
module: systemd_unit
short_description: Make a systemd unit run what its files say
version_added: 0.1.0
author:
  - EduSphere platform contributors (!UNKNOWN)
description:
  - Starts, restarts, reloads or stops a unit. Whether a restart or a reload is needed follows from state, from which
    files the running processes have read against the files that are there now, and not from a notification. A run that
    was killed between a template and its handler is therefore repaired by the next one.
  - After each success a record of the unit's invocation and of the digests of its files is kept in
    C(/var/lib/edusphere-platform/units). Where somebody else started the unit (an operator, a package, a reboot), or
    where there is no record yet, the files' change times are compared with the time the unit was started. The unit is
    adopted as it is when all its files are older, and restarted or reloaded otherwise.
  - Tells systemd to read its unit files again when it says that it needs to.
notes:
  - A oneshot unit without C(RemainAfterExit=yes) is never running, so it is started each time.
attributes:
  check_mode:
    description: Predicts what a run would do.
    support: full
  diff_mode:
    description: Says which files the running processes have not read.
    support: full
extends_documentation_fragment:
  - edusphere.platform.systemd_unit
  - edusphere.platform.drain
options:
  state:
    description:
      - V(started) also restarts or reloads the unit where its files demand it.
      - V(stopped) is content with a unit that does not exist.
      - When it is not given, only O(enabled) is looked after.
    type: str
    choices: [started, stopped]
  enabled:
    description:
      - Whether the unit starts at boot. When it is not given, that is left as it is.
    type: bool
  validate:
    description:
      - A command and its arguments, run before a start, a restart or a reload. When it fails, the unit is left alone.
    type: list
    elements: str
    default: []
seealso:
  - module: edusphere.platform.systemd_unit_info
"""

EXAMPLES = r"""
- name: Run nginx with the configuration that is there
  edusphere.platform.systemd_unit:
    name: nginx
    state: started
    enabled: true
    reload_on:
      - /etc/nginx/
    reload_pending: "{{ __nginx_configuration is changed }}"
    validate: [nginx, -t]

- name: Run the backend with its environment and its release
  edusphere.platform.systemd_unit:
    name: edusphere-backend@a
    state: started
    enabled: true
    restart_on:
      - /etc/edusphere/app.env
      - /etc/edusphere/python
      - /srv/edusphere/slots/a
    restart_pending: "{{ __backend_environment is changed }}"

- name: Stop the other slot
  edusphere.platform.systemd_unit:
    name: edusphere-backend@b
    state: stopped
    enabled: false
    drain_time: 30
    drain_proxy: nginx
    drain_proxy_files: [/etc/nginx/sites-enabled/edusphere.conf]
"""

RETURN = r"""
name:
  description: The unit's full name.
  returned: success
  type: str
  sample: nginx.service
action:
  description:
    - What was done, or in check mode would be.
    - One of V(none), V(adopted), V(started), V(restarted), V(reloaded), V(stopped).
    - V(adopted) is no change. The unit was already as wanted, started by somebody else, and is now on record.
  returned: success
  type: str
reason:
  description: Why, for a person to read. It names the files or the state.
  returned: success
  type: str
  sample: /etc/nginx/nginx.conf changed
enabled_changed:
  description: Whether the unit was enabled or disabled.
  returned: success
  type: bool
daemon_reloaded:
  description: Whether systemd was told to read its unit files again.
  returned: success
  type: bool
condition_failed:
  description: Whether systemd does not start the unit since one of its conditions is not met. That is no error.
  returned: success
  type: bool
invocation_id:
  description: systemd's id of the start that runs now; empty when nothing runs.
  returned: success
  type: str
"""

import typing as t
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.edusphere.platform.plugins.module_utils.drain import (
    PARAMETERS,
    UNSETTLED,
    drain,
    settle,
)
from ansible_collections.edusphere.platform.plugins.module_utils.read_files import digests, write_record
from ansible_collections.edusphere.platform.plugins.module_utils.systemd_unit import (
    Decision,
    Inspection,
    Record,
    Systemctl,
    Unit,
    UnitError,
    argument_spec,
    dump_record,
    inspect,
    record_path,
    unit_name,
)

DONE = {"none": "none", "adopt": "adopted", "start": "started", "restart": "restarted", "reload": "reloaded"}

# Started with the machine, or started by something that is: nothing to enable.
ENABLED_STATES = ("enabled", "alias", "generated", "indirect")

UNMET = "a condition of the unit is not met"


class Outcome(t.NamedTuple):
    """What was done about the running of a unit."""

    action: str
    reason: str
    unit: Unit
    condition_failed: bool = False


def run(module: AnsibleModule) -> t.Dict[str, t.Any]:
    """Bring the unit to where the parameters want it; the module's result."""
    systemctl = Systemctl(module)
    state: t.Optional[str] = module.params["state"]
    seen, daemon_reloaded = look(module, systemctl)
    unit = seen.unit
    if not unit.exists and not module.check_mode and (state == "started" or module.params["enabled"]):
        raise UnitError(
            "name: systemd knows no unit %s; install the package or write the unit file before this task" % unit.name
        )
    if unit.load_state == "masked" and (state == "started" or module.params["enabled"]):
        raise UnitError("%s is masked; remove the mask with `systemctl unmask %s`" % (unit.name, unit.name))
    if unit.load_state not in ("loaded", "not-found", "masked"):
        raise UnitError("%s cannot be used (%s): %s" % (unit.name, unit.load_state, unit.load_error))

    enabled_changed = enable(module, systemctl, unit)
    if state == "started":
        outcome = start(module, systemctl, seen)
    elif state == "stopped":
        outcome = stop(module, systemctl, unit)
    else:
        outcome = Outcome("none", "only enabled was asked for", unit)

    acted = outcome.action not in ("none", "adopted")
    return {
        "changed": acted or enabled_changed,
        "name": unit.name,
        "action": outcome.action,
        "reason": outcome.reason,
        "enabled_changed": enabled_changed,
        "daemon_reloaded": daemon_reloaded,
        "condition_failed": outcome.condition_failed,
        "invocation_id": outcome.unit.invocation if outcome.unit.running else "",
        "diff": difference(unit, outcome, enabled_changed, module.params["enabled"]),
    }


def look(module: AnsibleModule, systemctl: Systemctl) -> t.Tuple[Inspection, bool]:
    """The unit as it is, after systemd has read the unit files that are there; whether it had to be told."""
    seen = inspect(module, systemctl)
    if module.check_mode or (seen.unit.exists and not seen.unit.need_daemon_reload):
        return seen, False
    systemctl.daemon_reload()
    return inspect(module, systemctl), True


def enable(module: AnsibleModule, systemctl: Systemctl, unit: Unit) -> bool:
    """Have the unit start at boot, or not; whether that is a change."""
    wanted: t.Optional[bool] = module.params["enabled"]
    if wanted is None or (not wanted and not unit.exists):
        return False
    if wanted and unit.file_state == "static":
        raise UnitError("enabled: %s cannot be enabled, since its file has no [Install] section" % unit.name)
    if wanted == (unit.file_state in ENABLED_STATES) and not (not wanted and unit.file_state == "enabled-runtime"):
        return False
    if not wanted and unit.file_state in ("static", "masked", ""):
        return False
    if not module.check_mode:
        systemctl.do("enable" if wanted else "disable", unit.name)
    return True


def start(module: AnsibleModule, systemctl: Systemctl, seen: Inspection) -> Outcome:
    """Have the unit run what its files say."""
    unit, decision = seen.unit, seen.decision
    if module.check_mode:
        if decision.needs == "start" and unit.exists and not systemctl.condition_met(unit.name):
            return Outcome("none", UNMET, unit, condition_failed=True)
        return Outcome(DONE[decision.needs], decision.reason, unit)
    if decision.needs not in ("none", "adopt"):
        unit = act(module, systemctl, unit, decision)
    if not unit.running and not systemctl.condition_met(unit.name):
        action = "none" if decision.needs == "start" else DONE[decision.needs]
        return Outcome(action, UNMET, unit, condition_failed=True)
    record = Record(unit.invocation, digests(seen.restart), digests(seen.reload))
    if record != seen.record:
        write_record(record_path(unit.name), dump_record(record))
    return Outcome(DONE[decision.needs], decision.reason, unit)


def act(module: AnsibleModule, systemctl: Systemctl, unit: Unit, decision: Decision) -> Unit:
    """Start, restart or reload; the unit as it is then."""
    if module.params["validate"]:
        systemctl.validate(module.params["validate"])
    if decision.needs != "reload" and (unit.active_state == "failed" or unit.sub_state == "auto-restart"):
        # A unit that failed too often in a row is refused a start until its failures are forgotten.
        systemctl.do("reset-failed", unit.name)
    systemctl.do(decision.needs, unit.name)
    after = systemctl.show(unit.name)
    finished = after.finishes and after.result == "success" and after.active_state == "inactive"
    if not (after.running or finished) and systemctl.condition_met(unit.name):
        raise UnitError("%s did not stay up after %s\n%s" % (unit.name, decision.needs, systemctl.report(unit.name)))
    return after


def stop(module: AnsibleModule, systemctl: Systemctl, unit: Unit) -> Outcome:
    """Have nothing of the unit run."""
    if unit.active_state in ("inactive", "failed"):
        reason = "it is not running" if unit.exists else "there is no such unit"
        return Outcome("none", reason, unit if module.check_mode else forget_failure(systemctl, unit))
    reason = "it is wanted stopped"
    if module.check_mode:
        return Outcome("stopped", reason, unit)
    if unit.running and module.params["drain_time"] > 0:
        empty(module, systemctl, unit)
    systemctl.do("stop", unit.name)
    after = forget_failure(systemctl, systemctl.show(unit.name))
    Path(record_path(unit.name)).unlink(missing_ok=True)
    return Outcome("stopped", reason, after)


def forget_failure(systemctl: Systemctl, unit: Unit) -> Unit:
    """Have a unit that is wanted stopped be inactive, whichever way its processes have ended; no change of the host."""
    if unit.active_state != "failed":
        return unit
    systemctl.do("reset-failed", unit.name)
    return systemctl.show(unit.name)


def empty(module: AnsibleModule, systemctl: Systemctl, unit: Unit) -> None:
    """Take the unit's connections away over a time, once the proxy before it brings no new ones."""
    proxy: t.Optional[str] = module.params["drain_proxy"]
    if proxy and not settle([systemctl.show(unit_name(proxy)).main_pid], module.params["drain_proxy_files"]):
        raise UnitError(UNSETTLED % (proxy, unit.name))
    drain([unit.main_pid], module.params["drain_time"])


def difference(unit: Unit, outcome: Outcome, enabled_changed: bool, enabled: t.Optional[bool]) -> t.Dict[str, str]:
    """Before and after, for ``--diff``."""
    before, after = [], []
    if enabled_changed:
        before.append("enabled: %s" % ("false" if enabled else "true"))
        after.append("enabled: %s" % ("true" if enabled else "false"))
    if outcome.action in ("started", "restarted", "reloaded", "stopped"):
        before.append("state: %s (%s)" % ("running" if unit.running else "not running", outcome.reason))
        after.append("state: %s" % outcome.action)
    return {
        "before_header": unit.name,
        "after_header": unit.name,
        "before": "".join(line + "\n" for line in before),
        "after": "".join(line + "\n" for line in after),
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **argument_spec(),
            **PARAMETERS,
            "state": {"type": "str", "choices": ["started", "stopped"]},
            "enabled": {"type": "bool"},
            "validate": {"type": "list", "elements": "str", "default": []},
        },
        required_one_of=[("state", "enabled")],
        supports_check_mode=True,
    )
    try:
        module.exit_json(**run(module))
    except (UnitError, OSError) as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
