"""Rooms and messages in the admin."""

from django.contrib import admin

from backend.chat.models import Message, Room


@admin.register(Room)
class RoomAdmin(admin.ModelAdmin):
    """Rooms; the slug follows the name."""

    list_display = ["name", "slug", "last_sequence", "created_at"]
    prepopulated_fields = {"slug": ["name"]}


@admin.register(Message)
class MessageAdmin(admin.ModelAdmin):
    """Messages, to read: the application alone numbers them."""

    list_display = ["room", "sequence", "author", "created_at"]
    list_filter = ["room"]
    list_select_related = ["room", "author"]

    def has_add_permission(self, request: object) -> bool:
        """Refuse new messages."""
        return False

    def has_change_permission(self, request: object, obj: Message | None = None) -> bool:
        """Refuse changed messages."""
        return False
