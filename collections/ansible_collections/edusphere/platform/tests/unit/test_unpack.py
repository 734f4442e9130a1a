"""What is unpacked of an archive that somebody else has made, and what is refused of it."""

from __future__ import annotations

import io
import json
import os
import stat
import tarfile
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.edusphere.platform.plugins.module_utils.archive import Member, judge, leads_out, stripped
from ansible_collections.edusphere.platform.plugins.modules import unpack
from hypothesis import given
from hypothesis import strategies as st

GOOD = [
    Member("app", "directory", mode=0o2775),
    Member("app/manage.py", "file", mode=0o755),
    Member("app/a/b.txt", "file"),
    Member("app/a/up", "link", "../manage.py"),
    Member("app/nowhere", "link", "not/there"),
    Member("app/round", "link", "round"),
    Member("app/copy", "hard link", "app/manage.py"),
]
TYPES = {
    "file": tarfile.REGTYPE,
    "directory": tarfile.DIRTYPE,
    "link": tarfile.SYMTYPE,
    "hard link": tarfile.LNKTYPE,
    "character device": tarfile.CHRTYPE,
    "block device": tarfile.BLKTYPE,
    "FIFO": tarfile.FIFOTYPE,
}


def tar(path: Path, members: Sequence[Member], mode: str = "w:gz") -> Path:
    """Write an archive of them. A file holds its own name."""
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for member in members:
            info = tarfile.TarInfo(member.name)
            info.type, info.linkname, info.mode = TYPES[member.kind], member.target, member.mode
            info.mtime, info.uid = 1_600_000_000, 12345
            content = member.name.encode() if member.kind == "file" else b""
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Any:
    def run_module(src: Path, check: bool = False, **arguments: Any) -> dict[str, Any]:
        dest = tmp_path / "dest"
        dest.mkdir(exist_ok=True)
        given = {"src": str(src), "dest": str(dest), "_ansible_check_mode": check, **arguments}
        with patch_module_args(given), pytest.raises(SystemExit):
            unpack.main()
        result: dict[str, Any] = json.loads(capsys.readouterr().out)
        return result

    return run_module


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_it_is_unpacked(run: Any, tmp_path: Path, mode: str) -> None:
    """Whatever the umask is, and as the account that runs it."""
    before = os.umask(0o077)
    try:
        result = run(tar(tmp_path / "x", GOOD, mode), strip=1)
    finally:
        os.umask(before)
    assert (result["changed"], result["members"]) == (True, len(GOOD) - 1), result
    dest = tmp_path / "dest"
    assert (dest / "a/up").resolve() == dest / "manage.py"
    assert (dest / "copy").read_text() == "app/manage.py"
    modes = {str(path.relative_to(dest)): stat.S_IMODE(path.lstat().st_mode) for path in dest.rglob("*")}
    assert (modes["manage.py"], modes["a"], modes["a/b.txt"]) == (0o755, 0o755, 0o644)
    found = (dest / "a/b.txt").stat()
    assert (found.st_mtime, found.st_uid) == (1_600_000_000, os.geteuid())


def test_a_zip_archive(run: Any, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("app/", "")
        for name, mode, content in (
            ("app/manage.py", stat.S_IFREG | 0o755, "#!"),
            ("app/link", stat.S_IFLNK | 0o777, "manage.py"),
            ("app/plain", 0, "1"),
        ):
            info = zipfile.ZipInfo(name, (2020, 1, 2, 3, 4, 6))
            info.external_attr = mode << 16
            archive.writestr(info, content)
    result = run(tmp_path / "x.zip", strip=1)
    assert result["members"] == 3, result
    dest = tmp_path / "dest"
    assert (dest / "link").read_text() == "#!"
    assert stat.S_IMODE((dest / "manage.py").stat().st_mode) == 0o755
    assert stat.S_IMODE((dest / "plain").stat().st_mode) == 0o644
    assert (dest / "plain").stat().st_mtime == 1577934246

    with zipfile.ZipFile(tmp_path / "y.zip", "w") as archive:
        for name, mode, content in (
            ("../out", stat.S_IFREG | 0o644, ""),
            ("fifo", stat.S_IFIFO | 0o644, ""),
            ("su", stat.S_IFREG | stat.S_ISUID | 0o755, ""),
            ("etc", stat.S_IFLNK | 0o777, "/etc"),
        ):
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            archive.writestr(info, content)
    assert run(tmp_path / "y.zip")["refused"] == [
        "../out leads out of the archive",
        "fifo is a FIFO",
        "su is setuid",
        "etc is a link that leads out of the archive (to /etc)",
    ]


def test_all_that_is_refused_is_told_at_once(run: Any, tmp_path: Path) -> None:
    bad = [
        Member("/etc/cron.d/x", "file"),
        Member("app/../../x", "file"),
        Member("app/sda", "block device"),
        Member("app/tty", "character device"),
        Member("app/pipe", "FIFO"),
        Member("app/su", "file", mode=0o4755),
        Member("app/sg", "file", mode=0o2755),
        Member("app/etc", "link", "/etc"),
        Member("app/out", "link", "../../x"),
        Member("app/passwd", "hard link", "/etc/passwd"),
        Member("app/later", "hard link", "app/not-there"),
        Member("app/dir", "link", "a"),
        Member("app/dir/x", "file"),
    ]
    result = run(tar(tmp_path / "x", GOOD + bad))
    assert result["failed"]
    assert result["refused"] == [
        "/etc/cron.d/x is an absolute path",
        "app/../../x leads out of the archive",
        "app/sda is a block device",
        "app/tty is a character device",
        "app/pipe is a FIFO",
        "app/su is setuid",
        "app/sg is setgid",
        "app/etc is a link that leads out of the archive (to /etc)",
        "app/out is a link that leads out of the archive (to ../../x)",
        "app/passwd is a hard link to /etc/passwd, which is no file before it in the archive",
        "app/later is a hard link to app/not-there, which is no file before it in the archive",
        "app/dir/x is below app/dir, which is a link",
    ]
    assert all(problem in result["msg"] for problem in result["refused"])
    assert not list((tmp_path / "dest").iterdir())
    # A way out stays one, also where its first directories would be dropped.
    assert run(tar(tmp_path / "y", bad), strip=2)["refused"][:2] == result["refused"][:2]


def test_a_long_list_is_cut(run: Any, tmp_path: Path) -> None:
    result = run(tar(tmp_path / "x", [Member(f"pipe{number}", "FIFO") for number in range(50)]))
    assert result["msg"].endswith("\nand 30 more")


@pytest.mark.parametrize(
    ("members", "problem"),
    [
        ([Member("a", "link", "."), Member("b", "link", "a/../..")], "b is a link"),
        ([Member("a/b", "link", ".."), Member("c", "link", "a/b/..")], "c is a link"),
        ([Member("a", "file"), Member("a", "link", "b")], "a is there twice, as file and as link"),
        ([Member("a", "link", "b"), Member("a", "directory")], "a is there twice"),
        ([Member("a/b", "file"), Member("a", "file")], "a/b is below a, which is a file"),
        ([Member("a", "link", "b"), Member("c", "hard link", "a")], "c is a hard link to a"),
        ([Member("a\nb", "FIFO")], "'a\\nb' is a FIFO"),
        ([Member("x", "member of an unknown kind")], "x is a member of an unknown kind"),
    ],
)
def test_neighbours(members: list[Member], problem: str) -> None:
    found = judge(members)
    assert any(one.startswith(problem) for one in found), found


def test_links_that_may_lead_out() -> None:
    """A release's interpreter, and what releases share."""
    members = [Member(".venv/bin/python3", "link", "/usr/bin/python3"), Member("media", "link", "/srv/x/shared/media")]
    assert judge(members, [".venv/bin/python*", "media"]) == []
    assert len(judge(members, ["media/*", ".venv/bin/pip"])) == 2


def test_what_is_no_archive(run: Any, tmp_path: Path) -> None:
    (tmp_path / "x").write_text("<html>404")
    assert "is no tar archive" in run(tmp_path / "x")["msg"]
    cut = tar(tmp_path / "y", [Member(f"a{number}", "file") for number in range(999)]).read_bytes()
    (tmp_path / "y").write_bytes(cut[: len(cut) // 2])
    assert "is no tar archive" in run(tmp_path / "y")["msg"]
    # The last of its members makes it look like the other kind.
    with zipfile.ZipFile(tmp_path / "inner.zip", "w") as inner:
        inner.writestr("inner", "1")
    with tarfile.open(tmp_path / "z", "w") as outer:
        outer.add(tmp_path / "inner.zip", "inner.zip")
    assert run(tmp_path / "z", check=True)["members"] == 1
    assert "without 3 leading directories" in run(tar(tmp_path / "z", GOOD), strip=3)["msg"]


def test_check_mode_and_a_place_that_is_taken(run: Any, tmp_path: Path) -> None:
    archive = tar(tmp_path / "x", GOOD)
    assert run(archive, check=True)["changed"]
    assert not list((tmp_path / "dest").iterdir())
    (tmp_path / "dest/there").touch()
    assert "is not empty" in run(archive)["msg"]


PARTS = st.lists(st.sampled_from(["a", "b", "..", ".", ""]), min_size=1, max_size=5).map("/".join)


@given(st.lists(st.tuples(st.sampled_from(["a", "b", "a/c", "b/c"]), PARTS), max_size=4))
def test_no_link_leads_out_on_a_disk(tmp_path_factory: pytest.TempPathFactory, pairs: list[tuple[str, str]]) -> None:
    """What is not refused stays inside, as the system follows it."""
    members = [Member(name, "link", target) for name, target in dict(pairs).items() if target]
    if judge(members):
        return
    place = tmp_path_factory.mktemp("root")
    for member in members:
        (place / member.name).parent.mkdir(exist_ok=True)
        (place / member.name).symlink_to(member.target)
    for member in members:
        try:
            end = (place / member.name).resolve(strict=True)
        except (OSError, RuntimeError):  # It leads nowhere, or round and round.
            continue
        assert end == place or place in end.parents, (member, members)


@given(PARTS, st.integers(min_value=0, max_value=3))
def test_stripping_makes_no_way_out(name: str, count: int) -> None:
    (found,) = stripped([Member(name, "file")], count)
    if found:
        assert (".." in found.name.split("/")) == (".." in name.split("/"))
        assert found.name.startswith("/") == name.startswith("/")


def test_a_link_that_is_followed_for_ever() -> None:
    assert not leads_out("a", "b", {"a": "b", "b": "a"})
    assert leads_out("a", "b", {"a": "b", "b": "../c"})
