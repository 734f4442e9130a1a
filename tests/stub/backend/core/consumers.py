"""The WebSocket."""

from typing import Any

from channels.generic.websocket import AsyncJsonWebsocketConsumer


class Room(AsyncJsonWebsocketConsumer):
    """Somebody in a room: what one says, all hear."""

    async def connect(self) -> None:
        """Enter."""
        self.group = f"room.{self.scope['url_route']['kwargs']['room']}"
        await self.channel_layer.group_add(self.group, self.channel_name)
        await self.accept()

    async def disconnect(self, code: int) -> None:
        """Leave."""
        await self.channel_layer.group_discard(self.group, self.channel_name)

    async def receive_json(self, content: Any, **kwargs: Any) -> None:
        """Tell everybody."""
        await self.channel_layer.group_send(self.group, {"type": "room.message", "content": content})

    async def room_message(self, event: dict[str, Any]) -> None:
        """Pass on what was said."""
        await self.send_json(event["content"])
