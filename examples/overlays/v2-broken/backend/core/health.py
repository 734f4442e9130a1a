"""Readiness: can this release serve requests now?"""

import logging
from collections.abc import Callable

from django.conf import settings
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from redis import Redis

from backend.chat.models import BannedWord

logger = logging.getLogger(__name__)


class NotReadyError(Exception):
    """A check found that the release can't serve yet."""


def database() -> None:
    """Ask PostgreSQL to answer."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def redis() -> None:
    """Ask Redis to answer, without retries: a deployment asks again by itself."""
    with Redis(**settings.REDIS, socket_timeout=2, socket_connect_timeout=2, retry=None) as client:
        client.ping()


def migrations() -> None:
    """Compare this release's migrations with those recorded as applied; unknown newer ones don't matter."""
    loader = MigrationLoader(connection)
    pending = sorted(loader.graph.nodes.keys() - (loader.applied_migrations or {}).keys())
    if pending:
        raise NotReadyError("pending: " + ", ".join(f"{app}.{name}" for app, name in pending))


def word_filter() -> None:
    """See that the list of banned words can be read: no message can be stored without it."""
    BannedWord.objects.exists()


CHECKS: dict[str, Callable[[], None]] = {
    "database": database,
    "redis": redis,
    "migrations": migrations,
    "word_filter": word_filter,
}


def check() -> dict[str, str]:
    """Run every check and return its outcome, "ok" or "failed"; the reason goes to the log alone."""
    outcome = {}
    for name, run in CHECKS.items():
        try:
            run()
        except Exception as problem:  # whatever it is, the release isn't ready
            logger.warning("readiness check %s failed: %s: %s", name, type(problem).__name__, problem)
            outcome[name] = "failed"
        else:
            outcome[name] = "ok"
    return outcome
