"""The HTTP side: GraphQL, uploads, and two answers for the deployment."""

import json

from django.conf import settings
from django.db import Error as DatabaseError
from django.forms import modelform_factory
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from graphql import graphql_sync
from redis import Redis, RedisError

from studio.models import Note, Picture
from studio.schema import SDL, Root, schema
from studio.tasks import examine

INTERNAL = "studio.internal"
PictureForm = modelform_factory(Picture, fields=["file"])


@require_http_methods(["GET", "POST"])
@ensure_csrf_cookie
def graphql(request: HttpRequest) -> HttpResponse:
    """Answer `{"query": …, "variables": …}`. A GET shows the schema, and sets the cookie that a POST needs."""
    if request.method == "GET":
        return HttpResponse(SDL, content_type="text/plain; charset=utf-8")
    try:
        body = json.loads(request.body)
        query, variables = body["query"], body.get("variables")
    except (ValueError, TypeError, KeyError):
        return JsonResponse({"errors": [{"message": "The body is no GraphQL request."}]}, status=400)
    result = graphql_sync(schema, query, Root(), request, variables)
    return JsonResponse(result.formatted)


@require_POST
def upload(request: HttpRequest) -> JsonResponse:
    """Store a picture (multipart field `file`) and have it examined."""
    if "name" not in request.session:
        return JsonResponse({"errors": {"__all__": ["Join first."]}}, status=403)
    form = PictureForm(files=request.FILES)
    if not form.is_valid():
        return JsonResponse({"errors": form.errors}, status=400)
    picture = form.save()
    examine.delay(picture.pk)
    return JsonResponse(picture.as_json(), status=201)


@require_safe
def alive(request: HttpRequest) -> JsonResponse:
    """Answer at once, without asking any other service."""
    return JsonResponse({"alive": True})


@require_safe
def ready(request: HttpRequest) -> JsonResponse:
    """Tell those inside whether the wall's table and Redis can be used."""
    if request.get_host() != INTERNAL:
        raise Http404
    try:
        Note.objects.exists()
        Redis.from_url(settings.REDIS_URL, socket_timeout=2, socket_connect_timeout=2).ping()
    except (DatabaseError, RedisError):
        return JsonResponse({"ready": False}, status=503)
    return JsonResponse({"ready": True})
