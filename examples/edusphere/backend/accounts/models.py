"""People."""

from uuid import uuid4

from django.contrib.auth.models import AbstractUser
from django.db import models


def avatar_path(user: "User", filename: str) -> str:
    """Return a path that nobody can guess or overwrite; `filename` gives the extension alone."""
    return f"avatars/{uuid4().hex}.{filename.rsplit('.', 1)[-1]}"


class User(AbstractUser):
    """An account, with a picture."""

    avatar = models.ImageField(upload_to=avatar_path, blank=True)

    @property
    def avatar_url(self) -> str | None:
        """The picture's address on this site, or None."""
        return self.avatar.url if self.avatar else None

    def as_json(self) -> dict[str, object]:
        """Return what the account's owner sees."""
        return {"username": self.username, "avatar_url": self.avatar_url, "is_staff": self.is_staff}
