"""What all stages have in common."""

import json
import os
import socket
from pathlib import Path

import dj_database_url

# Where the files really are, whatever links lead to them.
BASE_DIR = Path(__file__).resolve().parent.parent.parent

# What the deployment recorded, else the name of the directory.
_record = BASE_DIR / ".release.json"
RELEASE = json.loads(_record.read_text())["id"] if _record.exists() else BASE_DIR.name
# Which process this is, for what tells of itself who did it.
IDENTITY = f"{RELEASE} {socket.gethostname()} {os.getpid()}"

SECRET_KEY = os.environ["SECRET_KEY"]
DATABASES = {"default": dj_database_url.parse(os.environ["DATABASE_URL"])}
REDIS_URL = os.environ["REDIS_URL"]
MOTTO = os.environ.get("STUDIO_MOTTO", "")

INSTALLED_APPS = ["django.contrib.sessions", "channels", "studio"]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
]
ROOT_URLCONF = "studio.urls"
ASGI_APPLICATION = "studio.asgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
TIME_ZONE = "UTC"
USE_TZ = True
LANGUAGES = [("en", "English"), ("de", "Deutsch")]

CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.core.RedisChannelLayer",
        "CONFIG": {"hosts": [REDIS_URL], "prefix": "studio:layer"},
    }
}
CELERY_BROKER_URL = REDIS_URL
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_IGNORE_RESULT = True
CELERY_BEAT_SCHEDULE = {
    # One that no worker takes in time is forgotten: they say that somebody beats now.
    "heartbeat": {"task": "studio.tasks.heartbeat", "schedule": 2.0, "args": [IDENTITY], "options": {"expires": 2.0}}
}

# Of the media only the avatars are public.
MEDIA_ROOT = BASE_DIR / "media" / "avatars"
MEDIA_URL = "/avatars/"
UPLOAD_MAX_BYTES = 10 * 1024 * 1024

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "handlers": {
        "stderr": {"class": "logging.StreamHandler", "formatter": "plain"},
        "file": {"class": "logging.FileHandler", "filename": BASE_DIR / "logs" / "studio.log", "formatter": "plain"},
    },
    "root": {"handlers": ["stderr", "file"], "level": "INFO"},
}
