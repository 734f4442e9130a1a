"""Middleware of the whole site."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse


def secure_cookies(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Mark cookies `Secure` when the request came over TLS.

    The SESSION_COOKIE_SECURE and CSRF_COOKIE_SECURE settings would have to know in advance whether a site has TLS:
    set, nobody can log in over plain HTTP; unset, cookies of a TLS site could leak. The request knows.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        if request.is_secure():
            for cookie in response.cookies.values():
                cookie["secure"] = True
        return response

    return middleware
