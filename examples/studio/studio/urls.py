"""URL configuration."""

from django.conf import settings
from django.conf.urls.static import static
from django.urls import path

from studio import views

urlpatterns = [
    path("graphql", views.graphql),
    path("upload", views.upload),
    path("-/alive", views.alive),
    path("-/ready", views.ready),
    # With DEBUG alone: on a laptop no web server serves them.
    *static(settings.MEDIA_URL, document_root=settings.MEDIA_ROOT),
]
