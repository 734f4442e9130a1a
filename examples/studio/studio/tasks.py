"""What the worker does."""

import hashlib
from datetime import timedelta
from pathlib import Path

from celery import shared_task
from django.conf import settings
from django.utils.timezone import now

from studio.consumers import tell
from studio.models import Heartbeat, Picture


@shared_task
def examine(pk: int) -> None:
    """Write a picture's digest to its row, and tell everybody."""
    picture = Picture.objects.get(pk=pk)
    with Path(picture.file.path).open("rb") as file:
        picture.sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    picture.examined_by = settings.IDENTITY
    picture.save()
    tell(picture=picture.as_json())


@shared_task
def heartbeat(beat: str) -> None:
    """Record that `beat` lives; forget what is older than ten minutes."""
    Heartbeat.objects.create(beat=beat, worker=settings.IDENTITY)
    Heartbeat.objects.filter(at__lt=now() - timedelta(minutes=10)).delete()
