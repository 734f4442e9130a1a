"""Accounts in the admin."""

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as BaseUserAdmin

from backend.accounts.models import User


@admin.register(User)
class UserAdmin(BaseUserAdmin):
    """Django's own account pages plus the picture."""

    fieldsets = (*(BaseUserAdmin.fieldsets or ()), ("Picture", {"fields": ("avatar",)}))
