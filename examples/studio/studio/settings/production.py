"""Behind a proxy that sets X-Forwarded-Proto on every request, under the one name that it has inside the company."""

from studio.settings.base import *  # noqa: F403

DEBUG = False
ALLOWED_HOSTS = ["studio.internal"]
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
