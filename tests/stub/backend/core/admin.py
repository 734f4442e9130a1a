"""The admin's pages."""

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin

from backend.core.models import Room, User

admin.site.register(User, UserAdmin)
admin.site.register(Room)
