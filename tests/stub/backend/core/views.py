"""The HTTP side."""

import json

from django.core.files.storage import default_storage
from django.http import HttpRequest, JsonResponse
from django.middleware.csrf import get_token
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from backend.core.models import Room


@require_GET
def csrf(request: HttpRequest) -> JsonResponse:
    """Set the CSRF cookie."""
    return JsonResponse({"csrfToken": get_token(request)})


@require_http_methods(["GET", "POST"])
def graphql(request: HttpRequest) -> JsonResponse:
    """Answer in GraphQL's form. It speaks none: a POST opens a room by the variable `name`, and both list the rooms."""
    if request.method == "POST":
        Room.objects.create(name=json.loads(request.body)["variables"]["name"])
    return JsonResponse({"data": {"rooms": list(Room.objects.order_by("pk").values("name"))}})


@require_POST
def upload(request: HttpRequest) -> JsonResponse:
    """Keep a file in a new directory of the media."""
    file = request.FILES["file"]
    return JsonResponse({"url": default_storage.url(default_storage.save(f"uploads/{file.name}", file))}, status=201)
