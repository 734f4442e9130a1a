"""What a build does with each kind of file that pins dependencies, and how it looks for settings."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

ROOT = Path(__file__).parents[3]
FILES = ROOT / "roles/release/files"
UV = ROOT / ".venv/bin/uv"
STUDIO = ROOT / "examples/studio"
# Small, pure Python, without dependencies of its own.
PACKAGE, VERSION = "iniconfig", "2.1.0"
PROJECT = f"""[project]
name = "app"
version = "0"
requires-python = ">=3.11"
dependencies = ["{PACKAGE}=={VERSION}"]
"""

HASHES = "--hash=sha256:9deba5723312380e77435581c6bf4935c94cbfab9b1ed33ef8d238ea168eb760"


def script() -> ModuleType:
    """The script that a build runs, as a module."""
    spec = importlib.util.spec_from_file_location("install_requirements", FILES / "install_requirements.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["install_requirements"] = module
    spec.loader.exec_module(module)
    return module


SCRIPT = script()


def default_of(name: str) -> str:
    """A setting of the role release."""
    (value,) = re.findall(rf"^{name}: (\S+)$", (ROOT / "roles/release/defaults/main.yml").read_text(), re.MULTILINE)
    return str(value)


class Build:
    """A source, and a Python environment for it, made by the real uv of the control node."""

    def __init__(self, place: Path) -> None:
        self.source = place / "source"
        self.source.mkdir()
        self.python = place / "venv/bin/python"
        self.uv("venv", "--quiet", str(place / "venv"))

    def uv(self, *arguments: str) -> str:
        """Run uv in the source."""
        done = subprocess.run([UV, *arguments], cwd=self.source, capture_output=True, text=True, check=True)
        return done.stdout

    def install(self, name: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run the script on a file of the source."""
        versions = [default_of("release_poetry_version"), default_of("release_poetry_export_version")]
        return subprocess.run(
            [sys.executable, FILES / "install_requirements.py", UV, self.python, name, *versions],
            cwd=self.source,
            env=os.environ | environment,
            capture_output=True,
            text=True,
            check=False,
        )

    @property
    def installed(self) -> str:
        """What the environment has."""
        return self.uv("pip", "freeze", "--quiet", "--python", str(self.python)).strip()

    def package(self, path: str, metadata: str = "", sources: str = "") -> None:
        """Write a package of the source's own, with a module of its name."""
        place = self.source / path
        (place / "src" / place.name).mkdir(parents=True)
        (place / "src" / place.name / "__init__.py").write_text("")
        (place / "pyproject.toml").write_text(
            f"""[project]
name = "{place.name}"
version = "1.0"
requires-python = ">=3.11"
{metadata}
[build-system]
requires = ["uv_build"]
build-backend = "uv_build"
{sources}
"""
        )

    def imported_after_rename(self, *modules: str) -> str:
        """Rename the source, as a release is put in place, import modules, and return what was said of it."""
        self.source = self.source.rename(self.source.with_name("release"))
        command = [str(self.python), "-c", f"import {', '.join(modules)}"]
        done = subprocess.run(command, cwd="/", capture_output=True, text=True, check=False)
        return done.stderr


@pytest.fixture
def build(tmp_path: Path) -> Build:
    return Build(tmp_path)


def test_a_requirements_file(build: Build) -> None:
    """Also in a directory of its own, where it may name others beside it."""
    (build.source / "requirements").mkdir()
    (build.source / "requirements/production.txt").write_text("-r base.txt\n")
    (build.source / "requirements/base.txt").write_text(f"{PACKAGE}=={VERSION}\n")
    done = build.install("requirements/production.txt")
    assert (done.returncode, build.installed) == (0, f"{PACKAGE}=={VERSION}"), done.stderr


def test_a_hash_that_is_wrong(build: Build) -> None:
    (build.source / "requirements.txt").write_text(f"{PACKAGE}=={VERSION} --hash=sha256:{'0' * 64}\n")
    done = build.install("requirements.txt")
    assert (done.returncode, build.installed) == (1, "")
    assert "Hash mismatch" in done.stderr
    assert "requirements.txt (edusphere_app_requirements): its packages can't be installed" in done.stderr


def test_a_lock_of_uv(build: Build) -> None:
    """Its hashes are enforced, and the index that the builder is told of need not be the one that it was made with."""
    (build.source / "pyproject.toml").write_text(PROJECT)
    build.uv("lock", "--quiet")
    lock = build.source / "uv.lock"
    index = re.findall(r'registry = "([^"]+)"', lock.read_text())[0]
    lock.write_text(lock.read_text().replace(index, "https://index.example.org/simple"))
    done = build.install("uv.lock", UV_DEFAULT_INDEX=index)
    assert (done.returncode, build.installed) == (0, f"{PACKAGE}=={VERSION}"), done.stderr

    build.uv("pip", "uninstall", "--quiet", "--python", str(build.python), PACKAGE)
    lock.write_text(re.sub(r"sha256:\w{64}", f"sha256:{'0' * 64}", lock.read_text()))
    done = build.install("uv.lock", UV_DEFAULT_INDEX=index)
    assert (done.returncode, build.installed) == (1, "")
    assert "Hash mismatch" in done.stderr


def test_a_lock_of_uv_out_of_step(build: Build) -> None:
    (build.source / "pyproject.toml").write_text(PROJECT)
    build.uv("lock", "--quiet")
    (build.source / "pyproject.toml").write_text(PROJECT.replace(VERSION, "2.0.0"))
    done = build.install("uv.lock")
    assert (done.returncode, build.installed) == (1, "")
    assert "uv.lock (edusphere_app_requirements): it does not fit its pyproject.toml; run `uv lock`" in done.stderr


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("requirements.txt", "-e ./packages/foo"),
        ("requirements.txt", "--editable=packages/foo/ ; python_version > '3'"),
        ("requirements.txt", "foo @ ./packages/foo"),
        ("requirements.txt", "-e file:packages/foo#egg=foo"),
        ("requirements.txt", "-e packages/foo[extra]"),
        ("packages/foo/requirements.txt", "-e ."),
        ("needs/base.txt", "-e ./packages/foo"),
        ("needs/base.txt", "../packages/foo"),
    ],
)
def test_a_package_of_the_sources_own(build: Build, file: str, line: str) -> None:
    """It is imported after the release was renamed. Its path is from the file, or from where developers run pip."""
    build.package("packages/foo", "optional-dependencies = {extra = []}")
    (build.source / file).parent.mkdir(exist_ok=True)
    (build.source / file).write_text(f"{PACKAGE}=={VERSION} {HASHES}\n{line}  # Ours.\n")
    done = build.install(file)
    assert done.returncode == 0, done.stderr
    assert not build.imported_after_rename("foo", PACKAGE)
    assert not list(build.source.rglob(".edusphere-*"))


def test_an_included_file_names_a_package_of_the_sources_own(build: Build) -> None:
    """A repository's commit, which `pip freeze` writes as editable, is installed as any other package."""
    build.package("packages/foo")
    build.package("bar")
    commit = ["git", "-C", str(build.source / "bar"), "-c", "user.name=x", "-c", "user.email=x"]
    for arguments in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "--message=x"]):
        subprocess.run([*commit, *arguments], check=True)
    repository = (build.source / "bar").rename(build.source.parent / "repository")
    (build.source / "requirements").mkdir()
    (build.source / "requirements/production.txt").write_text("-r base.txt\n-c pins.txt\n")
    (build.source / "requirements/base.txt").write_text(
        f"-e packages/foo\n-e git+file://{repository}#egg=bar\n{PACKAGE}\n"
    )
    (build.source / "requirements/pins.txt").write_text(f"{PACKAGE}=={VERSION}\n")
    done = build.install("requirements/production.txt")
    assert done.returncode == 0, done.stderr
    assert f"{PACKAGE}=={VERSION}" in build.installed
    assert not build.imported_after_rename("foo", "bar")


def test_hashes_are_required_of_what_can_have_one(build: Build) -> None:
    build.package("packages/foo", f'dependencies = ["{PACKAGE}"]')
    (build.source / "requirements.txt").write_text(
        f"--require-hashes\n-e ./packages/foo\n{PACKAGE}=={VERSION} \\\n    {HASHES}\n"
    )
    done = build.install("requirements.txt")
    assert done.returncode == 0, done.stderr
    assert not build.imported_after_rename("foo", PACKAGE)

    build.uv("pip", "uninstall", "--quiet", "--python", str(build.python), PACKAGE)
    (build.source / "requirements.txt").write_text(f"-e ./packages/foo\n{PACKAGE}=={VERSION}\n")
    done = build.install("requirements.txt", UV_REQUIRE_HASHES="true")
    assert done.returncode == 1
    assert "all requirements must have a hash" in done.stderr


def test_what_the_source_lacks_is_told_at_once(build: Build) -> None:
    (build.source / "requirements.txt").write_text("-e ./packages/foo\n-r base.txt\n./bar.whl\n-r latin.txt\n")
    (build.source / "latin.txt").write_bytes(b"# caf\xe9\n")
    done = build.install("requirements.txt")
    assert (done.returncode, build.installed) == (1, "")
    for problem in ("names ./packages/foo", "includes base.txt", "names ./bar.whl"):
        assert f"requirements.txt {problem}" in done.stderr
    assert "latin.txt is no text in UTF-8" in done.stderr


def test_a_file_of_powershell(build: Build) -> None:
    """What `pip freeze > requirements.txt` makes there."""
    (build.source / "requirements.txt").write_text(f"{PACKAGE}=={VERSION}\r\n", encoding="utf-16")
    done = build.install("requirements.txt")
    assert (done.returncode, build.installed) == (0, f"{PACKAGE}=={VERSION}"), done.stderr


def test_a_workspace_of_uv(build: Build) -> None:
    """Its members, and what these depend on by a path, are imported after the release was renamed."""
    build.package("packages/foo", 'dependencies = ["bar"]', 'tool.uv.sources.bar = {path = "../bar", editable = true}')
    foo = build.source / "packages/foo/pyproject.toml"
    foo.write_text(foo.read_text().replace("tool.uv.sources.bar =", "[tool.uv.sources]\nbar ="))
    build.package("packages/bar")
    (build.source / "pyproject.toml").write_text(
        PROJECT.replace("dependencies = [", 'dependencies = ["foo", ')
        + '[tool.uv]\nworkspace.members = ["packages/foo"]\nsources.foo.workspace = true\n'
    )
    build.uv("lock", "--quiet")
    done = build.install("uv.lock", UV_REQUIRE_HASHES="1")
    assert done.returncode == 0, done.stderr
    assert not build.imported_after_rename("foo", "bar", PACKAGE)

    # Its hashes are enforced beside packages that can't have one.
    lock = build.source / "uv.lock"
    lock.write_text(re.sub(r"sha256:\w{64}", f"sha256:{'0' * 64}", lock.read_text()))
    build.uv("pip", "uninstall", "--quiet", "--python", str(build.python), PACKAGE)
    assert "Hash mismatch" in build.install("uv.lock").stderr


@pytest.mark.parametrize(
    ("backend", "requires", "tool"),
    [
        ("setuptools.build_meta", '"setuptools"', '[tool.setuptools.dynamic]\nversion = {attr = "app.VERSION"}\n'),
        pytest.param(
            "setuptools.build_meta",
            '"setuptools", "setuptools-scm"',
            "[tool.setuptools_scm]\n",
            marks=pytest.mark.exhaustive("A version that is read from the history, which a release does not have."),
        ),
    ],
)
def test_a_lock_of_uv_whose_project_is_built_to_know_it(build: Build, backend: str, requires: str, tool: str) -> None:
    dynamic = PROJECT.replace('version = "0"', 'dynamic = ["version", "dependencies"]')
    dynamic = re.sub(r"dependencies = \[\".*", "", dynamic)
    (build.source / "pyproject.toml").write_text(
        f'{dynamic}[build-system]\nrequires = [{requires}]\nbuild-backend = "{backend}"\n'
        f'[tool.setuptools]\npackages = ["app"]\n{tool}'
        + ("" if "dynamic" in tool else "[tool.setuptools.dynamic]\n")
        + 'dependencies = {file = ["needs.in"]}\n'
    )
    (build.source / "app").mkdir()
    (build.source / "app/__init__.py").write_text('VERSION = "1.2"\n')
    (build.source / "needs.in").write_text(f"{PACKAGE}=={VERSION}\n")
    subprocess.run(
        [UV, "lock", "--quiet"],
        cwd=build.source,
        env=os.environ | {"SETUPTOOLS_SCM_PRETEND_VERSION": "7"},
        check=True,
    )
    empty = {"UV_CACHE_DIR": str(build.source.parent / "cache")}
    done = build.install("uv.lock", **empty)
    assert (done.returncode, build.installed) == (0, f"{PACKAGE}=={VERSION}"), done.stderr

    (build.source / "needs.in").write_text(f"{PACKAGE}==2.0.0\n")
    done = build.install("uv.lock", **empty)
    assert done.returncode == 1
    assert "it does not fit its pyproject.toml; run `uv lock`" in done.stderr

    (build.source / "needs.in").unlink()
    (build.source / "app/__init__.py").write_text("raise RuntimeError\n")
    (build.source / "pyproject.toml").write_text(
        (build.source / "pyproject.toml").read_text().replace(f"[{requires}]", '["no-such-package-of-edusphere==1"]')
    )
    done = build.install("uv.lock", **empty)
    assert done.returncode == 1
    assert "can't be installed: no-such-package-of-edusphere==1" in done.stderr


@pytest.mark.exhaustive("A package of the source's own in a poetry.lock is imported after the release was renamed.")
def test_a_poetry_lock_with_a_package_of_the_sources_own(build: Build) -> None:
    build.package("packages/foo")
    (build.source / "pyproject.toml").write_text(
        f"""[project]
name = "app"
version = "0"
requires-python = ">=3.11,<4"
dynamic = ["dependencies"]
[[tool.poetry.source]]
name = "simple"
url = "https://pypi.org/simple/"
[tool.poetry]
package-mode = false
[tool.poetry.dependencies]
{PACKAGE} = "{VERSION}"
foo = {{path = "packages/foo", develop = true}}
"""
    )
    build.uv("tool", "run", "--quiet", "--from", f"poetry=={default_of('release_poetry_version')}", "poetry", "lock")
    done = build.install("poetry.lock")
    assert done.returncode == 0, done.stderr
    assert not build.imported_after_rename("foo", PACKAGE)


@given(
    st.lists(
        st.sampled_from(
            ["-e ./a", "--editable ./a", "./a", "x==1", "-r b.txt", "# x", "x @ ./a", "-e git+https://h/r@c", "-i u"]
        )
    )
)
def test_no_requirement_stays_editable(tmp_path_factory: pytest.TempPathFactory, lines: list[str]) -> None:
    place = tmp_path_factory.mktemp("source")
    (place / "a").mkdir()
    (place / "a/setup.py").touch()
    (place / "b.txt").write_text("-e ./a ; python_version > '3'\n--require-hashes\n")
    (place / "r.txt").write_text("\n".join(lines))
    read = SCRIPT.read(place / "r.txt", [place])
    texts = [line.text for found in read.files.values() for line in found]
    assert not [text for text in texts if re.match("-e|--e", text)]
    assert len(read.files[place / "r.txt"]) == len([line for line in lines if line != "# x"])
    assert read.require_hashes == ("-r b.txt" in lines)
    assert not any("./a" in text for text in texts)
    assert not read.problems


@pytest.mark.exhaustive("A poetry.lock that does not fit its pyproject.toml is refused.")
def test_a_lock_of_poetry_out_of_step(build: Build) -> None:
    """One that fits, scenario studio installs."""
    shutil.copy(STUDIO / "poetry.lock", build.source)
    project = (STUDIO / "pyproject.toml").read_text()
    assert "channels-redis" in project
    (build.source / "pyproject.toml").write_text(re.sub(r".*channels-redis.*\n", "", project))
    done = build.install("poetry.lock")
    assert (done.returncode, build.installed) == (1, "")
    assert "poetry.lock (edusphere_app_requirements): it does not fit its pyproject.toml" in done.stderr
    assert "run `poetry lock`" in done.stderr


@pytest.mark.parametrize(
    ("module", "there"),
    [
        ("backend.settings", True),
        ("overlay", True),
        ("json.tool", True),
        ("backend.other", False),
        ("nowhere.settings", False),
    ],
)
def test_settings_are_looked_for_and_not_imported(tmp_path: Path, module: str, there: bool) -> None:
    (tmp_path / "backend").mkdir()
    (tmp_path / ".overlay").mkdir()
    for name in ("backend/__init__.py", "backend/settings.py", ".overlay/overlay.py"):
        (tmp_path / name).write_text("raise RuntimeError\n")
    command = [sys.executable, str(FILES / "check_settings.py"), module, ".", ".overlay"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode == 0) == there, done.stderr
    assert there or f"no module {module} in the application, which edusphere_app_settings_module" in done.stderr
