"""Studio: a wall of notes and pictures."""

from studio.celery import app

__all__ = ["app"]
