"""ASGI entry point."""

import os

from channels.auth import AuthMiddlewareStack
from channels.routing import ProtocolTypeRouter, URLRouter
from channels.security.websocket import AllowedHostsOriginValidator
from django.core.asgi import get_asgi_application
from django.urls import path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "backend.config.settings")
http_application = get_asgi_application()

from backend.core.consumers import Room  # noqa: E402 - Django's applications are ready only now

websocket_urlpatterns = [path("ws/<slug:room>/", Room.as_asgi())]
application = ProtocolTypeRouter(
    {
        "http": http_application,
        "websocket": AllowedHostsOriginValidator(AuthMiddlewareStack(URLRouter(websocket_urlpatterns))),
    }
)
