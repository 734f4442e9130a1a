"""The wall's first tables."""

import django.core.validators
from django.db import migrations, models

import studio.models


class Migration(migrations.Migration):
    """Notes, pictures and heartbeats."""

    initial = True
    dependencies = []
    operations = [
        migrations.CreateModel(
            name="Heartbeat",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("beat", models.CharField(max_length=200)),
                ("worker", models.CharField(max_length=200)),
                ("at", models.DateTimeField(auto_now_add=True, db_index=True)),
            ],
        ),
        migrations.CreateModel(
            name="Note",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("author", models.CharField(max_length=40)),
                ("body", models.CharField(max_length=500)),
            ],
        ),
        migrations.CreateModel(
            name="Picture",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "file",
                    models.FileField(
                        upload_to=studio.models.unguessable,
                        validators=[
                            django.core.validators.FileExtensionValidator(["png", "jpg", "jpeg", "gif", "webp"]),
                            studio.models.validate_size,
                        ],
                    ),
                ),
                ("sha256", models.CharField(blank=True, max_length=64)),
                ("examined_by", models.CharField(blank=True, max_length=200)),
            ],
        ),
    ]
