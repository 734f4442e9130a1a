"""edusphere.django.migrate: plans, runs, failures and races, against the database's own rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .conftest import Project

ADD_BODY = "migrations.AddField('article', 'body', models.TextField(default=''))"
ADD_DATE = "migrations.AddField('article', 'date', models.DateField(null=True))"


def ids(steps: list[dict[str, Any]]) -> list[str]:
    """Return the steps of an answer as APP.NAME."""
    return [f"{step['app']}.{step['name']}" for step in steps]


def rows(project: Project) -> set[str]:
    """Return what the database says is applied."""
    return {f"{app}.{name}" for app, name in project.sql("SELECT app, name FROM django_migrations")}


@pytest.mark.every_stack
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


def test_only_what_is_new_is_planned(project: Project) -> None:
    project.run("migrate")
    project.migration("0002_body", "0001_initial", ADD_BODY)
    done = project.predict_and_run("migrate")
    assert ids(done["applied"]) == ["blog.0002_body"]
    assert done["plan"][0]["operations"] == ["Add field body to article"]
    assert done["plan"][0]["direction"] == "forward"


def test_nothing_pending_leaves_the_database_alone(project: Project) -> None:
    project.run("migrate")
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


def test_fake_records_only(project: Project) -> None:
    done = project.predict_and_run("migrate", app_label="blog", fake=True)
    assert done["applied"][0]["fake"] is True
    assert not project.sql("SELECT 1 FROM pg_tables WHERE tablename = 'blog_article'")


def test_fake_initial_takes_over_existing_tables(project: Project) -> None:
    project.sql("CREATE TABLE blog_article (id bigserial PRIMARY KEY, title varchar(20))")
    assert "already exists" in project.fail("migrate", app_label="blog")["msg"]
    done = project.predict_and_run("migrate", app_label="blog", fake_initial=True)
    assert done["applied"][0]["fake"] is True


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
    project.run("migrate")
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


@pytest.mark.parametrize("end", ["raise RuntimeError('no signal')", "os.kill(os.getpid(), 9)"])
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


def test_several_hosts_at_once_apply_once(project: Project) -> None:
    project.run("migrate")
    # Not transactional: a second one at the same time would see the first one's rows, and add its own.
    project.migration(
        "0002_slow",
        "0001_initial",
        "migrations.RunSQL(\"INSERT INTO blog_article (title) VALUES ('once')\"), "  # noqa: S608 - nothing is put into it
        "migrations.RunPython(lambda apps, editor: time.sleep(3)), "
        f"{ADD_BODY}",
        atomic=False,
    )
    answers = [call.result() for call in [project.start("migrate") for _host in range(4)]]
    assert not any(answer.get("failed") for answer in answers), answers
    assert sorted(answer["changed"] for answer in answers) == [False, False, False, True]
    assert all(answer["pending"] == [] for answer in answers)
    assert project.sql("SELECT count(*) FROM blog_article") == [(1,)]


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


def test_stopped_by_the_timeout_then_converges(project: Project) -> None:
    project.run("migrate")
    project.migration("0002_body", "0001_initial", ADD_BODY)
    project.migration(
        "0003_slow", "0002_body", "migrations.RunPython(lambda *_: time.sleep(0 if 'FAST' in os.environ else 60))"
    )
    failed = project.fail("migrate", timeout=4)
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
        ({"app_label": "staticfiles"}, "app_label: the app 'staticfiles' has no migrations"),
        ({"app_label": "blog", "migration_name": "0009"}, "migration_name: no migration of 'blog' starts with '0009'"),
        ({"migration_name": "0001"}, "migration_name: also give the app_label whose migration it is"),
    ],
)
@pytest.mark.parametrize("check", [True, False])
def test_bad_targets(project: Project, arguments: dict[str, str], message: str, check: bool) -> None:
    before = project.state()
    assert project.fail("migrate", check=check, **arguments)["msg"] == message
    assert project.state() == before


def test_conflicting_migrations(project: Project) -> None:
    project.migration("0002_body", "0001_initial", ADD_BODY)
    project.migration("0002_date", "0001_initial", ADD_DATE)
    for check in (True, False):
        assert "Conflicting migrations detected" in project.fail("migrate", check=check)["msg"]


def test_database_that_does_not_answer(project: Project) -> None:
    project.environment["DB_NAME"] = "nowhere"
    failed = project.fail("migrate")
    assert 'database "nowhere" does not exist' in failed["msg"]
    assert failed["exception_type"] == "django.db.utils.OperationalError"
    unknown = project.run("migrate", check=True)
    assert unknown["changed"] is True
    assert unknown["unknown"] is True
    assert 'database "nowhere" does not exist' in unknown["msg"]
