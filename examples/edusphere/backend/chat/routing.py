"""Addresses of the WebSockets."""

from django.urls import path

from backend.chat.consumers import ChatConsumer

websocket_urlpatterns = [path("ws/chat/<slug:slug>/", ChatConsumer.as_asgi())]
