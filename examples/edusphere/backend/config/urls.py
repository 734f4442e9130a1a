"""URL configuration."""

from django.conf import settings
from django.conf.urls.static import static
from django.contrib import admin
from django.contrib.staticfiles.urls import staticfiles_urlpatterns
from django.urls import include, path

from backend.core import views

urlpatterns = [
    path("api/csrf/", views.csrf),
    path("api/version/", views.version),
    path("api/health/live/", views.live),
    path("api/health/ready/", views.ready),
    path("api/", include("backend.accounts.urls")),
    path("api/", include("backend.chat.urls")),
    path("admin/", admin.site.urls),
]
if settings.DEBUG:
    # In development there may be no web server that serves files.
    urlpatterns += staticfiles_urlpatterns() + static(settings.MEDIA_URL, document_root=settings.MEDIA_ROOT)
