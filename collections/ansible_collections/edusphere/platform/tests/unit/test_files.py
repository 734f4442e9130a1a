"""edusphere.platform.files, run as Ansible runs it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.edusphere.platform.plugins.modules import files


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Any:
    def run_module(*entries: dict[str, Any], check: bool = False, **arguments: Any) -> dict[str, Any]:
        # Whoever runs the tests may give files to nobody else.
        mine = {"owner": str(os.getuid()), "group": str(os.getgid())}
        remote = {"_ansible_check_mode": check, "_ansible_diff": True, "_ansible_remote_tmp": str(tmp_path / "remote")}
        with patch_module_args({"entries": list(entries), **mine, **arguments, **remote}), pytest.raises(SystemExit):
            files.main()
        result: dict[str, Any] = json.loads(capsys.readouterr().out)
        return result

    return run_module


def state(place: Path) -> list[tuple[Any, ...]]:
    found = [(path, path.lstat()) for path in sorted(place.rglob("*"))]
    return [
        (str(path), status.st_mode, status.st_uid, status.st_mtime_ns, path.read_bytes() if path.is_file() else b"")
        for path, status in found
    ]


def predict_and_run(run: Any, place: Path, *entries: dict[str, Any], **arguments: Any) -> dict[str, Any]:
    """Check mode changes nothing and says what a run then does; a second run does nothing."""
    before = state(place)
    foretold = run(*entries, check=True, **arguments)
    assert "failed" not in foretold, foretold
    assert state(place) == before
    done: dict[str, Any] = run(*entries, **arguments)
    assert {key: foretold[key] for key in ("changed", "changed_paths", "diff")} == {
        key: done[key] for key in ("changed", "changed_paths", "diff")
    }
    after = state(place)
    assert (after != before) == done["changed"]
    again = run(*entries, **arguments)
    assert not again["changed"]
    assert again["changed_paths"] == again["diff"] == []
    assert state(place) == after
    return done


@pytest.fixture
def place(tmp_path: Path) -> Path:
    found = tmp_path / "place"
    found.mkdir()
    return found


def test_everything_at_once(run: Any, place: Path) -> None:
    """Directories that are not there yet, a file in them, one that differs, one that goes, one that is right."""
    (place / "old").mkdir()
    (place / "old/file").write_text("x")
    (place / "right").write_text("right\n")
    (place / "right").chmod(0o644)
    (place / "wrong").write_text("one\ntwo\n")
    done = predict_and_run(
        run,
        place,
        {"path": f"{place}/a/b", "state": "directory", "mode": "0750"},
        {"path": f"{place}/a/b/file", "content": "bytes \u2603 \\ {{ }} '\"\n", "mode": "0600"},
        {"path": f"{place}/right", "content": "right\n"},
        {"path": f"{place}/wrong", "content": "one\nthree\n"},
        {"path": f"{place}/old", "state": "absent"},
        {"path": f"{place}/never", "state": "absent"},
    )
    assert done["changed_paths"] == [f"{place}/{name}" for name in ("a/b", "a/b/file", "wrong", "old")]
    assert (place / "a/b/file").read_text() == "bytes \u2603 \\ {{ }} '\"\n"
    assert [oct((place / name).stat().st_mode & 0o7777) for name in ("a/b", "a/b/file", "wrong")] == [
        "0o750", "0o600", "0o644",
    ]  # fmt: skip
    assert {"before": "one\ntwo\n", "after": "one\nthree\n"}.items() <= done["diff"][2].items()


def test_directories_above_whatever_the_umask_is(run: Any, place: Path) -> None:
    before = os.umask(0o077)
    try:
        run({"path": f"{place}/a/b/c", "state": "directory", "mode": "0750"})
    finally:
        os.umask(before)
    assert [oct((place / name).stat().st_mode & 0o7777) for name in ("a", "a/b", "a/b/c")] == [
        "0o755", "0o755", "0o750",
    ]  # fmt: skip


def test_what_it_held_is_kept(run: Any, place: Path) -> None:
    """With its mode, from before the first of several changes, and only where there was something."""
    file = {"path": f"{place}/file", "keep": f"{place}/kept", "mode": "0640"}
    predict_and_run(run, place, {**file, "content": "first"})
    assert not (place / "kept").exists()
    (place / "file").chmod(0o600)
    predict_and_run(run, place, {**file, "content": "second"})
    predict_and_run(run, place, {**file, "content": "third"})
    assert ((place / "kept").read_text(), oct((place / "kept").stat().st_mode & 0o777)) == ("first", "0o600")
    assert [path.name for path in sorted(place.iterdir())] == ["file", "kept"]


def test_only_the_mode(run: Any, place: Path) -> None:
    (place / "file").write_text("secret")
    (place / "file").chmod(0o644)
    done = predict_and_run(run, place, {"path": f"{place}/file", "content": "secret", "mode": "0600"})
    assert done["diff"][0]["before"] == "mode: 0644\n"
    assert done["diff"][0]["after"] == "mode: 0600\n"


def test_a_link_is_replaced_and_its_target_is_not_touched(run: Any, place: Path) -> None:
    (place / "target").write_text("text")
    (place / "link").symlink_to("target")
    predict_and_run(run, place, {"path": f"{place}/link", "content": "text"})
    assert not (place / "link").is_symlink()
    assert (place / "target").read_text() == "text"


def test_a_link_leads_elsewhere(run: Any, place: Path) -> None:
    """It needs no target, and takes the place of a file."""
    (place / "old").symlink_to("target")
    (place / "file").write_text("text")
    done = predict_and_run(
        run,
        place,
        {"path": f"{place}/old", "state": "link", "src": f"{place}/gone"},
        {"path": f"{place}/file", "state": "link", "src": "old"},
        {"path": f"{place}/new", "state": "link", "src": "old"},
    )
    assert [(place / name).readlink() for name in ("old", "file", "new")] == [place / "gone", Path("old"), Path("old")]
    assert [(change["before"], change["after"]) for change in done["diff"]] == [
        ("link to target\n", f"link to {place}/gone\n"),
        ("file\n", "link to old\n"),
        ("not there\n", "link to old\n"),
    ]
    assert len(list(place.iterdir())) == 3


def test_a_directory_in_a_links_place(run: Any, place: Path) -> None:
    refused = run({"path": str(place), "state": "link", "src": "elsewhere"})
    assert refused["msg"] == f"{place} is a directory, and is wanted as a link"


def test_a_directory_on_another_disk(run: Any, place: Path) -> None:
    (place / "disk").mkdir(mode=0o700)
    (place / "data").symlink_to("disk")
    predict_and_run(run, place, {"path": f"{place}/data", "state": "directory", "mode": "0755"})
    assert (place / "data").is_symlink()
    assert (place / "disk").stat().st_mode & 0o777 == 0o755


def test_what_does_not_validate_stays_as_it_was(run: Any, place: Path) -> None:
    (place / "file").write_text("good\n")
    refused = run({"path": f"{place}/file", "content": "bad\n", "validate": "grep --quiet good %s"})
    assert refused["failed"]
    assert refused["msg"].startswith(f"validate: {place}/file was left as it is")
    assert [path.name for path in place.iterdir()] == ["file"]
    assert (place / "file").read_text() == "good\n"
    assert run({"path": f"{place}/file", "content": "good 2\n", "validate": "grep --quiet good %s"})["changed"]


def test_what_validates_gets_its_words_as_they_are(run: Any, place: Path) -> None:
    entry = {"path": f"{place}/file", "content": "a"}
    assert run(entry, validate=["sh", "-c", 'HOME=/nowhere; test "$HOME" = /nowhere'])["changed"]
    assert run({**entry, "content": "b", "validate": "sh -c 'HOME=%s; test -e \"$HOME\"'"})["changed"]


def test_what_is_wrong_is_told_at_once_and_before_anything_is_done(run: Any, place: Path) -> None:
    refused = run(
        {"path": f"{place}/good", "content": ""},
        {"path": "relative", "content": ""},
        {"path": f"{place}/good", "content": "other"},
        {"path": f"{place}/none"},
        {"path": f"{place}/directory", "state": "directory", "content": "x"},
        {"path": f"{place}/mode", "content": "", "mode": "u=rw"},
        {"path": f"{place}/validate", "content": "", "validate": "true"},
        {"path": f"{place}/link", "state": "link"},
        {"path": f"{place}/source", "content": "", "src": "x"},
    )
    assert refused["failed"]
    for problem in (
        "path: 'relative' does not start at the root directory",
        f"path: {place}/good is there twice",
        f"content: {place}/none is to be a file, which needs it",
        f"content: {place}/directory is to be a directory, which has none",
        "mode: 'u=rw' of",
        "validate: 'true' of",
        f"src: {place}/link is to be a link, which needs it",
        f"src: {place}/source is to be a file, which has none",
    ):
        assert problem in refused["msg"]
    assert list(place.iterdir()) == []


def test_a_directory_in_a_files_place(run: Any, place: Path) -> None:
    """What was done before is told."""
    (place / "b").mkdir()
    refused = run({"path": f"{place}/a", "content": ""}, {"path": f"{place}/b", "content": ""})
    assert refused["msg"] == f"{place}/b is a directory, and is wanted as a file"
    assert refused["changed_paths"] == [f"{place}/a"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_an_owner_that_is_not_there_yet(run: Any, place: Path) -> None:
    entry = {"path": f"{place}/file", "content": "x", "owner": "nobody-knows-them"}
    (place / "file").write_text("x")
    assert run(entry, check=True)["changed_paths"] == [f"{place}/file"]
    assert "nobody-knows-them" in run(entry)["msg"]
    nobody = predict_and_run(run, place, {**entry, "owner": "nobody", "group": "nogroup"})
    assert nobody["changed"]
    assert (place / "file").owner() == "nobody"


def test_what_is_rejected_is_put_back(run: Any, place: Path) -> None:
    """What was there, what was not, what was a link, and modes; what is right already is not asked about."""
    (place / "gone").write_bytes(b"\xff no text\n")
    (place / "gone").chmod(0o640)
    (place / "link").symlink_to("target")
    (place / "right").write_text("right\n")
    (place / "right").chmod(0o600)
    (place / "full").mkdir()
    (place / "to a directory").symlink_to("full")
    entries = (
        {"path": f"{place}/gone", "state": "absent"},
        {"path": f"{place}/to a directory", "state": "absent"},
        {"path": f"{place}/link", "content": "a file now\n"},
        {"path": f"{place}/right", "content": "right\n"},
        {"path": f"{place}/new", "state": "directory"},
        {"path": f"{place}/new/file", "content": "new\n"},
    )
    before = [each[:3] + each[4:] for each in state(place)]
    asked = f"echo asked >> {place}/../asked; ! grep --quiet new {place}/new/file"
    refused = run(*entries, validate=["sh", "-c", f"{asked} || {{ echo the reason; exit 1; }}"])
    assert "the reason\nEverything was put back as it was." in refused["msg"]
    assert [each[:3] + each[4:] for each in state(place)] == before
    # What can't be dealt with puts back what came before it.
    refused = run(*entries, {"path": f"{place}/full", "content": "x"}, validate=["true"])
    assert "is a directory, and is wanted as a file" in refused["msg"]
    assert [each[:3] + each[4:] for each in state(place)] == before
    predict_and_run(run, place, *entries, validate=["sh", "-c", f"! {{ {asked}; }}"])
    assert (place / "../asked").read_text() == "asked\n" * 2


def test_what_could_not_be_put_back_is_left(run: Any, place: Path) -> None:
    (place / "full").mkdir()
    (place / "full/file").write_text("x")
    before = state(place)
    assert "could not be put back" in run({"path": f"{place}/full", "state": "absent"}, validate=["true"])["msg"]
    assert state(place) == before
