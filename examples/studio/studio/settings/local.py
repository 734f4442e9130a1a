"""On a laptop, behind Vite's dev server."""

from studio.settings.base import *  # noqa: F403

DEBUG = True
ALLOWED_HOSTS = ["localhost", "studio.internal"]
