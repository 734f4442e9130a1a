"""Addresses of the accounts API."""

from django.urls import path

from backend.accounts import views

urlpatterns = [
    path("me/", views.me),
    path("me/avatar/", views.avatar),
    path("register/", views.register),
    path("login/", views.login),
    path("logout/", views.logout),
]
