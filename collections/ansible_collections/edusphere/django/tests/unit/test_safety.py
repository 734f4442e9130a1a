"""edusphere.django.migrate's judgement: each label is what happens when the old models run against the new schema."""

from __future__ import annotations

import fcntl
import json
import os
import pathlib
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from .conftest import IN_CONTAINER, MARKED, POSTGRES, USUAL, Cluster, Project, Stack, exhaustive_on, new_project

EXERCISE = pathlib.Path(__file__).with_name("exercise.py")
TITLE = "title = models.CharField(max_length=20)"
# Each case is an app of its own, whose code these are.
MODELS = """
from django.db import models


class Author(models.Model):
    name = models.CharField(max_length=20)


class Article(models.Model):
    {body}
"""
MIGRATION = """
from django.db import migrations, models
from django.db.models import functions


class Custom(migrations.RunSQL):
    pass


class Migration(migrations.Migration):
    atomic = {atomic}
    dependencies = [({app!r}, {after!r})]
    operations = [{operations}]
"""


@dataclass(frozen=True)
class Case:
    """Migrations on top of an app's models, the verdict on them, and whether the models still work after them."""

    name: str
    verdict: str
    operations: str | tuple[str, ...]
    body: str = TITLE
    # Of what is unknown, whether it works; what is known says so.
    works: bool | None = None
    # The first Django that has it, and the only kind of database.
    since: str = "4.2"
    engine: str | None = None
    # The verdict on SQLite where it is another one.
    sqlite: str | None = None
    atomic: bool = True

    def on(self, stack: Stack) -> tuple[str, bool]:
        """Return the verdict and whether the models work on a stack."""
        verdict = self.sqlite if self.sqlite and stack.engine == "sqlite3" else self.verdict
        return verdict, verdict == "compatible" if verdict != "unknown" else bool(self.works)

    def exists_on(self, stack: Stack) -> bool:
        """Tell whether the stack has what the case needs."""
        return self.since <= stack.django and self.engine in (None, stack.engine)


def alter(definition: str, name: str = "title") -> str:
    """Return an operation that makes a field of the article another one."""
    return f"migrations.AlterField('article', {name!r}, {definition})"


def add(definition: str, name: str = "new") -> str:
    """Return an operation that adds a field to the article."""
    return f"migrations.AddField('article', {name!r}, {definition})"


AUTHOR = "author = models.ForeignKey(Author, models.CASCADE)"
AUTHORS = "authors = models.ManyToManyField(Author)"
TWO = "a = models.IntegerField()\n    b = models.IntegerField()"
UNIQUE_TOGETHER = TWO + "\n\n    class Meta:\n        unique_together = [('a', 'b')]"
UNIQUE_TITLE = "title = models.CharField(max_length=20, unique=True)"
CONSTRAINED = TITLE + "\n\n    class Meta:\n        constraints = [{}]"
KEY = f"key = models.CharField(max_length=20, primary_key=True)\n    {TITLE}"
ID = "('id', models.BigAutoField(primary_key=True))"
UNIQUE = "migrations.AddConstraint('article', models.UniqueConstraint({}, name='{{app}}_unique'))"
REMOVE_CONSTRAINT = "migrations.RemoveConstraint('article', '{app}')"
CHECK = "migrations.AddConstraint('article', models.CheckConstraint({{condition}}=models.Q({}), name='{{app}}_check'))"
DROP = "ALTER TABLE {app}_article DROP COLUMN title"

CASES = [
    # Columns and tables that come.
    Case("add_null", "compatible", add("models.CharField(max_length=5, null=True)")),
    Case("add_not_null", "incompatible", add("models.CharField(max_length=5, default='x')")),
    Case("add_blank", "incompatible", add("models.TextField(blank=True)")),
    Case("add_db_default", "compatible", add("models.CharField(max_length=5, db_default='x')"), since="5.0"),
    Case("add_db_default_null", "compatible", add("models.IntegerField(null=True, db_default=7)"), since="5.0"),
    Case("add_now", "compatible", add("models.DateTimeField(db_default=functions.Now())"), since="5.0"),
    Case("add_unique_null", "compatible", add("models.IntegerField(null=True, unique=True)")),
    Case("add_generated", "compatible", add("models.GeneratedField(expression=functions.Upper('title'),"
         " output_field=models.TextField(), db_persist=True)"), since="5.0"),
    Case("add_positive_null", "compatible", add("models.PositiveIntegerField(null=True)")),
    Case("add_foreign_key_null", "compatible", add("models.ForeignKey('{app}.author', models.CASCADE, null=True)")),
    Case("add_foreign_key", "incompatible", add("models.ForeignKey('{app}.author', models.CASCADE, default=1)")),
    Case("add_one_to_one_null", "compatible", add("models.OneToOneField('{app}.author', models.CASCADE, null=True)")),
    Case("add_many_to_many", "compatible", add("models.ManyToManyField('{app}.author')")),
    Case("add_index", "compatible", add("models.IntegerField(null=True, db_index=True)")),
    Case("order_with_respect_to", "incompatible", "migrations.AlterOrderWithRespectTo('article', 'author')", AUTHOR),
    Case("create_model", "compatible", f"migrations.CreateModel('New', [{ID}])"),
    Case("create_model_with_foreign_key", "compatible",
         f"migrations.CreateModel('New', [{ID}, ('article', models.ForeignKey('{{app}}.article', models.CASCADE))])"),
    Case("create_child_model", "compatible",
         "migrations.CreateModel('New', [('article_ptr', models.OneToOneField('{app}.article', models.CASCADE,"
         " parent_link=True, primary_key=True))], bases=('{app}.article',))"),
    Case("create_proxy", "compatible",
         "migrations.CreateModel('New', [], options={{'proxy': True}}, bases=('{app}.article',))"),
    Case("create_unmanaged", "compatible",
         f"migrations.CreateModel('New', [{ID}], options={{{{'managed': False}}}})"),
    # What comes and goes, or changes, in one plan.
    Case("new_table_changes", "compatible", (
        f"migrations.CreateModel('New', [{ID}])",
        "migrations.AddField('new', 'text', models.TextField(default='x'))",
        "migrations.AlterField('new', 'text', models.CharField(max_length=3, unique=True))",
        "migrations.RenameField('new', 'text', 'word'), migrations.RenameModel('New', 'Newer')",
        "migrations.AlterUniqueTogether('newer', [('id', 'word')])",
        "migrations.AddIndex('newer', models.Index(fields=['word'], name='{app}_index'))",
        "migrations.AlterUniqueTogether('newer', set()), migrations.RemoveField('newer', 'word')",
        "migrations.DeleteModel('Newer')")),
    Case("new_column_goes", "compatible",
         (add("models.TextField(null=True)"), "migrations.RemoveField('article', 'new')")),
    Case("new_column_is_renamed", "compatible",
         (add("models.TextField(null=True)"), "migrations.RenameField('article', 'new', 'newer')")),
    Case("new_column_becomes_not_null", "incompatible",
         (add("models.TextField(null=True)"), alter("models.TextField(default='x')", "new"))),
    Case("new_column_becomes_not_null_with_db_default", "compatible",
         (add("models.TextField(null=True)"), alter("models.TextField(db_default='x')", "new")), since="5.0"),
    Case("new_column_loses_db_default", "incompatible",
         (add("models.TextField(db_default='x')"), alter("models.TextField()", "new")), since="5.0"),
    Case("new_column_becomes_unique", "compatible",
         (add("models.IntegerField(null=True)"), alter("models.IntegerField(null=True, unique=True)", "new"))),
    Case("new_column_changes_type", "compatible",
         (add("models.IntegerField(null=True)"), alter("models.PositiveBigIntegerField(null=True)", "new"))),
    # Columns and tables that go.
    Case("remove_field", "incompatible", "migrations.RemoveField('article', 'title')"),
    Case("remove_foreign_key", "incompatible", "migrations.RemoveField('article', 'author')", AUTHOR),
    Case("remove_many_to_many", "incompatible", "migrations.RemoveField('article', 'authors')", AUTHORS),
    Case("delete_model", "incompatible", "migrations.DeleteModel('Article')"),
    Case("delete_model_with_many_to_many", "incompatible", "migrations.DeleteModel('Article')", AUTHORS),
    Case("delete_unmanaged", "compatible", "migrations.DeleteModel('Article')",
         TITLE + "\n\n    class Meta:\n        managed = False"),
    # Names.
    Case("rename_field", "incompatible", "migrations.RenameField('article', 'title', 'headline')"),
    Case("rename_field_of_column", "compatible", "migrations.RenameField('article', 'title', 'headline')",
         "title = models.CharField(max_length=20, db_column='t')"),
    Case("db_column", "incompatible", alter("models.CharField(max_length=20, db_column='t')")),
    Case("rename_model", "incompatible", "migrations.RenameModel('Author', 'Person')", AUTHOR),
    Case("rename_model_of_table", "compatible", "migrations.RenameModel('Article', 'Text')",
         AUTHOR + "\n\n    class Meta:\n        db_table = 'rename_model_of_table'"),
    Case("rename_model_with_many_to_many", "incompatible", "migrations.RenameModel('Article', 'Text')",
         AUTHORS + "\n\n    class Meta:\n        db_table = 'rename_model_many'"),
    Case("alter_model_table", "incompatible", "migrations.AlterModelTable('article', 'other')"),
    Case("alter_model_table_to_its_own", "compatible", "migrations.AlterModelTable('article', '{app}_article')"),
    Case("rename_then_drop", "incompatible",
         ("migrations.RenameModel('Article', 'Text')", "migrations.RemoveField('text', 'title')")),
    # NULL and defaults.
    Case("null", "compatible", alter("models.CharField(max_length=20, null=True)")),
    Case("not_null", "incompatible", alter("models.CharField(max_length=20, default='')"),
         "title = models.CharField(max_length=20, null=True)"),
    Case("not_null_with_db_default", "incompatible", alter("models.CharField(max_length=20, db_default='')"),
         "title = models.CharField(max_length=20, null=True)", since="5.0"),
    Case("db_default", "compatible", alter("models.CharField(max_length=20, db_default='x')"), since="5.0"),
    # On SQLite it is Django that writes the default.
    Case("no_db_default", "incompatible", alter("models.CharField(max_length=20)"),
         "title = models.CharField(max_length=20, db_default='x')", since="5.0", sqlite="compatible"),
    Case("loses_sequence", "incompatible", alter("models.BigIntegerField(primary_key=True)", "id"),
         "id = models.BigAutoField(primary_key=True)", engine="postgresql"),
    # Python only.
    Case("python_only", "compatible",
         alter("models.CharField('Heading', max_length=20, choices=[('1', 'One')], help_text='?', default='d',"
               " blank=True, editable=False, error_messages={{}}, validators=[])")),
    Case("on_delete", "compatible",
         alter("models.ForeignKey('{app}.author', models.PROTECT, related_name='x')", "author"), AUTHOR),
    Case("options", "compatible", "migrations.AlterModelOptions('article', {{'ordering': ['title']}}),"
         " migrations.AlterModelManagers('article', [])"),
    Case("table_comment", "compatible", "migrations.AlterModelTableComment('article', 'About')", engine="postgresql"),
    Case("column_comment", "compatible", alter("models.CharField(max_length=20, db_comment='About')"),
         engine="postgresql"),
    # Types and sizes. SQLite holds nothing to a size.
    Case("wider_varchar", "compatible", alter("models.CharField(max_length=30)")),
    Case("varchar_to_text", "compatible", alter("models.TextField()")),
    Case("indexed_varchar_to_text", "compatible", alter("models.TextField(db_index=True)"),
         "title = models.CharField(max_length=20, db_index=True)"),
    Case("narrower_varchar", "incompatible", alter("models.CharField(max_length=10)"), sqlite="compatible"),
    Case("text_to_varchar", "incompatible", alter("models.CharField(max_length=10)"), "title = models.TextField()",
         sqlite="compatible"),
    Case("wider_integer", "compatible", alter("models.BigIntegerField()", "a"), TWO),
    Case("wider_key", "compatible", alter("models.BigAutoField(primary_key=True)", "id"),
         "id = models.AutoField(primary_key=True)\n\n\nclass Note(models.Model):\n"
         "    article = models.ForeignKey(Article, models.CASCADE, related_name='one')\n"
         "    articles = models.ManyToManyField(Article, related_name='many')"),
    Case("narrower_integer", "incompatible", alter("models.SmallIntegerField()", "a"), TWO, sqlite="compatible"),
    Case("wider_decimal", "compatible", alter("models.DecimalField(max_digits=7, decimal_places=3)", "price"),
         "price = models.DecimalField(max_digits=6, decimal_places=2)"),
    Case("decimal_with_less_before_the_point", "incompatible",
         alter("models.DecimalField(max_digits=7, decimal_places=4)", "price"),
         "price = models.DecimalField(max_digits=6, decimal_places=2)", sqlite="compatible"),
    Case("decimal_with_less_after_the_point", "incompatible",
         alter("models.DecimalField(max_digits=6, decimal_places=1)", "price"),
         "price = models.DecimalField(max_digits=6, decimal_places=2)", sqlite="compatible"),
    Case("float_to_decimal", "incompatible",
         alter("models.DecimalField(max_digits=12, decimal_places=2)", "price"), "price = models.FloatField()"),
    Case("text_to_integer", "incompatible", alter("models.IntegerField()")),
    Case("integer_to_text", "incompatible", alter("models.CharField(max_length=30)", "a"), TWO),
    Case("date_to_datetime", "incompatible", alter("models.DateTimeField()", "day"), "day = models.DateField()"),
    Case("datetime_to_date", "incompatible", alter("models.DateField()", "day"), "day = models.DateTimeField()"),
    Case("uuid_to_text", "incompatible", alter("models.CharField(max_length=40)", "key"), "key = models.UUIDField()",
         sqlite="compatible"),
    # Constraints.
    Case("unique", "incompatible", alter("models.CharField(max_length=20, unique=True)")),
    # An upsert names the columns to ON CONFLICT, and there must be a unique index of just these.
    Case("not_unique", "incompatible", alter("models.CharField(max_length=20)"), UNIQUE_TITLE),
    Case("not_unique_but_by_a_constraint", "compatible", alter("models.CharField(max_length=20)"),
         UNIQUE_TITLE + "\n\n    class Meta:\n        constraints = ["
         "models.UniqueConstraint(fields=['title'], name='other')]"),
    Case("unique_to_constraint", "compatible",
         alter("models.CharField(max_length=20)") + ", " + UNIQUE.format("fields=['title']"), UNIQUE_TITLE),
    Case("unique_to_constraint_in_another_migration", "incompatible",
         (UNIQUE.format("fields=['title', 'id']"), alter("models.CharField(max_length=20)")), UNIQUE_TITLE),
    Case("unique_to_deferrable_constraint", "incompatible", alter("models.CharField(max_length=20)") + ", "
         + UNIQUE.format("fields=['title'], deferrable=models.Deferrable.DEFERRED"), UNIQUE_TITLE),
    Case("new_column_is_no_longer_unique", "compatible",
         (add("models.IntegerField(null=True, unique=True)"), alter("models.IntegerField(null=True)", "new"))),
    Case("one_to_one_to_foreign_key", "incompatible",
         alter("models.ForeignKey('{app}.author', models.CASCADE)", "author"),
         "author = models.OneToOneField(Author, models.CASCADE)"),
    Case("key_to_unique", "incompatible", alter("models.CharField(max_length=20, unique=True)", "key")
         + ", " + add("models.BigAutoField(primary_key=True)", "id"),
         KEY, sqlite="unknown", works=True),
    Case("key_to_ordinary_column", "incompatible",
         alter("models.CharField(max_length=20)", "key") + ", " + add("models.BigAutoField(primary_key=True)", "id"),
         KEY),
    Case("unique_together", "incompatible", "migrations.AlterUniqueTogether('article', [('a', 'b')])", TWO),
    Case("no_unique_together", "incompatible", "migrations.AlterUniqueTogether('article', set())", UNIQUE_TOGETHER),
    Case("unique_together_with_less", "incompatible", "migrations.AlterUniqueTogether('article', [('a',)])",
         UNIQUE_TOGETHER),
    Case("unique_together_in_another_order", "compatible", "migrations.AlterUniqueTogether('article', [('b', 'a')])",
         UNIQUE_TOGETHER),
    Case("unique_together_to_constraint", "compatible",
         UNIQUE.format("fields=['a', 'b']") + ", migrations.AlterUniqueTogether('article', set())", UNIQUE_TOGETHER),
    Case("unique_together_to_constraint_of_renamed", "compatible",
         ("migrations.RenameField('article', 'a', 'x')",
          "migrations.AlterUniqueTogether('article', set()), " + UNIQUE.format("fields=['b', 'x']")),
         UNIQUE_TOGETHER.replace("IntegerField()", "IntegerField(db_column='first')", 1)),
    Case("unique_constraint", "incompatible", UNIQUE.format("fields=['title']")),
    Case("unique_constraint_with_condition", "incompatible",
         UNIQUE.format("fields=['title'], condition=models.Q(title='1')")),
    Case("unique_constraint_on_expression", "incompatible", UNIQUE.format("functions.Lower('title')")),
    Case("unique_constraint_with_new_null", "compatible",
         (add("models.IntegerField(null=True)"), UNIQUE.format("fields=['title', 'new']"))),
    Case("unique_constraint_with_new_default", "incompatible",
         (add("models.IntegerField(db_default=1)"), UNIQUE.format("fields=['title', 'new']")), since="5.0"),
    Case("unique_with_db_default", "incompatible", add("models.IntegerField(db_default=1, unique=True)"), since="5.0"),
    Case("remove_unique_constraint", "incompatible", REMOVE_CONSTRAINT,
         CONSTRAINED.format("models.UniqueConstraint(fields=['title'], name='remove_unique_constraint')")),
    # These no ON CONFLICT can name.
    Case("remove_unique_constraint_with_condition", "compatible", REMOVE_CONSTRAINT,
         CONSTRAINED.format("models.UniqueConstraint(fields=['title'], condition=models.Q(title='no row'),"
                            " name='remove_unique_constraint_with_condition')")),
    Case("remove_deferrable_constraint", "compatible", REMOVE_CONSTRAINT,
         CONSTRAINED.format("models.UniqueConstraint(fields=['title'], deferrable=models.Deferrable.DEFERRED,"
                            " name='remove_deferrable_constraint')")),
    Case("remove_check", "compatible", REMOVE_CONSTRAINT,
         CONSTRAINED.format("models.CheckConstraint({condition}=~models.Q(title='no row'), name='remove_check')")),
    Case("check", "incompatible", CHECK.format("title='1'")),
    Case("check_that_new_null_meets", "compatible", (add("models.IntegerField(null=True)"), CHECK.format("new__gt=0"))),
    Case("check_that_new_null_fails", "incompatible",
         (add("models.IntegerField(null=True)"), "migrations.RunSQL('UPDATE {app}_article SET new = 1')",
          CHECK.format("new__isnull=False"))),
    Case("check_that_new_default_meets", "compatible",
         (add("models.IntegerField(db_default=1)"), CHECK.format("new__gt=0")), since="5.0"),
    Case("check_that_new_default_fails", "incompatible",
         (add("models.IntegerField(db_default=5)"), "migrations.RunSQL('UPDATE {app}_article SET new = 1')",
          CHECK.format("new__lt=5")), since="5.0"),
    Case("check_not_valid", "incompatible",
         POSTGRES + "AddConstraintNotValid('article',"
         " models.CheckConstraint({condition}=models.Q(title='1'), name='n'))",
         engine="postgresql"),
    Case("integer_to_positive", "incompatible", alter("models.PositiveIntegerField()", "a"), TWO),
    Case("positive_to_integer", "compatible", alter("models.IntegerField()", "a"), "a = models.PositiveIntegerField()"),
    Case("text_to_json", "incompatible", alter("models.JSONField()"), "title = models.TextField()"),
    # Foreign keys.
    Case("foreign_key_constraint", "incompatible", alter("models.ForeignKey('{app}.author', models.CASCADE)", "author"),
         "author = models.ForeignKey(Author, models.CASCADE, db_constraint=False)"),
    Case("no_foreign_key_constraint", "compatible",
         alter("models.ForeignKey('{app}.author', models.CASCADE, db_constraint=False)", "author"), AUTHOR),
    Case("integer_to_foreign_key", "incompatible",
         alter("models.ForeignKey('{app}.author', models.CASCADE, db_column='writer')", "writer"),
         "writer = models.BigIntegerField()"),
    Case("foreign_key_to_another_table", "incompatible",
         "migrations.CreateModel('Person', [" + ID + "]), "  # noqa: S608 - constants
         "migrations.RunSQL('INSERT INTO {app}_person (id) SELECT id FROM {app}_author'), "
         + alter("models.ForeignKey('{app}.person', models.CASCADE)", "author"), AUTHOR),
    Case("foreign_key_to_one_to_one", "incompatible",
         alter("models.OneToOneField('{app}.author', models.CASCADE)", "author"),
         "author = models.ForeignKey(Author, models.CASCADE, db_constraint=False)"),
    Case("foreign_key_to_integer", "compatible",
         alter("models.BigIntegerField(db_column='author_id')", "author"), AUTHOR),
    Case("many_to_many_to_another_table", "incompatible",
         "migrations.CreateModel('Person', [" + ID + "]), "
         + alter("models.ManyToManyField('{app}.person')", "authors"), AUTHORS),
    Case("many_to_many_options", "compatible",
         alter("models.ManyToManyField('{app}.author', related_name='texts', blank=True)", "authors"), AUTHORS),
    # Indexes.
    Case("index", "compatible", "migrations.AddIndex('article', models.Index(fields=['title'], name='i'))"),
    Case("index_on_expression", "compatible",
         "migrations.AddIndex('article', models.Index(functions.Lower('title'), name='j'))"),
    Case("index_concurrently", "compatible",
         POSTGRES + "AddIndexConcurrently('article', models.Index(fields=['title'], name='k'))",
         engine="postgresql", atomic=False),
    Case("db_index", "compatible", alter("models.CharField(max_length=20, db_index=True)")),
    Case("no_db_index", "compatible", alter("models.CharField(max_length=20)"),
         "title = models.CharField(max_length=20, db_index=True)"),
    Case("rename_and_remove_index", "compatible",
         ("migrations.RenameIndex('article', 'm', old_name='l')", "migrations.RemoveIndex('article', 'm')"),
         TITLE + "\n\n    class Meta:\n        indexes = [models.Index(fields=['title'], name='l')]"),
    Case("index_together", "compatible", "migrations.AlterIndexTogether('article', [('a', 'b')])", TWO),
    # What is not for Django's operations to tell.
    Case("state_only", "compatible",
         "migrations.SeparateDatabaseAndState(state_operations=[migrations.RemoveField('article', 'title')])"),
    Case("database_only", "incompatible",
         "migrations.SeparateDatabaseAndState(database_operations=[migrations.RemoveField('article', 'title')])"),
    Case("both_apart", "compatible",
         f"migrations.SeparateDatabaseAndState([{add('models.TextField(null=True)', 'x')},"
         f" {add('models.TextField(null=True)', 'y')}], [])"),
    Case("python_noop", "compatible", "migrations.RunPython(migrations.RunPython.noop)"),
    Case("sql_noop", "compatible", "migrations.RunSQL(migrations.RunSQL.noop)"),
    Case("python_harmless", "unknown", "migrations.RunPython(lambda apps, editor: None)", works=True),
    Case("python_harmful", "unknown",
         f"migrations.RunPython(lambda apps, editor: editor.execute('{DROP}'))", works=False),
    Case("python_apart", "unknown",
         f"migrations.SeparateDatabaseAndState([migrations.RunPython(lambda apps, editor: editor.execute('{DROP}'))])",
         works=False),
    Case("python_elidable", "unknown",
         f"migrations.RunPython(lambda apps, editor: editor.execute('{DROP}'), elidable=True)", works=False),
    Case("sql_harmless", "unknown", "migrations.RunSQL('UPDATE {app}_article SET title = title')", works=True),
    Case("sql_harmful", "incompatible", f"migrations.RunSQL('{DROP}', elidable=True)", sqlite="unknown", works=False),
    Case("custom_harmless", "unknown", "Custom('')", works=True),
    Case("custom_harmful", "incompatible", f"Custom('{DROP}')", sqlite="unknown", works=False),
    Case("extension", "compatible", POSTGRES + "CreateExtension('citext')", engine="postgresql"),
    Case("collation", "unknown", alter("models.CharField(max_length=20, db_collation='{collation}')"), works=True),
    Case("index_on_risky_expression", "unknown", "migrations.AddIndex('article', models.Index("
         "functions.Cast('title', models.IntegerField()), name='o'))", works=False, engine="postgresql"),
    Case("index_on_harmless_expression", "compatible", "migrations.AddIndex('article', models.Index("
         "models.F('a') * 1, name='p'))", TWO, works=True),
    Case("generated_risky", "unknown", add("models.GeneratedField(expression=1 / models.F('a'),"
         " output_field=models.IntegerField(), db_persist=True)"), TWO, works=False, since="5.0", engine="postgresql"),
]  # fmt: skip


# One case for each kind of operation, and each verdict on it: these are observed together, in the quick run as well.
QUICK = {
    *("add_null", "add_not_null", "add_db_default", "add_foreign_key_null", "add_many_to_many", "create_model"),
    *("remove_field", "delete_model", "rename_field", "rename_model", "alter_model_table", "null", "not_null"),
    *("wider_varchar", "narrower_varchar", "wider_integer", "narrower_integer", "unique", "not_unique"),
    *("unique_together", "unique_constraint", "check", "integer_to_foreign_key", "index", "state_only"),
    *("database_only", "python_noop", "python_harmful", "sql_harmless", "custom_harmful"),
}
EVERY_OPERATION = "The safety judgement's verdict on every operation of Django, alone and combined, is what happens."


def cases_of(stack: Stack) -> list[Case]:
    """Return the cases that are tried on a stack; a sample will do where Django's last releases differ little."""
    cases = CASES[:: 3 if stack is IN_CONTAINER else 1]
    return sorted((case for case in cases if case.exists_on(stack)), key=lambda case: case.name not in QUICK)


def marks(stack: Stack, case: Case) -> list[pytest.MarkDecorator]:
    """Return the mark of a case that is not in the quick run."""
    if stack != USUAL:
        return [exhaustive_on(stack)]
    return [] if case.name in QUICK else [pytest.mark.exhaustive(EVERY_OPERATION)]


@dataclass
class Observation:
    """What the module said of a case, and what the old models met: before the migration, and after it."""

    answers: list[dict[str, Any]] = field(default_factory=list)
    before: list[str] = field(default_factory=list)
    after: list[str] = field(default_factory=list)


def manage(project: Project, *arguments: str, program: str | None = None) -> str:
    """Run the project's Python in its directory, and with it a program, if there is one; return what it prints."""
    environment = {**project.environment, "DJANGO_SETTINGS_MODULE": "site_.settings"}
    command = [project.stack.python, *arguments]
    if container := project.place.get("container"):
        options = [f"--workdir={project.directory}", *(f"--env={name}" for name in environment)]
        command = ["docker", "exec", "--interactive", *options, container, *command]
    completed = subprocess.run(
        command,
        cwd=project.directory,
        env={**os.environ, **environment},
        input=program or "",
        check=False,
        capture_output=True,
        text=True,
    )
    assert completed.returncode == 0, completed.stderr
    return completed.stdout


def observe(cluster: Cluster, stack: Stack, image: str | None, cases: list[Case]) -> dict[str, Any]:
    """Have cases judged, migrated and tried, each an app of one project."""
    project = new_project(cluster, stack)
    try:
        if image:
            project.contain(image)
        exercise = EXERCISE.read_text()
        # Django 5.1 has renamed it.
        words = {
            "condition": "condition" if stack.django >= "5.1" else "check",
            "collation": "C" if stack.engine == "postgresql" else "NOCASE",
        }
        for case in cases:
            project.write(f"{case.name}/__init__.py", "")
            project.write(f"{case.name}/models.py", MODELS.format(body=case.body.format(**words)))
        project.settings(f"INSTALLED_APPS += {[case.name for case in cases]}")
        labels = [case.name for case in cases]
        manage(project, "-m", "django", "makemigrations", *labels)
        project.run("migrate", safety="off")
        before = json.loads(manage(project, "-", "--leave", *labels, program=exercise))
        for case in cases:
            after = "0001_initial"
            steps = (case.operations,) if isinstance(case.operations, str) else case.operations
            for number, operations in enumerate(steps, start=2):
                operations = operations.format(app=case.name, **words)
                project.write(
                    f"{case.name}/migrations/{number:04}_case.py",
                    MIGRATION.format(app=case.name, after=after, operations=operations, atomic=case.atomic),
                )
                after = f"{number:04}_case"
        state = project.state()
        judged = project.run("migrate", check=True)["safety"]["migrations"]
        assert project.state() == state
        project.run("migrate")
        after = json.loads(manage(project, "-", *labels, program=exercise))
    finally:
        project.remove()
    return {
        label: {
            "answers": [step for step in judged if step["app"] == label],
            "before": before[label],
            "after": after[label],
        }
        for label in labels
    }


@pytest.fixture(scope="session")
def observed(
    cluster: Cluster, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Callable[[Stack, Case], Observation]:
    """Return what was observed of a case on a stack.

    A group of cases is observed at once, by one of the processes that tests run in. A larger group would save starts of
    Django, but what Django needs for its models' states grows with the square of their number.
    """
    size = 30

    def observation(stack: Stack, case: Case) -> Observation:
        cases = cases_of(stack)
        group = cases.index(case) // size
        image = request.getfixturevalue("image") if stack.place else None
        directory = tmp_path_factory.getbasetemp()
        if "PYTEST_XDIST_WORKER" in os.environ:
            directory = directory.parent
        file = directory / f"safety-{stack}-{group}.json"
        with file.with_suffix(".lock").open("w") as guard:
            fcntl.flock(guard, fcntl.LOCK_EX)
            if not file.exists():
                # Should it fail, the others of the group needn't try again.
                file.write_text("{}")
                file.write_text(json.dumps(observe(cluster, stack, image, cases[group * size :][:size])))
        return Observation(**json.loads(file.read_text())[case.name])

    return observation


@pytest.mark.parametrize(
    ("stack", "case"),
    [
        pytest.param(stack, case, id=f"{stack}-{case.name}", marks=marks(stack, case))
        for stack in MARKED["every_django"]
        for case in cases_of(stack)
    ],
    indirect=["stack"],
)
def test_verdict_is_what_happens(stack: Stack, case: Case, observed: Callable[[Stack, Case], Observation]) -> None:
    found = observed(stack, case)
    verdict, works = case.on(stack)
    assert not found.before  # Otherwise what happens after the migration says nothing.
    verdicts = [answer["verdict"] for answer in found.answers]
    assert max(verdicts, key=["compatible", "unknown", "incompatible"].index) == verdict, found.answers
    assert (not found.after) == works, (found.after, found.answers)
    # No rule has failed itself.
    assert "Django can't tell" not in json.dumps(found.answers)
