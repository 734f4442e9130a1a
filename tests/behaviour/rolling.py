"""What an operator does to upgrade a site and to go back, under a load that says what of it was noticed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from depth import EXHAUSTIVE
from testinfra.host import Host

from behaviour.hosts import ROOT, SSH_CONFIG, playbook, tasks
from behaviour.load import Figures, Load, Window, discrepancies
from behaviour.platforms import Platform
from behaviour.visitor import Site

# Of the load that is meant; less of it for a machine that has other work.
SHARE = float(os.environ.get("ROLLING_LOAD", "1"))
CLIENTS = round(50 * SHARE)
# Requests a second.
RATE = 100 * SHARE
# Whether there is time for much more of the same: `make soak`.
SOAK = bool(os.environ.get("ROLLING_SOAK"))
ROUNDS = 5 if SOAK else 2 if EXHAUSTIVE else 1
SCENARIO = Path(os.environ.get("MOLECULE_SCENARIO_DIRECTORY", "rolling")).name
LOG = ROOT / f".cache/molecule/{SCENARIO}-visitors.log"
FIGURES = LOG.with_suffix(".figures")
# What v3 does to the schema, and v1 can't live with.
RENAMED = "chat.0004_rename_message_body"
NUMBERS = {"v1": "1.0.0", "v2": "2.0.0", "v3": "3.0.0"}


@dataclass(frozen=True)
class Run:
    """A playbook that has ended."""

    name: str
    process: subprocess.CompletedProcess[str]
    seconds: float

    @property
    def said(self) -> str:
        """All of it."""
        return self.process.stdout + self.process.stderr

    @property
    def failed(self) -> bool:
        """Whether it says so itself: a run that was killed says nothing."""
        return self.process.returncode > 0


def _run(name: str, *arguments: str, check: bool, **environment: str) -> Run:
    began = time.monotonic()
    process = playbook(*arguments, name=f"playbooks/{name}.yml", check=check, **environment)
    return Run(name, process, time.monotonic() - began)


def wishes(**variables: Any) -> list[str]:
    """The arguments that give a run variables."""
    return [f"--extra-vars={json.dumps(variables)}"] if variables else []


def tree(version: str, files: dict[str, str] | None = None) -> Path:
    """The sample application's tree of a version, complete, with more files by their paths."""
    path = ROOT / ".cache/testbed/versions" / SCENARIO / version
    if path.exists():
        shutil.rmtree(path)
    subprocess.run([ROOT / "examples/assemble", version, path], check=True)
    for name, text in (files or {}).items():
        (path / name).write_text(text)
    return path


def upgrade(
    version: str,
    check: bool = True,
    environment: dict[str, str] | None = None,
    files: dict[str, str] | None = None,
    **variables: Any,
) -> Run:
    """Bring the site to a version of the sample application, with more files in its tree."""
    source = {"edusphere_app_source_type": "folder", "edusphere_app_source": str(tree(version, files))}
    return _run(
        "upgrade",
        *wishes(**source | {"edusphere_version": version} | variables),
        check=check,
        **(environment or {}),
    )


def rollback(check: bool = True, **variables: Any) -> Run:
    """Bring the site back to what it served before."""
    return _run("rollback", *wishes(**variables), check=check)


class Kill(NamedTuple):
    """Where a run is killed; see molecule/interrupted/plugins/interrupt.py."""

    how: str
    task: str
    when: str = "true"
    """What has to succeed on the host."""
    switched: bool = False
    """Whether the record says the new release by then."""

    def environment(self, vm: Host) -> dict[str, str]:
        """What a run is told by."""
        return {
            "ANSIBLE_CALLBACK_PLUGINS": f"{ROOT}/molecule/interrupted/plugins",
            f"INTERRUPT_{self.how}": self.task,
            "INTERRUPT_WHEN": f"ssh -F {SSH_CONFIG} {vm.backend.hostname} {self.when}",
        }


# What each mode calls the moment before the new release starts.
START = {
    "native": Kill("BEFORE", "backend : Start the free slot"),
    "compose": Kill("BEFORE", "backend : Start the containers"),
}


def version_of(site: Site) -> str:
    """What serves, as it says itself."""
    return str(site.get("/api/version/").json()["version"])


@dataclass(frozen=True)
class State:
    """What a run that must not change anything could have changed."""

    records: dict[str, str]
    releases: list[str]
    backends: dict[str, str]
    serving: str
    """The start of what serves."""

    @staticmethod
    def of(platform: Platform) -> State:
        """Look."""
        # Of what serves; that there was a run is recorded beside it.
        vm = platform.vm
        facts = vm.check_output("cd /srv/edusphere/records && ls *.fact").split()
        return State(
            {name: vm.check_output("cat %s", f"/srv/edusphere/records/{name}") for name in facts},
            platform.releases,
            platform.backends,
            platform.start,
        )


def serves(platform: Platform, site: Site, version: str, number: str = "") -> None:
    """Assert that a version serves, and it alone; `number` is what it calls itself, if not what its name says."""
    live = platform.live
    assert (live["version"], version_of(site)) == (version, number or NUMBERS[version])
    assert platform.running == [live["release"]]


def tasks_of(run: Run) -> set[str]:
    """The tasks that did something, or were asked whether there is something to do."""
    return tasks(run.process.stdout, "ok", "changed")


def say(name: str, text: str) -> str:
    """Print, and keep, what was measured."""
    said = f"\n=== {name}\n{text}\n"
    print(said)
    with FIGURES.open("a") as log:
        log.write(said)
    return said


def conclude(
    visitors: Load, window: Window, name: str, *runs: Run, calm: Figures | None = None, closed: bool = False
) -> None:
    """Say what was seen, and fail where anything was noticed: `closed` is whether the site was to be closed meanwhile.

    What failed is said before the chat is compared: a site that fails may never let it come to rest.
    """
    seen = window.seen
    lines = [f"{run.name}.yml took {run.seconds:.1f} s" for run in runs]
    said = say(name, "\n".join([*lines, *([f"{seen.against(calm)}"] if calm else []), seen.summary()]))
    assert not seen.failed, said + json.dumps(seen.failed[:5], indent=1)
    assert not seen.refused, said + json.dumps(seen.refused[:5], indent=1)
    assert bool(seen.closed) == closed, said + json.dumps(seen.closed[:5], indent=1)
    # Or nothing was noticed since hardly anybody asked; a busy machine may have some of it begin late.
    assert seen.rate >= 0.8 * RATE, f"{seen.rate:.1f} requests a second, not {RATE:.0f}{said}"
    audit = visitors.audit()
    found = discrepancies(audit)
    after = visitors.figures()
    counts = {what: len(which) for what, which in found.items()} or "nothing lost or doubled"
    said += say(
        f"{name}: audit",
        f"{audit.get('acked')} messages acknowledged, {audit.get('stored')} stored, {counts}\n"
        f"the load's own machine: {after.seen['cpu_seconds'] / after.seen['now']:.2f} of a core",
    )
    assert not found, said + json.dumps(found)[:3000]
    assert after.seen["online"] == CLIENTS, said
