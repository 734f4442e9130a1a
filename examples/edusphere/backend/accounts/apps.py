"""Configuration of the accounts application."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """People, sessions and pictures."""

    name = "backend.accounts"
    label = "accounts"
