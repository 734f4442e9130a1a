"""edusphere.django.migrate: plans, runs, failures and races, against the database's own rows."""

from __future__ import annotations

import contextlib
import pathlib
from typing import TYPE_CHECKING, Any

import pytest

from .conftest import HOST_STACKS, POSTGRES, SQLITE, on

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modules import Call

    from .conftest import Project

on_the_host = pytest.mark.parametrize("stack", on(HOST_STACKS), indirect=True)
ADD_BODY = "migrations.AddField('article', 'body', models.TextField(default=''))"
ADD_DATE = "migrations.AddField('article', 'date', models.DateField(null=True))"


def ids(steps: list[dict[str, Any]]) -> list[str]:
    """Return the steps of an answer as APP.NAME."""
    return [f"{step['app']}.{step['name']}" for step in steps]


def rows(project: Project) -> set[str]:
    """Return what the database says is applied."""
    return {f"{app}.{name}" for app, name in project.sql("SELECT app, name FROM django_migrations")}


@pytest.mark.every_stack("4.2-postgresql")
def test_check_mode_predicts_the_run(project: Project) -> None:
    project.migration("0002_body", "0001_initial", ADD_BODY)
    done = project.predict_and_run("migrate")
    assert done["changed"]
    assert ids(done["applied"]) == ids(done["plan"])
    assert {"blog.0001_initial", "blog.0002_body", "auth.0001_initial"} <= rows(project) == set(ids(done["plan"]))
    assert done["pending"] == []
    assert all(step["seconds"] > 0 for step in done["applied"])
    assert done["plan"][-1]["operations"] or done["plan"][0]["operations"]
    assert "+" not in done["diff"]["before"]
    assert "blog.0002_body\n" in done["diff"]["after"]
    # Django's own receivers of post_migrate have run.
    assert project.sql("SELECT 1 FROM auth_permission WHERE codename = 'add_article'")


@pytest.mark.exhaustive("migrate plans only the migrations that a second release brings.")
def test_only_what_is_new_is_planned(project: Project) -> None:
    project.migrate()
    project.migration("0002_body", "0001_initial", ADD_BODY)
    done = project.predict_and_run("migrate")
    assert ids(done["applied"]) == ["blog.0002_body"]
    assert done["plan"][0]["operations"] == ["Add field body to article"]
    assert done["plan"][0]["direction"] == "forward"


def test_nothing_pending_leaves_the_database_alone(project: Project) -> None:
    project.migrate()
    role_can_write = "ALTER DATABASE {} SET default_transaction_read_only = {}"
    project.sql(role_can_write.format(project.database, "on"))
    assert not project.run("migrate")["changed"]


def test_one_app_to_a_target_and_back(project: Project) -> None:
    project.migration("0002_body", "0001_initial", ADD_BODY)
    project.migration("0003_date", "0002_body", ADD_DATE)
    done = project.predict_and_run("migrate", app_label="blog", migration_name="0002")
    assert ids(done["applied"]) == ["blog.0001_initial", "blog.0002_body"]
    assert "blog.0003_date" in done["pending"]
    assert "auth.0001_initial" in done["pending"]
    done = project.predict_and_run("migrate", app_label="blog", migration_name="0001_initial")
    assert done["applied"] == []
    assert ids(done["unapplied"]) == ["blog.0002_body"]
    assert done["plan"][0]["direction"] == "backward"
    done = project.predict_and_run("migrate", app_label="blog", migration_name="zero")
    assert rows(project) == set()
    assert "blog.0001_initial" in done["pending"]


@pytest.mark.exhaustive("migrate with fake records migrations and does not run them.")
def test_fake_records_only(project: Project) -> None:
    done = project.predict_and_run("migrate", app_label="blog", fake=True)
    assert done["applied"][0]["fake"] is True
    assert not project.sql("SELECT 1 FROM pg_tables WHERE tablename = 'blog_article'")


def test_fake_initial_takes_over_existing_tables(project: Project) -> None:
    project.sql("CREATE TABLE blog_article (id bigserial PRIMARY KEY, title varchar(20))")
    assert "already exists" in project.fail("migrate", app_label="blog")["msg"]
    done = project.predict_and_run("migrate", app_label="blog", fake_initial=True)
    assert done["applied"][0]["fake"] is True


@pytest.mark.exhaustive("migrate records a squashed migration where all that it replaces is applied.")
def test_squashed_migration_is_recorded(project: Project) -> None:
    project.migration("0002_body", "0001_initial", ADD_BODY)
    project.run("migrate")
    squashed = project.directory / "blog/migrations/0001_squashed_0002_body.py"
    squashed.write_text(
        (project.directory / "blog/migrations/0001_initial.py")
        .read_text()
        .replace(
            "dependencies = []", "dependencies = []\n    replaces = [('blog', '0001_initial'), ('blog', '0002_body')]"
        )
        .replace('("title"', '("body", models.TextField(default="")), ("title"')
    )
    done = project.predict_and_run("migrate")
    assert done["changed"]
    assert done["plan"] == done["applied"] == []
    assert done["recorded"] == ["blog.0001_squashed_0002_body"]
    assert "blog.0001_squashed_0002_body" in rows(project)


def test_failure_in_the_middle(project: Project) -> None:
    project.migrate()
    project.migration("0002_body", "0001_initial", ADD_BODY)
    project.migration("0003_bad", "0002_body", "migrations.RunSQL('SELECT * FROM no_such_table')")
    project.migration("0004_date", "0003_bad", ADD_DATE)
    failed = project.fail("migrate")
    assert failed["changed"]
    assert ids(failed["applied"]) == ["blog.0002_body"]
    assert failed["failed"] is True
    assert failed["failed_migration"] == "blog.0003_bad"
    assert failed["pending"] == ["blog.0003_bad", "blog.0004_date"]
    assert failed["msg"].startswith("blog.0003_bad: django.db.utils.ProgrammingError: ")
    assert 'relation "no_such_table" does not exist' in failed["msg"]
    assert failed["exception_type"] == "django.db.utils.ProgrammingError"
    assert {"blog.0002_body"} == {name for name in rows(project) if name > "blog.0001_initial" and "blog" in name}
    project.migration("0003_bad", "0002_body", "migrations.RunSQL('SELECT 1')")
    assert ids(project.predict_and_run("migrate")["applied"]) == ["blog.0003_bad", "blog.0004_date"]


@pytest.mark.exhaustive("migrate sends the signals again that a run failed in after its last migration.")
@pytest.mark.parametrize(
    "end",
    [
        "raise RuntimeError('no signal')",
        "os.kill(os.getpid(), 9)",
    ],
)
def test_run_that_ended_in_its_signals_is_resumed(project: Project, end: str) -> None:
    project.settings("INSTALLED_APPS[INSTALLED_APPS.index('blog')] = 'blog.apps.Blog'")
    project.write(
        "blog/apps.py",
        f"""
        import os
        from django.apps import AppConfig
        from django.db.models.signals import post_migrate


        def receive(**_arguments):
            if "STOP" in os.environ:
                {end}
            from blog.models import Article
            Article.objects.get_or_create(title="made by the signal")


        class Blog(AppConfig):
            name = "blog"

            def ready(self):
                post_migrate.connect(receive, sender=self)
        """,
    )
    failed = project.fail("migrate", environment={**project.environment, "STOP": "1"})
    assert failed["changed"]
    assert "blog.0001_initial" in ids(failed["applied"])
    assert "failed_migration" not in failed
    done = project.predict_and_run("migrate")
    assert done["resumed"]
    assert done["applied"] == []
    assert project.sql("SELECT count(*) FROM blog_article") == [(1,)]


@pytest.mark.exhaustive("Of eight runs of migrate at once, one applies each migration.")
def test_eight_processes_at_once_apply_each_migration_once(project: Project) -> None:
    project.migrate()
    # All eight are there when each of them has a session for the lock besides its own.
    project.write(
        "blog/waiting.py",
        """
        import time


        def for_all(apps, schema_editor):
            count = 0
            with schema_editor.connection.cursor() as cursor:
                while count < 16:
                    cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
                    count = cursor.fetchone()[0]
                    time.sleep(0.05)
        """,
    )
    # Not transactional: a second one at the same time would see the first one's rows, and add its own.
    once = "migrations.RunSQL(\"INSERT INTO blog_article (title) VALUES ('once')\")"
    wait = "migrations.RunPython(__import__('blog.waiting').waiting.for_all)"
    project.migration("0002_first", "0001_initial", f"{once}, {wait}, {ADD_DATE}", atomic=False)
    project.migration("0003_second", "0002_first", once, atomic=False)
    project.migration("0004_third", "0003_second", once, atomic=False)
    answers = [call.result() for call in [project.start("migrate") for _process in range(8)]]
    assert not [answer["msg"] for answer in answers if answer.get("failed")]
    assert sorted(answer["changed"] for answer in answers) == [False] * 7 + [True]
    assert all(answer["pending"] == [] for answer in answers)
    assert project.sql("SELECT count(*) FROM blog_article") == [(3,)]
    assert project.sql("SELECT count(*) FROM django_migrations WHERE app = 'blog'") == [(4,)]


def test_lock_held_for_too_long(project: Project) -> None:
    from ansible_collections.edusphere.django.plugins.module_utils.probe import migrate as probe

    holder = project.cluster.connect(project.database)
    with holder.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s), pg_backend_pid()", [probe.LOCK_KEY])
        pid = cursor.fetchall()[0][1]
    failed = project.fail("migrate", lock_wait=1)
    assert failed["msg"].startswith("lock_wait: ")
    assert f"process {pid} " in failed["msg"]
    assert not failed["changed"]
    # Neither a question nor nothing to do waits for anybody.
    assert project.run("migrate", check=True, lock_wait=0)["changed"]
    holder.close()
    assert project.run("migrate", lock_wait=0)["changed"]
    assert not project.run("migrate", lock_wait=0)["changed"]


@pytest.mark.exhaustive("A run of migrate that its timeout stopped says how far it got, and the next run finishes.")
def test_stopped_by_the_timeout_then_converges(project: Project) -> None:
    project.migrate()
    project.migration("0002_body", "0001_initial", ADD_BODY)
    project.migration(
        "0003_slow", "0002_body", "migrations.RunPython(lambda *_: time.sleep(0 if 'FAST' in os.environ else 60))"
    )
    failed = project.fail("migrate", timeout=12)
    assert "timeout: " in failed["msg"]
    assert ids(failed["applied"]) == ["blog.0002_body"]
    assert failed["failed_migration"] == "blog.0003_slow"
    project.environment["FAST"] = "1"
    assert ids(project.predict_and_run("migrate")["applied"]) == ["blog.0003_slow"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"database": "other"}, "database: the settings have no database 'other', they have default"),
        ({"app_label": "shop"}, "app_label: no installed app has the label 'shop'"),
        (
            {"app_label": "staticfiles"},
            "app_label: the app 'staticfiles' has no migrations; run_syncdb creates its tables",
        ),
        ({"app_label": "blog", "migration_name": "0009"}, "migration_name: no migration of 'blog' starts with '0009'"),
        ({"migration_name": "0001"}, "migration_name: also give the app_label whose migration it is"),
    ],
)
@pytest.mark.parametrize(
    "check",
    [
        True,
        pytest.param(False, marks=pytest.mark.exhaustive("A run of migrate refuses wrong targets as check mode does.")),
    ],
)
def test_bad_targets(project: Project, arguments: dict[str, str], message: str, check: bool) -> None:
    before = project.state()
    assert project.fail("migrate", check=check, **arguments)["msg"] == message
    assert project.state() == before


def test_conflicting_migrations(project: Project) -> None:
    project.migration("0002_body", "0001_initial", ADD_BODY)
    project.migration("0002_date", "0001_initial", ADD_DATE)
    for check in (True, False):
        assert "Conflicting migrations detected" in project.fail("migrate", check=check)["msg"]


@pytest.mark.parametrize("stack", [SQLITE], ids=str, indirect=True)
def test_question_makes_no_file(project: Project) -> None:
    """Though SQLite would, also for the other way to name one."""
    name = pathlib.Path(project.database)
    project.environment["DB_NAME"] = f"file:{name}?mode=rwc"
    assert project.run("migrate", check=True)["plan"]
    assert project.run("superuser", check=True, username="root")["unknown"]
    assert not name.exists()
    assert project.run("migrate")["applied"]
    assert name.exists()


@pytest.mark.every_django
def test_checks_of_the_project_fail_before_anything_is_done(project: Project) -> None:
    project.write(
        "blog/models.py",
        """
        from django.core.checks import Error, Tags, register
        from django.db import models


        class Article(models.Model):
            title = models.CharField(max_length=20)


        @register(Tags.database)
        def look(databases, **options):
            return [Error(f"not with {databases}", id="blog.E001")]
        """,
    )
    messages = [project.fail("migrate", check=check, database=["default"]) for check in (True, False)]
    for key in ("msg", "exception_type", "changed"):
        assert messages[0][key] == messages[1][key]
    assert "(blog.E001) not with ['default']" in messages[0]["msg"]
    assert not messages[0]["changed"]
    # Not even a table for what is applied. The file of an SQLite database is made by asking.
    assert project.contents() == []
    path = project.directory / "blog/models.py"
    path.write_text(path.read_text().replace("Error(f", "Warning(f").replace("import Error", "import Warning"))
    assert not project.predict_and_run("migrate")["resumed"]
    # Nothing to do needs no checks.
    path.write_text(path.read_text().replace("Warning", "Error"))
    assert not project.run("migrate")["changed"]


@pytest.mark.exhaustive("A run of migrate that failed before its first migration is not reported as resumed.")
def test_run_that_failed_before_its_first_migration_is_not_resumed(project: Project) -> None:
    project.migrate()
    project.migration("0002_body", "0001_initial", ADD_BODY)
    models = project.directory / "blog/models.py"
    own = models.read_text()
    models.write_text(
        own + "\n\ndef refuse(**_arguments):\n    raise RuntimeError('not now')\n\n\n"
        "models.signals.pre_migrate.connect(refuse, dispatch_uid='refuse')\n"
    )
    before = project.state()
    assert "not now" in project.fail("migrate")["msg"]
    assert project.state() == before
    models.write_text(own)
    assert not project.predict_and_run("migrate")["resumed"]


def test_database_that_does_not_answer(project: Project) -> None:
    project.environment["DB_NAME"] = "nowhere"
    failed = project.fail("migrate")
    assert 'database "nowhere" does not exist' in failed["msg"]
    assert failed["exception_type"] == "django.db.utils.OperationalError"
    unknown = project.run("migrate", check=True)
    assert unknown["changed"] is True
    assert unknown["unknown"] is True
    assert 'database "nowhere" does not exist' in unknown["msg"]


@pytest.mark.every_stack
def test_a_backward_migration_is_a_change(project: Project) -> None:
    project.migration("0002_body", "0001_initial", ADD_BODY)
    project.run("migrate")
    done = project.predict_and_run("migrate", app_label="blog", migration_name="0001")
    assert done["changed"]
    assert ids(done["unapplied"]) == ["blog.0002_body"]
    assert done["plan"][0]["operations"] == ["Undo Add field body to article"]


@pytest.mark.exhaustive("migrate says which migration has no way back, before it does anything.")
def test_no_way_back(project: Project) -> None:
    project.migration("0002_sql", "0001_initial", "migrations.RunSQL('SELECT 1')")
    project.migration("0003_body", "0002_sql", ADD_BODY)
    project.run("migrate")
    before = project.state()
    for check in (True, False):
        failed = project.fail("migrate", check=check, app_label="blog", migration_name="zero")
        assert failed["msg"] == "migration_name: these can't be unapplied: blog.0002_sql: Raw SQL operation"
    assert project.state() == before
    assert ids(project.predict_and_run("migrate", app_label="blog", migration_name="zero", fake=True)["unapplied"])


@on_the_host
def test_several_databases(project: Project) -> None:
    project.add_database("other")
    project.settings(
        "DATABASES['mirror'] = {**DATABASES['other'], 'NAME': '/nowhere', 'TEST': {'MIRROR': 'other'}}\n"
        "DATABASES['same'] = DATABASES['default']"
    )
    done = project.predict_and_run("migrate", database=["default", "same"], app_label="blog")
    assert [step["database"] for step in done["applied"]] == ["default"]
    done = project.predict_and_run("migrate", database="all")
    assert {step["database"] for step in done["plan"] if step["app"] == "blog"} == {"other"}
    assert {step["database"] for step in done["applied"] if step["app"] == "auth"} == {"default", "other"}
    assert [database["alias"] for database in done["databases"]] == ["default", "other"]
    assert project.contents("other") != []
    assert [row[0] for row in project.contents("other")] == [row[0] for row in project.contents()]
    # Databases that have come apart, and what one of them lacks.
    project.migration("0002_body", "0001_initial", ADD_BODY)
    done = project.predict_and_run("migrate", database="other")
    assert done["diff"]["before_header"] == "applied migrations of other"
    done = project.run("migrate", check=True, database="all", app_label="blog", migration_name="0001")
    assert [(step["database"], step["direction"]) for step in done["plan"]] == [("other", "backward")]
    assert [(each["alias"], each["changed"]) for each in done["databases"]] == [("default", False), ("other", True)]
    assert done["pending"] == ["blog.0002_body"]


@pytest.mark.exhaustive("migrate says which of several databases failed, and what was done on the others.")
def test_failure_on_one_of_several_databases(project: Project) -> None:
    project.add_database("other")
    project.run("migrate", database="all")
    project.migration("0002_body", "0001_initial", ADD_BODY)
    project.sql("ALTER TABLE blog_article ADD COLUMN body text", alias="other")
    failed = project.fail("migrate", database="all")
    assert failed["changed"]
    assert [(step["database"], step["name"]) for step in failed["applied"]] == [("default", "0002_body")]
    assert (failed["failed_database"], failed["failed_migration"]) == ("other", "blog.0002_body")
    assert "already exists" in failed["msg"]


@pytest.mark.exhaustive("migrate creates the tables of apps without migrations with run_syncdb.")
@on_the_host
def test_apps_without_migrations(project: Project) -> None:
    project.write("polls/__init__.py", "")
    project.write(
        "polls/models.py",
        """
        from django.db import models


        class Choice(models.Model):
            voters = models.ManyToManyField("auth.User")


        class Proxy(Choice):
            class Meta:
                proxy = True
        """,
    )
    project.settings("INSTALLED_APPS.append('polls')")
    assert project.run("migrate")["created_tables"] == []
    done = project.predict_and_run("migrate", run_syncdb=True)
    assert done["created_tables"] == ["polls_choice", "polls_choice_voters"]
    assert {"polls_choice", "polls_choice_voters"} < {table[0] for table in project.contents()}
    assert not project.run("migrate", run_syncdb=True, app_label="polls")["changed"]
    failed = project.fail("migrate", check=True, run_syncdb=True, app_label="blog")
    assert failed["msg"] == "run_syncdb: the app 'blog' has migrations; leave out one of the two"


@on_the_host
def test_prune(project: Project) -> None:
    project.migration("0002_body", "0001_initial", ADD_BODY)
    project.run("migrate")
    (project.directory / "blog/migrations/0002_body.py").unlink()
    done = project.predict_and_run("migrate", app_label="blog", prune=True)
    assert done["pruned"] == ["blog.0002_body"]
    assert done["diff"]["before"].replace("blog.0002_body\n", "") == done["diff"]["after"]
    assert "blog.0002_body" not in rows(project)


@pytest.mark.exhaustive("migrate refuses to prune migrations that a squashed one still replaces.")
def test_prune_what_is_replaced_still(project: Project) -> None:
    project.migrate()
    initial = project.directory / "blog/migrations/0001_initial.py"
    squashed = initial.read_text().replace(
        "dependencies = []", "dependencies = []\n    replaces = [('blog', '0001_initial')]"
    )
    initial.rename(initial.with_name("0001_squashed.py")).write_text(squashed)
    for check in (True, False):
        failed = project.fail("migrate", check=check, app_label="blog", prune=True)
        assert failed["msg"].startswith("prune: blog.0001_squashed still replace what is gone")


def test_all_bad_parameters_at_once(project: Project) -> None:
    failed = project.fail(
        "migrate", migration_name="1", prune=True, lock_timeout=-1, statement_timeout=0, safety_accept=["blog"]
    )
    assert [line.partition(":")[0] for line in failed["msg"].splitlines()] == [
        "migration_name", "prune", "prune", "lock_timeout", "statement_timeout", "safety_accept",
    ]  # fmt: skip


@pytest.mark.exhaustive("migrate names a migration that can't be imported.")
def test_broken_migration(project: Project) -> None:
    project.migrate()
    project.write("blog/migrations/0002_broken.py", "import no_such_module")
    for check in (True, False):
        failed = project.fail("migrate", check=check)
        assert failed["msg"] == "ModuleNotFoundError: No module named 'no_such_module'"
        assert not failed["changed"]
    project.write("blog/migrations/0002_broken.py", "class Migration:")
    assert "0002_broken.py, line 1" in project.fail("migrate")["msg"]


@pytest.mark.exhaustive("migrate plans and applies a migration that merges two branches.")
def test_merge_migration(project: Project) -> None:
    project.migrate()
    project.migration("0002_body", "0001_initial", ADD_BODY)
    project.migration("0002_date", "0001_initial", ADD_DATE)
    project.write(
        "blog/migrations/0003_merge.py",
        """
        from django.db import migrations


        class Migration(migrations.Migration):
            dependencies = [("blog", "0002_body"), ("blog", "0002_date")]
        """,
    )
    done = project.predict_and_run("migrate")
    assert sorted(ids(done["applied"])) == ["blog.0002_body", "blog.0002_date", "blog.0003_merge"]


@pytest.mark.exhaustive("migrate works in a project with a user model of its own.")
@on_the_host
def test_custom_user_model(project: Project) -> None:
    project.write("people/__init__.py", "")
    project.write(
        "people/models.py",
        """
        from django.contrib.auth.models import AbstractUser


        class Person(AbstractUser):
            pass
        """,
    )
    project.write("people/migrations/__init__.py", "")
    project.settings("INSTALLED_APPS.append('people')\nAUTH_USER_MODEL = 'people.Person'")
    project.django(
        "from django.core.management import call_command; call_command('makemigrations', 'people', verbosity=0)"
    )
    done = project.predict_and_run("migrate")
    assert "people.0001_initial" in ids(done["applied"])
    assert project.sql("SELECT count(*) FROM people_person") == [(0,)]
    # auth_user is nobody's: the models that are swapped out have no tables to be judged.
    project.migration("0002_body", "0001_initial", ADD_BODY)
    assert project.run("migrate", check=True)["safety"]["verdict"] == "incompatible"


def test_no_rights(project: Project) -> None:
    project.migrate()
    project.migration(
        "0002_new", "0001_initial", "migrations.CreateModel('New', [('id', models.AutoField(primary_key=True))])"
    )
    project.sql("ALTER SCHEMA public OWNER TO postgres")
    project.sql("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    failed = project.fail("migrate")
    assert failed["msg"].startswith(
        "blog.0002_new: django.db.utils.ProgrammingError: permission denied for schema public"
    )
    assert not failed["changed"]
    assert failed["pending"] == ["blog.0002_new"]


@pytest.mark.exhaustive("migrate says which database does not answer when its server is down.")
def test_server_that_is_down(project: Project) -> None:
    project.environment["DB_HOST"] = "/nowhere"
    failed = project.fail("migrate")
    assert failed["exception_type"] == "django.db.utils.OperationalError"
    assert "/nowhere" in failed["msg"]
    assert not failed["changed"]
    assert project.run("migrate", check=True)["unknown"]


@pytest.mark.exhaustive("After a kill in the middle of a migration, the next run of migrate finishes.")
def test_killed_in_the_middle_then_converges(project: Project) -> None:
    project.migrate()
    project.migration("0002_body", "0001_initial", ADD_BODY)
    kill = "migrations.RunPython(lambda *_: 'STOP' in os.environ and os.kill(os.getpid(), 9))"
    project.migration("0003_killed", "0002_body", f"{ADD_DATE}, {kill}")
    failed = project.fail("migrate", environment={**project.environment, "STOP": "1"})
    assert "was killed without an answer" in failed["msg"]
    assert ids(failed["applied"]) == ["blog.0002_body"]
    assert failed["failed_migration"] == "blog.0003_killed"
    assert ids(project.predict_and_run("migrate")["applied"]) == ["blog.0003_killed"]


@pytest.mark.exhaustive("migrate says what a failed migration that is not atomic may have left behind.")
def test_failure_of_what_is_not_atomic(project: Project) -> None:
    project.migrate()
    project.migration("0002_body", "0001_initial", ADD_BODY + ", migrations.RunSQL('TABLE x')", atomic=False)
    failed = project.fail("migrate")
    assert failed["msg"].startswith(
        "blog.0002_body (not atomic: what it did before the error is kept): django.db.utils.ProgrammingError: "
        'relation "x" does not exist'
    )
    # And so it is.
    assert failed["changed"]
    assert project.sql("SELECT body FROM blog_article") == []
    assert failed["pending"] == ["blog.0002_body"]


@pytest.mark.exhaustive("migrate shows the SQL of its plan in diff mode.")
def test_sql_of_the_plan(project: Project) -> None:
    project.migrate()
    project.migration("0002_body", "0001_initial", f"{ADD_BODY}, migrations.RunPython(say)")
    # What Django's own command executes while it is asked for SQL.
    drop = "migrations.RunPython(lambda apps, editor: editor.execute('DROP TABLE blog_article'))"
    project.migration("0003_apart", "0002_body", f"migrations.SeparateDatabaseAndState([{drop}])")
    done = project.predict_and_run("migrate", sql=True)
    body, apart = (step["sql"] for step in done["plan"])
    assert 'ALTER TABLE "blog_article" ADD COLUMN "body" text DEFAULT \'\' NOT NULL;' in body
    assert body[-1] == apart[-1] == "-- THIS OPERATION CANNOT BE WRITTEN AS SQL"
    assert 'ADD COLUMN "body"' in done["diff"]["after"]
    project.migration("0002_body", "0001_initial", ADD_BODY)
    project.sql("DELETE FROM django_migrations WHERE name = '0003_apart'")
    assert "sql" not in project.run("migrate", check=True, fake=True)["plan"][0]


@pytest.mark.exhaustive("migrate names in its plan the migrations that fake_initial only records.")
def test_fake_initial_is_in_the_plan(project: Project) -> None:
    project.sql("CREATE TABLE blog_article (id bigserial PRIMARY KEY, title varchar(20))")
    plan = project.run("migrate", check=True, fake_initial=True)["plan"]
    assert [step["app"] for step in plan if step["fake"]] == ["blog"]


def waiting(project: Project, call: Call, count: int) -> None:
    """Wait until so many sessions of the module, one after the other, have waited for a lock."""
    seen: set[tuple[int]] = set()

    def enough() -> bool:
        seen.update(project.sql("SELECT pid FROM pg_locks WHERE NOT granted AND relation IS NOT NULL"))
        return len(seen) >= count

    call.wait_until(enough)


QUICK: dict[str, Any] = {"lock_timeout": 0.2, "lock_retry_pause": 0.05}


@contextlib.contextmanager
def long_query(project: Project) -> Iterator[None]:
    """Hold the table of the articles as a long query does."""
    with contextlib.closing(project.cluster.connect(project.database)) as session:
        session.autocommit = False
        with session.cursor() as cursor:
            cursor.execute("SELECT * FROM blog_article")
            yield


def test_migration_makes_way_for_a_long_query(project: Project) -> None:
    project.migrate()
    project.migration("0002_body", "0001_initial", ADD_BODY)
    with long_query(project):
        call = project.start("migrate", lock_retries=1000, **QUICK)
        waiting(project, call, 2)
    done = call.result()
    assert ids(done["applied"]) == ["blog.0002_body"]
    first = done["retries"][0]
    assert (first["migration"], first["database"]) == ("blog.0002_body", "default")
    assert first["error"].startswith("canceling statement due to lock timeout")
    assert first["pause"] == 0.05
    assert [retry["pause"] for retry in done["retries"]][:3] in ([0.05], [0.05, 0.1], [0.05, 0.1, 0.2])
    assert not project.run("migrate")["changed"]


@pytest.mark.parametrize(
    ("atomic", "retries"),
    [
        (True, 2),
        pytest.param(
            *(False, 0),
            marks=pytest.mark.exhaustive("migrate does not try a migration again that is not atomic."),
        ),
    ],
)
def test_long_query_that_does_not_end(project: Project, atomic: bool, retries: int) -> None:
    project.migrate()
    project.migration("0002_body", "0001_initial", ADD_BODY, atomic=atomic)
    with long_query(project):
        failed = project.fail("migrate", lock_retries=2, **QUICK)
    assert len(failed["retries"]) == retries
    assert "canceling statement due to lock timeout" in failed["msg"]
    assert failed["failed_migration"] == "blog.0002_body"
    assert failed["pending"] == ["blog.0002_body"]
    assert ids(project.predict_and_run("migrate")["applied"]) == ["blog.0002_body"]


@pytest.mark.exhaustive("The time limits of migrate hold in every session that the project opens.")
def test_limits_hold_in_every_session(project: Project) -> None:
    project.settings(
        """
        DATABASES["default"]["OPTIONS"] = {"options": "-c lock_timeout=7s"}
        from django.db.backends.signals import connection_created

        def own(connection, **_details):
            with connection.cursor() as cursor:
                cursor.execute("SET lock_timeout = '8s'")

        connection_created.connect(own)
        """
    )
    project.run("migrate")
    note = (
        'migrations.RunSQL("INSERT INTO blog_article (title) SELECT'
        " current_setting('lock_timeout') || current_setting('statement_timeout')\")"
    )
    close = "migrations.RunPython(lambda apps, editor: editor.connection.close())"
    project.migration("0002_note", "0001_initial", f"{note}, {close}, {note}", atomic=False)
    project.migration("0003_own", "0002_note", "migrations.RunSQL(\"SET lock_timeout = '9s'\")")
    project.migration("0004_note", "0003_own", note)
    project.run("migrate", lock_timeout=1.5, statement_timeout=60)
    assert project.sql("SELECT title FROM blog_article") == [("1500ms1min",)] * 3
    project.migration("0005_note", "0004_note", note)
    project.run("migrate", lock_timeout=0)
    assert project.sql("SELECT title FROM blog_article")[3:] == [("8s0",)]


def test_statement_that_takes_too_long(project: Project) -> None:
    project.migrate()
    project.migration("0002_slow", "0001_initial", "migrations.RunSQL('SELECT pg_sleep(60)')")
    failed = project.fail("migrate", statement_timeout=0.2)
    assert failed["msg"].startswith(
        "blog.0002_slow: django.db.utils.OperationalError: canceling statement due to statement"
    )
    assert failed["retries"] == []


@pytest.mark.exhaustive("migrate sets no time limit on an index that is built concurrently.")
def test_index_is_built_concurrently_for_as_long_as_it_takes(project: Project) -> None:
    project.migrate()
    project.migration(
        "0002_index",
        "0001_initial",
        POSTGRES + "AddIndexConcurrently('article', models.Index(fields=['title'], name='slowly'))",
        atomic=False,
    )
    with contextlib.closing(project.cluster.connect(project.database)) as session:
        session.autocommit = False
        with session.cursor() as cursor:
            cursor.execute("INSERT INTO blog_article (title) VALUES ('not committed')")
        call = project.start("migrate", lock_timeout=0.1)
        query = (
            "SELECT 1 FROM pg_stat_activity WHERE query LIKE 'CREATE INDEX CONCURRENTLY%%'"
            " AND now() - query_start > '0.3s'"
        )
        call.wait_until(lambda: project.sql(query))
    assert ids(call.result()["applied"]) == ["blog.0002_index"]
    assert project.sql("SELECT indisvalid FROM pg_index WHERE indexrelid = 'slowly'::regclass") == [(True,)]
