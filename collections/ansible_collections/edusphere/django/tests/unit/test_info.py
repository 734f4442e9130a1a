"""edusphere.django.info: what the project says of itself, also where parts of it are broken."""

from __future__ import annotations

import platform
import sys
from typing import TYPE_CHECKING, Any

import django
import pytest

from .conftest import IMAGE_PYTHON, NEWEST, PASSWORD, STACKS

if TYPE_CHECKING:
    from .conftest import Project


def ask(project: Project, *subsets: str, **arguments: Any) -> dict[str, Any]:
    """Run the module in check mode and for real: the same answer, and nothing changes."""
    before = project.state()
    answers = [
        project.run("info", check=check, gather_subset=list(subsets) if subsets else None, **arguments)
        for check in (True, False)
    ]
    assert project.state() == before
    assert answers[0] == answers[1]
    assert not answers[0]["changed"]
    return answers[0]


def test_files_and_what_is_always_there(project: Project) -> None:
    project.settings(
        """
        import pathlib
        MEDIA_ROOT = pathlib.Path("uploads")
        MEDIA_URL = "https://media.site.example/"
        """
    )
    found = ask(project, "files")
    assert found["django_version"] == django.__version__
    assert found["python_version"] == platform.python_version()
    assert found["python_executable"] == sys.executable
    assert found["settings_module"] == "site_.settings"
    assert found["debug"] is False
    assert not {"databases", "migrations", "installed_apps", "checks"} & set(found)
    assert found["static"] == {
        "url": "/static/",
        "root": str(project.directory / "collected"),
        "storage": "django.contrib.staticfiles.storage.StaticFilesStorage",
    }
    assert found["media"] == {
        "url": "https://media.site.example/",
        "root": str(project.directory / "uploads"),
        "storage": "django.core.files.storage.FileSystemStorage",
    }
    project.settings("del STATIC_ROOT, MEDIA_ROOT, MEDIA_URL\nSTATIC_URL = 'assets/'")
    found = ask(project, "files")
    assert (found["static"]["root"], found["media"]["root"]) == (None, None)
    # A relative one is below the script's prefix, and of an empty one Django makes that prefix.
    assert (found["static"]["url"], found["media"]["url"]) == ("/assets/", None)


@pytest.mark.parametrize("stack", [stack for stack in STACKS if stack.place][:1], ids=str, indirect=True)
def test_project_in_a_container(project: Project) -> None:
    found = ask(project)
    assert found["django_version"].startswith(NEWEST)
    assert (found["python_executable"], found["settings_module"]) == (IMAGE_PYTHON, "site_.settings")
    assert found["databases"]["default"]["reachable"]
    assert found["migrations"]["default"]["pending"][-1] == "blog.0001_initial"
    assert found["static"]["root"] == str(project.directory / "collected")
    assert found["installed_apps"][-1]["path"] == str(project.directory / "blog")
    assert found["checks"]


def test_everything_by_default(project: Project) -> None:
    found = ask(project)
    assert {"databases", "migrations", "static", "media", "installed_apps", "checks"} <= set(found)
    assert [app["label"] for app in found["installed_apps"]] == ["contenttypes", "auth", "staticfiles", "blog"]
    assert found["installed_apps"][-1] == {"label": "blog", "name": "blog", "path": str(project.directory / "blog")}


def test_databases_that_answer_and_that_do_not(project: Project) -> None:
    project.settings(
        """
        DATABASES["down"] = {**DATABASES["default"], "HOST": "/no/such/place", "PORT": "5433"}
        DATABASES["refused"] = {**DATABASES["default"], "USER": "nobody-of-that-name"}
        DATABASES["file"] = {"ENGINE": "django.db.backends.sqlite3", "NAME": os.path.join(STATIC_ROOT, "..", "no.db")}
        uri = "file:" + os.path.dirname(STATIC_ROOT) + "/%6eo.db"
        for name, mode in (("created", "?mode=rwc"), ("as_is", "?cache=shared"), ("read_only", "?mode=ro")):
            DATABASES[name] = {"ENGINE": "django.db.backends.sqlite3", "NAME": uri + mode}
        DATABASES["memory"] = {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}
        DATABASES["engine"] = {"ENGINE": "site_.nothing"}
        """
    )
    found = ask(project, "databases", "migrations")
    databases = found["databases"]
    assert list(databases) == [
        *("default", "down", "refused", "file", "created", "as_is", "read_only", "memory", "engine"),
    ]
    default = databases["default"]
    assert default.pop("server_version") == project.sql("SHOW server_version")[0][0].split()[0]
    assert default == {
        "engine": "django.db.backends.postgresql",
        "vendor": "postgresql",
        "name": project.database,
        "host": str(project.cluster.directory),
        "port": None,
        "reachable": True,
        "error": None,
    }
    assert databases["memory"]["reachable"]
    for alias, words in {
        "down": "No such file or directory",
        "refused": "password authentication failed",
        "file": "there is no file",
        "created": "there is no file",
        "as_is": "there is no file",
        "read_only": "unable to open database file",
        "engine": "site_.nothing",
    }.items():
        assert not databases[alias]["reachable"]
        assert databases[alias]["server_version"] is None
        assert words in databases[alias]["error"]
        assert found["migrations"][alias] == {
            "applied": None,
            "pending": None,
            "missing": None,
            "error": databases[alias]["error"],
        }
    assert (databases["down"]["port"], databases["engine"]["vendor"]) == (5433, None)
    # The file was looked for, and not made.
    assert not (project.directory / "no.db").exists()
    # The others can still tell theirs.
    for alias in ("default", "memory"):
        assert found["migrations"][alias]["applied"] == []
        assert found["migrations"][alias]["pending"][-1] == "blog.0001_initial"


def test_a_secret_in_an_error_is_masked(project: Project) -> None:
    """The words of a driver may hold what it was given."""
    project.settings('DATABASES["default"]["OPTIONS"] = {"sslmode": os.environ["DB_PASSWORD"]}')
    found = ask(project, "databases")
    assert "********" in found["databases"]["default"]["error"]
    assert PASSWORD.strip() not in str(found)


def test_migrations_of_each_database(project: Project) -> None:
    project.migration("0002_slug", "0001_initial", "migrations.RunPython(say)")
    project.migration("0003_more", "0002_slug", "migrations.RunPython(say)")
    project.run("migrate", app_label="blog", migration_name="0002")
    found = ask(project, "migrations")["migrations"]["default"]
    assert found["applied"] == ["blog.0001_initial", "blog.0002_slug"]
    assert found["pending"][-1] == "blog.0003_more"
    assert "auth.0001_initial" in found["pending"]
    assert found["missing"] == []
    # An earlier release that does not know the second one.
    for name in ("0002_slug", "0003_more"):
        (project.directory / f"blog/migrations/{name}.py").unlink()
    found = ask(project, "migrations")["migrations"]["default"]
    assert found["missing"] == ["blog.0002_slug"]
    assert "blog.0003_more" not in found["pending"]


@pytest.mark.exhaustive("info does not report migrations as missing that a squashed one replaces.")
def test_squashed_migrations_are_not_missing(project: Project) -> None:
    project.migration("0002_slug", "0001_initial", "migrations.RunPython(say)")
    project.run("migrate", app_label="blog")
    project.migration("0003_squashed", "0001_initial", "migrations.RunPython(say)", replaces=[("blog", "0002_slug")])
    (project.directory / "blog/migrations/0002_slug.py").unlink()
    found = ask(project, "migrations")["migrations"]["default"]
    assert found["missing"] == []
    assert not any(name.startswith("blog.") for name in found["pending"])


def test_a_migration_that_can_not_be_loaded(project: Project) -> None:
    project.write("blog/migrations/0002_broken.py", "import no_such_module\n")
    found = ask(project, "migrations", "databases")
    assert found["migrations"]["default"]["error"] == "ModuleNotFoundError: No module named 'no_such_module'"
    assert found["migrations"]["default"]["pending"] is None
    assert found["databases"]["default"]["reachable"]


def test_findings_are_those_of_check_deploy(project: Project) -> None:
    project.settings("SILENCED_SYSTEM_CHECKS = ['security.W009']\nMIDDLEWARE = []")
    project.write(
        "blog/models.py",
        """
        from django.core.checks import Error, register
        from django.db import models


        class Article(models.Model):
            title = models.CharField(max_length=20)


        @register(deploy=True)
        def look(app_configs, **options):
            return [Error("is wrong", hint="do better", obj=Article, id="blog.E001"), Error("no more")]
        """,
    )
    found = ask(project, "checks")["checks"]
    own = [finding for finding in found if not (finding["id"] or "").startswith("security.")]
    assert own == [
        {"id": None, "level": "error", "message": "no more", "hint": None, "object": None},
        {"id": "blog.E001", "level": "error", "message": "is wrong", "hint": "do better", "object": "blog.Article"},
    ]
    assert found[:2] == own
    printed = project.django(
        """
        from django.core.checks import run_checks
        print(*[finding.id for finding in run_checks(include_deployment_checks=True)])
        """
    ).split()
    assert "security.W009" in printed
    assert sorted(str(finding["id"]) for finding in found) == sorted(set(printed) - {"security.W009"})


@pytest.mark.exhaustive("info fails if a check of the project raises an exception.")
def test_a_check_that_raises_fails_the_task(project: Project) -> None:
    project.settings("ROOT_URLCONF = 'site_.no_such_urls'")
    failed = project.fail("info")
    assert "No module named 'site_.no_such_urls'" in failed["msg"]
    assert ask(project, "files", "apps", "databases")["databases"]["default"]["reachable"]


def test_nothing_there_yet(project: Project) -> None:
    unknown = project.run("info", check=True, project_dir="/no/such/place")
    assert (unknown["unknown"], unknown["changed"]) == (True, False)
    assert "there is no directory /no/such/place" in unknown["msg"]
    assert "there is no directory" in project.fail("info", project_dir="/no/such/place")["msg"]
