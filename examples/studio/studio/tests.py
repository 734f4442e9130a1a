"""Everything a visitor and a deployment rely on, with real PostgreSQL and Redis."""

import hashlib
import json
import tempfile
from pathlib import Path
from typing import Any

from asgiref.sync import sync_to_async
from asgiref.testing import ApplicationCommunicator
from channels.layers import channel_layers
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.test import Client, TestCase, TransactionTestCase, override_settings

from studio import tasks
from studio.asgi import application
from studio.celery import app
from studio.models import Heartbeat, Note, Picture


def ask(client: Client, query: str, **headers: str) -> dict[str, Any]:
    """Return what GraphQL answers."""
    answer = client.post("/graphql", {"query": query}, content_type="application/json", headers=headers)
    result: dict[str, Any] = answer.json()
    return result


class GraphQLTests(TestCase):
    """The one address of the API."""

    def test_a_visitor_joins(self) -> None:
        self.assertEqual(ask(self.client, "{ me }"), {"data": {"me": None}})
        self.assertEqual(ask(self.client, 'mutation { join(name: "Ada") }'), {"data": {"join": "Ada"}})
        self.assertEqual(ask(self.client, "{ me }"), {"data": {"me": "Ada"}})

    def test_writing_needs_the_cookie_that_a_get_sets(self) -> None:
        client = Client(enforce_csrf_checks=True)
        self.assertEqual(client.post("/graphql", {}, content_type="application/json").status_code, 403)
        self.assertContains(client.get("/graphql"), "type Query")
        token = client.cookies["csrftoken"].value
        self.assertEqual(ask(client, "{ me }", **{"X-CSRFToken": token}), {"data": {"me": None}})

    def test_nonsense(self) -> None:
        for body in ("", "[]", "{}", '{"query": '):
            answer = self.client.post("/graphql", body, content_type="application/json")
            self.assertEqual(answer.status_code, 400, body)
        self.assertIn("errors", ask(self.client, 'mutation { join(name: "") }'))

    @override_settings(MOTTO='# "à" $5')
    def test_the_site_in_the_visitors_language(self) -> None:
        call_command("compilemessages", ignore_patterns=[".venv"], verbosity=0)
        site = ask(self.client, "{ site { greeting motto stage } }", **{"Accept-Language": "de"})["data"]["site"]
        self.assertEqual(site, {"greeting": "Willkommen im Atelier", "motto": '# "à" $5', "stage": settings.STAGE})

    def test_seeding_twice_leaves_one_note(self) -> None:
        for _ in range(2):
            call_command("seed", verbosity=0)
        self.assertEqual(ask(self.client, "{ notes { author } }")["data"]["notes"], [{"author": "Studio"}])


class UploadTests(TestCase):
    """Pictures, and the worker's part in them."""

    def setUp(self) -> None:
        media = self.enterContext(tempfile.TemporaryDirectory())
        self.media = Path(media)
        self.enterContext(override_settings(MEDIA_ROOT=media, UPLOAD_MAX_BYTES=1000))
        app.conf.task_always_eager = True
        ask(self.client, 'mutation { join(name: "Ada") }')

    def upload(self, name: str, content: bytes) -> Any:
        return self.client.post("/upload", {"file": SimpleUploadedFile(name, content)})

    def test_a_worker_examines_a_picture(self) -> None:
        answer = self.upload("me.PNG", b"x" * 1000)
        self.assertEqual(answer.status_code, 201)
        self.assertRegex(answer.json()["url"], r"^/avatars/[0-9a-f]{32}\.png$")
        picture = Picture.objects.get()
        self.assertEqual((self.media / picture.file.name).read_bytes(), b"x" * 1000)
        self.assertEqual(picture.sha256, hashlib.sha256(b"x" * 1000).hexdigest())
        self.assertEqual(picture.examined_by, settings.IDENTITY)

    def test_what_is_refused(self) -> None:
        self.assertEqual(self.upload("page.html", b"x").status_code, 400)
        self.assertEqual(self.upload("large.png", b"x" * 1001).status_code, 400)
        self.client.cookies.clear()
        self.assertEqual(self.upload("me.png", b"x").status_code, 403)
        self.assertFalse(Picture.objects.exists())

    def test_heartbeats_say_who_beats(self) -> None:
        tasks.heartbeat("beat 1")
        self.assertEqual(ask(self.client, "{ heartbeats { beat } }")["data"]["heartbeats"], [{"beat": "beat 1"}])
        self.assertEqual(Heartbeat.objects.get().worker, settings.IDENTITY)


class DeploymentTests(TestCase):
    """What a deployment asks."""

    def test_alive(self) -> None:
        self.assertEqual(self.client.get("/-/alive").json(), {"alive": True})

    def test_ready_is_for_those_inside(self) -> None:
        inside = {"Host": "studio.internal"}
        self.assertEqual(self.client.get("/-/ready", headers=inside).json(), {"ready": True})
        self.assertEqual(self.client.get("/-/ready").status_code, 404)
        with override_settings(REDIS_URL="redis://127.0.0.1:1"):
            self.assertEqual(self.client.get("/-/ready", headers=inside).status_code, 503)

    def test_no_migration_is_missing(self) -> None:
        call_command("makemigrations", check=True, dry_run=True, verbosity=0)


class LiveTests(TransactionTestCase):
    """The WebSocket, through the whole ASGI application."""

    def setUp(self) -> None:
        # Each test has an event loop of its own, which the channel layer's locks are bound to.
        channel_layers.backends.clear()

    async def listen(
        self, client: Client, origin: str = "http://studio.internal"
    ) -> tuple[ApplicationCommunicator, str]:
        """Return a new connection (channels.testing would need Daphne), and how it was answered."""
        cookie = client.cookies.output(attrs=[], header="", sep=";").strip()
        headers = [(b"origin", origin.encode()), (b"cookie", cookie.encode())]
        scope = {"type": "websocket", "path": "/live", "query_string": b"", "headers": headers, "subprotocols": []}
        socket = ApplicationCommunicator(application, scope)
        await socket.send_input({"type": "websocket.connect"})
        return socket, (await socket.receive_output(5))["type"]

    async def test_a_note_reaches_everybody(self) -> None:
        await sync_to_async(ask)(self.client, 'mutation { join(name: "Ada") }')
        ada, _ = await self.listen(self.client)
        bob, answer = await self.listen(Client())
        self.assertEqual(answer, "websocket.accept")
        await ada.send_input({"type": "websocket.receive", "text": '{"body": "Grüße"}'})
        for socket in (ada, bob):
            note = json.loads((await socket.receive_output(5))["text"])["note"]
            self.assertEqual((note["author"], note["body"]), ("Ada", "Grüße"))
        self.assertEqual(await Note.objects.acount(), 1)
        await bob.send_input({"type": "websocket.receive", "text": '{"body": "I have not joined"}'})
        self.assertEqual((await bob.receive_output(5))["code"], 4401)
        await ada.send_input({"type": "websocket.receive", "text": "[]"})
        self.assertEqual((await ada.receive_output(5))["code"], 4400)

    async def test_foreign_pages_may_not_listen(self) -> None:
        _, answer = await self.listen(Client(), "http://elsewhere.example")
        self.assertEqual(answer, "websocket.close")
