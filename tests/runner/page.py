"""Print molecule/README.md: what a contributor does with scenarios, and what each of them is for."""

from __future__ import annotations

from collections.abc import Sequence

from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader

from runner.jobs import Scenario, catalogue
from runner.tree import ROOT

HEAD = """\
# Scenarios

Generated from `scenarios.yml` by `make docs`; edit that. Each scenario shows one promise on real hosts: systemd
containers that are reached over SSH. `shared/` makes the hosts. `../tests/behaviour` has what the tests of several
scenarios use.

## While you work

| to | run |
| --- | --- |
| make the hosts and deploy to them; again, after each edit | `make converge SCENARIO=default` |
| run the tests on the hosts that are there | `make verify SCENARIO=default` |
| run some of them | `make verify SCENARIO=default TESTS="-k test_health"` |
| look around on a host | `make login SCENARIO=default` |
| remove the hosts | `make destroy SCENARIO=default` |
| run a whole scenario, from nothing to nothing | `make molecule SCENARIOS=default` |
| run tests that need no host | `make unit TESTS=tests/unit/templates` |
| run every promise once | `make test` |
| run everything; goes on where it was interrupted | `make test-all` (`FRESH=1`: from the start) |

`JOBS=1` runs one job at a time. The log of each job is in `.cache/tests`.

## Which tests run where

`make test` runs the scenarios of that target without the tests marked `exhaustive`, and says at its end what it left
out. `make test-all` runs all tests of all scenarios.

Hosts start `bare`, as a provider hands them over, or from an image that `scripts/provision` makes with `site.yml`:
`deployed` has the sample site, `installed` has all packages and no site. Scenario `provisioned` shows that it makes no
difference. Seconds were measured on two processors with other jobs beside them. A scenario that `waits` more than it
computes takes half a place.

| scenario | hosts | start | promise | work | in | seconds: test | test-all |
| --- | --- | --- | --- | --- | --- | --- | --- |
"""


def hosts_of(scenario: Scenario) -> int:
    """How many hosts its inventory has."""
    sources = [str(ROOT / "molecule/shared/inventory"), str(ROOT / "molecule" / scenario.name / "inventory")]
    return len(InventoryManager(DataLoader(), sources=sources).get_hosts())


def rows(scenarios: Sequence[Scenario]) -> list[str]:
    """The table's lines."""
    return [
        f"| `{each.name}` | {hosts_of(each)} | {each.start} | {each.promise} | {each.work} | {each.target}"
        f" | {each.seconds.get('test', '')} | {each.seconds['test-all']} |"
        for each in scenarios
    ]


if __name__ == "__main__":
    print(HEAD + "\n".join(rows(catalogue())))
