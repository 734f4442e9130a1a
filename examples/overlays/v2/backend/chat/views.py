"""Rooms and their history over HTTP."""

from django import forms
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404
from django.utils.text import slugify

from backend.chat.models import Room
from backend.core.http import api, decode, error, form_errors

PAGE = 200


class RoomForm(forms.ModelForm):
    """A new room; its slug is made from its name."""

    class Meta:
        model = Room
        fields = ["name"]

    def clean_name(self) -> str:
        """Refuse a name without letters or digits, and one whose slug is taken."""
        name: str = self.cleaned_data["name"]
        self.instance.slug = slugify(name)
        if not self.instance.slug:
            raise forms.ValidationError("Use at least one letter (a-z) or digit.")
        if Room.objects.filter(slug=self.instance.slug).exists():
            raise forms.ValidationError("There is such a room already.")
        return name


class TopicForm(forms.ModelForm):
    """What a room is about at the moment."""

    class Meta:
        model = Room
        fields = ["topic"]


def list_rooms(request: HttpRequest) -> HttpResponse:
    """List every room."""
    return JsonResponse({"rooms": [room.as_json() for room in Room.objects.all()]})


def create_room(request: HttpRequest) -> HttpResponse:
    """Open a new room."""
    form = RoomForm(decode(request.body))
    if not form.is_valid():
        return form_errors(form)
    return JsonResponse({"room": form.save().as_json()}, status=201)


def show_room(request: HttpRequest, slug: str) -> HttpResponse:
    """Show one room."""
    return JsonResponse({"room": get_object_or_404(Room, slug=slug).as_json()})


def change_topic(request: HttpRequest, slug: str) -> HttpResponse:
    """Say what the room is about; an empty topic removes it."""
    form = TopicForm(decode(request.body), instance=get_object_or_404(Room, slug=slug))
    if not form.is_valid():
        return form_errors(form)
    room = form.save(commit=False)
    # Only this column: the number of the last message belongs to whoever holds the row's lock.
    room.save(update_fields=["topic"])
    room.refresh_from_db()
    return JsonResponse({"room": room.as_json()})


def list_messages(request: HttpRequest, slug: str) -> HttpResponse:
    """List up to PAGE messages numbered higher than `after` (default 0), in order."""
    room = get_object_or_404(Room, slug=slug)
    after = request.GET.get("after", "0")
    if not (after.isascii() and after.isdigit() and len(after) < 19):
        return error(400, "This is not a sequence number.", "after")
    messages = room.messages_after(int(after), PAGE)
    return JsonResponse({"messages": [message.as_json() for message in messages], "last_sequence": room.last_sequence})


rooms = api(get=list_rooms, post=create_room)
room = api(get=show_room, patch=change_topic)
messages = api(get=list_messages)
