"""In which order jobs start, and how many run at a time."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from runner.jobs import Job

HALF = 1
WHOLE = 2


def places(processors: int, memory: int, wanted: int | None) -> int:
    """How many jobs that compute run at a time; ``memory`` is what is free, in kB.

    One more than the processors keeps them busy while one waits. A scenario's hosts and the control node's Ansible take
    3 GB at the most.
    """
    return max(1, wanted if wanted is not None else min(processors + 1, memory // 3_000_000))


def number_of_jobs(wanted: str) -> int | None:
    """What JOBS says; None where it is empty. Raises ValueError where it is no number from 1."""
    if not wanted:
        return None
    if not wanted.isdecimal() or int(wanted) < 1:
        raise ValueError(f"JOBS is {wanted}, and must be a number from 1")
    return int(wanted)


def ordered(jobs: Iterable[Job], failed: Collection[str]) -> list[Job]:
    """The jobs in the order in which they are to start: what failed last, what is early, then the longest.

    What a job that failed last needs comes with it.
    """
    every = list(jobs)
    urgent = {need for job in every if job.name in failed for need in (*job.needs, *job.after)} | set(failed)
    return sorted(every, key=lambda job: (job.name not in urgent, not job.early, -job.seconds))


def weight(job: Job) -> int:
    """How much of a place a job takes, in halves."""
    return HALF if job.waits else WHOLE


def next_job(waiting: Sequence[Job], running: Sequence[Job], outcomes: Mapping[str, bool], capacity: int) -> Job | None:
    """The first of the waiting jobs that may start now; None where one has to end first.

    ``outcomes`` says of the jobs that have ended whether they passed; ``capacity`` is the number of places. A job that
    is larger than what is free waits, and smaller ones go before it.
    """
    free = capacity * WHOLE - sum(weight(job) for job in running)
    known = {job.name for job in (*waiting, *running)} | set(outcomes)
    for job in waiting:
        ready = all(outcomes.get(need, need not in known) for need in job.needs) and all(
            each in outcomes or each not in known for each in job.after
        )
        if ready and (weight(job) <= free or not running):
            return job
    return None


def hopeless(waiting: Iterable[Job], outcomes: Mapping[str, bool]) -> list[Job]:
    """The waiting jobs that need one that has failed."""
    return [job for job in waiting if any(outcomes.get(need) is False for need in job.needs)]
