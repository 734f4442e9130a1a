"""edusphere.django.superuser, on Django's user model and on one of the project's own."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .conftest import Project

ROOT: dict[str, Any] = {
    "username": "root",
    "password": "first, with 'quotes'",
    "fields": {"email": "root@site.example"},
}

EMAIL_MODEL = """
from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.db import models


class Manager(BaseUserManager):
    def create_superuser(self, email, name, team, password):
        account = self.model(email=self.normalize_email(email), name=name, team=team, is_superuser=True, is_staff=True)
        account.set_password(password)
        account.save(using=self._db)
        return account


class Account(AbstractBaseUser, PermissionsMixin):
    email = models.EmailField(unique=True)
    name = models.CharField(max_length=10)
    team = models.IntegerField()
    is_staff = models.BooleanField(default=False)
    objects = Manager()
    USERNAME_FIELD = EMAIL_FIELD = "email"
    REQUIRED_FIELDS = ["name", "team"]


class Article(models.Model):
    title = models.CharField(max_length=20)
"""


def logs_in(project: Project, username: str, password: str) -> bool:
    """Tell whether Django lets somebody in."""
    return (
        project.django(
            f"""
            from django.contrib.auth import authenticate
            print(authenticate(username={username!r}, password={password!r}) is not None)
            """
        )
        == "True"
    )


def use_model(project: Project, code: str) -> None:
    """Give the project a user model of its own."""
    project.write("blog/models.py", code)
    project.settings("AUTH_USER_MODEL = 'blog.Account'")
    project.django(
        "from django.core.management import call_command; call_command('makemigrations', 'blog', verbosity=0)"
    )


@pytest.fixture
def migrated(project: Project) -> Project:
    """A project with all of its tables."""
    project.migrate()
    return project


@pytest.mark.every_stack("4.2-postgresql")
def test_creates_once(migrated: Project) -> None:
    done = migrated.predict_and_run("superuser", **ROOT)
    assert done["created"]
    assert done["diff"]["after"] == "account root\n"
    assert migrated.sql("SELECT username, email, is_staff, is_superuser, is_active FROM auth_user") == [
        ("root", "root@site.example", True, True, True)
    ]
    assert logs_in(migrated, "root", ROOT["password"])
    # What its owner changed since is left alone.
    migrated.sql("UPDATE auth_user SET email = 'other@site.example'")
    assert not migrated.predict_and_run("superuser", **ROOT)["changed"]


def test_password_only_on_create_or_always(migrated: Project) -> None:
    migrated.run("superuser", **ROOT)
    second = {**ROOT, "password": "second"}
    assert not migrated.predict_and_run("superuser", **second)["changed"]
    assert logs_in(migrated, "root", ROOT["password"])
    done = migrated.predict_and_run("superuser", **second, update_password="always")
    assert done["password_changed"]
    assert logs_in(migrated, "root", "second")
    assert "second" not in str(done)


@pytest.mark.exhaustive("superuser takes an outdated hash of the same password for no change.")
def test_outdated_hash_of_the_same_password_is_no_change(migrated: Project) -> None:
    migrated.settings("PASSWORD_HASHERS.append('django.contrib.auth.hashers.ScryptPasswordHasher')")
    migrated.run("superuser", **ROOT)
    migrated.settings("PASSWORD_HASHERS.reverse()")
    assert not migrated.predict_and_run("superuser", **ROOT, update_password="always")["changed"]
    assert migrated.sql("SELECT left(password, 4) FROM auth_user") == [("md5$",)]


@pytest.mark.exhaustive("An account that superuser makes without a password can't log in.")
def test_without_password_nobody_logs_in(migrated: Project) -> None:
    migrated.predict_and_run("superuser", username="root", fields={"email": "root@site.example"})
    assert migrated.sql("SELECT left(password, 1) FROM auth_user") == [("!",)]
    assert migrated.fail("superuser", username="root", update_password="always")["msg"].startswith("password: ")
    empty = migrated.fail("superuser", username="root", password="", fields=ROOT["fields"])
    assert empty["msg"].startswith("password: is empty")


def test_ordinary_account_is_not_promoted_unasked(migrated: Project) -> None:
    migrated.sql(
        "INSERT INTO auth_user (username, password, is_superuser, is_staff, is_active, first_name, last_name, email,"
        " date_joined) VALUES ('root', '!', false, false, true, '', '', '', now())"
    )
    for check in (True, False):
        failed = migrated.fail("superuser", **ROOT, check=check)
        assert failed["msg"].startswith("username: 'root' exists and is not a superuser (no is_staff, is_superuser)")
    done = migrated.predict_and_run("superuser", **ROOT, promote=True)
    assert done["promoted"]
    assert not done["password_changed"]
    assert migrated.sql("SELECT is_staff, is_superuser, password FROM auth_user") == [(True, True, "!")]


@pytest.mark.exhaustive(
    "superuser works with a user model of the project's own, and tells all that is wrong with its fields at once."
)
def test_model_with_its_own_fields(project: Project) -> None:
    use_model(project, EMAIL_MODEL)
    project.run("migrate")
    before = project.state()
    bad = {"username": "nonsense", "password": "pass", "fields": {"team": "red", "colour": "red"}}
    for check in (True, False):
        message = project.fail("superuser", **bad, check=check)["msg"]
        # All that is wrong, at once.
        assert "fields: name is a REQUIRED_FIELD of blog.Account" in message
        assert "username: email: Enter a valid email address." in message
        assert "fields: team: \u201cred\u201d value must be an integer." in message
        assert "fields: blog.Account has no field 'colour'" in message
    assert project.state() == before
    good = {"username": "Root@Site.Example", "password": "pass", "fields": {"name": "Root", "team": 3}}
    assert project.predict_and_run("superuser", **good)["created"]
    assert project.sql("SELECT email, name, team FROM blog_account") == [("Root@site.example", "Root", 3)]


UNIQUE_MODEL = """
from django.contrib.auth.models import AbstractUser
from django.db import models
from django.db.models.functions import Lower


class Account(AbstractUser):
    email = models.EmailField(unique=True)
    phone = models.CharField(max_length=10, unique=True, null=True)
    area = models.IntegerField()
    number = models.IntegerField()
    badge = models.CharField(max_length=10)

    class Meta:
        unique_together = [("area", "number")]
        constraints = [models.UniqueConstraint(Lower("badge"), name="badge")]


class Article(models.Model):
    title = models.CharField(max_length=20)
"""

TEAM_MODEL = """
from django.contrib.auth.models import AbstractUser, Group
from django.db import models


class Team(models.Model):
    name = models.CharField(max_length=10)


class Account(AbstractUser):
    team = models.ForeignKey(Team, models.CASCADE)
    REQUIRED_FIELDS = ["email", "team"]


class Article(models.Model):
    title = models.CharField(max_length=20)
"""


@pytest.mark.exhaustive("superuser finds the objects that fields of the account refer to.")
def test_fields_that_refer_to_other_objects(project: Project) -> None:
    """In another database than the default one, which has none of them."""
    project.add_database("other")
    use_model(project, TEAM_MODEL)
    project.run("migrate", database="other")
    project.sql("INSERT INTO blog_team VALUES (7, 'red')", alias="other")
    project.sql("INSERT INTO auth_group VALUES (3, 'first'), (4, 'second')", alias="other")
    bad = {**ROOT, "database": "other", "fields": {"email": "a@b.example", "team": 8, "groups": [3, 5]}}
    for check in (True, False):
        message = project.fail("superuser", **bad, check=check)["msg"]
        assert "fields: team: team instance with id 8" in message
        assert "fields: groups: there is no auth.Group with the primary key 5" in message
    good = {**bad, "fields": {"email": "a@b.example", "team": 7, "groups": [3, 4]}}
    assert project.predict_and_run("superuser", **good)["created"]
    assert project.sql("SELECT username, team_id FROM blog_account", alias="other") == [("root", 7)]
    assert project.sql("SELECT group_id FROM blog_account_groups ORDER BY 1", alias="other") == [(3,), (4,)]


def test_what_is_taken_is_told_in_check_mode(project: Project) -> None:
    """By another account, in the database that is asked for: what a run can't do is no change in check mode."""
    project.add_database("other")
    use_model(project, UNIQUE_MODEL)
    project.run("migrate", database="other")
    first: dict[str, Any] = {"email": "First@site.example", "phone": "1", "area": 1, "number": 1, "badge": "One"}
    second = {"email": "Second@site.example", "phone": "2", "area": 2, "number": 2, "badge": "Two"}
    assert project.run("superuser", username="first", fields=first, database="other")["created"]
    before = project.state()
    taken = {**first, "email": "First@SITE.example", "badge": "ONE"}
    for check in (True, False):
        message = project.fail("superuser", username="root", fields=taken, database="other", check=check)["msg"]
        assert re.findall("fields: (.+?): ", message) == ["phone", "area, number", "badge", "email"]
    assert project.state() == before
    half = {**second, "area": 1}
    assert project.predict_and_run("superuser", username="root", fields=half, database="other")["created"]


def test_password_among_the_fields_is_refused(migrated: Project) -> None:
    for check in (True, False):
        failed = migrated.fail("superuser", username="root", fields={"password": "in the wrong place"}, check=check)
        assert failed["msg"].startswith("fields: has a password")
        assert "to the parameter `password`" in failed["msg"]
        assert "in the wrong place" not in str(failed)


@pytest.mark.exhaustive("superuser asks the project's password validators if it is told to.")
def test_password_validators_are_asked_on_demand(migrated: Project) -> None:
    migrated.settings(
        """
        AUTH_PASSWORD_VALIDATORS = [
            {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
            {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
        ]
        """
    )
    for password, words in {
        "12abc": "This password is too short.",
        "root@site.example": "too similar to the email",
    }.items():
        for check in (True, False):
            failed = migrated.fail("superuser", **{**ROOT, "password": password}, validate_password=True, check=check)
            assert failed["msg"].startswith("password: ")
            assert words in failed["msg"]
    migrated.predict_and_run("superuser", **{**ROOT, "password": "12abc"})
    # It is there, and no other is to be set: nothing to validate.
    migrated.predict_and_run("superuser", **{**ROOT, "password": "tiny"}, validate_password=True)
    again = {**ROOT, "password": "tiny", "update_password": "always", "validate_password": True}
    for check in (True, False):
        assert "too short" in migrated.fail("superuser", **again, check=check)["msg"]
    assert logs_in(migrated, "root", "12abc")


@pytest.mark.exhaustive("Several runs of superuser at once create one account.")
def test_several_hosts_at_once_create_one(migrated: Project) -> None:
    # Each has looked before any is done.
    migrated.sql(
        "CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(4); RETURN NEW; END';"
        "CREATE TRIGGER wait BEFORE INSERT ON auth_user FOR EACH ROW EXECUTE FUNCTION wait()"
    )
    answers = [call.result() for call in [migrated.start("superuser", **ROOT) for _host in range(3)]]
    assert not any(answer.get("failed") for answer in answers), answers
    assert sorted(answer["changed"] for answer in answers) == [False, False, True]
    assert migrated.sql("SELECT count(*) FROM auth_user") == [(1,)]


def test_before_the_first_migration(project: Project) -> None:
    unknown = project.run("superuser", **ROOT, check=True)
    assert (unknown["unknown"], unknown["changed"]) == (True, True)
    failed = project.fail("superuser", **ROOT)
    assert 'relation "auth_user" does not exist' in failed["msg"]
    assert failed["exception_type"] == "django.db.utils.ProgrammingError"
