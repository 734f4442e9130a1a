"""The topic of a room."""

from django.db import connection
from django.test import TestCase

from backend.accounts.models import User
from backend.chat.models import Room


class TopicTests(TestCase):
    """Seen and changed over HTTP."""

    def setUp(self) -> None:
        self.client.force_login(User.objects.create_user("ada"))

    def change(self, topic: str) -> int:
        path = "/api/rooms/general/"
        return self.client.patch(path, {"topic": topic}, content_type="application/json").status_code

    def test_change(self) -> None:
        self.assertEqual(self.client.get("/api/rooms/general/").json()["room"]["topic"], "")
        self.assertEqual(self.change("Exams"), 200)
        self.assertEqual(self.client.get("/api/rooms/").json()["rooms"][0]["topic"], "Exams")
        self.assertEqual(self.change(""), 200)
        self.assertEqual(self.change("x" * 201), 400)
        self.assertEqual(self.client.get("/api/rooms/general/").json()["room"]["topic"], "")

    def test_a_new_room_has_none(self) -> None:
        response = self.client.post("/api/rooms/", {"name": "New"}, content_type="application/json")
        self.assertEqual(response.json()["room"]["topic"], "")

    def test_version_1_can_still_open_rooms(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO chat_room (slug, name, last_sequence, created_at) VALUES ('old', 'Old', 0, now())"
            )
        self.assertEqual(Room.objects.get(slug="old").topic, "")
