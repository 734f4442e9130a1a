# Copyright: (c) 2026, EduSphere maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# mypy: allow-untyped-calls
"""Runs inside the project: makes sure of a superuser, through the project's own user model and its manager."""

from __future__ import annotations

from typing import Any

from ansible_collections.edusphere.django.plugins.module_utils.probe.core import Project, RefusedError, UnknownError

# What manage.py would be called with.
COMMAND = "createsuperuser"


def run(project: Project, parameters: dict[str, Any]) -> dict[str, Any]:
    """Find or create the superuser that ``parameters`` describe.

    Keys of ``parameters``: database, username, password (None for none), fields, update_password (on_create or
    always), promote.
    """
    from django.contrib.auth import get_user_model
    from django.db import transaction
    from django.db.utils import IntegrityError, OperationalError, ProgrammingError

    model = get_user_model()
    alias = parameters["database"]
    project.connection(alias)
    try:
        user = find(model, alias, parameters["username"])
        if user is None:
            values = creation_values(model, parameters)
            if project.check_mode:
                return {"created": True, "promoted": False, "password_changed": False}
            try:
                with transaction.atomic(using=alias):
                    model._default_manager.db_manager(alias).create_superuser(**values)
                return {"created": True, "promoted": False, "password_changed": False}
            except IntegrityError:
                # Another host may have been first; anything else that collides is the operator's to see.
                user = find(model, alias, parameters["username"])
                if user is None:
                    raise
        return update(project, user, alias, parameters)
    except (ProgrammingError, OperationalError) as error:
        if project.check_mode:
            raise UnknownError("the table of the users can't be read: {}".format(str(error).strip())) from error
        raise


def find(model: Any, alias: str, username: str) -> Any:
    """Return the account with that name, in the form in which Django's managers store it; None if there is none."""
    forms = [username, model.normalize_username(username)]
    manager = model._default_manager.db_manager(alias)
    if getattr(model, "EMAIL_FIELD", None) == model.USERNAME_FIELD and hasattr(manager, "normalize_email"):
        forms.append(manager.normalize_email(username))
    for form in dict.fromkeys(forms):
        try:
            return manager.get_by_natural_key(form)
        except model.DoesNotExist:
            continue
    return None


def creation_values(model: Any, parameters: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments of ``create_superuser``, all of them validated by their fields."""
    from django.core.exceptions import FieldDoesNotExist, ValidationError

    given = parameters["fields"]
    problems = [
        "fields: {} is a REQUIRED_FIELD of {}".format(name, model._meta.label)
        for name in model.REQUIRED_FIELDS
        if name not in given
    ]
    values: dict[str, Any] = {}
    for name, value in {model.USERNAME_FIELD: parameters["username"], **given}.items():
        parameter = "username" if name == model.USERNAME_FIELD else "fields"
        try:
            field = model._meta.get_field(name)
            values[name] = value if field.many_to_many else field.clean(value, None)
        except FieldDoesNotExist:
            problems.append("fields: {} has no field {!r}".format(model._meta.label, name))
        except ValidationError as error:
            problems.append("{}: {}: {}".format(parameter, name, " ".join(error.messages)))
    if problems:
        raise RefusedError("; ".join(problems))
    # None makes a password that nobody can log in with.
    return {"password": parameters["password"], **values}


def update(project: Project, user: Any, alias: str, parameters: dict[str, Any]) -> dict[str, Any]:
    """Bring an account that exists to what is asked for."""
    from django.contrib.auth.hashers import check_password

    missing = [name for name in ("is_staff", "is_superuser") if getattr(user, name, True) is False]
    if missing and not parameters["promote"]:
        raise RefusedError(
            "username: {!r} exists and is not a superuser (no {}). Whoever made the account knows its password;"
            " choose another name, or set promote: true".format(parameters["username"], ", ".join(missing))
        )
    changed = list(missing)
    for name in missing:
        setattr(user, name, True)
    password = parameters["password"]
    # The function of the hashers, as the user's own check_password() would save a fresh hash of an outdated one.
    always = parameters["update_password"] == "always"  # noqa: S105 - a choice, no password
    new_password = always and not check_password(password, user.password)
    if new_password:
        user.set_password(password)
        changed.append("password")
    if changed and not project.check_mode:
        user.save(using=alias, update_fields=changed)
    return {"created": False, "promoted": bool(missing), "password_changed": new_password}
