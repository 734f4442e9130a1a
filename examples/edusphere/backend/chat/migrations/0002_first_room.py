"""A room to start with."""

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor


def open_general(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    apps.get_model("chat", "Room").objects.get_or_create(slug="general", defaults={"name": "General"})


class Migration(migrations.Migration):
    dependencies = [("chat", "0001_initial")]
    operations = [migrations.RunPython(open_general, migrations.RunPython.noop)]
