# Copyright: (c) 2026, EduSphere platform contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which package manager builds a frontend, by its package.json and by the operator's settings.

A package.json is anybody's who can commit to the application: what is taken from it is a name of three, an exact
version and a hash, and nothing else gets into a command, a path or an address.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

NAMES = ("npm", "pnpm", "yarn")
# Hexadecimal digits of a hash, by its algorithm.
DIGITS = {"sha224": 56, "sha256": 64, "sha384": 96, "sha512": 128}
# https://semver.org, without build metadata, in whose place corepack has the hash.
NUMBER = "(?:0|[1-9][0-9]*)"
PART = "(?:0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)"
VERSION = re.compile(rf"{NUMBER}\.{NUMBER}\.{NUMBER}(?:-{PART}(?:\.{PART})*)?")
# Longer ones are shown cut off.
SHOWN = 80


@dataclass(frozen=True)
class Release:
    """An exact version of a package manager."""

    version: str
    algorithm: str = ""
    digest: str = ""
    """Its hash in hexadecimal, where one is known."""


@dataclass(frozen=True)
class Manager:
    """The package manager that builds a frontend."""

    name: str
    release: Release | None
    """None for the npm that comes with Node.js."""

    @property
    def is_berry(self) -> bool:
        """Whether it is Yarn from 2 on, another program than 1, with other options and another package."""
        return self.name == "yarn" and self.release is not None and not re.match(r"[01]\.", self.release.version)

    @property
    def package(self) -> str:
        """What the npm registry calls it."""
        return "@yarnpkg/cli-dist" if self.is_berry else self.name

    @property
    def hashed(self) -> str:
        """What its hash is of: this file of the package, as corepack has it, or empty for the package's archive."""
        return "bin/yarn.js" if self.is_berry else ""


def parse_release(text: str) -> Release | None:
    """``VERSION`` or ``VERSION+ALGORITHM.DIGEST``; None for anything else, also for a range or a tag."""
    version, plus, hash_ = text.partition("+")
    algorithm, _dot, digest = hash_.partition(".")
    if not VERSION.fullmatch(version):
        return None
    if plus and not (algorithm in DIGITS and re.fullmatch(rf"[0-9a-fA-F]{{{DIGITS[algorithm]}}}", digest)):
        return None
    return Release(version, algorithm, digest.lower())


def parse_declaration(text: str) -> Manager | None:
    """``NAME@VERSION`` or ``NAME@VERSION+ALGORITHM.DIGEST``, as package.json says it; None for anything else."""
    name, _at, version = text.partition("@")
    release = parse_release(version)
    return Manager(name, release) if name in NAMES and release else None


def choose(package_json: str, name: str, version: str) -> tuple[Manager, list[str]]:
    """The package manager of a frontend, and all that is wrong with what is said of it.

    ``name`` and ``version`` are the operator's settings. A version that is set wins over the one in package.json.
    """
    problems = list(setting_problems(version))
    declared, wrong = _declared(package_json)
    problems += wrong
    release = parse_release(version) if version else declared.release if declared else None
    if declared and declared.name != name:
        problems.append(
            f"package.json says packageManager {declared.name}, and edusphere_app_package_manager is {name}. "
            f"Set it to {declared.name}, or correct package.json."
        )
    elif declared and declared.release and release and not release.digest:
        # The operator's setting has no hash, and package.json one of the same version.
        release = declared.release if declared.release.version == release.version else release
    if name != "npm" and release is None and not problems:
        problems.append(
            f"Which {name} builds the frontend is said neither by package.json (packageManager) nor by "
            "edusphere_app_package_manager_version. Set the latter to an exact version, such as the one that wrote "
            "the lock file."
        )
    return Manager(name, release), problems


def setting_problems(version: str) -> Iterator[str]:
    """What is wrong with the version that the operator has set."""
    if version and parse_release(version) is None:
        yield (
            f"edusphere_app_package_manager_version: {version!r} is no exact version, such as 9.15.4, "
            "perhaps with its hash (9.15.4+sha512.…)"
        )


def _declared(package_json: str) -> tuple[Manager | None, list[str]]:
    """What package.json declares, and what is wrong with it."""
    try:
        # npm takes one that an editor on Windows has put a mark before.
        content = json.loads(package_json.removeprefix("\ufeff"))
    except (ValueError, RecursionError):
        return None, ["package.json is no JSON; correct it."]
    if not isinstance(content, dict):
        return None, ["package.json is no JSON object; correct it."]
    said = content.get("packageManager", "")
    declared = parse_declaration(said) if isinstance(said, str) else None
    if said == "" or declared:
        return declared, []
    shown = repr(said)
    return None, [
        f"package.json says packageManager {shown[:SHOWN]}{'…' if len(shown) > SHOWN else ''}. "
        f"It must be {', '.join(NAMES[:-1])} or {NAMES[-1]} with an exact version, such as pnpm@9.15.4, "
        f"perhaps with a hash ({', '.join(DIGITS)}; +sha512.…). Correct package.json."
    ]
