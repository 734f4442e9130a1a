"""Installs the packages that a file pins, with uv: install_requirements.py UV PYTHON FILE POETRY POETRY_EXPORT.

PYTHON is the environment's. FILE is a requirements file, a uv.lock or a poetry.lock; a lock must fit the pyproject.toml
beside it. POETRY and POETRY_EXPORT are the versions of poetry and of its plugin, fetched for a poetry.lock alone.
The project itself is not installed. Packages of the source's own are copied into the environment, and never linked to
where they were built: a release is renamed into place.
"""

from __future__ import annotations

import codecs
import os
import re
import subprocess
import sys
import tempfile
import urllib.parse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

# Which index is asked. A lock names the one that it was made with, and fits its project wherever packages come from.
INDEXES = ("UV_DEFAULT_INDEX", "UV_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL")
LOCKS = ("uv.lock", "poetry.lock")
# How uv's variables say yes.
TRUE = ("1", "true", "t", "yes", "y", "on")
# Beside the files that they take the place of, since what these name is relative to where they are.
REWRITTEN = ".edusphere-"
# What a build backend is where a project names none (PEP 517).
LEGACY_BACKEND = ("setuptools>=40.8.0",)
# A release has no history that a version could be read from, and no lock has the version of a project of its own.
WITHOUT_HISTORY = {
    "SETUPTOOLS_SCM_PRETEND_VERSION": "0",
    "PDM_BUILD_SCM_VERSION": "0",
    "POETRY_DYNAMIC_VERSIONING_BYPASS": "0",
}


class Line(NamedTuple):
    """A line of a requirements file, as uv is to read it."""

    text: str
    hashless: bool = False
    """Whether it is a directory of the source's or a commit of a repository, which no hash describes."""


@dataclass
class Requirements:
    """A requirements file with those that it includes."""

    files: dict[Path, list[Line]] = field(default_factory=dict)
    require_hashes: bool = False
    problems: list[str] = field(default_factory=list)
    """Paths that the source does not have, with the files that name them, and files that can't be read."""

    @property
    def hashless(self) -> list[str]:
        """All requirements that have no hash, where each must have one."""
        found = (line.text for lines in self.files.values() for line in lines if line.hashless)
        return list(dict.fromkeys(found)) if self.require_hashes else []


def logical_lines(text: str) -> list[str]:
    """A requirements file's lines, with continued ones joined, without comments and empty ones."""
    joined = re.sub(r"\\\r?\n", " ", text)
    return [line for raw in joined.splitlines() if (line := re.sub(r"(^|\s)#.*$", "", raw).strip())]


def read(file: Path, places: Sequence[Path]) -> Requirements:
    """Read a requirements file and those that it includes. What they name is looked for in ``places``, in order."""
    requirements = Requirements()
    _read(file, places, requirements)
    return requirements


def _read(file: Path, places: Sequence[Path], into: Requirements) -> None:
    lines = into.files.setdefault(file, [])
    content = file.read_bytes()
    # PowerShell's `pip freeze > requirements.txt` writes UTF-16.
    encoding = "utf-16" if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        into.problems.append(f"{file} is no text in UTF-8")
        return
    for line in logical_lines(text):
        included = re.fullmatch(r"(?:-r|--requirement)[\s=]*(\S+)", line)
        if line == "--require-hashes":
            into.require_hashes = True
        elif included and "://" not in included[1]:
            inner = file.parent / included[1]
            lines.append(Line(f"-r {Path(included[1]).with_name(REWRITTEN + inner.name)}"))
            if not inner.is_file():
                into.problems.append(f"{file} includes {included[1]}, which is not there")
            elif inner not in into.files:
                _read(inner, places, into)
        elif line.startswith("-") and not re.match(r"-e|--editable\b", line):
            lines.append(Line(line))
        else:
            lines.append(_requirement(line, file, places, into.problems))


def _requirement(line: str, file: Path, places: Sequence[Path], problems: list[str]) -> Line:
    """A requirement that is not editable, with the whole path of what it names."""
    line = re.sub(r"^(?:-e|--editable)[\s=]*", "", line)
    parts = re.match(r"(?P<name>[\w.-]+\s*(?:\[[^]]*\])?\s*@\s*)?(?P<target>[^\s;]+)(?P<rest>.*)", line)
    if parts is None:
        return Line(line)
    target, rest = parts["target"], parts["rest"]
    if re.match(r"(?:git|hg|svn|bzr)\+", target):
        return Line(line, hashless=True)
    is_url = target.startswith("file:")
    # ${…} is uv's to fill in.
    if "${" in target or not (is_url or ("://" not in target and re.match(r"[./]|[^[]+/", target))):
        return Line(line)
    path, bracket, extras = target.partition("#")[0].partition("[")
    if is_url:
        path = urllib.parse.unquote(re.sub(r"^file:(?://(?:localhost)?(?=/))?", "", path))
    for place in (*places, file.parent):
        found = (place / path).resolve()
        if found.is_file() or any((found / name).is_file() for name in ("pyproject.toml", "setup.py")):
            whole = parts["name"] + found.as_uri() if parts["name"] else f"{found}{bracket}{extras}"
            return Line(whole + rest, hashless="--hash" not in rest)
    problems.append(f"{file} names {path}, where no package and no archive is")
    return Line(line)


def build_requirements(lock: Mapping[str, Any], projects: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """What a lock's own projects are built with, those that can say only then what they depend on.

    ``projects`` are the contents of their pyproject.toml by their directories, which are empty where there is none.
    """
    wanted: list[str] = []
    for directory in own_projects(lock):
        project = projects[directory]
        if "project" not in project or project["project"].get("dynamic"):
            wanted += project.get("build-system", {}).get("requires", LEGACY_BACKEND)
    return list(dict.fromkeys(wanted))


def own_projects(lock: Mapping[str, Any]) -> list[str]:
    """The directories of a uv.lock's projects that are in the source."""
    sources = (package["source"] for package in lock.get("package", []))
    return [source[kind] for source in sources for kind in ("editable", "directory", "virtual") if kind in source]


class Tool:
    """Runs commands for a file of the source, and ends with what it means when one fails."""

    def __init__(self, uv: str, python: str, file: Path) -> None:
        self.uv, self.python, self.file = uv, python, file

    def end(self, problem: str) -> None:
        """End, and say what is wrong with the file."""
        sys.exit(f"{self.file} (edusphere_app_requirements): {problem}.")

    def run(self, *command: str, fails: str, **environment: str) -> None:
        """Run a command beside the file."""
        if subprocess.run(command, cwd=self.file.parent, env=os.environ | environment, check=False).returncode:
            self.end(fails)

    def check(self, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a command beside the file that compares a lock with its project, and asks no index for that."""
        without = {key: value for key, value in os.environ.items() if key not in INDEXES}
        return subprocess.run(
            command, cwd=self.file.parent, env=without | environment, capture_output=True, text=True, check=False
        )

    def end_unless_it_fits(self, checked: subprocess.CompletedProcess[str]) -> None:
        """End where a lock does not fit its project."""
        if checked.returncode:
            sys.stderr.write(checked.stdout + checked.stderr)
            if "Failed to generate package metadata" in checked.stderr:
                self.end("what its project depends on (dynamic in pyproject.toml) can't be found out; see above")
            self.end(f"it does not fit its pyproject.toml; run `{self.file.stem} lock` and commit both")

    def export_uv(self, exported: str) -> None:
        """Write what a uv.lock that fits pins."""
        # Offline: that a lock fits is seen without asking an index.
        check = (self.uv, "lock", "--check", "--offline", "--python", self.python)
        with tempfile.TemporaryDirectory() as place:
            # uv's own cache may have what a project said before.
            cache = {"UV_CACHE_DIR": f"{place}/cache"}
            checked = self.check(*check, **cache)
            needed = self.build_requirements() if checked.returncode else []
            if needed:
                builder = f"{place}/builder"
                fails = f"what its project is built with can't be installed: {', '.join(needed)}"
                self.run(self.uv, "venv", "--quiet", "--no-project", "--python", self.python, builder, fails=fails)
                built_by = ("--python", f"{builder}/bin/python")
                self.run(self.uv, "pip", "install", "--quiet", *built_by, *needed, fails=fails)
                isolation = cache | WITHOUT_HISTORY | {"UV_PROJECT_ENVIRONMENT": builder}
                checked = self.check(*check, "--no-build-isolation", **isolation)
        self.end_unless_it_fits(checked)
        options = ("--frozen", "--no-dev", "--no-emit-project", "--no-editable", "--quiet")
        self.run(self.uv, "export", *options, "--output-file", exported, fails="uv can't say what it pins")

    def build_requirements(self) -> list[str]:
        """What the lock's own projects are built with, where only that tells what they depend on."""
        import tomllib  # Not there before Python 3.11, and not needed by most.

        def content(file: Path) -> dict[str, Any]:
            return tomllib.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}

        lock = content(self.file)
        projects = {name: content(self.file.parent / name / "pyproject.toml") for name in own_projects(lock)}
        return build_requirements(lock, projects)

    def export_poetry(self, exported: str, poetry: str, poetry_export: str) -> None:
        """Write what a poetry.lock that fits pins."""
        tools = ("--from", f"poetry=={poetry}", "--with", f"poetry-plugin-export=={poetry_export}")
        fails = "poetry could not be installed to read it"
        self.run(self.uv, "tool", "run", *tools, "poetry", "--version", fails=fails)
        command = (self.uv, "tool", "run", "--quiet", *tools, "poetry", "--no-interaction")
        self.end_unless_it_fits(self.check(*command, "check", "--lock"))
        options = ("--only", "main", "--without-urls", "--quiet")
        self.run(*command, "export", *options, "--output", exported, fails="poetry can't say what it pins")

    def install(self, requirements: Requirements, complete: bool) -> None:
        """Install requirements, which are ``complete`` where they name all that they depend on."""
        hashless = requirements.hashless
        rewritten = {
            file.with_name(REWRITTEN + file.name): [line.text for line in lines if line.text not in hashless]
            for file, lines in requirements.files.items()
        }
        common = (self.uv, "pip", "install", "--compile-bytecode", "--no-editable", "--python", self.python)
        options = ["--no-deps"] if complete or hashless else []
        hashes = ["--require-hashes"] if requirements.require_hashes else []
        fails = "its packages can't be installed"
        try:
            for file, lines in rewritten.items():
                file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
            first = next(iter(rewritten))
            self.run(*common, *options, *hashes, "--requirements", first.name, fails=fails)
            if hashless:
                first.write_text("".join(f"{line}\n" for line in hashless), encoding="utf-8")
                self.run(*common, *options, "--requirements", first.name, fails=fails, **WITHOUT_HISTORY)
        finally:
            for file in rewritten:
                file.unlink(missing_ok=True)


def main() -> None:
    """Install what the file on the command line pins."""
    uv, python, name, poetry, poetry_export = sys.argv[1:]
    tool = Tool(uv, python, Path(name))
    if not tool.file.is_file():
        tool.end("the source has no such file")
    # Of each command, it would have directories have a hash, too.
    hashes = os.environ.pop("UV_REQUIRE_HASHES", "").lower() in TRUE
    locked = tool.file.name in LOCKS
    if locked:
        exported = tool.file.with_name(f"{REWRITTEN}exported.txt")
        try:
            if tool.file.stem == "uv":
                tool.export_uv(exported.name)
            else:
                tool.export_poetry(exported.name, poetry, poetry_export)
            requirements = read(exported, [tool.file.parent])
        finally:
            exported.unlink(missing_ok=True)
        requirements.require_hashes = True
    else:
        # pip takes paths from where it is started, which is here or where the file is.
        requirements = read(tool.file, [tool.file.parent, Path()])
        requirements.require_hashes |= hashes
    if requirements.problems:
        tool.end(f"{'; '.join(requirements.problems)}; correct that, or add what is missing to the source")
    tool.install(requirements, complete=locked)


if __name__ == "__main__":
    main()
