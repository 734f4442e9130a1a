"""Run the jobs of a target, several at a time.

    python -m runner test             every promise once
    python -m runner test-all         everything; what passed on the same tree is not run again
    python -m runner scenarios NAME…  some scenarios, in full depth, whether they passed or not

Environment:
    JOBS          how many run at a time (one more than the processors, if memory allows)
    FRESH=1       test-all: forget what passed
    ROLLING_LOAD  the share of the load that upgrades are made under (0.1; in test-all 0.2)
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from runner.jobs import CatalogueError, Job, catalogue, jobs, left_for_all
from runner.results import Result, Row, left_out, of_settings, read, still_good, table, write
from runner.schedule import hopeless, next_job, number_of_jobs, ordered, places
from runner.tree import ROOT, digest

STATE = ROOT / ".cache/tests"
SCENARIOS = "scenarios"
COLOURS = re.compile(rb"\x1b\[[0-9;]*m")
# What Ansible, pytest and molecule print of a failure; the whole is in the log.
TELLING = re.compile(r"^(E  |FAILED (?!- RETRYING)|ERROR )|fatal: |failed: |\[ERROR\]|CRITICAL|^\S+:\d+:\d+: ")
LINES = 12
COLUMNS = 240
# Seconds that jobs have to end when the run is interrupted.
PATIENCE = 20
# Test hosts have the same names and addresses in every clone on a machine.
LOCK = Path(tempfile.gettempdir()) / "edusphere-testbed.lock"


class Running:
    """A job that has been started: its process group, its log, and a thread that shows what it says."""

    def __init__(self, job: Job, environment: Mapping[str, str], aloud: threading.Lock) -> None:
        self.job = job
        self.began = time.monotonic()
        self.log = STATE / f"{job.name}.log"
        self._process = subprocess.Popen(
            job.command,
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._unheard: OSError | None = None
        self._thread = threading.Thread(target=self._show, args=[aloud])
        self._thread.start()

    def _show(self, aloud: threading.Lock) -> None:
        assert self._process.stdout
        with self.log.open("wb") as log:
            for line in self._process.stdout:
                # With nobody to read on, the job would wait for ever.
                try:
                    log.write(COLOURS.sub(b"", line))
                    log.flush()
                    with aloud:
                        sys.stdout.buffer.write(f"[{self.job.name}] ".encode() + line)
                        sys.stdout.buffer.flush()
                except OSError as error:
                    self._unheard = error

    @property
    def seconds(self) -> int:
        """Since it began."""
        return round(time.monotonic() - self.began)

    def ended(self) -> bool | None:
        """Whether it passed; None while it runs. Raises OSError where what it said could not be written down."""
        code = self._process.poll()
        if code is None:
            return None
        self._thread.join()
        if self._unheard:
            raise self._unheard
        return code == 0

    def stop(self, number: signal.Signals) -> None:
        """Send a signal to it and to all that it has started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)

    def wait(self, seconds: float) -> None:
        """Give it time to end."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)


def memory() -> int:
    """What is available, in kB."""
    lines = Path("/proc/meminfo").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable:"))


def run(
    found: Sequence[Job],
    capacity: int,
    environment: Mapping[str, str],
    record: dict[str, Result],
    file: Path,
) -> Iterator[Row]:
    """Run the jobs to their end, and write each one's result down; a row for each as soon as it has ended."""
    settings = of_settings(environment)
    digests = {job.name: digest(job.depends, *settings) for job in found}
    waiting, running = list(found), list[Running]()
    outcomes: dict[str, bool] = {}
    aloud = threading.Lock()
    try:
        while waiting or running:
            for job in hopeless(waiting, outcomes):
                waiting.remove(job)
                outcomes[job.name] = False
            while (job_now := next_job(waiting, [each.job for each in running], outcomes, capacity)) is not None:
                waiting.remove(job_now)
                running.append(
                    Running(job_now, {**environment, "TEST_LEFT_OUT": str(STATE / f"{job_now.name}.left")}, aloud)
                )
            time.sleep(0.2)
            for each in list(running):
                passed = each.ended()
                if passed is None:
                    continue
                running.remove(each)
                name, outcome = each.job.name, "passed" if passed else "failed"
                outcomes[name] = passed
                record[name] = Result(outcome, each.seconds, digests[name])
                if digest(each.job.depends, *settings) != digests[name]:
                    # Nobody knows what it ran on.
                    del record[name]
                write(file, record)
                with aloud:
                    print(
                        f"=== {name}: {outcome} after {each.seconds} s; {len(running) + len(waiting)} jobs left",
                        flush=True,
                    )
                yield Row(name, outcome, each.seconds)
    finally:
        for number in INTERRUPTS:
            signal.signal(number, signal.SIG_IGN)
        for each in running:
            each.stop(signal.SIGTERM)
        until = time.monotonic() + PATIENCE
        for each in running:
            each.wait(max(0, until - time.monotonic()))
            # Also what its first process has left behind.
            each.stop(signal.SIGKILL)


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Keep others on this machine from running jobs. Raises OSError where somebody does."""
    with LOCK.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise OSError(f"another run of tests is at work on this machine: it holds {LOCK}") from error
        yield


def telling(log: Path) -> list[str]:
    """The last lines of a log that tell of a failure, or its last lines."""
    lines = log.read_text(errors="replace").splitlines()
    return [line[:COLUMNS] for line in ([line for line in lines if TELLING.search(line)] or lines)[-LINES:]]


def main(target: str, only: Sequence[str]) -> int:
    """Run what was asked for; 0 where everything passed."""
    began = time.monotonic()
    full = target != "test"
    every = catalogue()
    found = jobs("test-all" if full else "test", every, only)
    wanted = number_of_jobs(os.environ.get("JOBS", ""))
    environment = {
        "ROLLING_LOAD": "0.2" if full else "0.1",
        # A week that ends during the run changes no image of it.
        "TESTBED_WEEK": time.strftime("%G-%V"),
        **os.environ,
        "TEST_ALL": "1" if full else "0",
        # All tests, whatever somebody's shell says; and what a log says at its end of where the time went.
        "PYTEST_ADDOPTS": "--durations=12",
        "TESTS": "",
        # Jobs write to a pipe; lines that are held back would come minutes late.
        "PYTHONUNBUFFERED": "1",
        # Another job may be about to make hosts when the demo of e2e goes.
        "TESTBED_KEEP": "1",
    }
    STATE.mkdir(parents=True, exist_ok=True)
    file = STATE / f"{'test-all' if full else 'test'}.json"
    record = read(file)
    if target == "test-all" and os.environ.get("FRESH") == "1":
        record = {}
        write(file, record)
    failed = {name for name, result in record.items() if result.outcome == "failed"}
    digests = {job.name: digest(job.depends, *of_settings(environment)) for job in found}
    good = still_good(record, digests) if target == "test-all" else set()
    for stale in STATE.glob("*.left"):
        stale.unlink()
    rows: dict[str, Row] = {}
    to_run = ordered([job for job in found if job.name not in good], failed)
    capacity = places(os.cpu_count() or 1, memory(), wanted)
    try:
        for row in run(to_run, capacity, environment, record, file):
            rows[row.name] = row
    except KeyboardInterrupt:
        print("\n=== interrupted; `make test-all` leaves out what has passed", flush=True)
    for name in good:
        rows[name] = Row(name, "passed before, on the same files", record[name].seconds)
    shown = [rows.get(job.name, Row(job.name, "not run")) for job in found]
    print(f"\n=== {target}: seconds and outcome of each job")
    print(table(shown, round(time.monotonic() - began)))
    for row in shown:
        if row.outcome == "failed":
            print(f"--- {row.name} failed; all of it: {(STATE / row.name).relative_to(ROOT)}.log")
            print("\n".join(telling(STATE / f"{row.name}.log")))
    if not full:
        promises = left_for_all(every)
        promises += [line for each in sorted(STATE.glob("*.left")) for line in each.read_text().splitlines()]
        print("\n=== what only `make test-all` shows")
        print(left_out(promises))
    return 0 if all(row.outcome.startswith("passed") for row in shown) else 1


# The last one comes when a terminal is lost.
INTERRUPTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    for each_number in INTERRUPTS:
        signal.signal(each_number, _interrupt)
    match sys.argv[1:]:
        case ["test" | "test-all" as chosen]:
            names: list[str] = []
        case ["scenarios" as chosen, *names] if names:
            pass
        case _:
            sys.exit(str(__doc__))
    try:
        with alone():
            sys.exit(main(chosen, names))
    except (CatalogueError, OSError, ValueError) as error:
        sys.exit(str(error))
