#!/usr/bin/python
# Copyright: (c) 2026, EduSphere platform contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# mypy: allow-untyped-calls

from __future__ import annotations

DOCUMENTATION = r"""
module: systemd_unit_info
short_description: Say what a systemd unit needs to run what its files say
version_added: 0.1.0
author:
  - EduSphere platform contributors (!UNKNOWN)
description:
  - Takes the same decision as M(edusphere.platform.systemd_unit) and acts on nothing. A deployment that starts a second
    instance beside the first asks here whether it has to.
  - It reads the records that M(edusphere.platform.systemd_unit) writes, and writes none.
attributes:
  check_mode:
    description: Changes nothing, in check mode or not.
    support: full
  diff_mode:
    description: Changes nothing, so there is nothing to show.
    support: none
extends_documentation_fragment:
  - edusphere.platform.systemd_unit
seealso:
  - module: edusphere.platform.systemd_unit
"""

EXAMPLES = r"""
- name: See whether the live backend runs what its files say
  edusphere.platform.systemd_unit_info:
    name: edusphere-backend@a
    restart_on:
      - /etc/edusphere/app.env
      - /srv/edusphere/slots/a
    restart_pending: "{{ __backend_environment is changed }}"
  register: __backend_live

- name: Start the other slot
  ansible.builtin.include_tasks: switch.yml
  when: __backend_live.needs != 'none'
"""

RETURN = r"""
name:
  description: The unit's full name.
  returned: success
  type: str
  sample: edusphere-backend@a.service
needs:
  description:
    - What M(edusphere.platform.systemd_unit) with O(edusphere.platform.systemd_unit#module:state=started) would do.
      One of V(none), V(start), V(restart), V(reload).
  returned: success
  type: str
reason:
  description: Why, for a person to read. It names the files or the state.
  returned: success
  type: str
  sample: /etc/edusphere/app.env changed
exists:
  description: Whether systemd knows the unit.
  returned: success
  type: bool
running:
  description: Whether it is active.
  returned: success
  type: bool
enabled:
  description: Whether it starts at boot.
  returned: success
  type: bool
memory:
  description: Bytes of memory that its processes have, and that the host could give to others without swapping.
  returned: success
  type: dict
  sample: {used: 185000000, available: 412000000}
invocation_id:
  description: systemd's id of the start that runs now; empty when nothing runs.
  returned: success
  type: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.edusphere.platform.plugins.module_utils.processes import memory_available, memory_of
from ansible_collections.edusphere.platform.plugins.module_utils.systemd_unit import (
    Systemctl,
    UnitError,
    argument_spec,
    inspect,
)


def main() -> None:
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    try:
        seen = inspect(module, Systemctl(module))
    except (UnitError, OSError) as error:
        module.fail_json(msg=str(error))
    unit, decision = seen.unit, seen.decision
    module.exit_json(
        changed=False,
        name=unit.name,
        needs="none" if decision.needs == "adopt" else decision.needs,
        reason=decision.reason,
        exists=unit.exists,
        running=unit.running,
        enabled=unit.file_state == "enabled",
        memory={"used": memory_of([unit.main_pid]), "available": memory_available()},
        invocation_id=unit.invocation if unit.running else "",
    )


if __name__ == "__main__":
    main()
