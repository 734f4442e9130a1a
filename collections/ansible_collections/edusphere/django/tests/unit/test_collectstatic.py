"""edusphere.django.collectstatic: by content, with plain and with hashing storages, and interrupted."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pathlib
import shutil
from typing import TYPE_CHECKING, Any

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


@pytest.mark.every_stack("4.2-postgresql")
def test_check_mode_predicts_the_run(site: Project) -> None:
    done = site.predict_and_run("collectstatic")
    assert done["copied"] == ["app.js", "css/site.css", "img/dot.png"]
    assert (done["post_processed"], done["unchanged"], done["stale"], done["deleted"]) == ([], [], [], [])
    assert done["static_root"] == str(site.directory / "collected")
    assert collected(site) == tree(site.directory / "blog/static")
    assert done["diff"]["before"] == ""
    assert [line.split()[0] for line in done["diff"]["after"].splitlines()] == done["copied"]


@pytest.mark.exhaustive("collectstatic reports ten new files as ten.")
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


@pytest.mark.exhaustive("The first run of collectstatic with a manifest storage is a change, though no file is copied.")
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


# Kills the probe before the so-maniest rename or removal in STATIC_ROOT.
KILL = """
import signal

if "KILL" in os.environ:
    left = int(os.environ["KILL"])

    def deadly(do):
        def kill_or_do(path, *arguments):
            global left
            if str(path).startswith(STATIC_ROOT):
                left -= 1
                if left < 0:
                    os.kill(os.getpid(), signal.SIGKILL)
            return do(path, *arguments)

        return kill_or_do

    os.replace, os.unlink = deadly(os.replace), deadly(os.unlink)
"""


def served(project: Project) -> dict[str, bytes]:
    """Return what visitors see: the files that the manifest names, by the names in the sources."""
    files = collected(project)
    return {name: files[hashed] for name, hashed in json.loads(files["staticfiles.json"])["paths"].items()}


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        ("MEDIA_ROOT = os.path.join(STATIC_ROOT, 'media')", "MEDIA_ROOT"),
        pytest.param(
            "STATIC_ROOT = os.path.dirname(os.path.dirname(__file__))",
            "the project itself, the sources in",
            marks=pytest.mark.exhaustive("collectstatic refuses to prune where STATIC_ROOT is the project itself."),
        ),
    ],
)
def test_pruning_never_takes_what_was_not_collected(site: Project, settings: str, what: str) -> None:
    """In check mode as in a run, and nothing is done; without pruning such a place is the project's own affair."""
    site.settings(settings)
    site.write("collected/media/upload.jpg", "somebody's")
    before = site.state()
    for check in (True, False):
        refused = site.fail("collectstatic", check=check, prune=True)
        assert refused["msg"].startswith("prune: STATIC_ROOT ")
        assert what in refused["msg"]
    assert site.state() == before
    site.predict_and_run("collectstatic")


@pytest.mark.exhaustive(
    "After a kill at any of its seven steps, collectstatic serves one release whole, and the next run finishes."
)
def test_killed_anywhere_then_converges(site: Project) -> None:
    site.settings(MANIFEST + KILL)
    arguments: dict[str, Any] = {"prune": True, "keep_releases": 2}
    site.run("collectstatic", **arguments)
    root, backup = site.directory / "collected", site.directory / "backup"
    (root / "stray.txt").write_text("of no release")
    old = served(site)
    shutil.copytree(root, backup)
    site.write("blog/static/img/dot.png", b"\x89PNG 2")
    new = old | {"img/dot.png": b"\x89PNG 2"}
    states: list[str] = []
    while True:
        answer = site.start(
            "collectstatic", **arguments, environment={**site.environment, "KILL": str(len(states))}
        ).result()
        if not answer.get("failed"):
            break
        assert "was killed without an answer (signal 9)" in answer["msg"]
        assert answer["changed"]
        states.append("old" if served(site) == old else served(site)["img/dot.png"].decode("latin-1"))
        site.run("collectstatic", **arguments)
        assert {name: served(site)[name] for name in ("app.js", "img/dot.png")} == {
            name: new[name] for name in ("app.js", "img/dot.png")
        }
        # Nobody knows which release was served when, so the files of both are there, and nothing else is.
        assert set(old.values()) <= set(collected(site).values())
        assert not [name for name in collected(site) if name == "stray.txt" or ".edusphere-collectstatic-" in name]
        shutil.rmtree(root)
        shutil.copytree(backup, root)
    # The record, a copy, two hashed files, the manifest; the record again, and the stray file.
    assert states == ["old"] * 5 + ["\x89PNG 2"] * 2


@pytest.mark.parametrize(
    ("kill", "live"),
    [
        pytest.param("3", "one", id="before the manifest"),
        pytest.param(
            "4",
            "two",
            id="after it",
            marks=pytest.mark.exhaustive(
                "A run of collectstatic that was killed after it wrote the manifest counts as a release."
            ),
        ),
    ],
)
def test_killed_and_then_another_release(site: Project, kill: str, live: str) -> None:
    """What is served after a run that was killed counts as a release, whichever it is."""
    site.settings(MANIFEST + KILL)
    assert release(site, "one", keep_releases=2) == {"one"}
    site.write("blog/static/app.js", "two")
    arguments = {"prune": True, "keep_releases": 2}
    site.fail("collectstatic", **arguments, environment={**site.environment, "KILL": kill})
    assert served(site)["app.js"].decode() == live
    assert {"three", live} <= release(site, "three", keep_releases=2)


@pytest.mark.exhaustive("collectstatic removes the half-written files of a killed run when it has nothing else to do.")
def test_what_a_killed_run_left_behind_goes(site: Project) -> None:
    site.settings(KILL)
    site.fail("collectstatic", environment={**site.environment, "KILL": "1"})
    # The next run has nothing else to do.
    for path in (site.directory / "collected").rglob("*"):
        if path.name.startswith(".edusphere"):
            left = path
    shutil.copytree(site.directory / "blog/static", site.directory / "collected", dirs_exist_ok=True)
    done = site.predict_and_run("collectstatic")
    assert done["deleted"] == [left.relative_to(site.directory / "collected").as_posix()]
    assert done["copied"] == []


@pytest.mark.every_django
def test_settings_of_a_stock_storage_are_kept(site: Project) -> None:
    """What is done in memory gives the files that Django's own command writes, byte for byte."""
    site.settings(OWN)
    site.write(
        "site_/storage.py",
        """
        import os
        from django.contrib.staticfiles.storage import ManifestStaticFilesStorage

        class Storage(ManifestStaticFilesStorage):
            manifest_name = "names.json"
            support_js_module_import_aggregation = True
        """,
    )
    site.write("blog/static/css/main.css", "@import 'site.css';\n@import url(\"deep/er/x.css\");\n")
    site.write("blog/static/css/deep/er/x.css", "a { background: url('../../../img/dot.png#a') }\n")
    site.write("blog/static/main.js", "import { a } from './app.js';\n//# sourceMappingURL=main.js.map\n")
    site.write("blog/static/main.js.map", "{}")
    site.django(
        """
        from django.conf import settings
        from django.core.management import call_command
        settings.STATIC_ROOT += "-by-django"
        call_command("collectstatic", interactive=False, verbosity=0)
        """
    )
    done = site.predict_and_run("collectstatic")
    assert "names.json" in done["post_processed"]
    theirs, ours = tree(site.directory / "collected-by-django"), collected(site)
    assert len(theirs) == 15
    assert ours.pop("names.json") == theirs.pop("names.json")
    assert ours == theirs


@pytest.mark.exhaustive("collectstatic foretells the files that a storage makes by itself.")
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


@pytest.mark.exhaustive("collectstatic finds nothing to do with a storage that rewrites the contents of files.")
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


@pytest.mark.exhaustive("collectstatic reports a path that two apps have, and no change for it.")
def test_duplicate_path_is_no_change(site: Project) -> None:
    site.run("collectstatic")
    site.settings(
        """
        HERE = os.path.dirname(__file__)
        STATICFILES_DIRS = [("css", os.path.join(HERE, "second"))]
        STATICFILES_FINDERS = [
            "django.contrib.staticfiles.finders.AppDirectoriesFinder",
            "django.contrib.staticfiles.finders.FileSystemFinder",
        ]
        """
    )
    loser = site.write("site_/second/site.css", "second\n")
    done = site.predict_and_run("collectstatic")
    assert not done["changed"]
    assert done["duplicates"] == [
        {
            "name": "css/site.css",
            "used": str(site.directory / "blog/static/css/site.css"),
            "ignored": [str(loser)],
        }
    ]
    # The other order.
    site.settings("STATICFILES_FINDERS.reverse()")
    done = site.predict_and_run("collectstatic")
    assert done["copied"] == ["css/site.css"]
    assert done["duplicates"][0]["used"] == str(loser)
    assert collected(site)["css/site.css"] == b"second\n"


def test_names_that_lead_out_are_refused(site: Project) -> None:
    site.settings("STATICFILES_FINDERS = ['site_.finder.Finder']")
    site.write(
        "site_/finder.py",
        """
        from django.contrib.staticfiles.finders import AppDirectoriesFinder

        class Finder(AppDirectoriesFinder):
            def list(self, ignore_patterns):
                for path, storage in super().list(ignore_patterns):
                    storage.prefix = "../elsewhere"
                    yield path, storage
        """,
    )
    before = site.state()
    for check in (True, False):
        failed = site.fail("collectstatic", check=check)
        assert failed["msg"].startswith("settings: a finder offers names that lead out of STATIC_ROOT: ../elsewhere/")
    assert site.state() == before


@pytest.mark.exhaustive("collectstatic leaves out the files that Django's own command ignores.")
def test_ignored_files(site: Project) -> None:
    site.write("blog/static/.hidden", "by Django's default")
    done = site.predict_and_run("collectstatic", ignore=["*.js", "img"])
    assert done["copied"] == ["css/site.css"]


@pytest.mark.exhaustive("collectstatic copies files whose names are not ASCII.")
def test_names_that_are_not_ascii(site: Project) -> None:
    site.write("blog/static/Grüße ☃.txt", "hello\n")
    site.write(os.fsdecode(b"blog/static/caf\xe9.txt"), "in the encoding of a bygone age\n")
    for settings in ("", MANIFEST):
        site.settings(settings)
        done = site.predict_and_run("collectstatic")
        assert len(done["copied"]) == (0 if settings else 5)
        assert collected(site)["Grüße ☃.txt"] == b"hello\n"
        assert collected(site)[os.fsdecode(b"caf\xe9.txt")].startswith(b"in the")


@pytest.mark.exhaustive("collectstatic copies what links lead to, and replaces links in its way.")
def test_links(site: Project) -> None:
    static = site.directory / "blog/static"
    real = site.write("real/dir/a.txt", "a\n").parent
    (static / "linked.js").symlink_to("app.js")
    (static / "dir").symlink_to(real)
    # STATIC_ROOT is one, and so are a directory and a file in it.
    (site.directory / "elsewhere").mkdir()
    (site.directory / "css").mkdir()
    root = site.directory / "collected"
    root.symlink_to("elsewhere")
    (root / "css").symlink_to(site.directory / "css")
    (root / "app.js").symlink_to(static / "app.js")
    (root / "stale").symlink_to(real)
    done = site.predict_and_run("collectstatic", prune=True)
    assert done["copied"] == ["app.js", "css/site.css", "dir/a.txt", "img/dot.png", "linked.js"]
    assert done["deleted"] == ["stale"]
    assert (real / "a.txt").exists()
    assert not (root / "app.js").is_symlink()
    assert not (root / "linked.js").is_symlink()
    assert (root / "css").is_symlink()
    assert (site.directory / "css/site.css").is_file()
    (static / "broken").symlink_to("nowhere")
    for check in (True, False):
        assert "blog/static/broken" in site.fail("collectstatic", check=check)["msg"]


@pytest.mark.exhaustive("collectstatic copies five thousand files, and finds the one that changed among them.")
def test_five_thousand_files(site: Project) -> None:
    for number in range(5000):
        site.write(f"blog/static/many/{number % 50}/{number}.txt", f"{number}\n")
    assert len(site.predict_and_run("collectstatic")["copied"]) == 5003
    site.write("blog/static/many/7/7.txt", "8\n")
    assert site.predict_and_run("collectstatic")["copied"] == ["many/7/7.txt"]


def test_what_is_in_the_way_is_told_at_once(site: Project) -> None:
    root = site.directory / "collected"
    (root / "app.js").mkdir(parents=True)
    (root / "css").write_text("a file")
    before = site.state()
    for check in (True, False):
        message = site.fail("collectstatic", check=check)["msg"]
        assert f"{root}/app.js is a directory, where a file is to go" in message
        assert f"{root}/css is no directory, and {root}/css is to be one" in message
    assert site.state() == before


@pytest.mark.exhaustive("collectstatic refuses a directory that it can't write to before it writes the first file.")
def test_read_only_directory(site: Project) -> None:
    """What needs nothing written works; anything else is refused before the first file."""
    # Even where the tests run as root, the project may not write to a directory without the permission to do so.
    site.settings(
        """
        import ctypes
        ctypes.CDLL(None).capset((ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)())
        """
    )
    root = site.directory / "collected"
    site.directory.chmod(0o555)
    before = site.state()
    for check in (True, False):
        failed = site.fail("collectstatic", check=check)
        assert f"{site.directory} can't be written to by the account with the number" in failed["msg"]
        assert not failed["changed"]
    assert site.state() == before
    site.directory.chmod(0o755)
    for settings in ("", MANIFEST):
        site.settings(settings)
        site.run("collectstatic")
        root.chmod(0o555)
        assert not site.predict_and_run("collectstatic")["changed"]
        root.chmod(0o755)
    # The directory itself would do, the one below it does not.
    (root / "css").chmod(0o555)
    site.write("blog/static/css/site.css", "body {}\n")
    site.write("blog/static/new.js", "new\n")
    before = site.state()
    assert f"{root}/css can't be written to" in site.fail("collectstatic")["msg"]
    assert site.state() == before


def release(project: Project, content: str, **arguments: Any) -> set[str]:
    """Collect a release whose script is ``content``; return the contents of all scripts that are there then."""
    project.write("blog/static/app.js", content)
    project.predict_and_run("collectstatic", prune=True, **arguments)
    return {text.decode() for name, text in collected(project).items() if name.endswith(".js")}


def test_files_of_the_last_releases_are_kept(site: Project) -> None:
    site.settings(MANIFEST)
    site.write("blog/static/app.js", "one")
    site.run("collectstatic")
    # What was there before the first record counts as one release.
    assert release(site, "two", keep_releases=2) == {"one", "two"}
    record = site.directory / "collected/.edusphere-collectstatic.json"
    assert record.stat().st_mode & 0o777 == 0o600
    assert release(site, "three", keep_releases=2) == {"two", "three"}


@pytest.mark.exhaustive(
    "collectstatic keeps the right releases after rollbacks, runs without pruning and lower limits."
)
def test_which_releases_are_the_last(site: Project) -> None:
    site.settings(MANIFEST)
    for content in ("two", "three"):
        release(site, content, keep_releases=2)
    # A rollback makes the old one the newest, and is no further one.
    assert release(site, "two", keep_releases=2) == {"two", "three"}
    assert release(site, "four", keep_releases=2) == {"two", "four"}
    # A run that does not prune counts as well, and forgets none.
    site.write("blog/static/app.js", "five")
    assert site.predict_and_run("collectstatic")["recorded"]
    assert release(site, "six", keep_releases=3) == {"four", "five", "six"}
    # Fewer, and then none.
    assert release(site, "six", keep_releases=2) == {"five", "six"}
    assert release(site, "six") == {"six"}
    assert not (site.directory / "collected/.edusphere-collectstatic.json").exists()


def test_damaged_record(site: Project) -> None:
    record = site.write("collected/.edusphere-collectstatic.json", "{")
    for check in (True, False):
        message = site.fail("collectstatic", prune=True, keep_releases=2, check=check)["msg"]
        assert message.startswith(f"keep_releases: the record {record} is damaged")
    assert collected(site) == {record.name: b"{"}


def test_bad_parameters(site: Project) -> None:
    assert site.fail("collectstatic", keep_releases=0, prune=True)["msg"].startswith("keep_releases: ")
    assert site.fail("collectstatic", keep_releases=2)["msg"].startswith("keep_releases: says what prune leaves")


def test_lock_held_for_too_long(site: Project) -> None:
    site.run("collectstatic")
    site.write("blog/static/app.js", "alert(2)\n")
    root = site.directory / "collected"
    holder = os.open(root, os.O_RDONLY)
    try:
        fcntl.flock(holder, fcntl.LOCK_EX)
        for check in (True, False):
            assert site.fail("collectstatic", check=check, lock_wait=0)["msg"] == (
                f"lock_wait: another process has been collecting into {root} for longer than 0 seconds;"
                " wait for it to end, or raise lock_wait"
            )
        assert collected(site)["app.js"] == b"alert(1)\n"
        # It is let go of while a run waits for it.
        call = site.start("collectstatic")
        call.wait_until(lambda: waits_for(root, call.pid))
    finally:
        os.close(holder)
    assert call.result()["copied"] == ["app.js"]


def waits_for(root: pathlib.Path, module: int) -> bool:
    """Tell whether a process below the module has the directory open."""
    for path in pathlib.Path("/proc").glob("[0-9]*/fd/*"):
        with contextlib.suppress(OSError):
            if path.readlink() == root and int(path.parts[2]) not in (os.getpid(), module):
                return True
    return False


@pytest.mark.exhaustive("collectstatic works with a manifest that a storage keeps in memory or in another place.")
@pytest.mark.parametrize(
    "own",
    [
        pytest.param("pass", id="in memory"),
        pytest.param("url = ManifestStaticFilesStorage.url", id="aside"),
    ],
)
def test_manifest_that_is_elsewhere(site: Project, own: str) -> None:
    site.settings(OWN)
    site.write(
        "site_/storage.py",
        f"""
        from django.contrib.staticfiles.storage import ManifestStaticFilesStorage
        from django.core.files.storage import FileSystemStorage

        class Own(ManifestStaticFilesStorage):
            {own}

        def Storage():
            return Own(manifest_storage=FileSystemStorage(location={str(site.directory / "private")!r}))
        """,
    )
    manifest = site.directory / "private/staticfiles.json"
    done = site.predict_and_run("collectstatic", prune=True, keep_releases=2)
    assert str(manifest) in done["post_processed"]
    names = json.loads(manifest.read_text())["paths"]
    assert set(collected(site)) == {*names, *names.values(), ".edusphere-collectstatic.json"}
    site.write("blog/static/app.js", "alert(4)\n")
    done = site.predict_and_run("collectstatic", prune=True, keep_releases=2)
    assert done["copied"] == ["app.js"]
    assert len(done["post_processed"]) == 2
    assert done["stale"] == [names["app.js"]]


BUCKET = """
import pathlib
from django.contrib.staticfiles.storage import ManifestFilesMixin
from django.core.files.base import ContentFile
from django.core.files.storage import Storage as Base

BUCKET = pathlib.Path(__file__).parent.parent / "bucket"


class Copying(Base):
    # Keeps files where nobody but itself can see them.
    def _open(self, name, mode="rb"):
        return ContentFile((BUCKET / name).read_bytes(), name=name)

    def _save(self, name, content):
        (BUCKET / name).parent.mkdir(parents=True, exist_ok=True)
        (BUCKET / name).write_bytes(b"".join(content.chunks()))
        return name

    def exists(self, name):
        return (BUCKET / name).exists()

    def delete(self, name):
        (BUCKET / name).unlink()

    def url(self, name):
        return "https://bucket.site.example/" + name


class Hashing(ManifestFilesMixin, Copying):
    pass


Storage = {0}
"""


@pytest.mark.exhaustive("collectstatic works with a storage that keeps its files in no directory.")
def test_storage_without_a_directory(site: Project) -> None:
    site.settings(OWN)
    site.write("site_/storage.py", BUCKET.replace("{0}", "Copying"))
    done = site.predict_and_run("collectstatic")
    assert done["copied"] == ["app.js", "css/site.css", "img/dot.png"]
    assert (done["static_root"], done["stale"]) == (None, None)
    assert tree(site.directory / "bucket") == tree(site.directory / "blog/static")
    # By content here as well.
    source = site.write("blog/static/app.js", "alert(2)\n")
    os.utime(source, (900_000_000, 900_000_000))
    done = site.predict_and_run("collectstatic")
    assert (done["copied"], done["unchanged"]) == (["app.js"], ["css/site.css", "img/dot.png"])
    assert site.fail("collectstatic", prune=True)["msg"].startswith("prune: the staticfiles storage Copying does not")


@pytest.mark.exhaustive("collectstatic works with a hashing storage that keeps its files in no directory.")
def test_hashing_storage_without_a_directory(site: Project) -> None:
    site.settings(OWN)
    site.write("site_/storage.py", BUCKET.replace("{0}", "Hashing"))
    unknown = site.run("collectstatic", check=True)
    assert (unknown["unknown"], unknown["changed"]) == (True, True)
    assert "makes more than copies" in unknown["msg"]
    assert not (site.directory / "bucket").exists()
    done = site.run("collectstatic")
    bucket = tree(site.directory / "bucket")
    names = json.loads(bucket["staticfiles.json"])["paths"]
    assert done["copied"] == sorted(names)
    assert done["post_processed"] == sorted([*names.values(), "staticfiles.json"])
    assert set(bucket) == {*done["copied"], *done["post_processed"]}
    # Django says that it post-processed the style sheet once more, which is there as it was.
    assert not site.run("collectstatic")["changed"]
    assert tree(site.directory / "bucket") == bucket
    site.write("blog/static/img/dot.png", b"\x89PNG 2")
    done = site.run("collectstatic")
    names = json.loads(tree(site.directory / "bucket")["staticfiles.json"])["paths"]
    assert done["copied"] == ["img/dot.png"]
    assert done["post_processed"] == sorted([names["css/site.css"], names["img/dot.png"], "staticfiles.json"])


def test_modes_of_files_and_directories(site: Project) -> None:
    site.settings("FILE_UPLOAD_PERMISSIONS = 0o640\nFILE_UPLOAD_DIRECTORY_PERMISSIONS = 0o750")
    for extra in ("", MANIFEST):
        site.settings(extra)
        site.run("collectstatic", prune=True)
        paths = list((site.directory / "collected").rglob("*"))
        assert {path.stat().st_mode & 0o777 for path in paths if path.is_dir()} == {0o750}
        assert {path.stat().st_mode & 0o777 for path in paths if path.is_file()} == {0o640}


@pytest.mark.exhaustive("Several runs of collectstatic at once copy each file once.")
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
    ],
)
def test_settings_that_can_not_collect(site: Project, settings: str, message: str) -> None:
    site.settings(settings)
    for check in (True, False):
        assert message in site.fail("collectstatic", check=check)["msg"]
    assert not (site.directory / "collected").exists()
