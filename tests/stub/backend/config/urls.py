"""URL configuration: nothing that only asks how the backend is."""

from django.contrib import admin
from django.urls import path

from backend.core import views

urlpatterns = [
    path("admin/", admin.site.urls),
    path("graphql/", views.graphql),
    path("api/csrf/", views.csrf),
    path("api/upload/", views.upload),
]
