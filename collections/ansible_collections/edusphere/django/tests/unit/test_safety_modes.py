"""edusphere.django.migrate's judgement: what becomes of it, and locks, which only large tables tell apart."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any

import psycopg2.errors
import pytest

from .conftest import HOST_STACKS, POSTGRES, on

if TYPE_CHECKING:
    from .conftest import Project

on_the_host = pytest.mark.parametrize("stack", on(HOST_STACKS), indirect=True)
ADD = "migrations.AddField('article', 'body', models.TextField(null=True))"
REMOVE = "migrations.RemoveField('article', 'title')"
PYTHON = "migrations.RunPython(lambda apps, editor: None)"


def verdicts(answer: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the migrations that were judged, and the verdicts."""
    return [(f"{step['app']}.{step['name']}", step["verdict"]) for step in answer["safety"]["migrations"]]


def refused(project: Project, **arguments: Any) -> dict[str, Any]:
    """Run the module with ``enforce``, in check mode too: both refuse with the same words and change nothing."""
    before = project.state()
    predicted, done = (project.fail("migrate", check=check, safety="enforce", **arguments) for check in (True, False))
    assert {key: predicted[key] for key in ("msg", "safety", "changed")} == {
        key: done[key] for key in ("msg", "safety", "changed")
    }
    assert not done["changed"]
    assert project.state() == before
    return done


@pytest.mark.every_django
def test_enforce_refuses_with_all_findings(project: Project) -> None:
    project.migrate()
    project.migration("0002_body", "0001_initial", ADD)
    project.migration("0003_python", "0002_body", PYTHON)
    project.migration("0004_title", "0003_python", f"{REMOVE}, {PYTHON}")
    failed = refused(project)
    assert verdicts(failed) == [
        ("blog.0002_body", "compatible"),
        ("blog.0003_python", "unknown"),
        ("blog.0004_title", "incompatible"),
    ]
    assert failed["safety"]["verdict"] == "incompatible"
    assert [step["accepted"] for step in failed["safety"]["migrations"]] == [True, False, False]
    lines = failed["msg"].splitlines()
    assert lines[0].startswith("safety: nothing was changed")
    assert lines[1:-1] == [
        "- blog.0003_python (default): unknown",
        "  Raw Python operation: runs Python code, which may do anything to data and schema",
        "- blog.0004_title (default): incompatible",
        "  Remove field title from article: drops the column blog_article.title, which running code reads and writes",
        "    instead: release code that does not use it first (SeparateDatabaseAndState with state_operations)"
        ", and drop it in the release after that",
        "  Raw Python operation: runs Python code, which may do anything to data and schema",
    ]
    # What may be unknown, and what has been looked at.
    assert "0003_python" not in refused(project, safety_unknown="compatible")["msg"]
    assert "0004_title" not in refused(project, safety_accept=["blog.0004_title"])["msg"]
    done = project.predict_and_run(
        "migrate", safety="enforce", safety_unknown="compatible", safety_accept=["blog.0004_title"]
    )
    assert done["safety"]["migrations"][2]["reviewed"] == "accepted by safety_accept"
    assert len(done["applied"]) == 3


def test_warn_migrates_with_warnings(project: Project) -> None:
    project.migrate()
    project.migration("0002_body", "0001_initial", ADD)
    project.migration("0003_title", "0002_body", REMOVE)
    predicted = project.run("migrate", check=True)
    done = project.run("migrate")
    assert len(done["applied"]) == 2
    assert predicted["warnings"] == done["warnings"]
    assert len(done["warnings"]) == 1
    words = json.dumps(done["warnings"][0])
    assert "blog.0003_title (default): incompatible" in words
    assert "drops the column blog_article.title" in words
    again = project.run("migrate")
    assert "warnings" not in again
    assert again["safety"] == {"verdict": None, "migrations": [], "not_judged": {}}


def test_off_judges_nothing(project: Project) -> None:
    project.migrate()
    project.migration("0002_title", "0001_initial", REMOVE, deployment_safety="nonsense")
    done = project.predict_and_run("migrate", safety="off")
    assert done["safety"] == {"verdict": None, "migrations": [], "not_judged": {"default": "safety is off"}}
    assert "warnings" not in done


@on_the_host
def test_empty_database_is_not_judged(project: Project) -> None:
    project.migration("0002_title", "0001_initial", REMOVE)
    done = project.predict_and_run("migrate", safety="enforce")
    assert done["safety"]["migrations"] == []
    assert done["safety"]["not_judged"]["default"].startswith("no migration has been applied to it yet")


@pytest.mark.exhaustive("A refusal for one of several databases keeps migrate from all of them.")
def test_one_of_several_databases_refuses_for_all(project: Project) -> None:
    project.add_database("other")
    project.run("migrate", database="other")
    project.migration("0002_title", "0001_initial", REMOVE)
    failed = refused(project, database="all")
    assert [step["database"] for step in failed["safety"]["migrations"]] == ["other"]
    assert list(failed["safety"]["not_judged"]) == ["default"]
    assert "- blog.0002_title (other): incompatible" in failed["msg"]


@pytest.mark.parametrize(
    ("declared", "operation", "verdict", "reviewed"),
    [
        ("compatible: nobody reads it any more", REMOVE, "compatible", "nobody reads it any more"),
        ("incompatible: it changes what the texts mean", PYTHON, "incompatible", "it changes what the texts mean"),
    ],
)
def test_migration_that_has_been_reviewed(
    project: Project, declared: str, operation: str, verdict: str, reviewed: str
) -> None:
    project.migrate()
    project.migration("0002_reviewed", "0001_initial", operation, deployment_safety=declared)
    step = project.run("migrate", check=True)["safety"]["migrations"][0]
    assert (step["verdict"], step["reviewed"]) == (verdict, reviewed)
    # What was found all the same.
    assert step["operations"][0]["verdict"] != "compatible"
    if verdict == "compatible":
        project.predict_and_run("migrate", safety="enforce")
    else:
        assert "incompatible (reviewed: it changes what the texts mean)" in refused(project)["msg"]


@pytest.mark.parametrize(
    "declared",
    [
        "compatible",
        *(
            pytest.param(declared, marks=pytest.mark.exhaustive("migrate refuses any declaration without a reason."))
            for declared in ("compatible: ", "fine: really", True)
        ),
    ],
)
def test_declaration_that_says_nothing(project: Project, declared: Any) -> None:
    project.migrate()
    project.migration("0002_title", "0001_initial", REMOVE, deployment_safety=declared)
    for check in (True, False):
        assert project.fail("migrate", check=check)["msg"] == (
            f"deployment_safety: blog.0002_title declares deployment_safety = {declared!r};"
            " write 'compatible: WHY' or 'incompatible: WHY'"
        )


@pytest.mark.exhaustive("The safety judgement takes a backward migration for what it does backwards.")
@on_the_host
def test_way_back_is_judged_by_what_it_does(project: Project) -> None:
    project.migration("0002_body", "0001_initial", ADD)
    project.migration("0003_body", "0002_body", "migrations.RemoveField('article', 'body')")
    project.migration(
        "0004_two", "0003_body", f"{ADD}, migrations.RunPython(migrations.RunPython.noop, {PYTHON[21:-1]})"
    )
    project.run("migrate")
    failed = refused(project, app_label="blog", migration_name="0003")
    assert failed["safety"]["migrations"][0]["direction"] == "backward"
    assert [operation["verdict"] for operation in failed["safety"]["migrations"][0]["operations"]] == [
        "unknown",
        "incompatible",
    ]
    project.run("migrate", app_label="blog", migration_name="0003")
    # The column that comes back may be NULL; and then it goes again, without anybody having known it.
    assert verdicts(project.predict_and_run("migrate", safety="enforce", app_label="blog", migration_name="0001")) == [
        ("blog.0003_body", "compatible"),
        ("blog.0002_body", "compatible"),
    ]


@pytest.mark.exhaustive("The safety judgement leaves out migrations that are only recorded.")
def test_what_is_only_recorded_is_not_judged(project: Project) -> None:
    project.migrate()
    project.migration("0002_title", "0001_initial", REMOVE)
    done = project.predict_and_run("migrate", safety="enforce", fake=True)
    assert done["safety"]["not_judged"] == {"default": "nothing is run, only recorded"}


def test_nothing_is_written_while_judging(project: Project) -> None:
    project.migrate()
    project.migration("0002_own", "0001_initial", "Own()")
    path = project.directory / "blog/migrations/0002_own.py"
    path.write_text(
        path.read_text().replace(
            "class Migration",
            "class Own(migrations.RunSQL):\n"
            "    def __init__(self):\n"
            "        super().__init__('SELECT 1')\n\n"
            "    def database_forwards(self, app_label, schema_editor, from_state, to_state):\n"
            "        with schema_editor.connection.cursor() as cursor:\n"
            "            cursor.execute(\"INSERT INTO blog_article (title) VALUES ('own')\")\n\n\n"
            "class Migration",
        )
    )
    assert "cannot execute INSERT in a read-only transaction" in refused(project)["msg"]
    assert project.run("migrate")["changed"]
    assert project.sql("SELECT title FROM blog_article") == [("own",)]


def fill(project: Project) -> None:
    """Give the table of the articles 1,000 rows, as far as PostgreSQL's statistics know."""
    project.sql("INSERT INTO blog_article (title) SELECT n FROM generate_series(1, 1000) n")
    project.sql("ANALYZE blog_article")


INDEX = "migrations.AddIndex('article', models.Index(fields=['title'], name='title'))"


@pytest.mark.parametrize(
    ("operation", "why"),
    [
        (INDEX, "the index title is built"),
        *(
            pytest.param(
                *each,
                marks=pytest.mark.exhaustive("migrate refuses to lock a large table, whatever operation does so."),
            )
            for each in (
                (
                    "migrations.AlterField('article', 'title', models.CharField(max_length=20, db_index=True))",
                    "the index blog_article_",
                ),
                (
                    "migrations.AddField('article', 'n', models.IntegerField(null=True, db_index=True))",
                    "the index blog_article_",
                ),
                (
                    "migrations.AlterField('article', 'number', models.BigIntegerField(null=True))",
                    "the table is rewritten",
                ),
            )
        ),
    ],
    ids=["index", "db_index", "new_column_with_index", "type"],
)
def test_large_table_is_not_to_be_locked(project: Project, operation: str, why: str) -> None:
    project.migration(
        "0002_number", "0001_initial", "migrations.AddField('article', 'number', models.IntegerField(null=True))"
    )
    project.run("migrate")
    fill(project)
    project.migration("0003_lock", "0002_number", operation)
    assert verdicts(project.run("migrate", check=True, safety_large_table=10000)) == [("blog.0003_lock", "compatible")]
    failed = refused(project, safety_large_table=1000)
    assert f"blog_article is locked while {why}" in failed["msg"]
    assert "(about 1,000 rows, large from 1,000 on)" in failed["msg"]


# A migration waits for an advisory lock.
WAITING = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"


def insert(project: Project) -> None:
    """Write an article, as running code does."""
    with contextlib.closing(project.cluster.connect(project.database)) as session, session.cursor() as cursor:
        cursor.execute("SET lock_timeout = '200ms'")
        cursor.execute("INSERT INTO blog_article (title) VALUES ('meanwhile')")


@pytest.mark.exhaustive("While migrate builds an index, others can't write: the verdict on it is right.")
def test_index_keeps_others_from_writing(project: Project) -> None:
    project.migrate()
    fill(project)
    # The rest of the migration takes as long as the building of a larger index.
    wait = "migrations.RunSQL('SELECT pg_advisory_lock(1)')"
    project.migration("0002_index", "0001_initial", f"{INDEX}, {wait}")
    with contextlib.closing(project.cluster.connect(project.database)) as session:
        with session.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(1)")
        call = project.start("migrate", lock_timeout=0, safety_large_table=1000)
        call.wait_until(lambda: project.sql(WAITING))
        with pytest.raises(psycopg2.errors.LockNotAvailable):
            insert(project)
    assert call.result()["safety"]["migrations"][0]["operations"][0]["verdict"] == "incompatible"
    insert(project)


UPSERT = "INSERT INTO blog_article (id, title) VALUES (1, 'x') ON CONFLICT (title) DO UPDATE SET title = 'x'"


@pytest.mark.exhaustive("The verdicts on replaced constraints are what happens to an upsert meanwhile.")
@pytest.mark.parametrize("atomic", [True, False])
def test_upsert_while_its_constraint_is_replaced(project: Project, atomic: bool) -> None:
    """As the autodetector orders it, the old one goes first, which others see unless it is one transaction."""
    title = "migrations.AlterField('article', 'title', models.CharField(max_length=20{}))"
    project.migration("0002_unique", "0001_initial", title.format(", unique=True"))
    project.run("migrate")
    project.sql(UPSERT)
    # Only others have to wait for it.
    wait = "migrations.RunSQL('SELECT pg_advisory_lock(1)')" if not atomic else ""
    constraint = "migrations.AddConstraint('article', models.UniqueConstraint(fields=['title'], name='title'))"
    operations = ", ".join(filter(None, [title.format(""), wait, constraint]))
    project.migration("0003_constraint", "0002_unique", operations, atomic=atomic)
    with contextlib.closing(project.cluster.connect(project.database)) as session:
        with session.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(1)")
        call = project.start("migrate", lock_timeout=0)
        if not atomic:
            call.wait_until(lambda: project.sql(WAITING))
            with pytest.raises(psycopg2.errors.InvalidColumnReference, match="no unique or exclusion constraint"):
                project.sql(UPSERT)
    operations = call.result()["safety"]["migrations"][0]["operations"]
    assert operations[0]["verdict"] == ("compatible" if atomic else "incompatible")
    project.sql(UPSERT)


@pytest.mark.exhaustive("While an index is built concurrently, others can write: the verdict on it is right.")
def test_index_that_is_built_concurrently_does_not(project: Project) -> None:
    project.migrate()
    fill(project)
    project.migration(
        "0002_index",
        "0001_initial",
        INDEX.replace("migrations.AddIndex", POSTGRES + "AddIndexConcurrently"),
        atomic=False,
    )
    with contextlib.closing(project.cluster.connect(project.database)) as session:
        session.autocommit = False
        with session.cursor() as cursor:
            cursor.execute("INSERT INTO blog_article (title) VALUES ('not committed')")
        # It waits for what is not committed.
        call = project.start("migrate", safety="enforce", safety_large_table=1000)
        call.wait_until(lambda: project.sql("SELECT 1 FROM pg_stat_progress_create_index"))
        insert(project)
    assert verdicts(call.result()) == [("blog.0002_index", "compatible")]
