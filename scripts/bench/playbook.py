"""Print what a run of site.yml that changes nothing costs on one VM, the demo.

Its seconds stand beside those of a playbook with as many pings, run in turn on the same host, since seconds alone say
more about the machine than about the roles. Medians of three.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROUNDS = 3
# What the recap counts as `ok` and does nothing on a host.
NOT_EXECUTED = ("include", "import", "validate_argument_spec")


def run(playbook: str) -> tuple[float, int, int]:
    """Return a run's seconds, how many of its tasks did something on a host, and how many changed something."""
    started = time.monotonic()
    result = subprocess.run(
        ["ansible-playbook", playbook, "--inventory", "inventories/demo"],
        env=os.environ
        | {
            "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json",
            "ANSIBLE_CALLBACKS_ENABLED": ",".join(
                f"edusphere.platform.{name}" for name in ("module_cache", "gc_freeze", "run_changes")
            ),
        },
        capture_output=True,
        text=True,
    )
    seconds = time.monotonic() - started
    if result.returncode:
        sys.exit(f"bench: {playbook} failed\n{result.stdout}{result.stderr}")
    output = result.stdout
    executed = [
        host
        for play in json.loads(output[output.index("{") :])["plays"]
        for task in play["tasks"]
        for host in task["hosts"].values()
        if not host.get("skipped") and not any(word in host.get("action", "") for word in NOT_EXECUTED)
    ]
    return seconds, len(executed), sum(bool(host.get("changed")) for host in executed)


def main() -> None:
    """Warm up, measure in turn, print."""
    _, tasks, changed = run("site.yml")
    if changed:
        sys.exit(f"bench: the run changed {changed} tasks, so it is none that changes nothing; try again")
    with tempfile.TemporaryDirectory() as directory:
        pings = Path(directory, "pings.yml")
        ping = {"name": "Ping", "ansible.builtin.ping": {}}
        pings.write_text(json.dumps([{"hosts": "all", "become": True, "gather_facts": False, "tasks": [ping] * tasks}]))
        site_seconds, ping_seconds = [], []
        for _ in range(ROUNDS):
            site_seconds.append(run("site.yml")[0])
            ping_seconds.append(run(str(pings))[0])
    site, floor = statistics.median(site_seconds), statistics.median(ping_seconds)
    print(f"site.yml, nothing to change, one VM: {tasks} tasks, {site:.1f} s")
    print(f"as many pings:                       {tasks} tasks, {floor:.1f} s")
    print(f"ratio:                               {site / floor:.2f}")


if __name__ == "__main__":
    main()
