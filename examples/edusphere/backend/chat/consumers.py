"""The chat's WebSocket.

A connection remembers the number of the last message it delivered. The channel layer only has to wake it up: whatever
it lost is found in PostgreSQL by that number, at the next message or heartbeat. So each connection delivers every
message once and in order.
"""

import asyncio
import contextlib
import logging
from typing import Any
from uuid import UUID, uuid4

from asgiref.sync import sync_to_async
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncJsonWebsocketConsumer
from django.conf import settings
from django.db import Error as DatabaseError
from redis import RedisError

from backend.chat import presence
from backend.chat.models import Room
from backend.core.http import BadRequestError, decode

logger = logging.getLogger(__name__)

UNAUTHENTICATED = 4401
UNKNOWN_ROOM = 4404
TRY_AGAIN = 1013
PAGE = 200
# Changes of presence within this time are told together.
PRESENCE_DELAY_SECONDS = 0.25


class RefusedError(Exception):
    """The client sent something that can't be accepted; `code` is for programs, the text for people."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


class ChatConsumer(AsyncJsonWebsocketConsumer):
    """One client in one room."""

    room: Room
    # False for a visitor who may not come in.
    admitted = False
    # True once the client has said hello.
    joined = False
    # Number of the last message delivered.
    delivered = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve the connection; when Redis or PostgreSQL fails, ask the client to come back later."""
        self.delivery = asyncio.Lock()
        self.tasks: dict[str, asyncio.Task[None]] = {}
        try:
            await super().__call__(scope, receive, send)
        except (RedisError, DatabaseError, OSError) as problem:
            await self.give_up(problem)
        finally:
            for task in self.tasks.values():
                task.cancel()

    async def give_up(self, problem: Exception) -> None:
        """Close with a code that makes the client reconnect."""
        logger.warning("closing a connection: %s: %s", type(problem).__name__, problem)
        with contextlib.suppress(Exception):  # the client may have gone already
            await self.close(TRY_AGAIN)

    # ------------------------------------------------------------------ the connection

    async def connect(self) -> None:
        """Accept first: only an accepted connection can be closed with a code that tells why."""
        await self.accept()
        user = self.scope["user"]
        if not user.is_authenticated:
            await self.close(UNAUTHENTICATED)
            return
        self.user = user
        room = await Room.objects.filter(slug=self.scope["url_route"]["kwargs"]["slug"]).afirst()
        if room is None:
            await self.close(UNKNOWN_ROOM)
            return
        self.room = room
        self.admitted = True
        self.group = f"chat.{room.pk}"
        self.visitor = presence.Visitor(uuid4().hex, user.username, user.avatar_url)

    async def disconnect(self, code: int) -> None:
        """Leave the room."""
        if not self.joined:
            return
        await self.channel_layer.group_discard(self.group, self.channel_name)
        await sync_to_async(presence.leave)(self.room.slug, self.visitor)
        await self.channel_layer.group_send(self.group, {"type": "chat.presence"})

    # ------------------------------------------------------------------ from the client

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None, **kwargs: Any) -> None:
        """Handle one frame; a bad one is answered with an error and changes nothing."""
        if not self.admitted:
            return
        content: dict[str, Any] = {}
        try:
            if text_data is None:
                raise RefusedError("invalid_frame", "frames must be text")
            try:
                content = decode(text_data)
            except BadRequestError as problem:
                raise RefusedError("invalid_frame", str(problem)) from problem
            if content.get("type") == "hello":
                await self.hello(content)
            elif content.get("type") == "send":
                await self.post(content)
            else:
                raise RefusedError("unknown_type", "type must be hello or send")
        except RefusedError as refused:
            await self.send_json(
                {"type": "error", "code": refused.code, "detail": str(refused), "id": content.get("id")}
            )

    async def hello(self, content: dict[str, Any]) -> None:
        """Join the room and deliver what the client missed since `last_sequence` (null: the end of the history)."""
        last = content.get("last_sequence")
        if last is not None and not (isinstance(last, int) and not isinstance(last, bool) and 0 <= last < 2**63):
            raise RefusedError("invalid_sequence", "last_sequence must be a number or null")
        if self.joined:
            raise RefusedError("already_joined", "hello was said before")
        # Subscribed first, then read: what is stored meanwhile comes both ways, and is delivered once.
        await self.channel_layer.group_add(self.group, self.channel_name)
        await self.room.arefresh_from_db(fields=["last_sequence"])
        if last is not None and last > self.room.last_sequence:
            # The client knows more than the database, e.g. after a restored backup: it has to start again.
            await self.send_json({"type": "reset"})
            last = None
        self.delivered = max(0, self.room.last_sequence - settings.CHAT_HISTORY) if last is None else last
        self.joined = True
        async with self.delivery:
            await self.deliver_missing()
            await self.send_json({"type": "ready", "last_sequence": self.delivered})
        await sync_to_async(presence.enter)(self.room.slug, self.visitor)
        await self.channel_layer.group_send(self.group, {"type": "chat.presence"})
        self.start("heartbeat", self.beat())

    async def post(self, content: dict[str, Any]) -> None:
        """Store a message, tell everybody, and acknowledge it. The same `id` again stores nothing new."""
        if not self.joined:
            raise RefusedError("not_joined", "say hello first")
        try:
            client_id = UUID(content.get("id"))
        except (TypeError, ValueError, AttributeError) as problem:
            raise RefusedError("invalid_id", "id must be a UUID") from problem
        body = content.get("body")
        if not isinstance(body, str) or not body.strip() or "\0" in body or len(body) > settings.CHAT_BODY_MAX:
            raise RefusedError("invalid_body", f"body must be text of 1 to {settings.CHAT_BODY_MAX} characters")
        message = await database_sync_to_async(self.room.append)(self.user, client_id, body)
        await self.channel_layer.group_send(self.group, {"type": "chat.message", "message": message.as_json()})
        await self.send_json({"type": "ack", "id": content["id"], "sequence": message.sequence})

    # ------------------------------------------------------------------ to the client

    async def chat_message(self, event: dict[str, Any]) -> None:
        """Deliver a message that somebody stored, after those that are missing before it."""
        message = event["message"]
        async with self.delivery:
            if message["sequence"] <= self.delivered:
                return
            if message["sequence"] == self.delivered + 1:
                await self.deliver([message])
            else:
                await self.deliver_missing()

    async def chat_presence(self, event: dict[str, Any]) -> None:
        """Tell who is in the room, soon: a hundred arrivals together become one answer."""
        self.start("presence", self.tell_presence(PRESENCE_DELAY_SECONDS))

    async def deliver(self, messages: list[dict[str, Any]]) -> None:
        """Send messages that follow the delivered ones. The caller holds the delivery lock."""
        await self.send_json({"type": "messages", "messages": messages})
        self.delivered = messages[-1]["sequence"]

    async def deliver_missing(self) -> None:
        """Send everything stored after the delivered messages. The caller holds the delivery lock."""
        while messages := await database_sync_to_async(self.missing)():
            await self.deliver(messages)

    def missing(self) -> list[dict[str, Any]]:
        """Return the next messages to deliver."""
        return [message.as_json() for message in self.room.messages_after(self.delivered, PAGE)]

    async def tell_presence(self, delay: float = 0) -> None:
        """Send the list of those present."""
        await asyncio.sleep(delay)
        users = await sync_to_async(presence.present)(self.room.slug)
        await self.send_json({"type": "presence", "users": users})

    async def beat(self) -> None:
        """Prolong what expires in Redis (and renew it where Redis forgot), look for lost messages, show life."""
        while True:
            await asyncio.sleep(settings.CHAT_HEARTBEAT_SECONDS)
            await self.channel_layer.group_add(self.group, self.channel_name)
            await sync_to_async(presence.enter)(self.room.slug, self.visitor)
            async with self.delivery:
                await self.deliver_missing()
            await self.tell_presence()
            await self.send_json({"type": "heartbeat"})

    def start(self, name: str, work: Any) -> None:
        """Run `work` beside the connection, unless the work of that name runs already."""
        running = self.tasks.get(name)
        if running and not running.done():
            work.close()
            return

        async def guarded() -> None:
            try:
                await work
            except (RedisError, DatabaseError, OSError) as problem:
                await self.give_up(problem)

        self.tasks[name] = asyncio.create_task(guarded())
