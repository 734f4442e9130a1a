"""The WebSocket protocol, through the whole ASGI application with real PostgreSQL and Redis."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

from asgiref.sync import sync_to_async
from asgiref.testing import ApplicationCommunicator
from channels.layers import channel_layers
from django.conf import settings
from django.test import Client, TransactionTestCase, override_settings

from backend.accounts.models import User
from backend.chat.models import Room
from backend.config.asgi import application

CHATTER = {"presence", "heartbeat"}


class Visitor(ApplicationCommunicator):
    """A client's end of a connection (channels.testing would need Daphne, a second server, installed)."""

    async def connect(self) -> dict[str, Any]:
        """Open the connection; return the application's answer."""
        await self.send_input({"type": "websocket.connect"})
        answer: dict[str, Any] = await self.receive_output(5)
        return answer

    async def disconnect(self) -> None:
        """Go away and wait until the application has noticed."""
        await self.send_input({"type": "websocket.disconnect", "code": 1001})
        await self.wait(5)

    async def frame(self, text: str | None = None, data: bytes | None = None) -> None:
        """Send one frame as it stands."""
        await self.send_input({"type": "websocket.receive", "text": text, "bytes": data})

    async def tell(self, **content: Any) -> None:
        """Send a JSON frame."""
        await self.frame(json.dumps(content))

    async def hear(self, *types: str) -> dict[str, Any]:
        """Return the next frame of one of `types`, by default the next that isn't mere chatter."""
        while True:
            frame: dict[str, Any] = json.loads((await self.receive_output(5))["text"])
            if frame["type"] in types or (not types and frame["type"] not in CHATTER):
                return frame

    async def join(self, last_sequence: int | None = None) -> list[dict[str, Any]]:
        """Say hello; return the messages that were missed."""
        await self.tell(type="hello", last_sequence=last_sequence)
        missed: list[dict[str, Any]] = []
        while (frame := await self.hear())["type"] == "messages":
            missed += frame["messages"]
        assert frame["type"] == "ready", frame  # noqa: S101 - a test
        return missed

    async def send(self, body: str, identity: str | None = None) -> dict[str, Any]:
        """Send a message; return its acknowledgement."""
        await self.tell(type="send", id=identity or str(uuid4()), body=body)
        return await self.hear("ack", "error")

    async def bodies(self, count: int) -> list[str]:
        """Return the texts of the next `count` messages."""
        found: list[str] = []
        while len(found) < count:
            found += [message["body"] for message in (await self.hear("messages"))["messages"]]
        return found


class WebSocketTests(TransactionTestCase):
    """Everything a client relies on."""

    def setUp(self) -> None:
        # Each test has an event loop of its own, which the channel layer's locks are bound to.
        channel_layers.backends.clear()
        # A room of its own for each test, for Redis is not emptied between them.
        self.room = Room.objects.create(slug=f"test-{uuid4().hex}", name="Test")
        self.users = {name: User.objects.create_user(name) for name in ("ada", "bob")}

    def visitor(self, name: str | None, origin: str = "http://localhost", room: str = "") -> Visitor:
        headers = [(b"origin", origin.encode()), (b"host", b"localhost")]
        if name:
            client = Client()
            client.force_login(self.users[name])
            cookie = client.cookies[settings.SESSION_COOKIE_NAME].value
            headers.append((b"cookie", f"{settings.SESSION_COOKIE_NAME}={cookie}".encode()))
        path = f"/ws/chat/{room or self.room.slug}/"
        scope = {"type": "websocket", "path": path, "query_string": b"", "headers": headers, "subprotocols": []}
        return Visitor(application, scope)

    @asynccontextmanager
    async def visit(self, name: str) -> AsyncIterator[Visitor]:
        visitor = await sync_to_async(self.visitor)(name)
        self.assertEqual((await visitor.connect())["type"], "websocket.accept")
        try:
            yield visitor
        finally:
            await visitor.disconnect()

    async def append(self, *bodies: str) -> None:
        """Store messages without telling the channel layer, as if it had lost them."""
        for body in bodies:
            await sync_to_async(self.room.append)(self.users["bob"], uuid4(), body)

    async def test_two_people_talk(self) -> None:
        async with self.visit("ada") as ada, self.visit("bob") as bob:
            self.assertEqual(await ada.join(), [])
            self.assertEqual(await bob.join(), [])
            identity = str(uuid4())
            await ada.tell(type="send", id=identity, body="Hello Bob <b>ü</b>")
            frame = await bob.hear("messages")
            (message,) = frame["messages"]
            self.assertEqual(message["body"], "Hello Bob <b>ü</b>")
            self.assertEqual(message["author"], {"username": "ada", "avatar_url": None})
            self.assertEqual((message["id"], message["sequence"]), (identity, 1))
            self.assertEqual((await ada.hear("ack")), {"type": "ack", "id": identity, "sequence": 1})
            self.assertEqual(await ada.hear("messages"), frame)

    async def test_anonymous_visitors_stay_out(self) -> None:
        visitor = self.visitor(None)
        await visitor.connect()
        self.assertEqual((await visitor.receive_output())["code"], 4401)

    async def test_an_unknown_room(self) -> None:
        visitor = await sync_to_async(self.visitor)("ada", room="nowhere")
        await visitor.connect()
        self.assertEqual((await visitor.receive_output())["code"], 4404)

    async def test_the_origin_is_checked_and_its_port_is_free(self) -> None:
        for origin, allowed in (
            ("http://localhost", True),
            ("https://localhost:8443", True),
            ("http://evil.example", False),
            ("http://localhost.evil.example", False),
            ("null", False),
        ):
            visitor = await sync_to_async(self.visitor)("ada", origin=origin)
            answer = await visitor.connect()
            self.assertEqual(answer["type"], "websocket.accept" if allowed else "websocket.close", origin)
            await visitor.disconnect()

    async def test_what_was_missed_is_delivered(self) -> None:
        await self.append(*"abcde")
        async with self.visit("ada") as ada:
            missed = await ada.join(last_sequence=3)
        self.assertEqual([(message["sequence"], message["body"]) for message in missed], [(4, "d"), (5, "e")])

    @override_settings(CHAT_HISTORY=2)
    async def test_a_newcomer_gets_the_end_of_the_history(self) -> None:
        await self.append(*"abcde")
        async with self.visit("ada") as ada:
            self.assertEqual([message["body"] for message in await ada.join()], ["d", "e"])

    async def test_a_client_that_knows_too_much_starts_again(self) -> None:
        await self.append("a")
        async with self.visit("ada") as ada:
            await ada.tell(type="hello", last_sequence=7)
            self.assertEqual((await ada.hear())["type"], "reset")
            self.assertEqual(await ada.bodies(1), ["a"])

    async def test_sending_again_stores_nothing_new(self) -> None:
        identity = str(uuid4())
        async with self.visit("ada") as ada, self.visit("bob") as bob:
            await ada.join()
            await bob.join()
            first = await ada.send("once", identity)
            self.assertEqual(await ada.send("once", identity), first)
            await ada.send("next")
            self.assertEqual(await bob.bodies(2), ["once", "next"])
        self.assertEqual(await self.room.messages.acount(), 2)

    async def test_what_the_channel_layer_lost_comes_with_the_next_message(self) -> None:
        async with self.visit("ada") as ada, self.visit("bob") as bob:
            await ada.join()
            await bob.join()
            await self.append("lost 1", "lost 2")
            await ada.send("next")
            self.assertEqual(await bob.bodies(3), ["lost 1", "lost 2", "next"])

    @override_settings(CHAT_HEARTBEAT_SECONDS=0.2)
    async def test_what_the_channel_layer_lost_comes_with_the_heartbeat(self) -> None:
        async with self.visit("ada") as ada:
            await ada.join()
            await self.append("lost")
            self.assertEqual(await ada.bodies(1), ["lost"])
            await ada.hear("heartbeat")

    async def test_joining_while_others_write(self) -> None:
        async with self.visit("ada") as ada:
            await ada.join()

            done = asyncio.Event()

            async def write() -> None:
                number = 0
                while not done.is_set():
                    number += 1
                    await ada.send(str(number))

            writing = asyncio.create_task(write())
            for _ in range(5):
                async with self.visit("bob") as bob:
                    missed = [message["body"] for message in await bob.join(last_sequence=0)]
                    heard = missed + await bob.bodies(3)
                    self.assertEqual(heard, [str(number) for number in range(1, len(heard) + 1)])
            done.set()
            await writing

    async def test_bad_frames_are_answered_and_change_nothing(self) -> None:
        async with self.visit("ada") as ada:
            await ada.tell(type="send", id=str(uuid4()), body="early")
            self.assertEqual((await ada.hear())["code"], "not_joined")
            for last in (-1, "1", 1.5, True, 2**63):
                await ada.tell(type="hello", last_sequence=last)
                self.assertEqual((await ada.hear())["code"], "invalid_sequence", last)
            await ada.join()
            await ada.tell(type="hello", last_sequence=0)
            self.assertEqual((await ada.hear())["code"], "already_joined")
            for text in ("", "{", "[]", '{"type": "send", "body": "\\ud800"}'):
                await ada.frame(text)
                self.assertEqual((await ada.hear())["code"], "invalid_frame", text)
            await ada.frame(data=b"{}")
            self.assertEqual((await ada.hear())["code"], "invalid_frame")
            await ada.tell(type="dance")
            self.assertEqual((await ada.hear())["code"], "unknown_type")
            for identity in ("x", 7, None):
                await ada.tell(type="send", id=identity, body="x")
                self.assertEqual((await ada.hear())["code"], "invalid_id", identity)
            for body in ("", " ", "nul\0", "x" * 2001, 7, None):
                identity = str(uuid4())
                await ada.tell(type="send", id=identity, body=body)
                frame = await ada.hear()
                self.assertEqual((frame["code"], frame["id"]), ("invalid_body", identity))
            self.assertEqual((await ada.send("good"))["sequence"], 1)

    async def test_presence(self) -> None:
        async def names(visitor: Visitor, expected: list[str]) -> None:
            heard: list[str] = []
            async with asyncio.timeout(5):
                while heard != expected:
                    heard = [user["username"] for user in (await visitor.hear("presence"))["users"]]

        async with self.visit("ada") as ada:
            await ada.join()
            await names(ada, ["ada"])
            async with self.visit("bob") as bob:
                await bob.join()
                await names(ada, ["ada", "bob"])
                await names(bob, ["ada", "bob"])
            await names(ada, ["ada"])
