"""Who is in a room: a sorted set in Redis per room, each connection scored with the time at which it expires."""

import functools
import json
import time
from dataclasses import asdict, dataclass

from django.conf import settings
from redis import Redis


@dataclass(frozen=True)
class Visitor:
    """One connection of somebody to a room."""

    connection: str
    username: str
    avatar_url: str | None

    def member(self) -> str:
        """Return the visitor as the sorted set holds it."""
        return json.dumps(asdict(self))


@functools.cache
def _redis() -> Redis:
    return Redis(**settings.REDIS, decode_responses=True)


def _key(room: str) -> str:
    return f"edusphere:presence:{room}"


def enter(room: str, visitor: Visitor) -> None:
    """Count the visitor as present for the next CHAT_PRESENCE_SECONDS; call again to prolong."""
    seconds = settings.CHAT_PRESENCE_SECONDS
    with _redis().pipeline() as pipe:
        pipe.zadd(_key(room), {visitor.member(): time.time() + seconds})
        pipe.expire(_key(room), seconds)
        pipe.execute()


def leave(room: str, visitor: Visitor) -> None:
    """Forget the visitor."""
    _redis().zrem(_key(room), visitor.member())


def present(room: str) -> list[dict[str, str | None]]:
    """Return everybody in the room once, by name, without those whose time is up."""
    with _redis().pipeline() as pipe:
        pipe.zremrangebyscore(_key(room), "-inf", time.time())
        pipe.zrange(_key(room), 0, -1)
        members = pipe.execute()[1]
    visitors = {visitor.username: visitor for visitor in (Visitor(**json.loads(member)) for member in members)}
    return [
        {"username": visitor.username, "avatar_url": visitor.avatar_url}
        for visitor in sorted(visitors.values(), key=lambda visitor: visitor.username.lower())
    ]
