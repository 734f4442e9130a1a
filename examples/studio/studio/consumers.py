"""The wall's WebSocket: news for everybody, and notes from those who have joined."""

from typing import Any

from asgiref.sync import async_to_sync
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncJsonWebsocketConsumer
from channels.layers import get_channel_layer

from studio.models import Note

GROUP = "live"
INVALID = 4400
NOT_JOINED = 4401


def tell(**news: object) -> None:
    """Send `news` to everybody who listens."""
    async_to_sync(get_channel_layer().group_send)(GROUP, {"type": "live.news", "news": news})


class Live(AsyncJsonWebsocketConsumer):
    """One listener."""

    groups = [GROUP]

    async def receive_json(self, content: Any, **kwargs: Any) -> None:
        """Put `{"body": "…"}` on the wall; anything else, or from a stranger, ends the connection."""
        author = await database_sync_to_async(self.scope["session"].get)("name")
        match content:
            case _ if author is None:
                await self.close(NOT_JOINED)
            case {"body": str(body)} if 0 < len(body) <= 500 and "\0" not in body:
                note = await Note.objects.acreate(author=author, body=body)
                await self.channel_layer.group_send(GROUP, {"type": "live.news", "news": {"note": note.as_json()}})
            case _:
                await self.close(INVALID)

    async def live_news(self, event: dict[str, Any]) -> None:
        """Pass news on."""
        await self.send_json(event["news"])
