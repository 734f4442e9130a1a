"""Addresses of the chat API."""

from django.urls import path

from backend.chat import views

urlpatterns = [
    path("rooms/", views.rooms),
    path("rooms/<slug:slug>/", views.room),
    path("rooms/<slug:slug>/messages/", views.messages),
]
