"""How a repository is fetched and packed: with the real git, from repositories on this machine."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.edusphere.platform.plugins.module_utils import git as mirrors
from ansible_collections.edusphere.platform.plugins.modules import git_source

IDENTITY = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in {"NAME": "Test", "EMAIL": "test@example.org"}.items()
}
# In a hook, or as what watches files: it would tell that it ran.
PLANTED = "#!/bin/sh\ntouch {}\n"


def git(place: Path, *arguments: str) -> str:
    """Run git as whoever pushes to the repository does."""
    command = ["git", "-C", str(place), "-c", "protocol.file.allow=always", *arguments]
    return subprocess.run(command, env=os.environ | IDENTITY, capture_output=True, text=True, check=True).stdout.strip()


def commit(place: Path, **files: str) -> str:
    """Commit files, whose names have two underscores for a slash, and return the commit's number."""
    for name, text in files.items():
        path = place / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    git(place, "add", "--all")
    git(place, "commit", "--quiet", "--message", "A change")
    return git(place, "rev-parse", "HEAD")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    place = tmp_path / "forge/app"
    place.mkdir(parents=True)
    git(place, "init", "--quiet", "--initial-branch=main")
    commit(place, manage="one")
    git(place, "tag", "--annotate", "--message", "The first", "v1")
    return place


class Run:
    """The module with arguments that all calls here have."""

    def __init__(self, place: Path, repo: str, capsys: pytest.CaptureFixture[str]) -> None:
        self.mirrors, self.archive = place / "mirrors", place / "archive"
        self._repo, self._capsys = repo, capsys

    def __call__(self, version: str, check: bool = False, **arguments: Any) -> dict[str, Any]:
        given = {
            "repo": self._repo,
            "version": version,
            "mirrors": str(self.mirrors),
            "known_hosts": str(self.mirrors / "known_hosts"),
            "_ansible_check_mode": check,
            **arguments,
        }
        with patch_module_args(given), pytest.raises(SystemExit):
            git_source.main()
        result: dict[str, Any] = json.loads(self._capsys.readouterr().out)
        return result

    def packed(self, version: str) -> dict[str, str]:
        """The files of a version, and their contents."""
        result = self(version, archive=str(self.archive))
        assert "failed" not in result, result
        with tarfile.open(self.archive) as archive:
            files = {member.name: archive.extractfile(member) for member in archive if member.isfile()}
            return {name: file.read().decode() for name, file in files.items() if file}


@pytest.fixture
def run(tmp_path: Path, repository: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    return Run(tmp_path, str(repository), capsys)


@pytest.mark.parametrize("check", [False, True])
def test_a_version_is_a_commit(run: Run, repository: Path, check: bool) -> None:
    first = git(repository, "rev-parse", "HEAD")
    second = commit(repository, manage="two")
    if check:
        assert run(first[:8], check=True)["failed"]
        assert not run.mirrors.exists()
        run("main")
    for version, wanted in {"main": second, "HEAD": second, "v1": first, first: first, first[:8]: first}.items():
        assert run(version, check=check)["after"] == wanted, version


def test_a_branch_comes_before_a_tag(run: Run, repository: Path) -> None:
    git(repository, "tag", "same", "v1")
    git(repository, "branch", "same", "main")
    second = commit(repository, manage="two")
    git(repository, "branch", "--force", "same", second)
    assert run("same")["after"] == run("same", check=True)["after"] == second


@pytest.mark.parametrize("version", ["nothing", "0" * 40, "abcdef12", "--upload-pack=touch"])
def test_a_version_that_there_is_not(run: Run, version: str) -> None:
    assert version in run(version)["msg"]


def test_what_is_pushed_by_force_and_what_is_removed(run: Run, repository: Path) -> None:
    git(repository, "branch", "gone")
    run("gone")
    git(repository, "branch", "--delete", "gone")
    git(repository, "commit", "--quiet", "--amend", "--message", "Another")
    assert run("main")["after"] == git(repository, "rev-parse", "main")
    assert "no branch, no tag and no commit gone" in run("gone")["msg"]


def test_a_commit_of_no_branch(run: Run, repository: Path) -> None:
    git(repository, "config", "uploadpack.allowAnySHA1InWant", "true")
    lost = commit(repository, manage="lost")
    git(repository, "reset", "--quiet", "--hard", "v1")
    assert run(lost)["after"] == lost


def test_an_archive_holds_what_a_checkout_does(run: Run, repository: Path) -> None:
    """Whatever the repository says of its own archives, and of programs that files are passed through."""
    attributes = "left export-ignore\nfilled export-subst\npassed filter=evil\n"
    files = {".gitattributes": attributes, "left": "left", "filled": "$Format:%H$", "passed": "passed"}
    number = commit(repository, **files)
    program = repository / "program"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    number = commit(repository)
    assert run.packed(number) == {**files, "manage": "one", "program": "#!/bin/sh\n"}
    assert stat.S_IMODE(run.archive.stat().st_mode) == 0o600
    with tarfile.open(run.archive) as archive:
        assert {member.name: member.mode for member in archive if member.isfile()}["program"] & 0o777 == 0o755


def test_a_commit_that_was_fetched_is_packed_without_the_repository(run: Run, repository: Path) -> None:
    number = run("main")["after"]
    repository.rename(repository.with_name("away"))
    assert run.packed(number) == {"manage": "one"}
    assert run("main")["failed"]


@pytest.fixture
def with_submodules(repository: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The repository with another one in it, which has a third one in it."""
    monkeypatch.setattr(mirrors, "SUBMODULE_PROTOCOLS", mirrors.PROTOCOLS)
    for name in ("inner", "web"):
        place = repository.with_name(name)
        place.mkdir()
        git(place, "init", "--quiet", "--initial-branch=main")
        commit(place, page=name)
    git(repository.with_name("web"), "submodule", "--quiet", "add", "../inner", "a b/inner")
    commit(repository.with_name("web"))
    git(repository, "submodule", "--quiet", "add", "../web", "frontend")
    commit(repository)
    return repository


def test_submodules(run: Run, with_submodules: Path) -> None:
    result = run("main")
    assert set(result["submodules"]) == {"frontend", "frontend/a b/inner"}
    # A later commit of it is not the one that is part of the source.
    commit(with_submodules.with_name("web"), page="later")
    packed = run.packed(result["after"])
    assert (packed["manage"], packed["frontend/page"], packed["frontend/a b/inner/page"]) == ("one", "web", "inner")
    # Mirrors that nothing needs any more are removed.
    assert len(list(run.mirrors.glob("*.git"))) == 3
    run("v1")
    assert len(list(run.mirrors.glob("*.git"))) == 1


@pytest.mark.parametrize(
    "url", ["ext::sh -c touch% /tmp/x", "/srv/private.git", "file:///srv/private.git", "--upload-pack=x"]
)
def test_a_submodule_has_no_way_to_this_machine(run: Run, repository: Path, url: str) -> None:
    """As a path, what only root may read could become part of a source."""
    number = git(repository, "rev-parse", "HEAD")
    git(repository, "update-index", "--add", "--cacheinfo", f"160000,{number},sub")
    (repository / ".gitmodules").write_text(f'[submodule "sub"]\n\tpath = sub\n\turl = "{url}"\n')
    git(repository, "add", ".gitmodules")
    git(repository, "commit", "--quiet", "--message", "A submodule")
    result = run("main")
    assert result["failed"]
    assert "not allowed" in result["msg"] or "has no URL" in result["msg"]


@pytest.mark.parametrize("planted", ["hook", "fsmonitor", "global hooks"])
def test_nothing_that_was_planted_runs(
    run: Run, repository: Path, tmp_path: Path, planted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even in a mirror: neither a hook nor what watches files."""
    run("main")
    (mirror,) = run.mirrors.glob("*.git")
    program, ran = tmp_path / "program", tmp_path / "ran"
    program.write_text(PLANTED.format(ran))
    program.chmod(0o755)
    number = commit(repository, manage="two")
    if planted == "fsmonitor":
        git(mirror, "config", "core.fsmonitor", str(program))
    else:
        (tmp_path / "hooks").mkdir()
        hooks = mirror / "hooks" if planted == "hook" else tmp_path / "hooks"
        hooks.mkdir(exist_ok=True)
        for name in ("reference-transaction", "post-checkout", "post-index-change", "pre-auto-gc"):
            (hooks / name).symlink_to(program)
        monkeypatch.setenv("HOME", str(tmp_path))
        if planted == "global hooks":
            (tmp_path / ".gitconfig").write_text(f"[core]\n\thooksPath = {hooks}\n")
    assert run.packed(number) == {"manage": "two"}
    assert not ran.exists()


def test_the_account_that_builds_can_change_no_mirror(run: Run) -> None:
    run("main")
    assert stat.S_IMODE(run.mirrors.stat().st_mode) == 0o700
    for path in run.mirrors.glob("*.git"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700


def test_a_fetch_that_was_killed_is_taken_further(run: Run, repository: Path) -> None:
    run("main")
    (mirror,) = run.mirrors.glob("*.git")
    (mirror / "packed-refs.lock").touch()
    (mirror / "refs/heads/main.lock").touch()
    number = commit(repository, manage="two")
    assert run("main")["after"] == number


def test_a_password_is_on_no_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    """Neither of git nor of what it runs; and in nothing that the module says or logs."""
    called = tmp_path / "called"
    program = tmp_path / "bin/git"
    program.parent.mkdir()
    program.write_text(
        f'#!/bin/sh\nprintf "%s\\n" "$@" >> {called}\necho "fatal: s3cr3t%20canary s3cr3t canary" >&2\nexit 1\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    logged: list[str] = []
    monkeypatch.setattr(
        "ansible.module_utils.basic.AnsibleModule.log", lambda _module, text, **_: logged.append(str(text))
    )
    run = Run(tmp_path, "https://deploy:s3cr3t%20canary@git.example.org/app.git", capsys)
    result = run("main", check=True, environment={"https_proxy": "http://u:pr0xy-canary@proxy:3128"})
    assert result["failed"]
    said = called.read_text() + json.dumps(result) + "".join(logged)
    assert "https://git.example.org/app.git" in said
    assert "canary" not in said.replace("s3cr3t canary", "canary")


def test_a_helper_knows_the_password(tmp_path: Path) -> None:
    """Git asks it for the source's own server, and for no other."""
    own = mirrors.Mirrors(tmp_path, "https://deploy:p%40ss@git.example.org/app.git", {})
    for url, known in {"https://git.example.org/other.git": True, "https://elsewhere.org/app.git": False}.items():
        said = subprocess.run(
            [*own._command(None, url), "credential", "fill"],
            input=f"url={url}\n\n",
            env=own._variables(url, mirrors.PROTOCOLS),
            capture_output=True,
            text=True,
            check=False,
        )
        assert ("password=p@ss" in said.stdout) == known, said.stderr


@pytest.mark.parametrize(
    ("base", "url", "resolved"),
    [
        ("https://host/group/app.git", "../web.git", "https://host/group/web.git"),
        ("https://host/group/app.git/", "../../other/web.git", "https://host/other/web.git"),
        ("https://host/app.git", "./web.git", "https://host/app.git/web.git"),
        ("git@host:group/app.git", "../web.git", "git@host:group/web.git"),
        ("git@host:app.git", "../web.git", "git@host:web.git"),
        ("git@host:/srv/app.git", "../web.git", "git@host:/srv/web.git"),
        ("ssh://git@host:22/app.git", "../web.git", "ssh://git@host:22/web.git"),
        ("/srv/git/app", "../web", "/srv/git/web"),
        ("file:///srv/git/app", "../web", "file:///srv/git/web"),
        ("https://host/app.git", "git@other:web.git", "git@other:web.git"),
    ],
)
def test_where_a_submodule_comes_from(base: str, url: str, resolved: str) -> None:
    assert mirrors.resolve_url(base, url) == resolved


def test_a_submodule_that_leads_above_its_host() -> None:
    with pytest.raises(mirrors.GitError, match="leads out of"):
        mirrors.resolve_url("https://user:pass@host/app.git", "../../web.git")
