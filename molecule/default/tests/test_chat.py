"""People on the site: accounts, pictures, and talk through Redis."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest
import requests
from behaviour.picture import png, portrait
from behaviour.platforms import Platform
from behaviour.visitor import Site, Visitor
from testinfra.host import Host
from websockets.exceptions import InvalidStatus


@pytest.fixture
def ada(site: Site) -> Visitor:
    """Somebody."""
    return Visitor(site)


@pytest.fixture
def ben(site: Site) -> Visitor:
    """Somebody else."""
    return Visitor(site)


def stored(visitor: Visitor, room: str) -> list[str]:
    """The texts of a room's messages, as the database has them."""
    return [message["body"] for message in visitor.call("GET", f"/api/rooms/{room}/messages/")["messages"]]


def test_accounts(site: Site, ada: Visitor) -> None:
    assert ada.me() == {"username": ada.name, "avatar_url": None, "is_staff": False}
    ada.log_in_again()
    assert ada.me() == ada.user
    with pytest.raises(requests.HTTPError) as refused:
        ada.call("POST", "/api/login/", json={"username": ada.name, "password": "wrong"})
    assert refused.value.response.status_code == 401
    assert site.get("/api/rooms/").status_code == 401


def test_picture(site: Site, vm: Host, platform: Platform, ada: Visitor) -> None:
    """What is uploaded is served, byte for byte, as data; what replaces it takes it away."""
    picture = png(lambda x, y: (round(127 * (x + 1)), round(127 * (y + 1)), 90), side=64)
    path = ada.upload_avatar(picture)
    answer = site.get(path)
    assert (answer.status_code, answer.content) == (200, picture)
    assert answer.headers["Content-Type"] == "image/png"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    assert "Content-Encoding" not in site.get(path, headers={"Accept-Encoding": "gzip"}).headers

    on_host = vm.file(platform.uploaded(path.removeprefix("/media/")))
    assert (on_host.uid, on_host.mode) == (platform.uid, 0o644)
    assert ada.upload_avatar(portrait((70, 60, 160), (240, 240, 250))) != path
    assert site.get(path).status_code == 404


def test_two_people_talk(ada: Visitor, ben: Visitor) -> None:
    room = ada.open_room()

    async def talk() -> None:
        async with ada.chat(room) as here, ben.chat(room) as there:
            assert [await here.say("Is anybody there?"), await there.say("I am."), await here.say("Good.")] == [1, 2, 3]
            said = ["Is anybody there?", "I am.", "Good."]
            assert await there.hear(3) == said
            assert await here.hear(3) == said
        assert stored(ada, room) == said

    asyncio.run(talk())


def test_who_comes_back_misses_nothing(ada: Visitor, ben: Visitor) -> None:
    room = ada.open_room()

    async def talk() -> None:
        async with ada.chat(room) as here:
            async with ben.chat(room) as there:
                await here.say("one")
                assert await there.hear(1) == ["one"]
            await here.say("two")
            await here.say("three")
            async with ben.chat(room, last_sequence=1) as there:
                await here.say("four")
                assert await there.hear(3) == ["two", "three", "four"]

    asyncio.run(talk())


def test_a_crowd_on_every_worker(platform: Platform, ada: Visitor, ben: Visitor) -> None:
    """Redis has every connection in the room's group, and each hears each message once."""
    room = ada.open_room()

    # In a thread: the crowd's connections are kept up meanwhile.
    def sizes_of_groups() -> list[int]:
        keys = platform.ask("redis-cli", "--scan", "--pattern", "edusphere:layer*group*").stdout.split()
        return [int(platform.ask("redis-cli", "ZCARD", key).stdout) for key in keys]

    async def talk() -> None:
        async with AsyncExitStack() as stack:
            crowd = [await stack.enter_async_context(ben.chat(room)) for _ in range(24)]
            here = await stack.enter_async_context(ada.chat(room))
            assert len(crowd) + 1 in await asyncio.to_thread(sizes_of_groups)
            for text in ("one", "two", "three"):
                await here.say(text)
            for there in crowd:
                assert await there.hear(3) == ["one", "two", "three"]

    asyncio.run(talk())


def test_foreign_pages_may_not_connect(ada: Visitor) -> None:
    room = ada.open_room()

    async def intrude() -> None:
        async with ada.chat(room, origin="http://elsewhere.test"):
            pass

    with pytest.raises(InvalidStatus) as refused:
        asyncio.run(intrude())
    assert refused.value.response.status_code == 403


def test_redis_restarts(platform: Platform, ada: Visitor, ben: Visitor) -> None:
    """It keeps nothing: nobody is logged out nevertheless, and talk goes on where it was."""
    room = ada.open_room()

    async def before() -> None:
        async with ada.chat(room) as here:
            assert await here.say("before") == 1

    async def after() -> None:
        async with ada.chat(room, last_sequence=1) as here, ben.chat(room) as there:
            assert await here.say("after") == 2
            assert await there.hear(2) == ["before", "after"]
            assert await here.hear(1) == ["after"]

    asyncio.run(before())
    platform.restart_redis()
    assert ada.me() == ada.user
    assert ben.me() == ben.user
    asyncio.run(after())
