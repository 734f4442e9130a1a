"""Many visitors at once, who forgive nothing: the program that behaviour.load runs on a machine of its own.

It needs Debian's python3-aiohttp and nothing of this repository. The first line of its standard input is what to do
(behaviour.load.Plan as JSON); every further line is a question, answered by one line of JSON on standard output.
It ends with its input.

Requests start on schedule, whatever becomes of those before them: each has the right status and a body that is the page
asked for, or has failed. None is sent again, with the one exception that every browser makes: a GET on a kept
connection that the server closed before it answered. Those are counted. So are answers that say that the site is closed
for maintenance, 503 with Retry-After: who asks for the figures knows whether it was. WebSocket clients do what the
application's own client does (frontend/src/chat/client.ts): they come back after a wait that is drawn at random, say
what they saw last, and send again what was not acknowledged, under its old id. Times are seconds since it began.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import itertools
import json
import os
import random
import re
import socket
import ssl
import sys
import time
import uuid
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, TypeAlias

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

BEGAN = time.monotonic()
PASSWORD = "correct horse battery staple"
# As long as a browser waits. That a busy machine is slow is no fault of what is upgraded on it: the figures tell.
PATIENCE_SECONDS = 60
# As many as a browser opens to one host.
CONNECTIONS = 6
# More requests than these are not begun before some of them have ended; those that wait are late.
IN_FLIGHT = 200
# As the application's client.
FIRST_DELAY_SECONDS = 0.5
LONGEST_DELAY_SECONDS = 15
# More than twice its patience, as with requests: a heartbeat comes each 20 s, if the machine is not busy.
SILENCE_SECONDS = 120
# All that is under way has arrived by then, or it never does: on a busy machine an upgrade leaves minutes of talk.
SETTLE_SECONDS = 300
# Two of a dead connection's ends: it was closed, or reset since something was sent on it.
GONE = (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError)
PAGE = 200

# Of each thousand requests. Most are nginx' own, as with browsers: each of the others costs a hundred times as much.
SHARES = {
    "index": 230,
    "asset": 190,
    "old asset": 150,
    "admin css": 130,
    "media": 130,
    "me": 60,
    "rooms": 20,
    "messages": 25,
    "admin": 10,
    "version": 20,
    "post avatar": 33,
    # The list of rooms grows by each, and so does what it costs to list them.
    "post room": 2,
}
Check: TypeAlias = Callable[[bytes], str | None]


def now() -> float:
    """Seconds since the program began."""
    return time.monotonic() - BEGAN


@dataclass(frozen=True)
class Request:
    """What is asked for, and what an answer has to be like."""

    method: str
    path: str
    check: Check
    """What is wrong with a body, or None."""
    status: int = 200
    data: Callable[[], Any] | None = None
    """Makes the body to send; a form is read once."""
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class User:
    """An account with an open session."""

    name: str
    cookies: str
    csrf: str
    avatar: str


class Address(AbstractResolver):
    """The site's name is this address, whatever a name server says."""

    def __init__(self, address: str, port: int | None) -> None:
        self.address = address
        self.port = port

    async def resolve(self, host: str, port: int = 0, family: Any = 0) -> list[ResolveResult]:
        """Return the one address."""
        return [
            {
                "hostname": host,
                "host": self.address,
                "port": self.port or port,
                "family": family or socket.AF_INET,
                "proto": 0,
                "flags": 0,
            }
        ]

    async def close(self) -> None:
        """Nothing is open."""


def is_closed(status: int, headers: Mapping[str, str]) -> bool:
    """Whether an answer says that the site is closed for maintenance, and when to ask again."""
    return status == 503 and headers.get("Retry-After", "").isdigit()


def traces() -> aiohttp.TraceConfig:
    """Notes of a request whether it went over a connection that was open already."""
    trace = aiohttp.TraceConfig()

    async def reused(_: Any, context: SimpleNamespace, __: Any) -> None:
        if context.trace_request_ctx is not None:
            context.trace_request_ctx["reused"] = True

    trace.on_connection_reuseconn.append(reused)
    return trace


class Visitors:
    """All of them, and what they saw."""

    def __init__(self, plan: dict[str, Any]) -> None:
        self.plan = plan
        self.random = random.Random(plan["seed"])  # noqa: S311  # nothing secret
        self.url: str = plan["url"]
        self.tls = ssl.create_default_context(cadata=plan["authority"]) if plan["authority"] else True
        self.picture = base64.b64decode(plan["picture"])
        self.mark = uuid.uuid4().hex[:8]
        self.addresses = itertools.cycle(plan["addresses"])
        self.users: list[User] = []
        self.rooms: list[str] = []
        # Requests.
        self.begun = 0
        self.ended = 0
        self.kinds: Counter[str] = Counter()
        self.failed: list[dict[str, Any]] = []
        self.resent: list[dict[str, Any]] = []
        self.latencies: dict[int, list[float]] = defaultdict(list)
        self.lateness: dict[int, float] = defaultdict(float)
        self.digests: dict[str, str] = {}
        # What the page names, and what its scripts load later; of the first page, and of the last one.
        self.old_assets: list[str] = []
        self.assets: list[str] = []
        self.named: set[str] = set()
        self.loaded_later: dict[str, list[str]] = {}
        self.admin_css = ""
        self.versions: list[tuple[float, str]] = []
        self.opened: dict[str, float] = {}
        # Chat.
        self.talkers: list[Talker] = []
        self.paused = False
        self.sent: dict[str, tuple[str, str, str]] = {}
        self.acked: dict[str, int] = {}
        self.heard: dict[str, dict[int, str]] = defaultdict(dict)
        self.wrong: list[str] = []
        self.refused: list[dict[str, Any]] = []
        self.outages: list[dict[str, Any]] = []
        self.waits: dict[int, list[float]] = defaultdict(list)
        self.held: list[int] = []
        self.stored: dict[str, dict[int, tuple[str, str, str]]] = defaultdict(dict)
        self.loop_lag = 0.0
        # When the load began.
        self.began = 0.0
        self.tasks: set[asyncio.Task[None]] = set()

    # ------------------------------------------------------------------ connections

    def session(self, user: User | None = None, fresh: bool = False) -> aiohttp.ClientSession:
        """Return the connections of one browser: kept open, or each request's own."""
        headers = {"Referer": f"{self.url}/", "User-Agent": "edusphere-visitors"}
        if user:
            headers |= {"Cookie": user.cookies, "X-CSRFToken": user.csrf}
        session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                resolver=Address(next(self.addresses), self.plan["port"]),
                ssl=self.tls,
                limit=CONNECTIONS,
                **({"force_close": True} if fresh else {"keepalive_timeout": 300}),
            ),
            headers=headers,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=PATIENCE_SECONDS),
            trace_configs=[traces()],
        )
        # The library would send a GET again that a kept connection failed, and say nothing.
        assert session._retry_connection is True
        session._retry_connection = False
        return session

    async def api(self, session: aiohttp.ClientSession, method: str, path: str, **how: Any) -> Any:
        """Call the API where no load is measured: before it, and to compare."""
        async with session.request(method, self.url + path, **how) as response:
            assert response.ok, f"{method} {path}: {response.status} {(await response.text())[:300]}"
            return await response.json()

    async def register(self, name: str) -> User:
        """Open an account."""
        async with self.session() as session:

            async def call(path: str, cookies: dict[str, str], **how: Any) -> Any:
                headers = {
                    "Cookie": "; ".join(f"{key}={value}" for key, value in cookies.items()),
                    "X-CSRFToken": cookies.get("csrftoken", ""),
                }
                async with session.request(
                    "POST" if how else "GET", self.url + path, headers=headers, **how
                ) as response:
                    assert response.ok, f"{path}: {response.status} {(await response.text())[:300]}"
                    cookies |= {key: morsel.value for key, morsel in response.cookies.items()}
                    return await response.json()

            cookies: dict[str, str] = {}
            await call("/api/csrf/", cookies)
            await call("/api/register/", cookies, json={"username": name, "password": PASSWORD})
            answer = await call("/api/me/avatar/", cookies, data=self.form())
            return User(
                name,
                "; ".join(f"{key}={value}" for key, value in cookies.items()),
                cookies["csrftoken"],
                answer["user"]["avatar_url"],
            )

    def form(self) -> aiohttp.FormData:
        """Return the form that uploads the picture."""
        form = aiohttp.FormData()
        form.add_field("avatar", self.picture, filename="me.png", content_type="image/png")
        return form

    # ------------------------------------------------------------------ requests

    def index_is_whole(self, body: bytes) -> str | None:
        """The page names its files, which are asked for from then on."""
        text = body.decode()
        assets = re.findall(r'(?:src|href)="(/assets/[^"]+)"', text)
        if '<div id="app">' not in text or not assets:
            return f"not the start page: {text[:200]!r}"
        self.assets = assets
        self.named.update(assets)
        self.old_assets = self.old_assets or assets
        return None

    def asset(self, first: list[str]) -> str:
        """Return one of a page's files, or of those that its scripts load later."""
        return self.random.choice([*first, *(path for name in first for path in self.loaded_later.get(name, []))])

    def same_as_ever(self, path: str) -> Check:
        """A file whose name has a hash never changes."""

        def check(body: bytes) -> str | None:
            digest = hashlib.sha256(body).hexdigest()
            if not body or self.digests.setdefault(path, digest) != digest:
                return f"other content than before under the same name, {len(body)} bytes"
            if path.endswith(".js"):
                self.loaded_later[path] = [
                    f"/assets/{name.decode()}" for name in re.findall(rb'"\./([\w-]+\.(?:js|css))"', body)
                ]
            return None

        return check

    def admin_is_whole(self, body: bytes) -> str | None:
        """The page names its style sheet."""
        css = re.search(rb'href="(/static/edusphere/admin[^"]*\.css)"', body)
        if b"csrfmiddlewaretoken" not in body or not css:
            return f"not the admin's log-in: {body[:200]!r}"
        self.admin_css = css[1].decode()
        return None

    def version_is_told(self, body: bytes) -> str | None:
        """Changes are noted."""
        version = str(json.loads(body)["version"])
        if not self.versions or self.versions[-1][1] != version:
            self.versions.append((now(), version))
        return None

    def request(self, kind: str, user: User) -> Request:
        """Return what a visitor asks for."""

        def of(test: Callable[[Any], bool]) -> Check:
            return lambda body: None if test(json.loads(body)) else f"not what was asked for: {body[:200]!r}"

        choose = self.random.choice
        if kind == "index":
            return Request("GET", "/", self.index_is_whole)
        if kind in ("asset", "old asset"):
            path = self.asset(self.assets if kind == "asset" else self.old_assets)
            return Request("GET", path, self.same_as_ever(path))
        if kind == "me":
            return Request("GET", "/api/me/", of(lambda answer: answer["user"]["username"] == user.name))
        if kind == "rooms":
            rooms = set(self.rooms)
            return Request("GET", "/api/rooms/", of(lambda answer: rooms <= {room["slug"] for room in answer["rooms"]}))
        if kind == "messages":
            room = choose(self.rooms)
            after = max(0, max(self.heard[room], default=0) - 20)

            def numbered(answer: Any) -> bool:
                numbers = [message["sequence"] for message in answer["messages"]]
                return numbers == [*range(after + 1, after + 1 + len(numbers))] and len(numbers) >= min(after, 20)

            return Request("GET", f"/api/rooms/{room}/messages/?after={after}", of(numbered))
        if kind == "admin":
            return Request("GET", "/admin/login/", self.admin_is_whole)
        if kind == "admin css":
            return Request("GET", self.admin_css, lambda body: None if b"--primary" in body else f"{body[:200]!r}")
        if kind == "media":
            return Request(
                "GET", user.avatar, lambda body: None if body == self.picture else f"{len(body)} other bytes"
            )
        if kind == "version":
            return Request("GET", "/api/version/", self.version_is_told)
        if kind == "post avatar":
            return Request(
                "POST",
                "/api/me/avatar/",
                of(lambda answer: re.fullmatch(r"/media/avatars/\w+\.png", answer["user"]["avatar_url"]) is not None),
                data=self.form,
            )
        assert kind == "post room", kind
        name = f"new-{self.mark}-{self.begun}"

        def opened(body: bytes) -> str | None:
            self.opened[name] = now()
            return of(lambda answer: answer["room"]["slug"] == name)(body)

        return Request(
            "POST",
            "/api/rooms/",
            opened,
            status=201,
            data=lambda: json.dumps({"name": name}),
            headers={"Content-Type": "application/json"},
        )

    async def send(
        self, session: aiohttp.ClientSession, request: Request, note: dict[str, Any]
    ) -> tuple[int, bytes, bool]:
        """Send a request, and return the answer's status and body, and whether it says that the site is closed."""
        async with session.request(
            request.method,
            self.url + request.path,
            data=request.data() if request.data else None,
            headers=request.headers,
            allow_redirects=False,
            trace_request_ctx=note,
        ) as response:
            # From here on there is an answer, whatever becomes of it.
            note["answered"] = True
            return response.status, await response.read(), is_closed(response.status, response.headers)

    async def ask(
        self, session: aiohttp.ClientSession, kind: str, request: Request, anew: aiohttp.ClientSession | None = None
    ) -> str | None:
        """Send one request; what is wrong with the answer, or None.

        `anew` is the same browser's next connection. nginx 1.26 closes idle connections without grace when it reloads
        (ngx_close_idle_connections, which its leaving workers call; keepalive_min_timeout came with
        1.27.4). A request that is on its way then meets a closed connection. RFC 9112, 9.3.1: a client may send it
        again if it is idempotent, and all browsers do.
        """
        began = now()
        note: dict[str, Any] = {}
        closed = False
        try:
            try:
                status, body, closed = await self.send(session, request, note)
            except GONE as error:
                if anew is None or request.method != "GET" or "answered" in note or "reused" not in note:
                    raise
                self.resent.append({"at": round(began, 3), "kind": kind, "path": request.path, "what": repr(error)})
                status, body, closed = await self.send(anew, request, note)
            if status == request.status:
                try:
                    problem = request.check(body)
                except (ValueError, LookupError, TypeError) as error:
                    problem = f"{type(error).__name__}: {error}: {body[:200]!r}"
            else:
                problem = f"status {status}: {body[:100]!r}"
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            problem = f"{type(error).__name__}: {error}"
        took = now() - began
        self.ended += 1
        self.kinds[kind] += 1
        if problem:
            self.failed.append(
                {
                    "at": round(began, 3),
                    "took": round(took, 3),
                    "kind": kind,
                    "method": request.method,
                    "path": request.path,
                    "what": problem,
                    "reused": note.get("reused", False),
                    "closed": closed,
                }
            )
        else:
            self.latencies[int(began)].append(round(took * 1000, 1))
        return problem

    def schedule(self) -> Iterator[str]:
        """Return kinds of requests for ever, each thousand in another order."""
        thousand = [kind for kind, share in SHARES.items() for _ in range(share)]
        assert len(thousand) == 1000
        while True:
            self.random.shuffle(thousand)
            yield from thousand

    async def browse(self) -> None:
        """Begin requests at their times."""
        room = asyncio.Semaphore(IN_FLIGHT)
        readers = [user for user in self.users if user.name.startswith("reader")]
        posters = [user for user in self.users if user.name.startswith("poster")]
        # A browser's user is for good. One in ten requests opens a connection of its own, as does every POST: on a kept
        # connection that nginx closes meanwhile it would be lost, and must not be sent again (RFC 9110, 9.2.2), so that
        # no client could be sure of it, whatever is upgraded. What happens to it otherwise must be nothing.
        kept = [(self.session(user), user) for user, _ in zip(itertools.cycle(readers), range(18), strict=False)]
        fresh = {
            False: [(self.session(user, fresh=True), user) for user in readers],
            True: [(self.session(user, fresh=True), user) for user in posters],
        }
        anew = {user.name: session for session, user in fresh[False]}

        async def one(kind: str, session: aiohttp.ClientSession, user: User, request: Request) -> None:
            try:
                await self.ask(session, kind, request, anew.get(user.name))
            finally:
                room.release()

        began = now()
        for number, kind in enumerate(self.schedule()):
            due = began + number / self.plan["rate"]
            await asyncio.sleep(max(0, due - now()))
            await room.acquire()
            self.lateness[int(due)] = max(self.lateness[int(due)], now() - due)
            posts = kind.startswith("post")
            pool = fresh[posts] if posts or self.random.random() < 0.1 else kept
            session, user = self.random.choice(pool)
            self.begun += 1
            self.run(one(kind, session, user, self.request(kind, user)))

    # ------------------------------------------------------------------ chat

    async def chat(self) -> None:
        """Have somebody say something at regular times."""
        began = now()
        for number in itertools.count():
            await asyncio.sleep(max(0, began + number / self.plan["messages"] - now()))
            while self.paused:
                await asyncio.sleep(0.1)
                began = now() - number / self.plan["messages"]
            await self.talkers[number * 7 % len(self.talkers)].say(f"message {number}")

    async def audit(self) -> dict[str, Any]:
        """Let the chat come to rest, and compare what was said and heard with what is stored. Requests go on.

        A chat that does not come to rest is not compared: what is on its way is neither lost nor there.
        """
        self.paused = True
        try:
            async with self.session(self.users[0]) as session:
                end = now() + SETTLE_SECONDS
                while True:
                    opened = list(self.opened)
                    answer = await self.api(session, "GET", "/api/rooms/")
                    last = {room["slug"]: room["last_sequence"] for room in answer["rooms"]}
                    behind = [talker.name for talker in self.talkers if talker.last != last[talker.room]]
                    unacked = [identity for talker in self.talkers for identity in talker.pending]
                    if not (behind or unacked):
                        break
                    if now() > end:
                        return {
                            "not settled": [
                                f"after {SETTLE_SECONDS} s {len(behind)} clients have not seen all messages,"
                                f" {len(unacked)} messages are not acknowledged, {self.online} clients are connected",
                                *behind[:5],
                            ],
                            "wrong": self.wrong,
                        }
                    await asyncio.sleep(0.5)
                # What comes in while this reads may be stored after it was read.
                acked = dict(self.acked)
                heard = {room: dict(messages) for room, messages in self.heard.items()}
                for room in self.rooms:
                    await self.read(session, room)
        finally:
            self.paused = False
        copies = Counter((room, said[0]) for room, stored in self.stored.items() for said in stored.values())
        return {
            "sent": len(self.sent),
            "acked": len(acked),
            "stored": sum(copies.values()),
            "lost": [
                identity
                for identity, sequence in acked.items()
                if self.stored[self.sent[identity][0]].get(sequence) != (identity, *self.sent[identity][1:])
            ],
            "doubled": [identity for (_, identity), count in copies.items() if count > 1],
            "strange": [identity for _, identity in copies if identity not in self.sent],
            "misheard": [
                f"{room} {sequence}"
                for room, messages in heard.items()
                for sequence, identity in messages.items()
                if self.stored[room].get(sequence, ("",))[0] != identity
            ],
            "wrong": self.wrong,
            "rooms_opened": len(opened),
            "rooms_lost": [name for name in opened if name not in last],
            "held": self.online,
        }

    async def read(self, session: aiohttp.ClientSession, room: str) -> None:
        """Read what was stored since it was last read."""
        stored = self.stored[room]
        while True:
            after = max(stored, default=0)
            page = (await self.api(session, "GET", f"/api/rooms/{room}/messages/?after={after}"))["messages"]
            for message in page:
                stored[message["sequence"]] = (message["id"], message["author"]["username"], message["body"])
            if len(page) < PAGE:
                break

    # ------------------------------------------------------------------ all together

    @property
    def online(self) -> int:
        """How many clients have a connection that is ready."""
        return sum(talker.since is None for talker in self.talkers)

    def run(self, work: Any) -> None:
        """Run beside everything else. An error of the program's own ends it."""

        async def guarded() -> None:
            try:
                await work
            except asyncio.CancelledError:
                raise
            except BaseException:
                sys.excepthook(*sys.exc_info())
                sys.stderr.flush()
                # No answer is better than a wrong one.
                sys.exit(1)

        task = asyncio.get_running_loop().create_task(guarded())
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def enter(self) -> None:
        """Open accounts and rooms, see everything once, connect everybody: before anything is measured."""
        for kind, count in (("reader", self.plan["users"]), ("poster", 3)):
            for number in range(count):
                self.users.append(await self.register(f"{kind}-{self.mark}-{number}"))
        readers = self.users[: self.plan["users"]]
        async with self.session(readers[0]) as session, self.session(self.users[-1]) as poster:
            for number in range(self.plan["rooms"]):
                name = f"room-{self.mark}-{number}"
                await self.api(session, "POST", "/api/rooms/", json={"name": name})
                self.rooms.append(name)
            for kind in ("index", "admin", *SHARES):
                who = poster if kind.startswith("post") else session
                problem = await self.ask(who, kind, self.request(kind, readers[0]))
                assert problem is None, f"{kind}: {problem}"
            for path in self.assets:
                problem = await self.ask(session, "asset", Request("GET", path, self.same_as_ever(path)))
                assert problem is None, f"{path}: {problem}"
        for number in range(self.plan["clients"]):
            user = readers[(number // len(self.rooms)) % len(readers)]
            self.talkers.append(Talker(self, number, user, self.rooms[number % len(self.rooms)]))
        for talker in self.talkers:
            self.run(talker.stay())
        end = now() + SETTLE_SECONDS
        while self.online < len(self.talkers):
            assert now() < end, f"{self.online} connected, {self.refused[-3:]}"
            await asyncio.sleep(0.1)
        # What it took to come in is no part of it.
        self.begun = self.ended = 0
        self.kinds.clear()
        self.latencies.clear()
        self.resent.clear()
        self.outages.clear()
        self.refused.clear()

    async def watch(self) -> None:
        """Note each second how many are connected, and say each ten how it goes."""
        for number in itertools.count(1):
            due = number + int(self.began)
            await asyncio.sleep(max(0, due - now()))
            self.loop_lag = max(self.loop_lag, now() - due)
            self.held.append(self.online)
            if number % 10 == 0:
                print(
                    f"{now():7.1f} s: {self.ended} requests, {len(self.failed)} failed,"
                    f" {self.begun - self.ended} under way; {self.online} connected,"
                    f" {len(self.acked)} of {len(self.sent)} messages acknowledged",
                    file=sys.stderr,
                    flush=True,
                )

    def figures(self) -> dict[str, Any]:
        """Return all that was seen so far."""
        moment = now()
        return {
            "now": moment,
            "began": self.began,
            "requests": self.ended,
            "under_way": self.begun - self.ended,
            "kinds": dict(self.kinds),
            "failed": self.failed,
            "resent": self.resent,
            "latencies": self.latencies,
            "lateness": {second: round(late, 3) for second, late in self.lateness.items()},
            "named": sorted(self.named),
            "versions": self.versions,
            "sent": len(self.sent),
            "acked": len(self.acked),
            "waits": self.waits,
            "wrong": self.wrong,
            "online": self.online,
            "held": self.held,
            "refused": self.refused,
            "outages": [
                *self.outages,
                *(
                    {"client": talker.name, "at": talker.since, "seconds": moment - talker.since, "code": talker.code}
                    for talker in self.talkers
                    if talker.since is not None
                ),
            ],
            "cpu_seconds": time.process_time(),
            "loop_lag": round(self.loop_lag, 3),
        }


class Talker:
    """A WebSocket client in a room, for as long as the program runs."""

    def __init__(self, visitors: Visitors, number: int, user: User, room: str) -> None:
        self.visitors = visitors
        self.name = f"client {number} ({user.name} in {room})"
        self.user = user
        self.room = room
        # Number of the last message seen.
        self.last = 0
        # Since when it has no connection, and with which code it lost it.
        self.since: float | None = now()
        self.code: int | str = "new"
        self.pending: dict[str, tuple[str, float]] = {}
        self.socket: aiohttp.ClientWebSocketResponse | None = None
        self.attempt = 0

    async def say(self, body: str) -> None:
        """Say something now, or as soon as there is a connection."""
        identity = str(uuid.uuid4())
        self.visitors.sent[identity] = (self.room, self.user.name, body)
        self.pending[identity] = (body, now())
        if self.since is None:
            await self.send({"type": "send", "id": identity, "body": body})

    async def send(self, frame: dict[str, Any]) -> None:
        """Send a frame; on a connection that is going it is lost, which the receiving side sees too."""
        if self.socket is not None:
            with contextlib.suppress(aiohttp.ClientError, OSError):
                await self.socket.send_str(json.dumps(frame))

    async def stay(self) -> None:
        """Be connected, again and again."""
        address = "ws" + self.visitors.url.removeprefix("http")
        # Each attempt has a connection of its own, as with browsers.
        async with self.visitors.session(self.user, fresh=True) as session:
            while True:
                began = now()
                try:
                    async with asyncio.timeout(PATIENCE_SECONDS):
                        self.socket = await session.ws_connect(
                            f"{address}/ws/chat/{self.room}/", origin=self.visitors.url, max_msg_size=0
                        )
                    self.code = await self.listen(self.socket)
                except (aiohttp.ClientError, OSError, TimeoutError) as problem:
                    self.visitors.refused.append(
                        {
                            "at": round(now(), 3),
                            "took": round(now() - began, 3),
                            "client": self.name,
                            "what": f"{type(problem).__name__}: {problem}",
                            "closed": isinstance(problem, aiohttp.WSServerHandshakeError)
                            and is_closed(problem.status, problem.headers or {}),
                        }
                    )
                if self.since is None:
                    self.since = now()
                if self.socket is not None:
                    await self.socket.close()
                    self.socket = None
                longest = min(LONGEST_DELAY_SECONDS, FIRST_DELAY_SECONDS * 2**self.attempt)
                self.attempt += 1
                await asyncio.sleep(self.visitors.random.random() * longest)

    async def listen(self, socket: aiohttp.ClientWebSocketResponse) -> int:
        """Receive until the connection is closed; its close code, 1006 where there was none."""
        await self.send({"type": "hello", "last_sequence": self.last})
        while True:
            try:
                frame = await socket.receive(timeout=SILENCE_SECONDS)
            except TimeoutError:
                self.visitors.wrong.append(f"{now():.1f} s: {self.name}: {SILENCE_SECONDS} s of silence")
                return 1006
            if frame.type == aiohttp.WSMsgType.TEXT:
                await self.receive(json.loads(frame.data))
            elif frame.type == aiohttp.WSMsgType.CLOSE:
                return int(frame.data or 1005)
            else:
                return 1006

    async def receive(self, frame: dict[str, Any]) -> None:
        """Handle one frame."""
        visitors = self.visitors
        kind = frame["type"]
        if kind == "messages":
            for message in frame["messages"]:
                self.hear(message)
        elif kind == "ready":
            if self.since is not None:
                visitors.outages.append(
                    {"client": self.name, "at": self.since, "seconds": now() - self.since, "code": self.code}
                )
            self.since = None
            self.attempt = 0
            for identity, (body, _) in list(self.pending.items()):
                await self.send({"type": "send", "id": identity, "body": body})
        elif kind == "ack":
            identity, sequence = frame["id"], frame["sequence"]
            if identity in self.pending:
                _, began = self.pending.pop(identity)
                visitors.waits[int(began)].append(round((now() - began) * 1000, 1))
            if visitors.acked.setdefault(identity, sequence) != sequence:
                self.complain(f"{identity} was acknowledged as {visitors.acked[identity]} and as {sequence}")
        elif kind in ("error", "reset"):
            self.complain(json.dumps(frame))

    def hear(self, message: dict[str, Any]) -> None:
        """Take a message, which has to be the one after the last."""
        sequence = message["sequence"]
        if sequence != self.last + 1:
            self.complain(f"message {sequence} after {self.last}")
        self.last = max(self.last, sequence)
        known = self.visitors.heard[self.room].setdefault(sequence, message["id"])
        if known != message["id"]:
            self.complain(f"message {sequence} is {message['id']}, and was {known} for others")

    def complain(self, what: str) -> None:
        """Note what must not be."""
        self.visitors.wrong.append(f"{now():.1f} s: {self.name}: {what}")


async def main() -> None:
    """Do what the first line says, and answer the others."""
    loop = asyncio.get_running_loop()
    questions = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(questions), sys.stdin)
    visitors = Visitors(json.loads(await questions.readline()))

    def say(answer: Any) -> None:
        print(json.dumps(answer), flush=True)

    await visitors.enter()
    visitors.began = now()
    visitors.run(visitors.watch())
    visitors.run(visitors.browse())
    visitors.run(visitors.chat())
    say({"began": visitors.began})

    async def answer(line: str) -> None:
        if line == "now":
            say(now())
        elif line == "figures":
            say(visitors.figures())
        elif line == "audit":
            say(await visitors.audit())
        else:
            say({"error": f"no such question: {line}"})

    # Whoever asks may leave before the answer.
    while line := (await questions.readline()).decode().strip():
        visitors.run(answer(line))
    sys.stderr.flush()
    # Nobody needs a farewell, and asyncio would complain of each connection.
    os._exit(0)


if __name__ == "__main__":
    asyncio.run(main())
