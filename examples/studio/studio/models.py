"""What is on the wall, and who keeps it."""

from uuid import uuid4

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.files import File
from django.core.validators import FileExtensionValidator
from django.db import models


def unguessable(picture: "Picture", filename: str) -> str:
    """Return a name that nobody can guess or overwrite; `filename` gives the extension alone."""
    return f"{uuid4().hex}.{filename.rsplit('.', 1)[-1].lower()}"


def validate_size(file: File) -> None:
    """Refuse what is too large."""
    if file.size > settings.UPLOAD_MAX_BYTES:
        raise ValidationError(f"A picture may have {settings.UPLOAD_MAX_BYTES} bytes.")


class Note(models.Model):
    """A few words that somebody put on the wall."""

    author = models.CharField(max_length=40)
    body = models.CharField(max_length=500)

    def as_json(self) -> dict[str, object]:
        """Return what everybody sees."""
        return {"id": self.pk, "author": self.author, "body": self.body}


class Picture(models.Model):
    """A picture; a worker fills in the rest after its upload."""

    file = models.FileField(
        upload_to=unguessable,
        validators=[FileExtensionValidator(["png", "jpg", "jpeg", "gif", "webp"]), validate_size],
    )
    sha256 = models.CharField(max_length=64, blank=True)
    examined_by = models.CharField(max_length=200, blank=True)

    def as_json(self) -> dict[str, object]:
        """Return what everybody sees."""
        return {"id": self.pk, "url": self.file.url, "sha256": self.sha256, "examinedBy": self.examined_by}


class Heartbeat(models.Model):
    """The beat's sign of life, as a worker received it."""

    beat = models.CharField(max_length=200)
    worker = models.CharField(max_length=200)
    at = models.DateTimeField(auto_now_add=True, db_index=True)

    def as_json(self) -> dict[str, object]:
        """Return what everybody sees."""
        return {"beat": self.beat, "worker": self.worker, "at": self.at.isoformat()}
