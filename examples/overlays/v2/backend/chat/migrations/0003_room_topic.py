"""Rooms get a topic. Old code can live with it: PostgreSQL fills the column in."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("chat", "0002_first_room")]
    operations = [
        migrations.AddField("room", "topic", models.CharField(blank=True, db_default="", max_length=200)),
    ]
