"""edusphere.platform.source_archive, run as Ansible runs it, on real folders and git repositories."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.edusphere.platform.plugins.modules import source_archive


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    source = tmp_path / "source"
    for path, text in {
        "manage.py": "#!",
        "a/b.py": "1",
        "node_modules/x/y.js": "1",
        "a/__pycache__/b.pyc": "1",
    }.items():
        (source / path).parent.mkdir(parents=True, exist_ok=True)
        (source / path).write_text(text)
    (source / "manage.py").chmod(0o755)
    (source / "link").symlink_to("a/b.py")
    return source


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Any:
    def run_module(path: Path, check: bool = False, **arguments: Any) -> dict[str, Any]:
        remote = {"_ansible_check_mode": check, "_ansible_remote_tmp": str(tmp_path / "remote")}
        with patch_module_args({"path": str(path), **arguments, **remote}), pytest.raises(SystemExit):
            source_archive.main()
        result: dict[str, Any] = json.loads(capsys.readouterr().out)
        return result

    return run_module


def git(folder: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=Test", "-c", "user.email=test@example.org"]
    subprocess.run(["git", "-C", str(folder), *identity, *arguments], check=True, capture_output=True)


def names(archive: Path) -> list[str]:
    with tarfile.open(archive) as tar:
        return tar.getnames()


def test_archive_and_second_run(run: Any, folder: Path, tmp_path: Path) -> None:
    dest = tmp_path / "cache" / "source.tar.gz"
    first = run(folder, dest=str(dest))
    assert first["changed"]
    assert (first["files"], first["listed_by"]) == (3, "walk")
    assert names(dest) == ["a/b.py", "link", "manage.py"]
    content = dest.read_bytes()
    os.utime(folder / "manage.py", (1, 1))
    (folder / "a" / "b.py").chmod(0o640)
    second = run(folder, dest=str(dest))
    assert not second["changed"]
    assert second["digest"] == first["digest"]
    assert dest.read_bytes() == content
    with tarfile.open(dest) as tar:
        members = {member.name: member for member in tar}
    assert (members["manage.py"].mode, members["a/b.py"].mode) == (0o755, 0o644)
    assert members["link"].linkname == "a/b.py"
    assert {(member.uid, member.mtime) for member in members.values()} == {(0, source_archive.EPOCH)}


def test_check_mode_foretells_and_writes_nothing(run: Any, folder: Path, tmp_path: Path) -> None:
    dest = tmp_path / "cache" / "source.tar.gz"
    foretold = run(folder, check=True, dest=str(dest))
    assert foretold["changed"]
    assert not dest.parent.exists()
    assert run(folder, dest=str(dest))["digest"] == foretold["digest"]
    assert not run(folder, check=True, dest=str(dest))["changed"]


@pytest.mark.parametrize("change", ["content", "name", "mode", "link", "new", "gone"])
def test_what_counts(run: Any, folder: Path, change: str) -> None:
    before = run(folder)["digest"]
    if change == "content":
        (folder / "a" / "b.py").write_text("2")
    elif change == "name":
        (folder / "a" / "b.py").rename(folder / "a" / "c.py")
    elif change == "mode":
        (folder / "a" / "b.py").chmod(0o744)
    elif change == "link":
        (folder / "link").unlink()
        (folder / "link").symlink_to("manage.py")
    elif change == "new":
        (folder / "empty").touch()
    else:
        (folder / "manage.py").unlink()
    assert run(folder)["digest"] != before


def test_exclude(run: Any, folder: Path, tmp_path: Path) -> None:
    dest = tmp_path / "x.tar.gz"
    run(folder, dest=str(dest), exclude=["a/b.py", "node_*", "*.pyc"])
    assert names(dest) == ["link", "manage.py"]


def test_git_decides_in_its_work_tree(run: Any, folder: Path, tmp_path: Path) -> None:
    dest = tmp_path / "x.tar.gz"
    git(folder, "init", "--quiet")
    (folder / ".gitignore").write_text("ignored\nnode_modules\n__pycache__\n")
    (folder / "ignored").write_text("1")
    (folder / "gone").write_text("1")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message=x")
    (folder / "gone").unlink()
    (folder / "new é").write_text("1")
    assert run(folder, dest=str(dest))["listed_by"] == "git"
    assert names(dest) == [".gitignore", "a/b.py", "link", "manage.py", "new é"]
    assert run(folder / "a", dest=str(dest))["files"] == 1


def test_git_has_no_say_in_what_it_ignores(run: Any, folder: Path) -> None:
    git(folder.parent, "init", "--quiet")
    (folder.parent / ".gitignore").write_text("source\n")
    result = run(folder)
    assert (result["listed_by"], result["files"]) == ("walk", 3)


def test_repositories_within(run: Any, folder: Path, tmp_path: Path) -> None:
    dest = tmp_path / "x.tar.gz"
    git(folder, "init", "--quiet")
    inner = folder / "inner"
    inner.mkdir()
    (inner / "x").write_text("1")
    git(inner, "init", "--quiet")
    git(inner, "add", ".")
    git(inner, "commit", "--quiet", "--message=x")
    run(folder, dest=str(dest))
    assert "inner/x" in names(dest)
    git(folder, "add", ".")  # As a gitlink, which is what a submodule is.
    run(folder, dest=str(dest))
    assert "inner/x" in names(dest)


@pytest.mark.parametrize("target", ["/etc/passwd", "../outside", "a/../../outside", "up/outside"])
def test_links_out_of_the_folder(run: Any, folder: Path, target: str) -> None:
    (folder / "up").symlink_to(".")
    (folder.parent / "outside").write_text("1")
    if target.startswith("up"):
        (folder / "up").unlink()
        (folder / "up").symlink_to("..")
    (folder / "bad").symlink_to(target)
    result = run(folder)
    assert result["failed"]
    assert "leads out of the folder" in result["msg"]


def test_what_is_no_file(run: Any, folder: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(folder / "socket"))
        result = run(folder)
    assert "socket is neither a file nor a symbolic link" in result["msg"]


def test_no_folder_and_no_files(run: Any, tmp_path: Path) -> None:
    assert "is no folder" in run(tmp_path / "missing")["msg"]
    (tmp_path / "empty").mkdir()
    assert "has no files" in run(tmp_path / "empty")["msg"]
