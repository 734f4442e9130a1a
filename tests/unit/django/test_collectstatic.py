"""edusphere.django.collectstatic: by content, with plain and with hashing storages, and interrupted."""

from __future__ import annotations

import json
import os
import pathlib
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .conftest import Project

MANIFEST = 'STORAGES = {"staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"}}'
OWN = 'STORAGES = {"staticfiles": {"BACKEND": "site_.storage.Storage"}}'


def tree(root: pathlib.Path) -> dict[str, bytes]:
    """Return the files below a directory with their contents."""
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.fixture
def site(project: Project) -> Project:
    """A project with three static files, one of which refers to another."""
    project.settings("INSTALLED_APPS.remove('django.contrib.auth')")
    project.write("blog/static/css/site.css", "body { background: url(../img/dot.png) }\n")
    project.write("blog/static/img/dot.png", b"\x89PNG 1")
    project.write("blog/static/app.js", "alert(1)\n")
    return project


def collected(project: Project) -> dict[str, bytes]:
    """Return the files in STATIC_ROOT."""
    return tree(project.directory / "collected")


@pytest.mark.every_stack
def test_check_mode_predicts_the_run(site: Project) -> None:
    done = site.predict_and_run("collectstatic")
    assert done["copied"] == ["app.js", "css/site.css", "img/dot.png"]
    assert (done["post_processed"], done["unchanged"], done["stale"], done["deleted"]) == ([], [], [], [])
    assert done["static_root"] == str(site.directory / "collected")
    assert collected(site) == tree(site.directory / "blog/static")
    assert done["diff"]["before"] == ""
    assert [line.split()[0] for line in done["diff"]["after"].splitlines()] == done["copied"]


def test_ten_new_files_are_a_change(site: Project) -> None:
    site.run("collectstatic")
    for number in range(10):
        site.write(f"blog/static/new/{number}.txt", f"{number}\n")
    done = site.predict_and_run("collectstatic")
    assert done["changed"]
    assert done["copied"] == [f"new/{number}.txt" for number in range(10)]
    assert len(done["unchanged"]) == 3


def test_content_counts_and_dates_do_not(site: Project) -> None:
    site.run("collectstatic")
    copy = site.directory / "collected/app.js"
    source = site.directory / "blog/static/app.js"
    os.utime(copy, (1_000_000_000, 1_000_000_000))
    # A newer source with the same content: Django would copy it.
    assert not site.predict_and_run("collectstatic")["changed"]
    assert copy.stat().st_mtime == 1_000_000_000
    # An older source with another content, even of the same length: Django would not copy it.
    source.write_text("alert(2)\n")
    os.utime(source, (900_000_000, 900_000_000))
    done = site.predict_and_run("collectstatic")
    assert done["copied"] == ["app.js"]
    assert copy.read_text() == "alert(2)\n"
    assert done["diff"]["before"] != done["diff"]["after"]


def test_manifest_storage_is_predicted_by_name(site: Project) -> None:
    site.settings(MANIFEST)
    done = site.predict_and_run("collectstatic")
    assert done["copied"] == ["app.js", "css/site.css", "img/dot.png"]
    names = json.loads(collected(site)["staticfiles.json"])["paths"]
    assert done["post_processed"] == sorted([*names.values(), "staticfiles.json"])
    assert names["img/dot.png"].split("/")[1].encode() in collected(site)[names["css/site.css"]]
    # The order of the manifest's entries means nothing.
    manifest = site.directory / "collected/staticfiles.json"
    content = json.loads(manifest.read_text())
    manifest.write_text(json.dumps({**content, "paths": dict(reversed(content["paths"].items()))}))
    assert not site.predict_and_run("collectstatic")["changed"]
    # A new image renames the style sheet that refers to it.
    site.write("blog/static/img/dot.png", b"\x89PNG 2")
    done = site.predict_and_run("collectstatic")
    new = json.loads(collected(site)["staticfiles.json"])["paths"]
    assert done["copied"] == ["img/dot.png"]
    assert done["post_processed"] == sorted([new["css/site.css"], new["img/dot.png"], "staticfiles.json"])
    assert new["css/site.css"] != names["css/site.css"]
    # Pages of before may still refer to the old names.
    assert done["stale"] == sorted([names["css/site.css"], names["img/dot.png"]])
    assert set(done["stale"]) < set(collected(site))


def test_first_post_processing_is_a_change(site: Project) -> None:
    site.run("collectstatic")
    site.settings(MANIFEST)
    done = site.predict_and_run("collectstatic")
    assert done["changed"]
    assert done["copied"] == []
    assert len(done["post_processed"]) == 4


def test_stale_files_go_only_when_asked(site: Project) -> None:
    site.write("blog/static/old/deep/gone.txt", "gone")
    site.run("collectstatic")
    (site.directory / "blog/static/old/deep/gone.txt").unlink()
    done = site.predict_and_run("collectstatic")
    assert not done["changed"]
    assert done["stale"] == ["old/deep/gone.txt"]
    assert done["deleted"] == []
    done = site.predict_and_run("collectstatic", prune=True)
    assert done["changed"]
    assert done["deleted"] == ["old/deep/gone.txt"]
    assert not (site.directory / "collected/old").exists()
    assert collected(site) == tree(site.directory / "blog/static")


def test_broken_reference_leaves_what_is_served(site: Project) -> None:
    site.settings(MANIFEST)
    site.run("collectstatic")
    before = tree(site.directory / "collected")
    site.write("blog/static/css/site.css", "body { background: url(../img/no-such.png) }\n")
    site.write("blog/static/app.js", "alert(3)\n")
    for check in (True, False):
        failed = site.fail("collectstatic", check=check)
        assert "The file 'img/no-such.png' could not be found" in failed["msg"]
        assert failed["exception_type"].endswith(("ValueError", "MissingFileError"))
        assert not failed["changed"]
        assert "Post-processing 'css/site.css' failed!" in failed["output"]
        assert collected(site) == before


def test_killed_in_the_middle_then_converges(site: Project) -> None:
    site.settings(OWN)
    site.write(
        "site_/storage.py",
        """
        import os, signal
        from django.contrib.staticfiles.storage import ManifestStaticFilesStorage

        class Storage(ManifestStaticFilesStorage):
            def save_manifest(self):
                if "KILL" in os.environ:
                    os.kill(os.getpid(), signal.SIGKILL)
                super().save_manifest()
        """,
    )
    site.run("collectstatic")
    before = collected(site)
    site.write("blog/static/img/dot.png", b"\x89PNG 2")
    failed = site.fail("collectstatic", environment={**site.environment, "KILL": "1"})
    assert "was killed without an answer (return code -9)" in failed["msg"]
    assert {name: content for name, content in collected(site).items() if not name.startswith(".edusphere")} == before
    done = site.predict_and_run("collectstatic")
    assert len(done["post_processed"]) == 3
    assert not list((site.directory / "collected").glob(".edusphere*"))


def test_manifest_comes_last(site: Project) -> None:
    site.settings(MANIFEST)
    site.run("collectstatic")
    before = collected(site)
    # A directory is where the last but one of the new files should go: the run breaks off there.
    site.write("blog/static/zz.txt", "last")
    (site.directory / "collected/zz.txt").mkdir()
    site.write("blog/static/img/dot.png", b"\x89PNG 2")
    failed = site.fail("collectstatic")
    assert failed["exception_type"] == "IsADirectoryError"
    assert failed["changed"]
    after = collected(site)
    assert after["staticfiles.json"] == before["staticfiles.json"]
    named = set(json.loads(after["staticfiles.json"])["paths"].values())
    assert named <= set(after)


def test_storage_that_makes_files_of_its_own(site: Project) -> None:
    """Compressed copies, and originals that go away, as WhiteNoise's storage has them."""
    site.settings(OWN)
    site.write(
        "site_/storage.py",
        """
        import gzip
        from django.contrib.staticfiles.storage import ManifestStaticFilesStorage

        class Storage(ManifestStaticFilesStorage):
            def post_process(self, paths, **options):
                yield from super().post_process(paths, **options)
                for name in self.hashed_files.values():
                    with self.open(name) as file, open(self.path(name + ".gz"), "wb") as out:
                        out.write(gzip.compress(file.read(), mtime=0))
                for name in paths:
                    self.delete(name)
        """,
    )
    done = site.predict_and_run("collectstatic")
    assert done["copied"] == []
    assert len(done["post_processed"]) == 7
    assert len([name for name in collected(site) if name.endswith(".gz")]) == 3


def test_storage_that_changes_contents(site: Project) -> None:
    site.settings(OWN)
    site.write(
        "site_/storage.py",
        """
        from django.contrib.staticfiles.storage import StaticFilesStorage
        from django.core.files.base import ContentFile

        class Storage(StaticFilesStorage):
            def _save(self, name, content):
                return super()._save(name, ContentFile(content.read().upper()))
        """,
    )
    site.predict_and_run("collectstatic")
    assert collected(site)["app.js"] == b"ALERT(1)\n"


def test_two_sources_for_one_name(site: Project) -> None:
    site.settings(
        """
        HERE = os.path.dirname(__file__)
        STATICFILES_DIRS = [os.path.join(HERE, "first"), ("pre", os.path.join(HERE, "second"))]
        """
    )
    site.write("site_/first/app.js", "first\n")
    site.write("site_/second/x.txt", "second\n")
    done = site.predict_and_run("collectstatic")
    assert collected(site)["app.js"] == b"first\n"
    assert "pre/x.txt" in done["copied"]


def test_ignored_files(site: Project) -> None:
    site.write("blog/static/.hidden", "by Django's default")
    done = site.predict_and_run("collectstatic", ignore=["*.js", "img"])
    assert done["copied"] == ["css/site.css"]


def test_names_that_are_not_ascii(site: Project) -> None:
    site.write("blog/static/Grüße ☃.txt", "hello\n")
    assert "Grüße ☃.txt" in site.predict_and_run("collectstatic")["copied"]


def test_modes_of_files_and_directories(site: Project) -> None:
    site.settings("FILE_UPLOAD_PERMISSIONS = 0o640\nFILE_UPLOAD_DIRECTORY_PERMISSIONS = 0o750")
    for extra in ("", MANIFEST):
        site.settings(extra)
        site.run("collectstatic", prune=True)
        paths = list((site.directory / "collected").rglob("*"))
        assert {path.stat().st_mode & 0o777 for path in paths if path.is_dir()} == {0o750}
        assert {path.stat().st_mode & 0o777 for path in paths if path.is_file()} == {0o640}


def test_several_runs_at_once(site: Project) -> None:
    for number in range(200):
        site.write(f"blog/static/many/{number}.txt", f"{number}\n")
    answers = [call.result() for call in [site.start("collectstatic") for _run in range(3)]]
    assert not any(answer.get("failed") for answer in answers), answers
    assert sorted(answer["changed"] for answer in answers) == [False, False, True]
    assert collected(site) == tree(site.directory / "blog/static")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ("INSTALLED_APPS.remove('django.contrib.staticfiles')", "settings: INSTALLED_APPS lacks"),
        ("del STATIC_ROOT", "without having set the STATIC_ROOT setting to a filesystem path."),
        (
            'STORAGES = {"staticfiles": {"BACKEND": "django.core.files.storage.InMemoryStorage"}}',
            "settings: the staticfiles storage InMemoryStorage does not keep files in a directory of the host",
        ),
    ],
)
def test_settings_that_can_not_collect(site: Project, settings: str, message: str) -> None:
    site.settings(settings)
    for check in (True, False):
        assert message in site.fail("collectstatic", check=check)["msg"]
    assert not (site.directory / "collected").exists()
