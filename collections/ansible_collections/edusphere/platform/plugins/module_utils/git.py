# Copyright: (c) 2026, EduSphere platform contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Repositories of others, mirrored and packed without running anything that is in them."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import tarfile
import typing as t
import urllib.parse
from pathlib import Path, PurePosixPath

from ansible_collections.edusphere.platform.plugins.module_utils.secrecy import without_userinfo

# What a repository may be fetched by, and what a submodule's.
PROTOCOLS = "file:git:http:https:ssh"
SUBMODULE_PROTOCOLS = "git:http:https:ssh"
# No hook runs, and no program watches files. Git's own work goes on where it can be waited for.
SAFE = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.attributesFile=/dev/null",
    "credential.helper=",
    "gc.autoDetach=false",
    "maintenance.autoDetach=false",
    "submodule.recurse=false",
    "tar.umask=0022",
    # A connection that says nothing for two minutes is lost.
    "http.lowSpeedLimit=1",
    "http.lowSpeedTime=120",
)
# An archive holds what a checkout has: what a repository marks for its own archives is neither left out nor filled in.
# Programs that files are passed through are configured on the machine; here none runs.
ATTRIBUTES = "* -export-ignore -export-subst -filter\n"
COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
# How deep submodules have submodules.
DEPTH = 10


class GitError(Exception):
    """Git could not do it; the text is what it says."""


class Submodule(t.NamedTuple):
    """A repository in a directory of another one."""

    path: str
    url: str
    commit: str


class Part(t.NamedTuple):
    """A commit that is part of a source."""

    prefix: str
    """Its directory in the source, with a slash at the end; empty for the source's own repository."""
    url: str
    commit: str


def resolve_url(base: str, url: str) -> str:
    """Where a submodule comes from: a URL, or a path from its superproject's one, as git-submodule(1) has it.

    Raises GitError for a path that leads above the superproject's host.
    """
    if not url.startswith(("./", "../")):
        return url
    # Of git@host:path the colon parts the host from the path, and stays.
    scp = None if "://" in base or base.startswith("/") else re.fullmatch(r"([^/:]+:)(.*)", base)
    # The second pattern matches every address of one line.
    head, path = (scp[1], scp[2]) if scp else re.fullmatch(r"([a-z]+://[^/]*|)(.*)", base).groups()  # type: ignore[union-attr]
    parts = [part for part in path.split("/") if part]
    for step in url.split("/"):
        if step == "..":
            if not parts:
                raise GitError("a submodule's URL %s leads out of %s" % (url, without_userinfo(base)))
            parts.pop()
        elif step not in ("", "."):
            parts.append(step)
    root = "" if scp and not path.startswith("/") else "/"
    return head + root + "/".join(parts)


def split_password(url: str) -> t.Tuple[str, str]:
    """The URL without its password, or without a token that stands for a user; and what a credential helper says."""
    match = re.fullmatch(r"(https?://)([^/?#]*)@(.*)", url)
    if not match:
        return url, ""
    user, _colon, password = match[2].partition(":")
    lines = ["username=" + urllib.parse.unquote(user), "password=" + urllib.parse.unquote(password)]
    return match[1] + match[3], "\n".join(lines)


def origin(url: str) -> str:
    """The scheme and the host of a URL."""
    return "/".join(url.split("/", 3)[:3])


def choose(version: str, names: t.Mapping[str, str]) -> str:
    """The commit that a version means by a repository's ``names`` and their objects, ``git ls-remote``; else empty.

    A branch comes before a tag of its name. Of an annotated tag, the commit has the name with ``^{}``.
    """
    if version == "HEAD":
        return names.get("HEAD", "")
    for name in ("refs/heads/%s", "refs/tags/%s^{}", "refs/tags/%s"):
        if name % version in names:
            return names[name % version]
    return version if COMMIT.fullmatch(version) else ""


class Mirrors:
    """Bare copies of repositories in a directory that only one account may enter."""

    def __init__(self, place: Path, url: str, environment: t.Mapping[str, str]) -> None:
        """Have mirrors of the repository at ``url``; ``environment`` is what git gets beside its own."""
        self._place = place
        self.url, self._credentials = split_password(url)
        self._environment = {**os.environ, "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C.UTF-8", **environment}
        self._used: t.Set[str] = set()
        self._online = True

    def mirror(self, url: str) -> Path:
        """Where the copy of a repository is."""
        name = re.sub(r"[^A-Za-z0-9._-]+", "-", url.rstrip("/").rpartition("/")[2]).strip("-.")[:40] or "repository"
        return self._place / ("%s-%s.git" % (name, hashlib.sha256(url.encode()).hexdigest()[:12]))

    def look(self, version: str) -> str:
        """The commit that a version is at the repository now, without fetching it; GitError where it is not there."""
        names: t.Dict[str, str] = {}
        for line in self._git(None, self.url, "ls-remote", "--quiet", "--", self.url).splitlines():
            commit, _tab, name = line.partition("\t")
            names[name] = commit
        return choose(version, names) or self._known(self.mirror(self.url), version)

    def fetch(self, version: str) -> t.List[Part]:
        """Bring the mirrors up to date, and name what a version is made of; GitError where that can't be had."""
        path = self._update(self.url, PROTOCOLS, head=version == "HEAD")
        wanted = "refs/mirror/head" if version == "HEAD" else version
        names: t.Dict[str, str] = {}
        for line in self._git(path, self.url, "for-each-ref", "--format=%(objectname) %(refname)").splitlines():
            found, _space, name = line.partition(" ")
            names[name] = found
        commit = names.get(wanted, "") or choose(version, names)
        if COMMIT.fullmatch(version) and commit == version and not self._has(path, version):
            # Of no branch and of no tag.
            self._git(path, self.url, "fetch", "--quiet", "--no-tags", "--no-recurse-submodules", self.url, version)
        return self._parts("", self.url, self._known(path, commit or version), 0)

    def fetched(self, version: str) -> t.List[Part]:
        """Name what a commit is made of that was fetched before; GitError where the mirrors lack any of it."""
        self._online = False
        try:
            return self._parts("", self.url, self._known(self.mirror(self.url), version), 0)
        finally:
            self._online = True

    def pack(self, parts: t.Iterable[Part], archive: Path) -> None:
        """Write a tar archive of what the parts hold, for no other account yet; GitError where a mirror lacks it."""
        os.close(os.open(archive, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
        archive.chmod(0o600)
        with tarfile.open(archive, "w", format=tarfile.PAX_FORMAT) as whole:
            for part in parts:
                command = self._command(self.mirror(part.url), part.url)
                command += ["archive", "--format=tar", "--prefix=" + part.prefix, part.commit]
                with subprocess.Popen(
                    command, env=self._variables(part.url, PROTOCOLS), stdout=subprocess.PIPE, stderr=subprocess.PIPE
                ) as run:
                    try:
                        with tarfile.open(fileobj=run.stdout, mode="r|") as found:
                            for member in found:
                                whole.addfile(member, found.extractfile(member) if member.isreg() else None)
                    except tarfile.TarError as error:
                        run.kill()
                        said = run.stderr.read().decode(errors="replace") if run.stderr else ""
                        raise GitError(said.strip() or str(error)) from error
                    run.stdout.read()  # type: ignore[union-attr] # a pipe, as started above
                    said = run.stderr.read().decode(errors="replace") if run.stderr else ""
                    if run.wait():
                        raise GitError(said.strip())

    def remove_others(self) -> None:
        """Remove the mirrors that no part of the source comes from."""
        for path in self._place.glob("*.git"):
            if path.name not in self._used:
                shutil.rmtree(path)

    def _parts(self, prefix: str, url: str, commit: str, depth: int) -> t.List[Part]:
        found = [Part(prefix, url, commit)]
        for submodule in self._submodules(self.mirror(url), url, commit):
            if depth == DEPTH:
                raise GitError("submodules are nested deeper than %d levels: %s" % (DEPTH, prefix + submodule.path))
            path = self._update(submodule.url, SUBMODULE_PROTOCOLS) if self._online else self.mirror(submodule.url)
            if self._online and not self._has(path, submodule.commit):
                arguments = (
                    "fetch",
                    "--quiet",
                    "--no-tags",
                    "--no-recurse-submodules",
                    submodule.url,
                    submodule.commit,
                )
                self._git(path, submodule.url, *arguments, protocols=SUBMODULE_PROTOCOLS)
            found += self._parts(prefix + submodule.path + "/", submodule.url, submodule.commit, depth + 1)
        return found

    def _submodules(self, path: Path, url: str, commit: str) -> t.Iterator[Submodule]:
        if not self._git(path, url, "ls-tree", commit, "--", ".gitmodules"):
            return
        settings: t.Dict[str, t.Dict[str, str]] = {}
        said = self._git(path, url, "config", "--null", "--blob", commit + ":.gitmodules", "--list")
        for entry in said.split("\0"):
            match = re.fullmatch(r"(?s)submodule\.(.+)\.(path|url)\n(.*)", entry)
            if match:
                settings.setdefault(match[1], {})[match[2]] = match[3]
        for setting in settings.values():
            where = setting.get("path", "").rstrip("/")
            if not where or where.startswith("/") or ".." in PurePosixPath(where).parts or "url" not in setting:
                continue
            # Others have been removed, and only .gitmodules still has them.
            match = re.match(
                r"160000 commit (\S+)\t", self._git(path, url, "--literal-pathspecs", "ls-tree", commit, "--", where)
            )
            if match:
                place = resolve_url(url, setting["url"])
                if place.startswith("-"):
                    raise GitError("the submodule in %s has no URL: %s" % (where, place))
                yield Submodule(where, place, match[1])

    def _update(self, url: str, protocols: str, head: bool = False) -> Path:
        path = self.mirror(url)
        self._used.add(path.name)
        self._place.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.mkdir(mode=0o700, exist_ok=True)
        self._git(None, url, "init", "--quiet", "--bare", "--template=", str(path))
        (path / "info").mkdir(exist_ok=True)
        (path / "info/attributes").write_text(ATTRIBUTES, encoding="utf-8")
        # A run that was killed leaves them, and nobody else works here.
        for lock in path.rglob("*.lock"):
            lock.unlink()
        references = ["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"] + (
            ["+HEAD:refs/mirror/head"] if head else []
        )
        options = ("--quiet", "--prune", "--force", "--no-tags", "--no-recurse-submodules")
        self._git(path, url, "fetch", *options, "--", url, *references, protocols=protocols)
        return path

    def _has(self, path: Path, commit: str) -> bool:
        command = [*self._command(path, self.url), "cat-file", "-e", commit + "^{commit}"]
        variables = self._variables(self.url, PROTOCOLS)
        return subprocess.run(command, env=variables, capture_output=True, check=False).returncode == 0

    def _known(self, path: Path, version: str) -> str:
        """The whole number of a commit that the mirror has."""
        if not path.is_dir() or not re.fullmatch(r"[0-9a-f]{4,64}", version):
            raise GitError("there is no branch, no tag and no commit %s" % version)
        arguments = ("rev-parse", "--quiet", "--verify", "--end-of-options", version + "^{commit}")
        try:
            return self._git(path, self.url, *arguments).strip()
        except GitError:
            raise GitError("there is no branch, no tag and no commit %s" % version) from None

    def _command(self, path: t.Optional[Path], url: str) -> t.List[str]:
        settings = [word for setting in SAFE for word in ("-c", setting)]
        if self._credentials and origin(url) == origin(self.url):
            # The helper's words are in the environment, since a command line is no place for a password.
            helper = '!f() { test "$1" != get || printf "%s\\n" "$EDUSPHERE_GIT_CREDENTIALS"; }; f'
            settings += ["-c", "credential.%s.helper=%s" % (origin(url), helper)]
        return ["git", *settings, *(["--git-dir=%s" % path] if path else [])]

    def _variables(self, url: str, protocols: str) -> t.Dict[str, str]:
        own = {"GIT_ALLOW_PROTOCOL": protocols}
        if self._credentials and origin(url) == origin(self.url):
            own["EDUSPHERE_GIT_CREDENTIALS"] = self._credentials
        return {**self._environment, **own}

    def _git(self, path: t.Optional[Path], url: str, *arguments: str, protocols: str = PROTOCOLS) -> str:
        run = subprocess.run(
            [*self._command(path, url), *arguments],
            env=self._variables(url, protocols),
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
        if run.returncode:
            raise GitError(run.stderr.decode(errors="replace").strip() or "git %s failed" % arguments[0])
        return run.stdout.decode(errors="surrogateescape")
