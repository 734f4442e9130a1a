"""Settings from environment variables."""

import os
import subprocess
import sys

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.test import SimpleTestCase

from backend.config.environment import Environment

AWKWARD = "'\"$HOME ${X} %s @:/\\ #ü€ `x` \t"


class EnvironmentTests(SimpleTestCase):
    """The reader."""

    def test_values_are_taken_byte_exact(self) -> None:
        self.assertEqual(Environment({"DB_PASSWORD": AWKWARD}).required("DB_PASSWORD"), AWKWARD)

    def test_every_problem_is_reported_at_once(self) -> None:
        environment = Environment({"DEBUG": "perhaps", "DB_PORT": "99999"})
        environment.required("SECRET_KEY")
        environment.boolean("DEBUG", False)
        environment.port("DB_PORT", 5432)
        with self.assertRaisesMessage(ImproperlyConfigured, "SECRET_KEY is not set") as caught:
            environment.check()
        self.assertIn("DEBUG is 'perhaps'", str(caught.exception))
        self.assertIn("DB_PORT is '99999'", str(caught.exception))

    def test_truth_values(self) -> None:
        for word, expected in {"true": True, "1": True, "Yes": True, "False": False, "0": False, "": False}.items():
            self.assertIs(Environment({"DEBUG": word}).boolean("DEBUG", True), expected, word)

    def test_lists(self) -> None:
        for value, expected in {" a.example ,b.example,": ["a.example", "b.example"], "": ["localhost"]}.items():
            self.assertEqual(Environment({"ALLOWED_HOSTS": value}).items("ALLOWED_HOSTS", ["localhost"]), expected)


class ProcessTests(SimpleTestCase):
    """The settings module in a process of its own."""

    def settings(self, **changes: str | None) -> subprocess.CompletedProcess[str]:
        variables = {key: value for key, value in {**os.environ, **changes}.items() if value is not None}
        script = (
            "from backend.config import settings as s; print(s.DEBUG, repr(s.SECRET_KEY), repr(s.REDIS['password']))"
        )
        return subprocess.run(  # noqa: S603 - our own interpreter and script
            [sys.executable, "-c", script], cwd=settings.BASE_DIR, env=variables, capture_output=True, text=True
        )

    def test_secrets_arrive_byte_exact_and_debug_is_off(self) -> None:
        result = self.settings(SECRET_KEY=AWKWARD, REDIS_PASSWORD=AWKWARD, DEBUG=None)
        self.assertEqual(result.stdout, f"False {AWKWARD!r} {AWKWARD!r}\n", result.stderr)

    def test_a_missing_secret_stops_the_start(self) -> None:
        result = self.settings(SECRET_KEY=None, DB_PASSWORD=None)
        self.assertNotEqual(result.returncode, 0)
        self.assertIn("SECRET_KEY is not set", result.stderr)
        self.assertIn("DB_PASSWORD is not set", result.stderr)
