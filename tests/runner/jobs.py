"""The jobs of `make test` and `make test-all`, from the scenarios' catalogue and the parts that need no scenario."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from runner.tree import ROOT

CATALOGUE = "molecule/scenarios.yml"
TARGETS = ("test", "test-all")
STARTS = ("bare", "installed", "deployed")
WORK = ("computes", "waits")
# What every deployed site depends on.
PRODUCT = (
    "ansible.cfg",
    "site.yml",
    "playbooks/",
    "roles/",
    "inventories/",
    "examples/",
    "collections/ansible_collections/edusphere/",
    "!collections/ansible_collections/edusphere/django/tests/",
    "!collections/ansible_collections/edusphere/platform/tests/unit/",
    "requirements.lock",
)
# The scenarios that keep the host that they have made of a bare machine as an image, by mode.
KEEPERS = {"native": "default", "compose": "compose"}
# What every test host depends on.
TESTBED = (
    "scripts/testbed",
    "scripts/provision",
    "scripts/packages.sh",
    "scripts/image/",
    "scripts/downloads/",
    "scripts/standins/",
    "molecule/shared/",
)
SCENARIO = (
    ".config/",
    "pyproject.toml",
    "scripts/molecule",
    "scripts/chromium",
    "molecule/conftest.py",
    "tests/behaviour/",
    "tests/depth.py",
    "tests/django-6.1.lock",
    "tests/own_collections.py",
    "tests/stub/",
)
EVERYTHING = ("./",)
# Makes the engine, the images of bare machines, the network and the keys.
TESTBED_JOB = "testbed"


@dataclass(frozen=True)
class Job:
    """One command that passes or fails."""

    name: str
    command: Sequence[str]
    seconds: int
    """What it took when it was measured last, on two processors with others beside it."""
    depends: Sequence[str]
    """Patterns of the files whose change makes it run again; see tree.selected."""
    needs: Sequence[str] = ()
    """The jobs that must have passed before."""
    after: Sequence[str] = ()
    """The jobs that must have ended before: what they leave would have to be made again."""
    waits: bool = False
    """Whether it waits more than it computes, and takes half a place."""
    early: bool = False
    """Whether it starts before longer ones: it tells soonest, or others need it."""


@dataclass(frozen=True)
class Scenario:
    """A line of the catalogue."""

    name: str
    promise: str
    target: str
    """The smallest target that it is part of."""
    start: str
    """What its hosts are at first: bare machines, provisioned with all packages, or with the sample site."""
    mode: str
    """native or compose: which provisioned host it starts from."""
    work: str
    seconds: Mapping[str, int]
    shares: Sequence[str]
    """The scenarios whose files it takes."""

    def image(self, others: Sequence[Scenario]) -> list[str]:
        """The job that leaves its hosts' image, unless they are bare: among others, the scenario that keeps one."""
        if self.start == "bare":
            return []
        keeper = KEEPERS[self.mode]
        return [keeper if keeper in [each.name for each in others] else f"hosts-{self.mode}"]


class CatalogueError(ValueError):
    """The catalogue is wrong; the message names every entry and field that is."""


def scenarios(text: str, directories: Sequence[str]) -> list[Scenario]:
    """Read the catalogue, and check it against the scenarios that there are.

    Raises CatalogueError.
    """
    entries: dict[str, dict[str, Any]] = yaml.safe_load(text)
    problems = [f"{name}: has no entry" for name in sorted(set(directories) - set(entries))]
    problems += [f"{name}: is no scenario" for name in sorted(set(entries) - set(directories))]
    allowed = {"target": TARGETS, "start": STARTS, "mode": ("native", "compose"), "work": WORK}
    found = []
    for name, entry in entries.items():
        filled = {"start": "bare", "mode": "native", "work": "computes", "shares": [], **entry}
        unknown = set(filled) - {"promise", "seconds", "shares", *allowed}
        missing = {"promise", "target", "seconds"} - set(filled)
        problems += [f"{name}: {field} is no field" for field in sorted(unknown)]
        problems += [f"{name}: {field} is missing" for field in sorted(missing)]
        problems += [
            f"{name}: {field} is {filled[field]}, and can be {', '.join(values)}"
            for field, values in allowed.items()
            if field in filled and filled[field] not in values
        ]
        problems += [
            f"{name}: shares {other}, which is no scenario" for other in filled["shares"] if other not in directories
        ]
        targets = TARGETS[TARGETS.index(filled["target"]) :] if filled.get("target") in TARGETS else ()
        if targets and "seconds" in filled and set(filled["seconds"]) != set(targets):
            problems.append(f"{name}: seconds has {', '.join(filled['seconds'])}, and must have {', '.join(targets)}")
        if not unknown and not missing:
            found.append(Scenario(name=name, **filled))
    if problems:
        raise CatalogueError("\n".join([f"{CATALOGUE} is wrong:", *problems]))
    return found


def catalogue(root: Path = ROOT) -> list[Scenario]:
    """The scenarios of this repository."""
    directories = sorted(path.parent.name for path in (root / "molecule").glob("*/molecule.yml"))
    return scenarios((root / CATALOGUE).read_text(), directories)


def _of_scenario(scenario: Scenario, target: str, others: Sequence[Scenario]) -> Job:
    return Job(
        name=scenario.name,
        command=["scripts/molecule", "test", scenario.name],
        seconds=scenario.seconds.get(target, scenario.seconds["test-all"]),
        depends=[*PRODUCT, *TESTBED, *SCENARIO, *(f"molecule/{name}/" for name in (scenario.name, *scenario.shares))],
        needs=[TESTBED_JOB],
        after=scenario.image(others),
        early=scenario.name in KEEPERS.values(),
        waits=scenario.work == "waits",
    )


def _images(wanted: Sequence[Scenario]) -> list[Job]:
    made = {image for scenario in wanted for image in scenario.image(wanted)}
    kinds = [kind for kind in KEEPERS if f"hosts-{kind}" in made]
    return [
        Job(
            name=f"hosts-{kind}",
            command=["scripts/provision", kind],
            seconds={"native": 150, "compose": 190}[kind],
            depends=[*PRODUCT, *TESTBED],
            needs=[TESTBED_JOB],
            early=True,
        )
        for kind in kinds
    ]


def jobs(target: str, found: Sequence[Scenario], only: Sequence[str] = ()) -> list[Job]:
    """All jobs of a target, or those of the scenarios in ``only`` with what they need."""
    unknown = [name for name in only if name not in {scenario.name for scenario in found}]
    if unknown:
        raise CatalogueError(
            f"no such scenario: {', '.join(unknown)}; there are {', '.join(each.name for each in found)}"
        )
    wanted = [each for each in found if (each.name in only if only else target == "test-all" or each.target == "test")]
    testbed = Job(TESTBED_JOB, ["scripts/testbed", "up"], 60, TESTBED, early=True)
    of_scenarios = [testbed, *_images(wanted), *(_of_scenario(scenario, target, wanted) for scenario in wanted)]
    if only:
        return of_scenarios
    return [
        Job("lint-ansible", ["make", "lint-ansible"], 110, EVERYTHING, early=True),
        Job("lint-others", ["make", "lint-others"], 20, EVERYTHING, early=True),
        Job(
            "sanity",
            ["make", "sanity"],
            75,
            ["collections/", "scripts/sanity", "requirements.lock"],
            early=True,
        ),
        *of_scenarios,
        Job(
            "unit",
            ["make", "unit"],
            {"test": 270, "test-all": 420}[target],
            EVERYTHING,
            [TESTBED_JOB],
        ),
        Job(
            "e2e",
            ["make", "e2e"],
            220,
            [*PRODUCT, *TESTBED, *SCENARIO, "scripts/demo", "scripts/e2e", "tests/e2e/"],
            [TESTBED_JOB],
        ),
    ]


def left_for_all(found: Sequence[Scenario]) -> list[str]:
    """What whole scenarios promise that `make test` does not run."""
    return [f"{scenario.name}: {scenario.promise}" for scenario in found if scenario.target == "test-all"]
