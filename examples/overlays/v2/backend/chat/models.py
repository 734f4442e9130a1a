"""Rooms and their numbered messages."""

from uuid import UUID

from django.conf import settings
from django.db import models, transaction

from backend.accounts.models import User


class Room(models.Model):
    """A place to talk. Its messages are numbered 1, 2, 3 … without gaps."""

    slug = models.SlugField(max_length=60, unique=True)
    name = models.CharField(max_length=60)
    # The default is the database's own: version 1, which does not know the column, goes on opening rooms.
    topic = models.CharField(max_length=200, blank=True, db_default="")
    last_sequence = models.PositiveBigIntegerField(default=0, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    def append(self, author: User, client_id: UUID, body: str) -> "Message":
        """Store a message under the next number and return it.

        Idempotent: a `client_id` that this author used in this room before returns the message stored then.
        The room's row is locked meanwhile, so numbers are handed out one at a time, and one that is rolled back is
        handed out again.
        """
        with transaction.atomic():
            room = Room.objects.select_for_update().get(pk=self.pk)
            stored = room.messages.select_related("author").filter(author=author, client_id=client_id).first()
            if stored:
                return stored
            room.last_sequence += 1
            room.save(update_fields=["last_sequence"])
            return Message.objects.create(
                room=room, sequence=room.last_sequence, author=author, client_id=client_id, body=body
            )

    def messages_after(self, sequence: int, limit: int) -> list["Message"]:
        """Return the first `limit` messages numbered higher than `sequence`, in order."""
        return list(self.messages.filter(sequence__gt=sequence).select_related("author")[:limit])

    def as_json(self) -> dict[str, object]:
        """Return the room as the API shows it."""
        return {"slug": self.slug, "name": self.name, "topic": self.topic, "last_sequence": self.last_sequence}


class Message(models.Model):
    """What somebody said in a room."""

    room = models.ForeignKey(Room, on_delete=models.CASCADE, related_name="messages")
    sequence = models.PositiveBigIntegerField()
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="messages")
    client_id = models.UUIDField()
    body = models.TextField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["room", "sequence"]
        constraints = [
            models.UniqueConstraint(fields=["room", "sequence"], name="message_sequence_unique"),
            models.UniqueConstraint(fields=["room", "author", "client_id"], name="message_client_id_unique"),
        ]

    def __str__(self) -> str:
        return f"{self.room_id}#{self.sequence}"

    def as_json(self) -> dict[str, object]:
        """Return the message as the API and the WebSocket show it."""
        return {
            "sequence": self.sequence,
            "id": str(self.client_id),
            "author": {"username": self.author.username, "avatar_url": self.author.avatar_url},
            "body": self.body,
            "created_at": self.created_at.isoformat(),
        }
