"""Health, version, cookies, the admin and its files."""

import re
import tempfile
from pathlib import Path

from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client, TestCase, TransactionTestCase, override_settings

from backend.accounts.models import User
from backend.version import VERSION


class HealthTests(TestCase):
    """What deployments ask."""

    def test_ready(self) -> None:
        response = self.client.get("/api/health/ready/")
        self.assertEqual(response.status_code, 200)
        self.assertEqual(response.json()["status"], "ready")
        self.assertEqual(set(response.json()["checks"].values()), {"ok"})

    def test_alive_without_asking_anybody(self) -> None:
        with self.assertNumQueries(0), override_settings(REDIS={"host": "127.0.0.1", "port": 1}):
            self.assertEqual(self.client.get("/api/health/live/").json(), {"status": "alive"})

    def test_not_ready_without_redis(self) -> None:
        with (
            override_settings(REDIS={"host": "127.0.0.1", "port": 1, "password": "hidden-one"}),
            self.assertLogs("backend"),
        ):
            response = self.client.get("/api/health/ready/")
        self.assertEqual(response.status_code, 503)
        self.assertEqual(
            response.json(),
            {"status": "unavailable", "checks": {"database": "ok", "redis": "failed", "migrations": "ok"}},
        )

    def test_not_ready_with_pending_migrations(self) -> None:
        MigrationRecorder(connection).record_unapplied("chat", "0002_first_room")
        with self.assertLogs("backend") as logs:
            response = self.client.get("/api/health/ready/")
        self.assertEqual(response.status_code, 503)
        self.assertEqual(response.json()["checks"]["migrations"], "failed")
        self.assertIn("chat.0002_first_room", logs.output[0])

    def test_migrations_of_a_newer_release_do_not_matter(self) -> None:
        MigrationRecorder(connection).record_applied("chat", "9999_from_the_future")
        self.assertEqual(self.client.get("/api/health/ready/").status_code, 200)

    def test_version(self) -> None:
        with tempfile.TemporaryDirectory() as directory, self.settings(BASE_DIR=Path(directory)):
            told = {"name": "EduSphere", "version": VERSION}
            self.assertEqual(self.client.get("/api/version/").json(), told | {"release": Path(directory).name})
            Path(directory, ".release.json").write_text('{"id": "v1-0123456789ab"}')
            self.assertEqual(self.client.get("/api/version/").json(), told | {"release": "v1-0123456789ab"})


class DatabaseLossTests(TransactionTestCase):
    """PostgreSQL does not answer."""

    def test_not_ready_without_the_database(self) -> None:
        port = connection.settings_dict["PORT"]
        connection.close()
        connection.settings_dict["PORT"] = 1
        try:
            with self.assertLogs("backend"):
                response = self.client.get("/api/health/ready/")
        finally:
            connection.close()
            connection.settings_dict["PORT"] = port
        self.assertEqual(response.status_code, 503)
        self.assertEqual(response.json()["checks"], {"database": "failed", "redis": "ok", "migrations": "failed"})
        self.assertNotIn(settings.DATABASES["default"]["PASSWORD"], response.content.decode())


class MigrationTests(TestCase):
    """Models and migrations."""

    def test_no_migration_is_missing(self) -> None:
        call_command("makemigrations", check=True, dry_run=True, verbosity=0)


class CookieTests(TestCase):
    """CSRF and the Secure flag."""

    def test_writing_needs_the_token(self) -> None:
        client = Client(enforce_csrf_checks=True)
        self.assertEqual(client.post("/api/logout/").status_code, 403)
        token = client.get("/api/csrf/").json()["csrf_token"]
        self.assertEqual(client.post("/api/logout/", headers={"X-CSRFToken": token}).status_code, 204)

    def test_another_site_may_not_write_even_with_a_token(self) -> None:
        client = Client(enforce_csrf_checks=True)
        token = client.get("/api/csrf/").json()["csrf_token"]
        headers = {"X-CSRFToken": token, "Origin": "http://evil.example"}
        self.assertEqual(client.post("/api/logout/", headers=headers).status_code, 403)

    def test_cookies_are_secure_exactly_over_tls(self) -> None:
        for scheme, secure in {"http": "", "https": True}.items():
            response = self.client.get("/api/csrf/", headers={"X-Forwarded-Proto": scheme})
            self.assertEqual(response.cookies["csrftoken"]["secure"], secure, scheme)

    def test_tls_behind_a_proxy_on_a_port_of_its_own(self) -> None:
        client = Client(enforce_csrf_checks=True)
        headers = {"X-Forwarded-Proto": "https", "Host": "localhost:8443"}
        token = client.get("/api/csrf/", headers=headers).json()["csrf_token"]
        headers |= {"X-CSRFToken": token, "Origin": "https://localhost:8443"}
        self.assertEqual(client.post("/api/logout/", headers=headers).status_code, 204)


class AdminTests(TestCase):
    """The admin with collected static files."""

    def test_pages_use_hashed_files_that_exist(self) -> None:
        with tempfile.TemporaryDirectory() as directory, override_settings(STATIC_ROOT=directory):
            call_command("collectstatic", interactive=False, verbosity=0)
            page = self.client.get("/admin/login/").content.decode()
            files = re.findall(r'"/static/([^"]+)"', page)
            self.assertTrue(any(re.fullmatch(r"edusphere/admin\.[0-9a-f]{12}\.css", name) for name in files), files)
            for name in files:
                self.assertTrue((Path(directory) / name).is_file(), name)

            self.client.force_login(User.objects.create_superuser("admin"))
            for path in ("", "accounts/user/", "accounts/user/add/", "chat/room/add/", "chat/message/"):
                self.assertEqual(self.client.get(f"/admin/{path}").status_code, 200, path)
