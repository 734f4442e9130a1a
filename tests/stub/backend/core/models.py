"""People and rooms."""

from django.contrib.auth.models import AbstractUser
from django.db import models


class User(AbstractUser):
    """Somebody who logs in by e-mail."""

    email = models.EmailField(unique=True)
    name = models.CharField(max_length=100)

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS = ["username", "name"]


class Room(models.Model):
    """Ahead of its migration: there its name has 50 characters."""

    name = models.CharField(max_length=100)
