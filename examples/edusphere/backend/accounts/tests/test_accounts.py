"""Registration, sessions, the throttle and pictures."""

import io
import os
import secrets
import tempfile
from pathlib import Path
from uuid import uuid4

from django.conf import settings
from django.contrib.sessions.backends.cached_db import SessionStore
from django.core.cache import cache
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpResponse
from django.test import TestCase, override_settings
from PIL import Image

from backend.accounts.models import User


class AccountTests(TestCase):
    """An account's life."""

    def setUp(self) -> None:
        self.username = f"ada-{uuid4().hex[:8]}"
        self.password = secrets.token_urlsafe(12)

    def post(self, path: str, **data: str) -> HttpResponse:
        return self.client.post(path, data, content_type="application/json")

    def test_register_log_out_log_in(self) -> None:
        response = self.post("/api/register/", username=self.username, password=self.password)
        self.assertEqual(response.status_code, 201, response.content)
        self.assertEqual(self.client.get("/api/me/").json()["user"]["username"], self.username)
        self.assertEqual(self.post("/api/logout/").status_code, 204)
        self.assertIsNone(self.client.get("/api/me/").json()["user"])
        response = self.post("/api/login/", username=self.username, password=self.password)
        self.assertEqual(response.json()["user"], {"username": self.username, "avatar_url": None, "is_staff": False})
        self.assertEqual(self.client.get("/api/me/").json()["user"]["username"], self.username)

    def test_registration_is_validated(self) -> None:
        User.objects.create_user("Grace")
        for username, password, field in (
            ("grace", self.password, "username"),
            ("with space", self.password, "username"),
            ("nul\0", self.password, "username"),
            ("", self.password, "username"),
            (self.username, "password", "password"),
            (self.username, "", "password"),
        ):
            response = self.post("/api/register/", username=username, password=password)
            self.assertEqual(response.status_code, 400, username)
            self.assertIn(field, response.json()["errors"], username)
        self.assertEqual(User.objects.count(), 1)

    def test_bodies_that_are_no_json_object(self) -> None:
        for body in ("", "[]", "{", '"x"', '{"username": "\\ud800"}'):
            response = self.client.post("/api/login/", body, content_type="application/json")
            self.assertEqual(response.status_code, 400, body)

    def test_other_methods_and_anonymous_visitors(self) -> None:
        self.assertEqual(self.client.get("/api/login/").status_code, 405)
        self.assertEqual(self.client.post("/api/me/avatar/").status_code, 401)

    def test_session_outlives_a_redis_that_forgot_it(self) -> None:
        self.client.force_login(User.objects.create_user(self.username))
        key = SessionStore.cache_key_prefix + self.client.cookies[settings.SESSION_COOKIE_NAME].value
        self.assertIsNotNone(cache.get(key))
        cache.delete(key)
        self.assertEqual(self.client.get("/api/me/").json()["user"]["username"], self.username)

    @override_settings(LOGIN_FAILURES_MAX=3)
    def test_failed_log_ins_are_throttled(self) -> None:
        User.objects.create_user(self.username, password=self.password)
        for _ in range(3):
            self.assertEqual(self.post("/api/login/", username=self.username, password="wrong").status_code, 401)  # noqa: S106 - wrong on purpose
        response = self.post("/api/login/", username=self.username, password=self.password)
        self.assertEqual(response.status_code, 429)
        self.assertEqual(response["Retry-After"], str(settings.LOGIN_FAILURES_SECONDS))
        other = User.objects.create_user(f"{self.username}-2", password=self.password)
        self.assertEqual(self.post("/api/login/", username=other.username, password=self.password).status_code, 200)

    @override_settings(LOGIN_FAILURES_MAX=2)
    def test_a_successful_log_in_clears_the_failures(self) -> None:
        User.objects.create_user(self.username, password=self.password)
        for password in ("wrong", self.password, "wrong", self.password):
            response = self.post("/api/login/", username=self.username, password=password)
            self.assertEqual(response.status_code, 200 if password == self.password else 401)


def picture(kind: str = "PNG", size: tuple[int, int] = (16, 16)) -> bytes:
    """Return an image file's bytes."""
    buffer = io.BytesIO()
    Image.effect_noise(size, 90).save(buffer, kind)
    return buffer.getvalue()


class AvatarTests(TestCase):
    """Pictures on disk."""

    def setUp(self) -> None:
        self.directory = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.enterContext(override_settings(MEDIA_ROOT=self.directory))
        self.user = User.objects.create_user("ada")
        self.client.force_login(self.user)

    def upload(self, content: bytes, name: str = "me.png") -> HttpResponse:
        return self.client.post("/api/me/avatar/", {"avatar": SimpleUploadedFile(name, content, "image/png")})

    def test_stored_readable_for_the_web_server(self) -> None:
        self.addCleanup(os.umask, os.umask(0o077))
        content = picture()
        response = self.upload(content)
        self.assertEqual(response.status_code, 200, response.content)
        url = response.json()["user"]["avatar_url"]
        self.assertRegex(url, r"^/media/avatars/[0-9a-f]{32}\.png$")
        file = self.directory / url.removeprefix("/media/")
        self.assertEqual(file.read_bytes(), content)
        self.assertEqual(file.stat().st_mode & 0o777, 0o644)
        self.assertEqual(file.parent.stat().st_mode & 0o777, 0o755)

    def test_a_new_picture_replaces_the_old(self) -> None:
        self.upload(picture())
        self.upload(picture("JPEG"))
        self.assertEqual([file.suffix for file in (self.directory / "avatars").iterdir()], [".jpg"])

    def test_the_extension_follows_the_content(self) -> None:
        url = self.upload(picture("GIF"), "page.html.png").json()["user"]["avatar_url"]
        self.assertTrue(url.endswith(".gif"), url)

    @override_settings(AVATAR_MAX_BYTES=20_000, AVATAR_MAX_PIXELS=10_000)
    def test_refused(self) -> None:
        svg = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
        for content, name in (
            (b"no picture", "me.png"),
            (b"", "me.png"),
            (svg, "me.svg"),
            (picture("JPEG", (90, 90))[:-200], "cut.jpg"),
            (picture("BMP"), "me.bmp"),
            (picture(size=(99, 99)) + b"x" * 20_000, "large.png"),
            (picture("GIF", (120, 90)), "wide.gif"),
        ):
            response = self.upload(content, name)
            self.assertEqual(response.status_code, 400, name)
            self.assertIn("avatar", response.json()["errors"], name)
        self.assertEqual(list(self.directory.iterdir()), [])
