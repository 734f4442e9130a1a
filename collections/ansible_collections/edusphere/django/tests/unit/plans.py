"""Makes examples for execution.py: small models, and plans of one to four operations on them.

Everything is the source of what a migration names. What a plan does is kept track of only as far as the operations that
follow are to be ones that Django can make something of; the few that it can't are told as invalid, and don't count.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

ID = "('id', models.BigAutoField(primary_key=True))"
# Kinds of fields: their arguments, a default, another one, and what they may be altered to that is close to them.
TEXTS = ("CharField", "TextField", "SlugField", "EmailField", "URLField")
INTEGERS = (
    *("SmallIntegerField", "IntegerField", "BigIntegerField"),
    *("PositiveSmallIntegerField", "PositiveIntegerField", "PositiveBigIntegerField"),
)
DEFAULTS = {
    **dict.fromkeys(TEXTS, ("'x'", "''", "'longer than ten'")),
    **dict.fromkeys(INTEGERS, ("0", "1", "7", "-1", "40000")),
    "DecimalField": ("decimal.Decimal('1.5')", "0"),
    "FloatField": ("1.5", "0"),
    "BooleanField": ("True", "False"),
    "DateField": ("datetime.date(2024, 1, 1)",),
    "DateTimeField": ("datetime.datetime(2024, 1, 1, tzinfo=datetime.timezone.utc)",),
    "TimeField": ("datetime.time(1, 2)",),
    "DurationField": ("datetime.timedelta(1)",),
    "UUIDField": ("uuid.UUID(int=5)",),
    "JSONField": ("[]",),
    "BinaryField": ("b'x'",),
    "GenericIPAddressField": ("'192.0.2.9'",),
    "ArrayField": ("[]",),
}
SIZES = ("5", "10", "20", "30", "700", "3000")
# Hypothesis draws a seed, and that makes an example: it would try many that are nearly the same otherwise.
Draw = random.Random


@dataclass
class Field:
    """A field of a model: its kind, and the sources of its arguments."""

    kind: str
    options: dict[str, str] = field(default_factory=dict)

    @property
    def source(self) -> str:
        """The source that makes it."""
        arguments = ", ".join(name if not value else f"{name}={value}" for name, value in self.options.items())
        return f"{'' if self.kind == 'ArrayField' else 'models.'}{self.kind}({arguments})"

    def but(self, **options: str | None) -> Field:
        """Return it with other options; those of None are left out."""
        merged: dict[str, str | None] = {**self.options, **options}
        return Field(self.kind, {name: value for name, value in merged.items() if value is not None})

    @property
    def family(self) -> str:
        """What conditions and expressions can be made of it."""
        if self.kind in TEXTS:
            return "text"
        if self.kind in (*INTEGERS, "DecimalField", "FloatField"):
            return "number"
        return {"BooleanField": "boolean", "DateField": "date"}.get(self.kind, "")


@dataclass
class Model:
    """What is known of the model that plans are about."""

    fields: dict[str, Field]
    key: str = "BigAutoField"
    name: str = "article"
    constraints: list[str] = field(default_factory=list)
    indexes: list[str] = field(default_factory=list)
    together: str = ""
    names: int = 0
    table: str = "shop_article"

    def new_name(self, kind: str) -> str:
        """Return a name that nothing has."""
        self.names += 1
        return f"{kind}{self.names}"

    def named(self, *families: str) -> list[str]:
        """Return the names of fields of some families."""
        return sorted(name for name, one in self.fields.items() if not families or one.family in families)


def one_of(draw: Draw, *choices: Any) -> Any:
    """Draw one of some choices."""
    return draw.choice(choices)


def chance(draw: Draw, percent: int) -> bool:
    """Draw yes so many times of a hundred."""
    return draw.randrange(100) < percent


def kind_options(draw: Draw, kind: str) -> dict[str, str]:
    """Draw the arguments without which a kind of field can't be made, and its size."""
    if kind == "CharField":
        return {"max_length": one_of(draw, *SIZES)}
    if kind == "DecimalField":
        digits = one_of(draw, 6, 7, 9)
        return {"max_digits": str(digits), "decimal_places": str(one_of(draw, 2, 3, 4))}
    if kind == "ArrayField":
        base = one_of(draw, "models.IntegerField()", "models.CharField(max_length=10)", "models.TextField()")
        return {base: ""}
    if kind == "FileField":
        return {}
    return {}


def new_field(draw: Draw, version: str) -> Field:
    """Draw a field of any kind."""
    kind = one_of(draw, "CharField", "TextField", "IntegerField", *DEFAULTS)
    options = kind_options(draw, kind)
    if chance(draw, 45):
        options["null"] = "True"
    if chance(draw, 15):
        options["unique"] = "True"
    elif chance(draw, 20):
        options["db_index"] = "True"
    if chance(draw, 12):
        options["db_comment"] = "'said'"
    with_default(draw, kind, options, version)
    return Field(kind, options)


def with_default(draw: Draw, kind: str, options: dict[str, str], version: str, percent: int = 45) -> None:
    """Draw a default, in Python or in the database."""
    if not chance(draw, percent):
        return
    value = one_of(draw, *DEFAULTS[kind])
    if version >= "5.0" and chance(draw, 60):
        if chance(draw, 8):
            value = "None"
        elif kind == "DateTimeField" and chance(draw, 50):
            value = "Now()"
        elif kind == "FloatField" and chance(draw, 50):
            value = "Random()"
        options["db_default"] = value
    else:
        options["default"] = value


def foreign_key(draw: Draw) -> Field:
    """Draw a foreign key."""
    kind = one_of(draw, "ForeignKey", "ForeignKey", "OneToOneField")
    options = {"'shop.Author'": "", "models.CASCADE": ""}
    if chance(draw, 50):
        options["null"] = "True"
    if chance(draw, 15):
        options["db_constraint"] = "False"
    if kind == "ForeignKey" and chance(draw, 15):
        options["db_index"] = "False"
    if chance(draw, 15):
        options["to_field"] = "'code'"
    return Field(kind, options)


def generated(draw: Draw, model: Model) -> Field | None:
    """Draw a field that the database calculates from others."""
    expression, output = expression_of(draw, model)
    if not expression:
        return None
    options = {"expression": expression, "output_field": output, "db_persist": "True"}
    if chance(draw, 15):
        options["unique"] = "True"
    return Field("GeneratedField", options)


def expression_of(draw: Draw, model: Model) -> tuple[str, str]:
    """Draw an expression, and a field for what it gives."""
    texts = [name for name in model.named("text") if "db_default" not in model.fields[name].options]
    numbers = [name for name in model.named("number") if model.fields[name].kind in INTEGERS]
    choices = []
    if texts:
        name, other = one_of(draw, *texts), one_of(draw, *texts)
        narrow = one_of(
            draw, "models.TextField()", "models.CharField(max_length=10)", "models.CharField(max_length=700)"
        )
        choices += [
            (f"Upper('{name}')", narrow),
            (f"Lower('{name}')", narrow),
            (f"Concat('{name}', Value('-'), '{other}')", narrow),
            (f"Left('{name}', 3)", narrow),
            (f"Length('{name}')", "models.IntegerField()"),
            (f"Coalesce('{name}', Value('none'))", narrow),
            (f"MD5('{name}')", "models.CharField(max_length=32)"),
        ]
    if numbers:
        name, other = one_of(draw, *numbers), one_of(draw, *numbers)
        wide = one_of(draw, "models.SmallIntegerField()", "models.IntegerField()", "models.BigIntegerField()")
        choices += [
            (f"F('{name}')", wide),
            (f"F('{name}') + 1", wide),
            (f"F('{name}') + F('{other}')", wide),
            (f"F('{name}') * 2", wide),
            (f"F('{name}') / F('{other}')", wide),
            (f"Case(When({name}__gt=3, then=Value('many')), default=Value('few'))", "models.CharField(max_length=4)"),
        ]
    return one_of(draw, *choices) if choices else ("", "")


def condition_of(draw: Draw, model: Model, depth: int = 0) -> str:
    """Draw a condition on the model's fields."""
    name = one_of(draw, *model.named())
    family = model.fields[name].family
    choices = [f"Q({name}__isnull=False)", f"Q({name}__isnull=True)"]
    if family == "number":
        value = one_of(draw, 0, 1, -5, 3, 100)
        lookup = one_of(draw, "gt", "gte", "lt", "lte")
        choices += [f"Q({name}__{lookup}={value})"] * 3
        choices += [f"Q({name}__in=[1, 2, 3])", f"~Q({name}={value})"]
        other = one_of(draw, *model.named("number"))
        choices.append(f"Q({name}__{lookup}=F('{other}'))")
    elif family == "text":
        choices += [f"Q({name}__in=['1', 'x', ''])", f"~Q({name}='')", f"~Q({name}='x')", f"Q({name}='1')"]
    elif family == "boolean":
        choices += [f"Q({name}=True)"]
    elif family == "date":
        choices += [f"Q({name}__gte=datetime.date(2000, 1, 1))"]
    found = one_of(draw, *choices)
    if depth < 2 and chance(draw, 30):
        connector = one_of(draw, "|", "|", "&")
        found = f"({found} {connector} {condition_of(draw, model, depth + 1)})"
    return str(found)


def constraint_of(draw: Draw, model: Model, version: str, name: str) -> str:
    """Draw a constraint."""
    names = model.named()
    one, other = one_of(draw, *names), one_of(draw, *names, "id" if model.key == "BigAutoField" else names[0])
    pair = f"['{one}', '{other}']" if one != other else f"['{one}']"
    choices = [
        *[f"Check({condition_of(draw, model)}, '{name}')"] * 4,
        f"models.UniqueConstraint(fields=['{one}'], name='{name}')",
        f"models.UniqueConstraint(fields={pair}, name='{name}')",
        f"models.UniqueConstraint(fields=['{one}'], condition={condition_of(draw, model)}, name='{name}')",
        f"models.UniqueConstraint(fields={pair}, name='{name}', deferrable=models.Deferrable.DEFERRED)",
    ]
    if version >= "5.0":
        choices.append(f"models.UniqueConstraint(fields={pair}, name='{name}', nulls_distinct=False)")
    if texts := model.named("text"):
        choices.append(f"models.UniqueConstraint(Lower('{one_of(draw, *texts)}'), name='{name}')")
    return str(one_of(draw, *choices))


def index_of(draw: Draw, model: Model, name: str) -> str:
    """Draw an index."""
    names = model.named()
    one, other = one_of(draw, *names), one_of(draw, *names)
    choices = [
        *[f"models.Index(fields=['{one}'], name='{name}')"] * 2,
        f"models.Index(fields=['-{one}', '{other}'], name='{name}')" if one != other else "",
        f"models.Index(fields=['{one}'], condition={condition_of(draw, model)}, name='{name}')",
        f"models.Index(fields=['{one}'], include=['{other}'], name='{name}')" if one != other else "",
        f"HashIndex(fields=['{one}'], name='{name}')",
        f"BrinIndex(fields=['{one}'], name='{name}')" if model.fields[one].family in ("number", "date") else "",
        f"GinIndex(fields=['{one}'], name='{name}')" if model.fields[one].kind in ("JSONField", "ArrayField") else "",
    ]
    expression, _output = expression_of(draw, model)
    if expression:
        choices += [f"models.Index({expression}, name='{name}')", f"models.Index({expression}, '{one}', name='{name}')"]
    return str(one_of(draw, *filter(None, choices)))


def altered(draw: Draw, old: Field, version: str) -> Field:
    """Draw what a field is altered to: mostly, one thing is another."""
    options = old.options
    if old.kind in ("ForeignKey", "OneToOneField"):
        choice = one_of(draw, "null", "constraint", "kind", "python", "index")
        if choice == "kind":
            return Field("OneToOneField" if old.kind == "ForeignKey" else "ForeignKey", dict(options)).but(
                db_index=None
            )
        if choice == "index" and old.kind == "ForeignKey":
            return old.but(db_index=None if "db_index" in options else "False")
        if choice == "constraint":
            return old.but(db_constraint=None if "db_constraint" in options else "False")
        if choice == "null":
            return old.but(null=None if "null" in options else "True")
        return old.but(related_name="'x'")
    if old.kind == "GeneratedField":
        return old.but(verbose_name="'x'")
    choice = one_of(
        draw, "null", "null", "unique", "index", "default", "size", "size", "kind", "comment", "python", "column"
    )
    if choice == "null":
        if "null" not in options:
            return old.but(null="True")
        extra: dict[str, str] = {}
        with_default(draw, old.kind, extra, version, 70)
        return old.but(null=None, **extra)
    if choice == "unique":
        return old.but(unique=None if "unique" in options else "True", db_index=None)
    if choice == "index":
        return old.but(db_index=None if "db_index" in options else "True", unique=None)
    if choice == "default" and version >= "5.0":
        return old.but(db_default=None if "db_default" in options else one_of(draw, *DEFAULTS[old.kind]))
    if choice == "comment":
        return old.but(db_comment=None if "db_comment" in options else "'said'")
    if choice == "column":
        return old.but(db_column="'elsewhere'" if "db_column" not in options else None)
    if choice == "size" and old.kind in ("CharField", "DecimalField"):
        return old.but(**kind_options(draw, old.kind))
    if choice in ("kind", "size"):
        family = TEXTS if old.kind in TEXTS else INTEGERS if old.kind in INTEGERS else tuple(DEFAULTS)
        kind = one_of(draw, *family)
        kept = {name: value for name, value in options.items() if name in ("null", "unique", "db_index", "db_column")}
        return Field(kind, {**kind_options(draw, kind), **kept})
    return old.but(verbose_name="'Heading'", blank="True")


def first_models(draw: Draw, version: str) -> tuple[list[str], Model]:
    """Draw the models before the plan."""
    fields = {}
    for name in ("a", "b", "c")[: one_of(draw, 1, 2, 3, 3)]:
        found = new_field(draw, version)
        # Otherwise nothing could be written.
        if found.options.get("db_default") == "None":
            found = found.but(db_default=None)
        fields[name] = found
    if chance(draw, 45):
        fields["author"] = foreign_key(draw).but(to_field=None)
    model = Model(
        fields, key=one_of(draw, *["BigAutoField"] * 4, "AutoField", "IntegerField", "UUIDField", "CharField")
    )
    options = []
    if version >= "5.0" and chance(draw, 12) and (calculated := generated(draw, model)):
        fields["g"] = calculated
    if chance(draw, 35):
        name = model.new_name("constraint")
        model.constraints.append(name)
        options.append(f"'constraints': [{constraint_of(draw, model, version, name)}]")
    if chance(draw, 30):
        name = model.new_name("index")
        model.indexes.append(name)
        options.append(f"'indexes': [{index_of(draw, model, name)}]")
    if len(fields) > 1 and chance(draw, 12):
        model.together = f"{{{tuple(sorted(fields)[:2])}}}"
        options.append(f"'unique_together': {model.together}")
    if chance(draw, 12):
        options.append("'db_table': 'articles'")
        model.table = "articles"
    size = "max_length=20, " if model.key == "CharField" else ""
    key = f"('id', models.{model.key}({size}primary_key=True))"
    if chance(draw, 30):
        fields["tags"] = Field("ManyToManyField", {"'shop.Tag'": ""})
    listed = ", ".join(f"('{name}', {one.source})" for name, one in fields.items())
    fields.pop("tags", None)
    initial = [
        f"migrations.CreateModel('Author', [{ID}, ('name', models.CharField(max_length=20)),"
        " ('code', models.IntegerField(unique=True))])",
        f"migrations.CreateModel('Tag', [{ID}, ('name', models.CharField(max_length=20))])",
        f"migrations.CreateModel('Article', [{key}, {listed}], options={{{', '.join(options)}}})",
    ]
    if chance(draw, 35):
        null = one_of(draw, "", ", null=True")
        action = one_of(draw, "CASCADE", "CASCADE", "PROTECT", "SET_NULL" if null else "CASCADE")
        initial.append(
            f"migrations.CreateModel('Note', [{ID},"
            f" ('article', models.ForeignKey('shop.Article', models.{action}{null}))])"
        )
    if chance(draw, 12):
        initial.append(
            f"migrations.CreateModel('Remark', [{ID}, ('kind', models.ForeignKey('contenttypes.ContentType',"
            " models.CASCADE)), ('number', models.IntegerField())])"
        )
    return initial, model


def statement_of(draw: Draw, model: Model) -> tuple[str, bool]:
    """Draw SQL of one's own, and whether it must not be in a transaction."""
    name = one_of(draw, *model.named())
    one = model.fields[name]
    column = one.options.get("db_column", f"'{name}'").strip("'") + (
        "_id" if one.kind in ("ForeignKey", "OneToOneField") else ""
    )
    table = model.table
    index = model.new_name("sql")
    choices = [
        ("SET LOCAL lock_timeout = '2s'", False),
        (f"COMMENT ON TABLE {table} IS 'about'", False),
        (f'ALTER TABLE {table} ALTER COLUMN "{column}" DROP NOT NULL', False),
        (f'CREATE INDEX CONCURRENTLY {index} ON {table} ("{column}")', True),
        (f'CREATE INDEX {index} ON {table} ("{column}")', False),
        (f"ALTER TABLE {table} ADD COLUMN {index} integer", False),
        (f"ALTER TABLE {table} ADD COLUMN {index} integer NOT NULL DEFAULT 3", False),
        (f'ALTER TABLE {table} DROP COLUMN "{column}"', False),
        (f"CREATE TABLE {index} (id integer)", False),
        ("SELECT 1", False),
        (f'UPDATE {table} SET "{column}" = "{column}"', False),  # noqa: S608 - constants
    ]
    if one.family in ("number", "text"):
        choices.append((f"ALTER TABLE {table} ALTER COLUMN \"{column}\" SET DEFAULT '1'", False))
    statement, alone = one_of(draw, *choices)
    return str(statement), bool(alone)


def operation(draw: Draw, model: Model, version: str) -> tuple[str, bool]:
    """Draw an operation, note what it does to the model, and tell whether it must not be in a transaction."""
    kinds = [
        *["add"] * 4, *["alter"] * 8, "remove", "rename", "add_constraint", "add_constraint", "add_constraint",
        "remove_constraint", "add_index", "add_index", "remove_index", "rename_index", "together", "rename_model",
        "table",
        "create", "delete", "sql", "sql", "not_valid", "validate", "concurrently", "key", "options", "separate", "tags",
        "author", "generated", "python", "order",
    ]  # fmt: skip
    kind = one_of(draw, *kinds)
    name = model.name
    if kind == "add" or (kind == "alter" and not model.fields):
        field_name = model.new_name("new")
        found = foreign_key(draw) if chance(draw, 20) else new_field(draw, version)
        model.fields[field_name] = found
        return f"migrations.AddField('{name}', '{field_name}', {found.source})", False
    if kind == "generated" and version >= "5.0" and (calculated := generated(draw, model)):
        field_name = model.new_name("calculated")
        model.fields[field_name] = calculated
        return f"migrations.AddField('{name}', '{field_name}', {calculated.source})", False
    if kind in ("alter", "generated"):
        field_name = one_of(draw, *sorted(model.fields))
        model.fields[field_name] = altered(draw, model.fields[field_name], version)
        return f"migrations.AlterField('{name}', '{field_name}', {model.fields[field_name].source})", False
    if kind == "remove" and len(model.fields) > 1:
        field_name = one_of(draw, *sorted(model.fields))
        del model.fields[field_name]
        return f"migrations.RemoveField('{name}', '{field_name}')", False
    if kind == "rename":
        old, new = one_of(draw, *sorted(model.fields)), model.new_name("renamed")
        model.fields[new] = model.fields.pop(old)
        return f"migrations.RenameField('{name}', '{old}', '{new}')", False
    if kind in ("add_constraint", "not_valid"):
        made = model.new_name("constraint")
        model.constraints.append(made)
        if kind == "not_valid":
            return f"postgres.AddConstraintNotValid('{name}', Check({condition_of(draw, model)}, '{made}'))", False
        return f"migrations.AddConstraint('{name}', {constraint_of(draw, model, version, made)})", False
    if kind == "remove_constraint" and model.constraints:
        return f"migrations.RemoveConstraint('{name}', '{model.constraints.pop()}')", False
    if kind == "validate" and model.constraints:
        return f"postgres.ValidateConstraint('{name}', '{model.constraints[-1]}')", False
    if kind in ("add_index", "concurrently"):
        made = model.new_name("index")
        model.indexes.append(made)
        if kind == "concurrently":
            return f"postgres.AddIndexConcurrently('{name}', {index_of(draw, model, made)})", chance(draw, 85)
        return f"migrations.AddIndex('{name}', {index_of(draw, model, made)})", False
    if kind == "remove_index" and model.indexes:
        return f"migrations.RemoveIndex('{name}', '{model.indexes.pop()}')", False
    if kind == "rename_index" and model.indexes:
        old, new = model.indexes.pop(), model.new_name("index")
        model.indexes.append(new)
        return f"migrations.RenameIndex('{name}', '{new}', old_name='{old}')", False
    if kind == "together":
        pair = f"{{{tuple(sorted(model.fields)[:2])}}}" if len(model.fields) > 1 and not model.together else "set()"
        model.together = "" if pair == "set()" else pair
        return f"migrations.AlterUniqueTogether('{name}', {pair})", False
    if kind == "rename_model" and chance(draw, 40):
        new = model.new_name("Text")
        old, model.name = model.name, new.lower()
        if model.table != "articles":
            model.table = f"shop_{model.name}"
        return f"migrations.RenameModel('{old}', '{new}')", False
    if kind == "table" and chance(draw, 40):
        return (
            f"migrations.AlterModelTable('{name}', {one_of(draw, repr('elsewhere'), repr('articles'), 'None')})",
            False,
        )
    if kind == "create":
        made = model.new_name("New")
        target = one_of(draw, name, "author", "tag")
        return (
            f"migrations.CreateModel('{made}', [{ID}, ('to', models.ForeignKey('shop.{target}', models.CASCADE)),"
            f" ('n', models.{one_of(draw, 'IntegerField()', 'TextField(unique=True)', 'PositiveIntegerField()')})])",
            False,
        )
    if kind == "delete" and chance(draw, 30):
        return "migrations.DeleteModel('Tag')", False
    if kind == "sql":
        sql, alone = statement_of(draw, model)
        return f"migrations.RunSQL({sql!r})", alone
    if kind == "key" and model.key in ("AutoField", "IntegerField", "BigAutoField", "CharField"):
        new = one_of(draw, "BigAutoField", "BigAutoField", "AutoField", "IntegerField")
        model.key = new
        return f"migrations.AlterField('{name}', 'id', models.{new}(primary_key=True))", False
    if kind == "separate":
        field_name = one_of(draw, *sorted(model.fields))
        if chance(draw, 50):
            where = one_of(draw, "state_operations", "database_operations")
            if where == "state_operations":
                del model.fields[field_name]
            if not model.fields:
                model.fields[field_name] = Field("IntegerField")
            return (
                f"migrations.SeparateDatabaseAndState({where}=[migrations.RemoveField('{name}', '{field_name}')])",
                False,
            )
        made = model.new_name("new")
        found = new_field(draw, version)
        return (
            f"migrations.SeparateDatabaseAndState(database_operations=[migrations.AddField('{name}', '{made}',"
            f" {found.source})])",
            False,
        )
    if kind == "tags":
        made = model.new_name("many")
        return f"migrations.AddField('{name}', '{made}', models.ManyToManyField('shop.Tag', related_name='+'))", False
    if kind == "author":
        new = one_of(
            draw,
            "models.CharField(max_length=30)",
            "models.TextField(db_index=True)",
            "models.CharField(max_length=20, null=True)",
        )
        return f"migrations.AlterField('author', 'name', {new})", False
    if kind == "python" and chance(draw, 15):
        return "migrations.RunPython(migrations.RunPython.noop)", False
    if kind == "order" and "author" in model.fields and chance(draw, 20):
        return f"migrations.AlterOrderWithRespectTo('{name}', 'author')", False
    if version >= "4.2" and chance(draw, 50):
        return f"migrations.AlterModelTableComment('{name}', 'about')", False
    return f"migrations.AlterModelOptions('{name}', {{'ordering': ['id']}})", False


def examples(version: str) -> st.SearchStrategy[dict[str, Any]]:
    """Examples for execution.py, of what a release of Django has."""
    return st.integers(0, 2**64 - 1).map(lambda seed: example(random.Random(seed), version))  # noqa: S311 - no secret


def example(draw: Draw, version: str) -> dict[str, Any]:
    """Draw an example for execution.py."""
    initial, model = first_models(draw, version)
    plan: list[dict[str, Any]] = [{"atomic": True, "operations": []}]
    for _ in range(one_of(draw, 1, 1, 2, 2, 3, 4)):
        source, alone = operation(draw, model, version)
        if plan[-1]["operations"] and (alone or chance(draw, 25)):
            plan.append({"atomic": True, "operations": []})
        plan[-1]["operations"].append(source)
        if alone:
            plan[-1]["atomic"] = False
    if chance(draw, 6):
        plan[-1]["atomic"] = False
    return {"initial": initial, "plan": plan, "large": chance(draw, 50)}
