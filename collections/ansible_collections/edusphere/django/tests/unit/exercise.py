# mypy: allow-untyped-calls
"""Uses every model of some apps as code does, within what they allow, and tells what went wrong.

Run by the interpreter of a project, in its directory, with the labels of the apps as arguments. With ``--leave`` one
row of each model stays behind. Prints JSON: by the app's label, what went wrong.
"""

from __future__ import annotations

import datetime
import decimal
import itertools
import json
import sys
import uuid
from typing import Any

NUMBERS = itertools.count(1000)


def values(field: Any) -> list[Any]:
    """Return values that the field takes, the plainest first: those at the ends of what fits."""
    from django.db import connection, models

    kind = field.get_internal_type()
    found: list[Any]
    if isinstance(field, models.BooleanField):
        found = [True, False]
    elif isinstance(field, models.DecimalField):
        ends = decimal.Decimal(10**field.max_digits - 1).scaleb(-field.decimal_places)
        found = [decimal.Decimal(1).scaleb(-field.decimal_places), ends, -ends]
    elif isinstance(field, models.FloatField):
        found = [1.5, 2.0, 1e300]
    elif isinstance(field, models.IntegerField):
        found = [1, 0, *(end for end in connection.ops.integer_field_range(kind) if end is not None)]
    elif isinstance(field, models.DateTimeField):
        found = [datetime.datetime(2024, 2, 29, 23, 59, 58, 123456, tzinfo=datetime.timezone.utc)]  # noqa: UP017 - also Python 3.9
    elif isinstance(field, models.DateField):
        found = [datetime.date(2024, 2, 29)]
    elif isinstance(field, models.UUIDField):
        found = [uuid.UUID(int=1)]
    elif isinstance(field, models.JSONField):
        found = [{"a": [1, None]}, "text"]
    elif isinstance(field, models.TextField):
        found = ["1", "", "long " * 100]
    elif isinstance(field, models.CharField):
        found = ["1", "", "x" * field.max_length]
    else:
        raise TypeError(f"no values are known for {field!r}")
    return [*found, None] if field.null else found


def differing(field: Any) -> Any:
    """Return a value of the field that no row has."""
    from django.db import models

    number = next(NUMBERS)
    if isinstance(field, models.UUIDField):
        return uuid.UUID(int=number)
    return str(number) if isinstance(field, models.CharField) else number


def is_left_out(field: Any) -> bool:
    """Tell whether the database gives the field its value."""
    from django.db.models.fields import NOT_PROVIDED

    automatic = field.get_internal_type() in ("AutoField", "BigAutoField", "SmallAutoField")
    return bool(
        automatic
        or getattr(field, "generated", False)
        or getattr(field, "db_default", NOT_PROVIDED) is not NOT_PROVIDED
    )


def is_unique(field: Any) -> bool:
    """Tell whether the rows must differ in the field."""
    return field.unique or any(field.name in group for group in unique_groups(field.model))


def unique_groups(model: Any) -> list[Any]:
    """Return the names of the fields that must be unique together."""
    return [*model._meta.unique_together, *(found.fields for found in model._meta.total_unique_constraints)]


def upsert(model: Any, there: Any) -> None:
    """Insert a row in the place of one that is there, once for each group of columns that may tell that it is."""
    fields = [field for field in model._meta.local_concrete_fields if not getattr(field, "generated", False)]
    deferrable = [list(found.fields) for found in model._meta.total_unique_constraints if found.deferrable]
    groups = [[field.name] for field in fields if field.unique]
    groups += [list(group) for group in unique_groups(model) if list(group) not in deferrable]
    for group in groups:
        there.refresh_from_db()
        instance = row(model)
        for field in fields:
            if field.name in group:
                setattr(instance, field.attname, getattr(there, field.attname))
        updated = [field.name for field in fields if not field.primary_key]
        # The key of the row that is there is not to be changed, and something must be.
        for name in [name for name in updated if name in group] or updated[:1]:
            before = model.objects.count()
            model.objects.bulk_create([instance], update_conflicts=True, unique_fields=group, update_fields=[name])
            if model.objects.count() != before:
                raise ValueError(f"{model.__name__}: an upsert by {group} makes a second row")


def row(model: Any, **given: Any) -> Any:
    """Return a row of the model that is not saved, with plain values for all that is not given."""
    for field in model._meta.local_concrete_fields:
        if field.attname in given or is_left_out(field):
            continue
        if field.remote_field and getattr(field, "db_constraint", True):
            target = row(field.remote_field.model)
            target.save()
            given[field.attname] = target.pk
        else:
            given[field.attname] = differing(field) if is_unique(field) else values(actual(field))[0]
    return model(**given)


def actual(field: Any) -> Any:
    """Return the field that tells the type of a foreign key."""
    return actual(field.target_field) if field.remote_field else field


def use(model: Any) -> None:
    """Write, read, change and delete rows of the model; an exception tells what can't be done."""
    from django.db import models

    list(model.objects.all())
    candidates: list[tuple[Any, Any]] = []
    for field in model._meta.local_concrete_fields:
        if field.remote_field and getattr(field, "db_constraint", True):
            candidates += [(field, None)] if field.null else []
        elif field.primary_key:
            continue
        elif not is_unique(field) and not getattr(field, "generated", False):
            candidates += [(field, value) for value in values(actual(field))]
    # Two of the plainest: their values are the same wherever they may be.
    made = [row(model), row(model)]
    made += [row(model, **{field.attname: value}) for field, value in candidates]
    for instance in made:
        instance.save()
    for instance in made:
        found = model.objects.get(pk=instance.pk)
        for field in model._meta.local_concrete_fields:
            wrote, read = getattr(instance, field.attname), getattr(found, field.attname)
            if (type(wrote), wrote) != (type(read), read):
                raise ValueError(f"{model.__name__}.{field.attname}: wrote {wrote!r}, read {read!r}")
        found.save()
    for field, value in candidates:
        lookup = {field.attname + "__isnull": True} if value is None else {field.attname: value}
        if value != {"a": [1, None]} and not model.objects.filter(**lookup).exists():
            raise ValueError(f"{model.__name__}.{field.attname}: no row has {value!r}")
        model.objects.filter(pk=made[0].pk).update(**{field.attname: value})
    # The columns are those of a group, of which PostgreSQL takes the rest from the key.
    list(model.objects.annotate(number=models.Count("pk")).order_by())
    # Django itself has none for a model with a parent.
    if not model._meta.parents:
        upsert(model, made[0])
    for field in model._meta.local_many_to_many:
        if field.remote_field.through._meta.auto_created:
            target = row(field.remote_field.model)
            target.save()
            getattr(made[0], field.name).add(target)
            if list(getattr(made[0], field.name).all()) != [target]:
                raise ValueError(f"{model.__name__}.{field.name}: the relation is lost")
    for instance in made:
        instance.delete()


def main() -> None:
    """Use all models of the apps."""
    import django

    django.setup()
    from django.apps import apps

    leave = "--leave" in sys.argv
    wrong: dict[str, list[str]] = {}
    for label in sys.argv[1:]:
        if label == "--leave":
            continue
        wrong[label] = []
        for model in apps.get_app_config(label).get_models():
            if not model._meta.managed or model._meta.proxy:
                continue
            try:
                use(model)
                if leave:
                    row(model, **{model._meta.pk.attname: 1}).save()
            except Exception as error:
                wrong[label].append(f"{model.__name__}: {type(error).__name__}: {error}")
    print(json.dumps(wrong))


if __name__ == "__main__":
    sys.path.insert(0, "")
    main()
