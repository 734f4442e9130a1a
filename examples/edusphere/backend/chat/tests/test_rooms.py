"""Rooms, numbered messages and presence."""

import threading
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID, uuid4

from django.db import connection, transaction
from django.test import TestCase, TransactionTestCase, override_settings

from backend.accounts.models import User
from backend.chat import presence
from backend.chat.models import Room


class RoomApiTests(TestCase):
    """Rooms over HTTP."""

    def setUp(self) -> None:
        self.user = User.objects.create_user("ada")
        self.client.force_login(self.user)

    def test_there_is_a_room_to_start_with(self) -> None:
        rooms = self.client.get("/api/rooms/").json()["rooms"]
        self.assertEqual(
            [(room["slug"], room["name"], room["last_sequence"]) for room in rooms], [("general", "General", 0)]
        )

    def test_create(self) -> None:
        response = self.client.post("/api/rooms/", {"name": "Linear Algebra"}, content_type="application/json")
        self.assertEqual(response.status_code, 201, response.content)
        self.assertEqual(self.client.get("/api/rooms/linear-algebra/").json(), response.json())
        for name in ("linear ALGEBRA", "", "…", "nul\0", "x" * 61):
            response = self.client.post("/api/rooms/", {"name": name}, content_type="application/json")
            self.assertEqual(response.status_code, 400, name)

    def test_messages_after(self) -> None:
        room = Room.objects.get(slug="general")
        for number in range(1, 6):
            room.append(self.user, uuid4(), f"message {number}")
        answer = self.client.get("/api/rooms/general/messages/?after=3").json()
        self.assertEqual([message["sequence"] for message in answer["messages"]], [4, 5])
        self.assertEqual(answer["messages"][0]["body"], "message 4")
        self.assertEqual(answer["messages"][0]["author"], {"username": "ada", "avatar_url": None})
        self.assertEqual(len(self.client.get("/api/rooms/general/messages/").json()["messages"]), 5)
        for after in ("-1", "x", "٣", "9" * 30):
            self.assertEqual(self.client.get(f"/api/rooms/general/messages/?after={after}").status_code, 400, after)
        self.assertEqual(self.client.get("/api/rooms/nowhere/messages/").status_code, 404)

    def test_members_only(self) -> None:
        self.client.logout()
        for path in ("", "general/", "general/messages/"):
            self.assertEqual(self.client.get(f"/api/rooms/{path}").status_code, 401, path)


class SequenceTests(TransactionTestCase):
    """Numbers without gaps, whoever writes at the same time."""

    def setUp(self) -> None:
        self.user = User.objects.create_user("ada")
        self.room = Room.objects.create(slug="busy", name="Busy")

    def sequences(self) -> list[int]:
        return list(self.room.messages.values_list("sequence", flat=True))

    def test_concurrent_writers(self) -> None:
        barrier = threading.Barrier(8)

        def write(writer: int) -> None:
            barrier.wait()
            try:
                for number in range(10):
                    self.room.append(self.user, uuid4(), f"{writer}/{number}")
            finally:
                connection.close()

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(write, range(8)))
        self.assertEqual(self.sequences(), list(range(1, 81)))

    def test_the_same_id_at_the_same_time_is_stored_once(self) -> None:
        barrier = threading.Barrier(6)
        client_id = uuid4()

        def write(_: int) -> int:
            barrier.wait()
            try:
                return self.room.append(self.user, client_id, "once").sequence
            finally:
                connection.close()

        with ThreadPoolExecutor(6) as pool:
            self.assertEqual(set(pool.map(write, range(6))), {1})
        self.assertEqual(self.sequences(), [1])

    def test_an_id_belongs_to_its_author(self) -> None:
        client_id: UUID = uuid4()
        self.room.append(self.user, client_id, "hers")
        self.assertEqual(self.room.append(User.objects.create_user("bob"), client_id, "his").sequence, 2)

    def test_a_number_that_is_rolled_back_is_used_again(self) -> None:
        with self.assertRaises(ZeroDivisionError), transaction.atomic():
            self.room.append(self.user, uuid4(), "never")
            raise ZeroDivisionError
        self.room.append(self.user, uuid4(), "first")
        self.assertEqual(self.sequences(), [1])


class PresenceTests(TestCase):
    """Temporary data in Redis."""

    def setUp(self) -> None:
        self.room = f"test-{uuid4().hex}"

    def test_enter_and_leave(self) -> None:
        ada, again, bob = (presence.Visitor(uuid4().hex, name, None) for name in ("ada", "ada", "Bob"))
        for visitor in (bob, ada, again):
            presence.enter(self.room, visitor)
        self.assertEqual([user["username"] for user in presence.present(self.room)], ["ada", "Bob"])
        presence.leave(self.room, ada)
        presence.leave(self.room, bob)
        self.assertEqual([user["username"] for user in presence.present(self.room)], ["ada"])
        presence.leave(self.room, again)
        self.assertEqual(presence.present(self.room), [])

    def test_who_does_not_return_is_forgotten(self) -> None:
        with override_settings(CHAT_PRESENCE_SECONDS=-1):
            presence.enter(self.room, presence.Visitor(uuid4().hex, "ghost", None))
        presence.enter(self.room, presence.Visitor(uuid4().hex, "ada", None))
        self.assertEqual([user["username"] for user in presence.present(self.room)], ["ada"])
