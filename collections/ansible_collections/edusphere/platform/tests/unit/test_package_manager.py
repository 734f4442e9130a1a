"""What is taken from a package.json for the package manager that builds a frontend."""

from __future__ import annotations

import json
import string

import pytest
from ansible_collections.edusphere.platform.plugins.filter.package_manager import package_manager
from ansible_collections.edusphere.platform.plugins.plugin_utils.package_manager import (
    DIGITS,
    NAMES,
    Manager,
    Release,
    choose,
    parse_declaration,
    parse_release,
)
from hypothesis import given
from hypothesis import strategies as st


def declared(value: object) -> str:
    """A package.json."""
    return json.dumps({"packageManager": value})


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("version", ["9.15.4", "4.0.0-rc.1", "0.0.0", "10.0.0-alpha-1.0"])
@pytest.mark.parametrize("algorithm", ["", *DIGITS])
def test_an_exact_version_with_a_hash_or_without(name: str, version: str, algorithm: str) -> None:
    digest = "aB" * (DIGITS.get(algorithm, 0) // 2)
    text = f"{name}@{version}" + (f"+{algorithm}.{digest}" if algorithm else "")
    assert parse_declaration(text) == Manager(name, Release(version, algorithm, digest.lower()))


@pytest.mark.parametrize(
    "said",
    [
        "npm@http://evil/a/../..",
        "npm@https://registry.npmjs.org/npm/-/npm-10.0.0.tgz",
        "npm@file:/tmp/x",
        "npm@../../x",
        "npm@^10.0.0",
        "npm@10",
        "npm@10.x",
        "npm@10.0.0 || 11.0.0",
        "npm@latest",
        "npm@v10.0.0",
        "npm@010.0.0",
        "npm@10.0.0/../../..",
        "npm@10.0.0-../..",
        "npm@10.0.0\n",
        "npm@10.0.0 --prefix=/",
        "npm@1\u0660.0.0",
        "npm@10.0.0+sha512.0123",
        "npm@10.0.0+sha1." + "0" * 40,
        "npm@10.0.0+md5." + "0" * 32,
        "npm@10.0.0+sha256." + "g" * 64,
        "npm@10.0.0+sha256." + "0" * 64 + "/..",
        "npm@10.0.0+",
        "npm@10.0.0+build",
        "npm@",
        "npm",
        "@npm/10.0.0",
        "bun@1.1.0",
        "../npm@10.0.0",
        "NPM@10.0.0",
        "npm @10.0.0",
        " ",
        None,
        False,
        10,
        ["npm@10.0.0"],
        {"name": "npm", "version": "10.0.0"},
    ],
)
def test_anything_else_is_refused(said: object) -> None:
    manager, problems = choose(declared(said), "npm", "")
    assert manager.release is None
    (problem,) = problems
    assert problem.startswith("package.json says packageManager ")
    assert "Correct package.json." in problem
    assert len(problem) < 400


@given(
    st.text(alphabet=string.printable), st.sampled_from(["npm@{}", "{}", "yarn@1.{}", "pnpm@9.0.0{}", "npm@9.0.0+{}"])
)
def test_nothing_gets_into_a_path_or_a_command(text: str, form: str) -> None:
    """What is taken has the characters of a version, begins with a digit, and names no directory above."""
    manager = parse_declaration(form.format(text))
    if manager:
        assert manager.release
        assert set(manager.release.version) <= set(string.ascii_letters + string.digits + ".-")
        assert manager.release.version[0].isdigit()
        assert ".." not in manager.release.version
        assert set(manager.release.digest) <= set(string.hexdigits)
        assert len(manager.release.digest) == DIGITS.get(manager.release.algorithm, 0)


@given(st.tuples(*[st.integers(min_value=0)] * 3), st.sampled_from(NAMES))
def test_every_version_is_read_back(numbers: tuple[int, int, int], name: str) -> None:
    version = ".".join(map(str, numbers))
    assert parse_declaration(f"{name}@{version}") == Manager(name, Release(version))


def test_the_operators_version_wins() -> None:
    digest = "0" * 64
    said = declared(f"pnpm@9.15.4+sha256.{digest}")
    assert choose(said, "pnpm", "") == (Manager("pnpm", Release("9.15.4", "sha256", digest)), [])
    assert choose(said, "pnpm", "9.15.5") == (Manager("pnpm", Release("9.15.5")), [])
    # The hash of the same version counts, unless there is another.
    assert choose(said, "pnpm", "9.15.4") == (Manager("pnpm", Release("9.15.4", "sha256", digest)), [])
    own = f"9.15.4+sha256.{'1' * 64}"
    assert choose(said, "pnpm", own) == (Manager("pnpm", parse_release(own)), [])


@pytest.mark.parametrize(
    ("package_json", "name", "version", "problem"),
    [
        (declared("pnpm@9.15.4"), "npm", "", "Set it to pnpm, or correct package.json"),
        ("{}", "pnpm", "", "Which pnpm builds the frontend is said neither by package.json"),
        ("{}", "yarn", "^4", "edusphere_app_package_manager_version: '^4' is no exact version"),
        ("{", "npm", "", "package.json is no JSON"),
        ("[" * 100000, "npm", "", "package.json is no JSON"),
        ("[]", "npm", "", "package.json is no JSON object"),
    ],
)
def test_what_is_wrong_is_told(package_json: str, name: str, version: str, problem: str) -> None:
    (found,) = package_manager(package_json, name, version)["problems"]
    assert problem in found


def test_a_mark_before_the_text() -> None:
    assert choose("\ufeff" + declared("pnpm@9.15.4"), "pnpm", "") == (Manager("pnpm", Release("9.15.4")), [])


def test_all_problems_at_once() -> None:
    assert len(choose(declared("npm@latest"), "npm", "latest")[1]) == 2


@pytest.mark.parametrize(
    ("said", "kind", "package", "hashed"),
    [
        ("npm@11.6.0", "npm", "npm", ""),
        ("pnpm@9.15.4", "pnpm", "pnpm", ""),
        ("yarn@1.22.22", "yarn", "yarn", ""),
        ("yarn@4.5.0", "yarn-berry", "@yarnpkg/cli-dist", "bin/yarn.js"),
        ("yarn@10.0.0", "yarn-berry", "@yarnpkg/cli-dist", "bin/yarn.js"),
    ],
)
def test_yarn_from_2_on_is_another_program(said: str, kind: str, package: str, hashed: str) -> None:
    found = package_manager(declared(said), said.split("@")[0], "")
    assert (found["kind"], found["package"], found["hashed"], found["problems"]) == (kind, package, hashed, [])


def test_without_a_word_npm_is_that_of_node() -> None:
    assert package_manager("{}", "npm", "") == {
        "version": "",
        "kind": "npm",
        "package": "npm",
        "algorithm": "",
        "digest": "",
        "hashed": "",
        "problems": [],
    }
