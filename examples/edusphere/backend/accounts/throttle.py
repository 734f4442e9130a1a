"""Counts failed log-ins in Redis, so that passwords can't be guessed by the thousand."""

import hashlib

from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest


def _key(request: HttpRequest, username: str) -> str:
    origin = f"{request.META.get('REMOTE_ADDR', '')} {username.lower()}"
    return f"login-failures:{hashlib.sha256(origin.encode()).hexdigest()}"


def blocked(request: HttpRequest, username: str) -> bool:
    """Tell whether this address has failed too often for this name."""
    return int(cache.get(_key(request, username), 0)) >= settings.LOGIN_FAILURES_MAX


def failed(request: HttpRequest, username: str) -> None:
    """Count one failure; the count is forgotten LOGIN_FAILURES_SECONDS after the first."""
    key = _key(request, username)
    if not cache.add(key, 1, settings.LOGIN_FAILURES_SECONDS):
        try:
            cache.incr(key)
        except ValueError:  # it expired between the two calls
            cache.set(key, 1, settings.LOGIN_FAILURES_SECONDS)


def succeeded(request: HttpRequest, username: str) -> None:
    """Forget the failures."""
    cache.delete(_key(request, username))
