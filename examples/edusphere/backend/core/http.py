"""Helpers of the JSON views."""

import functools
import json
from collections.abc import Callable
from typing import Any

from django.forms import BaseForm
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse


class BadRequestError(Exception):
    """The request's body can't be used; the text tells the client why."""


def decode(text: str | bytes) -> dict[str, Any]:
    """Return the JSON object in `text`; raise BadRequestError for anything else and for text PostgreSQL can't store."""
    try:
        data = json.loads(text)
        json.dumps(data, ensure_ascii=False).encode()  # refuses lone surrogates
    except (ValueError, RecursionError) as error:
        raise BadRequestError("The body is not valid JSON.") from error
    if not isinstance(data, dict):
        raise BadRequestError("The body is not a JSON object.")
    return data


def error(status: int, message: str, field: str = "__all__") -> JsonResponse:
    """Return an error response in the form that form errors have: {"errors": {field: [message]}}."""
    return JsonResponse({"errors": {field: [message]}}, status=status)


def form_errors(form: BaseForm) -> JsonResponse:
    """Return the 400 response for an invalid form."""
    return JsonResponse({"errors": form.errors}, status=400)


def api(*, login: bool = True, **methods: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Return a view that dispatches by HTTP method, e.g. `api(get=list_rooms, post=create_room)`.

    Answers 405 for other methods, 401 for an anonymous visitor (unless `login` is False), 400 for BadRequestError
    and 404 for Http404.
    """
    handlers = {name.upper(): handler for name, handler in methods.items()}

    @functools.wraps(next(iter(methods.values())))
    def view(request: HttpRequest, **kwargs: Any) -> HttpResponse:
        handler = handlers.get(request.method or "")
        if handler is None:
            response: HttpResponse = error(405, "This method is not allowed here.")
            response["Allow"] = ", ".join(handlers)
            return response
        if login and not request.user.is_authenticated:
            return error(401, "Log in first.")
        try:
            return handler(request, **kwargs)
        except BadRequestError as problem:
            return error(400, str(problem))
        except Http404:
            return error(404, "There is no such thing.")

    return view
