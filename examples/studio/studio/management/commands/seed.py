"""`manage.py seed`: an empty wall invites nobody."""

from typing import Any

from django.core.management import BaseCommand

from studio.models import Note


class Command(BaseCommand):
    """Puts the first note on the wall, once."""

    help = __doc__

    def handle(self, *args: Any, **options: Any) -> None:
        """Do it, unless it has been done."""
        _, created = Note.objects.get_or_create(author="Studio", body="This wall is yours.")
        self.stdout.write("The first note is on the wall." if created else "Nothing to do.")
