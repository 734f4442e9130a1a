"""What is remembered of earlier runs, and what a run prints at its end."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

# What changes what a job shows, beside files.
SETTINGS = ("ROLLING_LOAD", "ROLLING_SOAK", "TESTBED_MIRROR")


@dataclass(frozen=True)
class Result:
    """How a job ended."""

    outcome: str
    """passed or failed."""
    seconds: int
    digest: str
    """Of the files that the job depends on, and of `of_settings`; see tree.digest."""


@dataclass(frozen=True)
class Row:
    """A line of the table."""

    name: str
    outcome: str
    """passed, failed, not run, or passed before."""
    seconds: int | None = None


def of_settings(environment: Mapping[str, str]) -> list[str]:
    """The settings that results hold for, as NAME=VALUE."""
    return [f"{name}={environment[name]}" for name in SETTINGS if environment.get(name)]


def read(file: Path) -> dict[str, Result]:
    """The results that were written last; none where the file is missing or was cut short."""
    try:
        return {name: Result(**result) for name, result in json.loads(file.read_text()).items()}
    except (FileNotFoundError, json.JSONDecodeError, TypeError, AttributeError):
        return {}


def write(file: Path, results: Mapping[str, Result]) -> None:
    """Write them in the place of the file, whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    aside = file.with_suffix(".new")
    aside.write_text(json.dumps({name: asdict(result) for name, result in results.items()}, indent=1) + "\n")
    aside.replace(file)


def still_good(results: Mapping[str, Result], digests: Mapping[str, str]) -> set[str]:
    """The jobs that have passed on just what is there now."""
    return {
        name
        for name, result in results.items()
        if result.outcome == "passed" and name in digests and result.digest == digests[name]
    }


def table(rows: Sequence[Row], seconds: int) -> str:
    """The rows as text, with what all took together: name, seconds, outcome."""
    width = max(len(name) for name in (*(row.name for row in rows), "together"))
    lines = [f"  {row.name:<{width}} {'' if row.seconds is None else row.seconds:>6}  {row.outcome}" for row in rows]
    return "\n".join([*lines, f"  {'together':<{width}} {seconds:>6}"])


def left_out(promises: Iterable[str]) -> str:
    """What only `make test-all` shows, as a list; a promise that several jobs leave out stands once."""
    return "\n".join(f"  - {promise}" for promise in dict.fromkeys(promises))
