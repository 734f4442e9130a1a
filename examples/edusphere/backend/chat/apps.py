"""Configuration of the chat application."""

from django.apps import AppConfig


class ChatConfig(AppConfig):
    """Rooms and messages."""

    name = "backend.chat"
    label = "chat"
