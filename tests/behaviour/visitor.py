"""A visitor of the sample application: its REST API and its chat, as a browser uses them."""

from __future__ import annotations

import asyncio
import json
import ssl
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from websockets.asyncio.client import ClientConnection, connect

PASSWORD = "correct horse battery staple"
SECONDS = 20


@dataclass(frozen=True)
class Site:
    """Where a site is.

    `url` is what people type, e.g. http://edusphere.test; its name need not resolve, because connections go to
    `address` (and `port`, the URL's own by default). `authority` is the file of the certificate authority to trust.
    """

    url: str
    address: str
    port: int | None = None
    authority: str | None = None

    @property
    def host(self) -> str:
        """The name, and the port where it isn't the scheme's own."""
        return urlsplit(self.url).netloc

    @property
    def name(self) -> str:
        """The name alone."""
        return str(urlsplit(self.url).hostname)

    def session(self) -> requests.Session:
        """Return a new session: a browser that was never here."""
        session = requests.Session()
        session.trust_env = False
        session.mount(f"{urlsplit(self.url).scheme}://", _Pinned(self))
        if self.authority:
            session.verify = self.authority
        return session

    def request(self, method: str, path: str, **kwargs: Any) -> requests.Response:
        """Send one request in a session of its own, without following redirects."""
        with self.session() as session:
            return session.request(method, self.url + path, **{"timeout": SECONDS, "allow_redirects": False} | kwargs)

    def get(self, path: str, **kwargs: Any) -> requests.Response:
        """GET a path, without following redirects."""
        return self.request("GET", path, **kwargs)

    def wait_until_ready(self, seconds: float = 60) -> None:
        """Wait until it is ready to serve; fails after so many seconds."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                found = str(self.get("/api/health/ready/").status_code)
            except requests.RequestException as problem:
                found = str(problem)
            if found == "200":
                return
            assert time.monotonic() < deadline, f"{self.url} is not ready after {seconds} s: {found}"
            time.sleep(0.5)


class _Pinned(HTTPAdapter):
    """Connects to the site's address, and speaks to it as its name."""

    def __init__(self, site: Site) -> None:
        super().__init__()
        self._site = site

    def build_connection_pool_key_attributes(
        self, request: requests.PreparedRequest, verify: Any, cert: Any = None
    ) -> tuple[Any, Any]:
        host, pool = super().build_connection_pool_key_attributes(request, verify, cert)
        host["host"] = self._site.address
        host["port"] = self._site.port or host["port"]
        names = {"server_hostname": self._site.name, "assert_hostname": self._site.name}
        return host, {**pool, **(names if host["scheme"] == "https" else {})}

    def add_headers(self, request: requests.PreparedRequest, **_: Any) -> None:
        request.headers.setdefault("Host", self._site.host)


class Visitor:
    """Somebody with an account, logged in."""

    def __init__(self, site: Site, name: str | None = None, headers: Mapping[str, str] | None = None) -> None:
        """Register a new account; without a `name`, one that nobody has. `headers` go with every request."""
        self.site = site
        self.name = name or f"visitor-{uuid.uuid4().hex[:12]}"
        self.headers = dict(headers or {})
        self.session = site.session()
        self.session.headers.update(self.headers)
        self.user = self._enter("register")

    def _enter(self, how: str) -> dict[str, Any]:
        answer = self.call("POST", f"/api/{how}/", json={"username": self.name, "password": PASSWORD})
        return dict(answer["user"])

    def log_in_again(self) -> None:
        """Forget the session and open a new one."""
        self.session.cookies.clear()
        self.user = self._enter("login")

    def call(self, method: str, path: str, **kwargs: Any) -> dict[str, Any]:
        """Call the API and return its JSON; an answer that isn't 2xx raises requests.HTTPError."""
        if method != "GET":
            self.session.get(f"{self.site.url}/api/csrf/", timeout=SECONDS).raise_for_status()
            kwargs["headers"] = {"X-CSRFToken": self.session.cookies["csrftoken"], "Referer": f"{self.site.url}/"}
        response = self.session.request(method, self.site.url + path, timeout=SECONDS, **kwargs)
        response.raise_for_status()
        return dict(response.json())

    def me(self) -> dict[str, Any] | None:
        """Who the site takes this visitor for."""
        user: dict[str, Any] | None = self.call("GET", "/api/me/")["user"]
        return user

    def open_room(self) -> str:
        """Open a chat room of this visitor's own and return its slug."""
        room = self.call("POST", "/api/rooms/", json={"name": f"Room {uuid.uuid4().hex[:12]}"})["room"]
        return str(room["slug"])

    def upload_avatar(self, png: bytes) -> str:
        """Upload a picture and return its path on the site."""
        answer = self.call("POST", "/api/me/avatar/", files={"avatar": ("me.png", png, "image/png")})
        return str(answer["user"]["avatar_url"])

    def chat(self, room: str, last_sequence: int | None = None, origin: str | None = None) -> Chat:
        """Return a connection to a room, to be entered with `async with`; `origin` is the page's, or else the site."""
        return Chat(self, room, last_sequence, origin or self.site.url)


class Chat:
    """A visitor's WebSocket in a room. Frames are kept in the order in which they came."""

    def __init__(self, visitor: Visitor, room: str, last_sequence: int | None, origin: str) -> None:
        self._visitor = visitor
        self._origin = origin
        self._room = room
        self._last_sequence = last_sequence
        self.messages: list[dict[str, Any]] = []
        self._frames: list[dict[str, Any]] = []

    async def __aenter__(self) -> Chat:
        """Connect, say hello and wait until everything missed was delivered."""
        site = self._visitor.site
        secure = site.url.startswith("https:")
        cookies = self._visitor.session.cookies
        self._socket: ClientConnection = await connect(
            f"{'wss' if secure else 'ws'}://{site.host}/ws/chat/{self._room}/",
            host=site.address,
            port=site.port or urlsplit(site.url).port or (443 if secure else 80),
            ssl=ssl.create_default_context(cafile=site.authority) if secure else None,
            origin=self._origin,  # type: ignore[arg-type]  # a NewType of str
            additional_headers=self._visitor.headers
            | {"Cookie": "; ".join(f"{cookie.name}={cookie.value}" for cookie in cookies)},
            proxy=None,
        )
        await self._socket.send(json.dumps({"type": "hello", "last_sequence": self._last_sequence}))
        await self.wait_for("ready")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._socket.close()

    async def _receive(self) -> dict[str, Any]:
        frame: dict[str, Any] = json.loads(await asyncio.wait_for(self._socket.recv(), SECONDS))
        if frame["type"] == "messages":
            self.messages += frame["messages"]
        self._frames.append(frame)
        return frame

    async def wait_for(self, kind: str) -> dict[str, Any]:
        """Receive until a frame of this type comes, and return it."""
        while (frame := await self._receive())["type"] != kind:
            pass
        return frame

    async def say(self, body: str) -> int:
        """Send a message and return its number once it is stored."""
        identity = str(uuid.uuid4())
        await self._socket.send(json.dumps({"type": "send", "id": identity, "body": body}))
        while True:
            frame = await self.wait_for("ack")
            if frame["id"] == identity:
                return int(frame["sequence"])

    async def hear(self, count: int) -> list[str]:
        """Receive until `count` messages have come in all, and return the text of each."""
        while len(self.messages) < count:
            await self._receive()
        return [message["body"] for message in self.messages]
