"""Views about the application itself."""

import json

from django.conf import settings
from django.http import HttpRequest, JsonResponse
from django.middleware.csrf import get_token
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from backend.core import health
from backend.version import VERSION


@require_safe
@never_cache
def csrf(request: HttpRequest) -> JsonResponse:
    """Set the CSRF cookie and return the token to send back as X-CSRFToken."""
    return JsonResponse({"csrf_token": get_token(request)})


@require_safe
@never_cache
def version(request: HttpRequest) -> JsonResponse:
    """Tell the version, and the release: as the deployment has recorded it, else the name of the directory."""
    record = settings.BASE_DIR / ".release.json"
    release = json.loads(record.read_text())["id"] if record.exists() else settings.BASE_DIR.name
    return JsonResponse({"name": "EduSphere", "version": VERSION, "release": release})


@require_safe
@never_cache
def live(request: HttpRequest) -> JsonResponse:
    """Answer at once, without asking any other service."""
    return JsonResponse({"status": "alive"})


@require_safe
@never_cache
def ready(request: HttpRequest) -> JsonResponse:
    """Answer 200 when the release can serve requests, else 503 naming the checks that failed."""
    checks = health.check()
    if set(checks.values()) == {"ok"}:
        return JsonResponse({"status": "ready", "checks": checks})
    return JsonResponse({"status": "unavailable", "checks": checks}, status=503)
