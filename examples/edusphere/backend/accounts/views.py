"""Registration, sessions and the picture."""

from typing import cast

from django.conf import settings
from django.contrib import auth
from django.contrib.auth.forms import AuthenticationForm
from django.http import HttpRequest, HttpResponse, JsonResponse

from backend.accounts import throttle
from backend.accounts.forms import AvatarForm, RegisterForm
from backend.accounts.models import User
from backend.core.http import api, decode, error, form_errors


def show_me(request: HttpRequest) -> HttpResponse:
    """Tell who is logged in: {"user": null} for an anonymous visitor."""
    return JsonResponse({"user": request.user.as_json() if request.user.is_authenticated else None})


def create_account(request: HttpRequest) -> HttpResponse:
    """Create an account and log it in."""
    form = RegisterForm(decode(request.body))
    if not form.is_valid():
        return form_errors(form)
    user = form.save()
    auth.login(request, user)
    return JsonResponse({"user": user.as_json()}, status=201)


def open_session(request: HttpRequest) -> HttpResponse:
    """Log in; 401 for a wrong name or password, 429 after too many of them."""
    data = decode(request.body)
    username = str(data.get("username", ""))
    if throttle.blocked(request, username):
        response = error(429, "Too many failed log-ins, try again later.")
        response["Retry-After"] = str(settings.LOGIN_FAILURES_SECONDS)
        return response
    form = AuthenticationForm(request, data)
    if not form.is_valid():
        throttle.failed(request, username)
        response = form_errors(form)
        response.status_code = 401
        return response
    throttle.succeeded(request, username)
    user: User = form.get_user()
    auth.login(request, user)
    return JsonResponse({"user": user.as_json()})


def close_session(request: HttpRequest) -> HttpResponse:
    """Log out."""
    auth.logout(request)
    return HttpResponse(status=204)


def replace_avatar(request: HttpRequest) -> HttpResponse:
    """Store a new picture (multipart field `avatar`) and remove the old one."""
    form = AvatarForm(files=request.FILES)
    if not form.is_valid():
        return form_errors(form)
    user = cast(User, request.user)
    old = user.avatar.name
    user.avatar = form.cleaned_data["avatar"]
    user.save(update_fields=["avatar"])
    if old:
        user.avatar.storage.delete(old)
    return JsonResponse({"user": user.as_json()})


me = api(get=show_me, login=False)
register = api(post=create_account, login=False)
login = api(post=open_session, login=False)
logout = api(post=close_session, login=False)
avatar = api(post=replace_avatar)
