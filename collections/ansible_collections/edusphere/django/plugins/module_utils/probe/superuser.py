# Copyright: (c) 2026, EduSphere maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# mypy: allow-untyped-calls
"""Runs inside the project: makes sure of a superuser, through the project's own user model and its manager."""

from __future__ import annotations

import copy
import inspect
from typing import Any

from ansible_collections.edusphere.django.plugins.module_utils.probe.core import Project, RefusedError, UnknownError

# What manage.py would be called with.
COMMAND = "createsuperuser"


def run(project: Project, parameters: dict[str, Any]) -> dict[str, Any]:
    """Find or create the superuser that ``parameters`` describe.

    Keys of ``parameters``: database, username, password (None for none), fields, update_password (on_create or
    always), validate_password, promote.
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
            values = clean(model, parameters)
            if project.check_mode:
                return {"created": True, "promoted": False, "password_changed": False}
            try:
                with transaction.atomic(using=alias):
                    create(model, alias, values, parameters["password"])
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


def clean(model: Any, parameters: dict[str, Any]) -> dict[Any, Any]:
    """Return the values of an account's fields by their fields, all of them validated, and the password as well."""
    from django.core.exceptions import FieldDoesNotExist, ValidationError

    alias, given = parameters["database"], {model.USERNAME_FIELD: parameters["username"], **parameters["fields"]}
    problems: list[str] = []
    values: dict[Any, Any] = {}
    # What makes a foreign key look into the right database.
    account = model()
    account._state.db = alias
    for name, value in given.items():
        parameter = "username" if name == model.USERNAME_FIELD else "fields"
        try:
            field = model._meta.get_field(name)
            if field.auto_created and not field.concrete:
                raise FieldDoesNotExist  # It belongs to another model, which refers to this one.
            values[field] = clean_many(field, value, alias) if field.many_to_many else field.clean(value, account)
        except FieldDoesNotExist:
            problems.append("fields: {} has no field {!r}".format(model._meta.label, name))
        except ValidationError as error:
            problems.append("{}: {}: {}".format(parameter, name, " ".join(error.messages)))
        else:
            if not field.many_to_many:
                setattr(account, field.attname, values[field])
    there = {field.name for field in values}.union(given)
    problems += [
        "fields: {} is a REQUIRED_FIELD of {}".format(name, model._meta.label)
        for name in model.REQUIRED_FIELDS
        if name not in there
    ]
    if not problems:
        problems += collisions(account, {field.name for field in values}, alias)
    problems += password_problems(account, parameters)
    if problems:
        raise RefusedError("; ".join(problems))
    return values


def collisions(account: Any, given: set[str], alias: str) -> list[str]:
    """Return which of the fields that are ``given`` the database rejects in a new account: a constraint forbids it.

    Django's own validate_unique() looks into the default database.
    """
    from django.core.exceptions import ValidationError

    model = type(account)
    problems = []
    forms = [account]
    email = getattr(model, "EMAIL_FIELD", None)
    normalize = getattr(model._default_manager, "normalize_email", None)
    if email in given and normalize:
        # As managers store it.
        forms.append(copy.copy(account))
        setattr(forms[1], email, normalize(getattr(account, email)))
    groups = [[field.name] for field in model._meta.concrete_fields if field.unique]
    for parent in (model, *model._meta.get_parent_list()):
        groups += [list(group) for group in parent._meta.unique_together]
    for form in forms:
        for group in groups:
            lookup = {name: getattr(form, model._meta.get_field(name).attname) for name in group}
            if not given.issuperset(group) or None in lookup.values():
                continue
            if model._base_manager.using(alias).filter(**lookup).exists():
                message = " ".join(form.unique_error_message(model, tuple(group)).messages)
                problems.append("{}: {}".format(_parameter(model, group), message))
        others = [field.name for field in model._meta.fields if field.name not in given]
        for owner, constraints in form.get_constraints():
            for constraint in constraints:
                try:
                    constraint.validate(owner, form, exclude=others, using=alias)
                except ValidationError as error:
                    names = list(getattr(constraint, "fields", ())) or [constraint.name]
                    problems.append("{}: {}".format(_parameter(model, names), " ".join(error.messages)))
    return list(dict.fromkeys(problems))


def _parameter(model: Any, names: list[str]) -> str:
    """Return what gave the values of some fields, and the fields."""
    if names == [model.USERNAME_FIELD]:
        return "username: {}".format(names[0])
    return "fields: {}".format(", ".join(names))


def clean_many(field: Any, value: Any, alias: str) -> list[Any]:
    """Return the primary keys that ``value``, a list, holds; raise ValidationError unless there are such objects."""
    from django.core.exceptions import ValidationError

    related = field.remote_field.model
    if not isinstance(value, list):
        raise ValidationError("give a list of primary keys of {}".format(related._meta.label))
    keys = [related._meta.pk.to_python(key) for key in value]
    known = set(related._base_manager.using(alias).filter(pk__in=keys).values_list("pk", flat=True))
    missing = [str(key) for key in keys if key not in known]
    if missing:
        raise ValidationError("there is no {} with the primary key {}".format(related._meta.label, ", ".join(missing)))
    return keys


def password_problems(account: Any, parameters: dict[str, Any]) -> list[str]:
    """Return what the project's validators say against the password for that account, if they are to be asked."""
    from django.contrib.auth.password_validation import validate_password
    from django.core.exceptions import ValidationError

    if not parameters["validate_password"] or parameters["password"] is None:
        return []
    try:
        validate_password(parameters["password"], account)
    except ValidationError as error:
        return ["password: {}".format(" ".join(error.messages))]
    return []


def create(model: Any, alias: str, values: dict[Any, Any], password: str | None) -> None:
    """Create the account through the manager of its model.

    As Django's own createsuperuser does, what refers to other objects is given by primary keys to a parameter that the
    manager has for it. What goes on to the model instead, which would want the objects, is given as the model takes it.
    """
    manager = model._default_manager.db_manager(alias)
    own = inspect.signature(manager.create_superuser).parameters
    arguments, later = {}, {}
    for field, value in values.items():
        if field.name in own:
            arguments[field.name] = value
        elif field.many_to_many:
            later[field.name] = value
        else:
            arguments[field.attname] = value
    # None makes a password that nobody can log in with.
    account = manager.create_superuser(password=password, **arguments)
    for name, value in later.items():
        getattr(account, name).set(value)


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
        problems = password_problems(user, parameters)
        if problems:
            raise RefusedError("; ".join(problems))
        user.set_password(password)
        changed.append("password")
    if changed and not project.check_mode:
        user.save(using=alias, update_fields=changed)
    return {"created": False, "promoted": bool(missing), "password_changed": new_password}
