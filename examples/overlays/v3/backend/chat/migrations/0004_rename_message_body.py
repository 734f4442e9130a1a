"""A message's `body` becomes its `text`. Old code can't live with it: it still asks for `body`."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("chat", "0003_room_topic")]
    operations = [migrations.RenameField("message", "body", "text")]
