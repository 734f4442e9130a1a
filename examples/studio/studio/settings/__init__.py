"""Django settings, those of the stage that STUDIO_STAGE names."""

import os

from django.core.exceptions import ImproperlyConfigured

STAGE = os.environ.get("STUDIO_STAGE")
if STAGE == "production":
    from studio.settings.production import *  # noqa: F403
elif STAGE == "local":
    from studio.settings.local import *  # noqa: F403
else:
    raise ImproperlyConfigured(f"STUDIO_STAGE is {STAGE!r}: export it as production or local")
