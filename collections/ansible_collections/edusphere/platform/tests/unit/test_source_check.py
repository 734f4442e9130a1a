"""A source that is not whole, or leads out of itself, is refused before it is built."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.edusphere.platform.plugins.modules import source_check
from hypothesis import given
from hypothesis import strategies as st

POINTER = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'4d' * 32}\nsize 12345\n"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    place = tmp_path / "source"
    for name, text in {"manage.py": "#!", "a/b.txt": "1", "empty": "", "docs/lfs.md": f"A pointer:\n{POINTER}"}.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(text)
    (place / "a/up").symlink_to("../manage.py")
    (place / "a/nowhere").symlink_to("not/there")
    return place


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Any:
    def run_module(path: Path) -> dict[str, Any]:
        with patch_module_args({"path": str(path)}), pytest.raises(SystemExit):
            source_check.main()
        result: dict[str, Any] = json.loads(capsys.readouterr().out)
        return result

    return run_module


def test_a_whole_source(run: Any, source: Path) -> None:
    result = run(source)
    assert (result["changed"], result["pointers"], result["links"]) == (False, [], {})


def test_pointers_and_links_are_named_at_once(run: Any, source: Path) -> None:
    (source / "frontend/public").mkdir(parents=True)
    (source / "frontend/public/hero.jpg").write_text(POINTER)
    (source / "a/logo.png").write_text(POINTER)
    (source / "media").symlink_to("/etc")
    (source / "a/out").symlink_to("../../x")
    (source / "a/again").symlink_to("out")
    result = run(source)
    assert result["failed"]
    assert result["pointers"] == ["a/logo.png", "frontend/public/hero.jpg"]
    assert result["links"] == {"a/again": "out", "a/out": "../../x", "media": "/etc"}
    assert "a/logo.png, frontend/public/hero.jpg. Run `git lfs pull`" in result["msg"]
    assert "a/again (to out), a/out (to ../../x), media (to /etc). Remove them" in result["msg"]


def test_a_long_list_is_cut(run: Any, source: Path) -> None:
    for number in range(30):
        (source / f"{number:02}.png").write_text(POINTER)
    result = run(source)
    assert "18.png, 19.png and 10 more. Run" in result["msg"]
    assert len(result["pointers"]) == 30


def test_a_link_to_a_pointer_and_a_directory_that_is_a_link(run: Any, source: Path) -> None:
    """Nothing is followed: each pointer is named once."""
    (source / "a/logo.png").write_text(POINTER)
    (source / "logo.png").symlink_to("a/logo.png")
    (source / "also").symlink_to("a")
    assert run(source)["pointers"] == ["a/logo.png"]


@pytest.mark.parametrize(
    ("content", "pointer"),
    [
        (POINTER, True),
        (POINTER.replace("\n", "\r\n"), True),
        (POINTER.rstrip("\n"), True),
        (POINTER.replace("https://git-lfs.github.com/spec/v1", "https://hawser.github.com/spec/v1"), True),
        (POINTER.replace("oid", f"ext-0-foo sha256:{'0' * 64}\noid"), True),
        (POINTER.replace("sha256:4d", "sha256:"), False),
        (POINTER.replace("size", "sizes"), False),
        (" " + POINTER, False),
        (POINTER + "x" * 1000, False),
        ("", False),
    ],
)
def test_what_is_a_pointer(content: str, pointer: bool) -> None:
    assert source_check.is_pointer(content.encode()) == pointer


@given(st.binary(max_size=2000))
def test_what_is_none(content: bytes) -> None:
    assert not source_check.is_pointer(content)


def test_what_git_has_of_a_file_in_lfs(run: Any, source: Path) -> None:
    """A checkout where Git LFS is not installed."""
    (source / ".gitattributes").write_text("*.png filter=lfs diff=lfs merge=lfs -text\n")
    (source / "logo.png").write_text(POINTER)
    git = ["git", "-C", str(source), "-c", "user.name=x", "-c", "user.email=x", "-c", "filter.lfs.required=false"]
    clean = ["-c", "filter.lfs.clean=cat", "-c", "filter.lfs.process="]
    for arguments in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "--message=x"]):
        subprocess.run([*git, *clean, *arguments], check=True)
    checkout = source.with_name("checkout")
    subprocess.run(["git", "clone", "--quiet", str(source), str(checkout)], check=True)
    assert run(checkout)["pointers"] == ["logo.png"]


def test_a_directory_that_is_not_there(run: Any, tmp_path: Path) -> None:
    assert "No such file" in run(tmp_path / "not")["msg"]
