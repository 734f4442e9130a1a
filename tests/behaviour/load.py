"""Load on a site, from a machine of its own, that notices everything: a hundred requests a second, and people who chat.

The program behind it is visitors.py, which this module sends to that machine and asks for its figures.
"""

from __future__ import annotations

import base64
import json
import math
import subprocess
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from behaviour.hosts import SSH_CONFIG
from behaviour.picture import portrait
from behaviour.visitor import Site

PROGRAM = Path(__file__).with_name("visitors.py")
HANDSHAKE_SECONDS = 10
WHERE = "/tmp/visitors.py"  # noqa: S108  # on the load's machine, which has no other use


@dataclass(frozen=True)
class Plan:
    """How much of it, and where."""

    url: str
    addresses: Sequence[str]
    """The site's edges; each browser keeps to one."""
    port: int | None = None
    """Where they listen, if not where the URL says."""
    authority: str = ""
    """The certificate authority to trust, as PEM."""
    picture: str = ""
    """What people upload, in base64."""
    rate: float = 100
    """Requests a second."""
    clients: int = 50
    """WebSocket clients."""
    rooms: int = 10
    users: int = 5
    messages: float = 5
    """Messages a second, of all clients together."""
    seed: int = 1


@dataclass(frozen=True)
class Figures:
    """What the visitors saw between two moments, in seconds of their own clock."""

    since: float
    until: float
    seen: dict[str, Any] = field(repr=False)

    def _within(self, moment: float) -> bool:
        return self.since <= moment < self.until

    @property
    def failed(self) -> list[dict[str, Any]]:
        """The requests that failed: when, what was asked for and what was wrong."""
        return [request for request in self.seen["failed"] if self._within(request["at"]) and not request["closed"]]

    @property
    def closed(self) -> list[dict[str, Any]]:
        """The requests and attempts that were told that the site is closed, and when to ask again: 503, Retry-After."""
        return [
            each
            for each in (*self.seen["failed"], *self.seen["refused"])
            if self._within(each["at"]) and each["closed"]
        ]

    @property
    def resent(self) -> list[dict[str, Any]]:
        """The GETs on a kept connection that nginx closed as they were sent, and that were sent again on a new one."""
        return [request for request in self.seen["resent"] if self._within(request["at"])]

    @property
    def refused(self) -> list[dict[str, Any]]:
        """The attempts to open a WebSocket that failed."""
        return [
            attempt
            for attempt in self.seen["refused"]
            if self._within(attempt["at"]) and not attempt["closed"] and not overdue(attempt)
        ]

    @property
    def overdue(self) -> list[dict[str, Any]]:
        """The attempts to open a WebSocket that the application's server gave up, since it was too busy."""
        return [attempt for attempt in self.seen["refused"] if self._within(attempt["at"]) and overdue(attempt)]

    @property
    def outages(self) -> list[dict[str, Any]]:
        """Each time that a client was without a connection: since when, how long, and the close code."""
        return [outage for outage in self.seen["outages"] if self._within(outage["at"])]

    @property
    def longest_outage(self) -> float:
        """The longest time that a client was without a connection."""
        return max((outage["seconds"] for outage in self.outages), default=0.0)

    @property
    def held(self) -> list[int]:
        """How many clients were connected, each second."""
        began = self.seen["began"]
        return [held for second, held in enumerate(self.seen["held"], 1) if self._within(began + second)]

    def _samples(self, name: str) -> list[float]:
        # Whole seconds: the edges of the window are not worth a time for each sample.
        return sorted(
            sample
            for second, samples in self.seen[name].items()
            if math.floor(self.since) <= int(second) < math.ceil(self.until)
            for sample in samples
        )

    @property
    def latencies(self) -> list[float]:
        """Milliseconds that good answers took, in order."""
        return self._samples("latencies")

    @property
    def rate(self) -> float:
        """Requests a second that were answered, also by a site that says that it is closed."""
        turned_away = [request for request in self.seen["failed"] if self._within(request["at"]) and request["closed"]]
        return (len(self.latencies) + len(turned_away)) / (math.ceil(self.until) - math.floor(self.since))

    @property
    def waits(self) -> list[float]:
        """Milliseconds from a message to its acknowledgement, in order; its author may have been disconnected."""
        return self._samples("waits")

    @property
    def latest(self) -> float:
        """By how many seconds a request began after its time, at the worst: the load's own machine was busy."""
        return max((late for second, late in self.seen["lateness"].items() if self._within(int(second))), default=0.0)

    def against(self, calm: Figures) -> str:
        """How long answers took, against those of a calm site."""
        return "; ".join(
            f"p{percent} {percentile(self.latencies, percent):.0f} ms"
            f" (calm {percentile(calm.latencies, percent):.0f} ms)"
            for percent in (50, 99)
        )

    def summary(self) -> str:
        """All of it for people, in a few lines."""
        failures = Counter(
            (request["kind"], request["what"][:60] + (" (kept connection)" if request["reused"] else ""))
            for request in self.failed
        )
        latencies, waits, held = self.latencies, self.waits, self.held
        lines = [
            f"{self.until - self.since:.1f} s: {len(latencies)} good answers,"
            f" p50 {percentile(latencies, 50):.0f} ms, p99 {percentile(latencies, 99):.0f} ms,"
            f" worst {percentile(latencies, 100):.0f} ms; begun up to {self.latest * 1000:.0f} ms late",
            f"failed requests: {len(self.failed)}; sent again on a new connection: {len(self.resent)};"
            f" told that the site is closed: {len(self.closed)}",
            *(f"  {count} x {kind}: {what}" for (kind, what), count in failures.most_common()),
            f"connections held: {min(held, default=0)} at the least;"
            f" lost {dict(Counter(str(outage['code']) for outage in self.outages))},"
            f" longest without one {self.longest_outage:.1f} s;"
            f" refused {dict(Counter(attempt['what'][:80] for attempt in self.refused))},"
            f" given up by a busy server {len(self.overdue)}",
            f"messages: {len(waits)} acknowledged, p50 {percentile(waits, 50):.0f} ms,"
            f" p99 {percentile(waits, 99):.0f} ms, worst {percentile(waits, 100):.0f} ms",
        ]
        return "\n".join(lines)


def overdue(attempt: dict[str, Any]) -> bool:
    """Whether opening a WebSocket failed since it took the server longer than it allows itself.

    The server of uvicorn's default `--ws` closes a connection whose handshake has not ended after 10 s (open_timeout of
    the library websockets), and nginx answers 502. That tells of a busy machine; what a switch breaks fails at once.
    """
    return bool(attempt["took"] >= HANDSHAKE_SECONDS and ": 502," in attempt["what"])


def percentile(samples: Sequence[float], percent: float) -> float:
    """The sample that so many percent do not exceed; `samples` are in order."""
    return samples[max(0, math.ceil(len(samples) * percent / 100) - 1)] if samples else math.nan


@dataclass
class Window:
    """From one moment to another; `figures` once it is over."""

    figures: Figures | None = None

    @property
    def seen(self) -> Figures:
        """What was seen, of a window that is over."""
        assert self.figures
        return self.figures


class Load:
    """Visitors that are at it."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def ask(self, question: str) -> Any:
        """The program's answer: to "now", "figures" or "audit"."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(f"{question}\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, f"the visitors are gone: {self._process.poll()}"
        return json.loads(line)

    def now(self) -> float:
        """The visitors' clock."""
        return float(self.ask("now"))

    def figures(self, since: float = 0, until: float = math.inf) -> Figures:
        """All that was seen, or what was between two moments."""
        seen = self.ask("figures")
        return Figures(max(since, seen["began"]), min(until, seen["now"]), seen)

    @contextmanager
    def watched(self) -> Iterator[Window]:
        """A window as long as the context."""
        window, since = Window(), self.now()
        try:
            yield window
        finally:
            window.figures = self.figures(since)

    def answered(self, count: int) -> Figures:
        """Wait until so many more requests were answered, and return what was seen meanwhile."""
        since, before = self.now(), self.figures().seen["requests"]
        while (figures := self.figures(since)).seen["requests"] < before + count:
            time.sleep(1)
        return figures

    def audit(self) -> dict[str, Any]:
        """Let the chat come to rest, and compare what was acknowledged and heard with what the site has stored.

        What must not be is in lists: `lost`, `doubled`, `strange`, `misheard`, `wrong` and `rooms_lost`; or `not
        settled`, where the chat did not come to rest, and there is nothing to compare.
        """
        return dict(self.ask("audit"))


def discrepancies(audit: dict[str, Any]) -> dict[str, list[str]]:
    """What an audit found that must not be."""
    return {name: found for name, found in audit.items() if isinstance(found, list) and found}


@contextmanager
def load(visitors: str, site: Site, *others: str, log: Path, **wishes: Any) -> Iterator[Load]:
    """Load on a site from a host of the inventory, for as long as the context lasts.

    `others` are the addresses of the site's other edges, `log` is where the progress is written, and `wishes` are
    fields of Plan. Returns once everybody is connected and each kind of request was answered.
    """
    plan = Plan(
        url=site.url,
        addresses=[site.address, *others],
        port=site.port,
        authority=Path(site.authority).read_text() if site.authority else "",
        picture=base64.b64encode(portrait((79, 70, 200), (250, 224, 200))).decode(),
        **wishes,
    )
    ssh = ["ssh", "-F", str(SSH_CONFIG), "-S", "none", visitors]
    subprocess.run([*ssh, f"cat > {WHERE}"], input=PROGRAM.read_text(), text=True, check=True)
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w") as progress:
        process = subprocess.Popen(
            [*ssh, f"exec python3 {WHERE}"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=progress, text=True
        )
        started = Load(process)
        try:
            try:
                started.ask(json.dumps(asdict(plan)))
            except (AssertionError, BrokenPipeError) as error:
                raise AssertionError(f"the visitors did not come in\n{log.read_text()[-3000:]}") from error
            yield started
        finally:
            # Its input ends, and so does it.
            process.communicate()
