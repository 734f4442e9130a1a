"""ASGI entry point: HTTP to Django, WebSockets to the wall."""

import os

from channels.routing import ProtocolTypeRouter, URLRouter
from channels.security.websocket import AllowedHostsOriginValidator
from channels.sessions import SessionMiddlewareStack
from django.core.asgi import get_asgi_application
from django.urls import path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "studio.settings")
http_application = get_asgi_application()

# Imports models, which are ready only once the application above exists.
from studio.consumers import Live  # noqa: E402

application = ProtocolTypeRouter(
    {
        "http": http_application,
        "websocket": AllowedHostsOriginValidator(SessionMiddlewareStack(URLRouter([path("live", Live.as_asgi())]))),
    }
)
