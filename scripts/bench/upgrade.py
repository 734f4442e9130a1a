"""Print what upgrades and rollbacks of one VM take, and what visitors notice: a hundred requests a second, 50 chats.

Answers' times stand beside those of a calm site, taken just before, with the same load.  A run's end comes after old
connections' time to drain (edusphere_drain_time), so the moment from which only the new release answers is printed,
too.  The hosts are those of the scenario that is named, rolling or rolling-compose, made for this and removed.  The
first upgrade builds its release; the others find it there.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).parents[2]
SCENARIO = sys.argv[1]
ROUNDS = 3
# Of what runs on the control node, which has processors of its own elsewhere: here the site's come first.
NICENESS = 10
ASK_SECONDS = 0.1
CALM_REQUESTS = 3000
os.environ["MOLECULE_SCENARIO_DIRECTORY"] = str(ROOT / "molecule" / SCENARIO)
sys.path.insert(0, str(ROOT / "tests"))

from behaviour.hosts import address_of, variables_of  # noqa: E402  # they read the environment above
from behaviour.load import Figures, Load, load, percentile  # noqa: E402
from behaviour.rolling import CLIENTS, NUMBERS, Run, rollback, upgrade, version_of  # noqa: E402
from behaviour.visitor import Site  # noqa: E402


def molecule(*arguments: str) -> None:
    """Run it on the scenario; ends this program where it fails."""
    command = ["molecule", "--base-config", str(ROOT / ".config/molecule/config.yml"), *arguments]
    done = subprocess.run([*command, "--scenario-name", SCENARIO], cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"bench: molecule {' '.join(arguments)} failed\n{done.stdout[-4000:]}{done.stderr[-1000:]}")


def watch(site: Site, version: str, action: Callable[[], Run]) -> tuple[Run, float]:
    """Do it, and tell after how many seconds the last answer came from another version than the one it brings."""
    began = others = time.monotonic()
    with ThreadPoolExecutor(max_workers=1) as pool:
        doing = pool.submit(action)
        while not doing.done():
            if version_of(site) != NUMBERS[version]:
                others = time.monotonic()
            time.sleep(ASK_SECONDS)
    return doing.result(), others - began


def measure(visitors: Load, site: Site) -> None:
    """Upgrade and roll back, and print."""
    with visitors.watched() as calm:
        visitors.answered(CALM_REQUESTS)
    done: dict[str, list[tuple[Run, float, Figures]]] = {}
    for number in range(ROUNDS):
        for name in ("upgrade, with its build" if number == 0 else "upgrade", "rollback"):
            with visitors.watched() as window:
                back = name == "rollback"
                run, switched = watch(site, "v1" if back else "v2", rollback if back else lambda: upgrade("v2"))
            done.setdefault(name, []).append((run, switched, window.seen))
            visitors.answered(500)
    p50, p99 = (percentile(calm.seen.latencies, percent) for percent in (50, 99))
    print(f"{SCENARIO}, calm: p50 {p50:.0f} ms, p99 {p99:.0f} ms")
    for name, runs in done.items():
        answers = sorted(sample for _, _, seen in runs for sample in seen.latencies)
        during = [percentile(answers, percent) for percent in (50, 99)]
        print(
            f"{name}: {statistics.median(run.seconds for run, _, _ in runs):.1f} s,"
            f" only the new release answers after {statistics.median(switched for _, switched, _ in runs):.1f} s;"
            f" p50 {during[0]:.0f} ms ({during[0] / p50:.2f} of calm), p99 {during[1]:.0f} ms"
            f" ({during[1] / p99:.2f} of calm); failed requests {sum(len(seen.failed) for _, _, seen in runs)};"
            f" connections held {min(min(seen.held) for _, _, seen in runs)} of {CLIENTS} at the least,"
            f" each closed {sum(len(seen.outages) for _, _, seen in runs) / len(runs) / CLIENTS:.0f} times"
        )


def main() -> None:
    """Make the hosts, measure, remove them."""
    os.nice(NICENESS)
    try:
        molecule("converge")
        name = variables_of(f"{SCENARIO}-vm", "edusphere_domain")["edusphere_domain"]
        site = Site(f"http://{name}", address_of(f"{SCENARIO}-vm"))
        with load(f"{SCENARIO}-visitor", site, log=ROOT / ".cache/bench/visitors.log") as visitors:
            measure(visitors, site)
    finally:
        molecule("destroy")


if __name__ == "__main__":
    main()
