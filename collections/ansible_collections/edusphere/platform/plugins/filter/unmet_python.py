# Copyright: EduSphere Platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a Python project requires of its interpreter, where a version doesn't meet it."""

from __future__ import annotations

import re
import tomllib
from typing import Any

from ansible.errors import AnsibleFilterError

try:
    from packaging.specifiers import InvalidSpecifier, SpecifierSet
except ImportError as error:
    PACKAGING_MISSING: ImportError | None = error
else:
    PACKAGING_MISSING = None

DOCUMENTATION = r"""
name: unmet_python
short_description: What a project requires of Python and a version doesn't meet
version_added: "0.1.0"
author: EduSphere Platform (@edusphere)
description:
  - Reads C(project.requires-python) from the text of a C(pyproject.toml) and compares a version with it, by the rules
    of PEP 440. Without one, C(tool.poetry.dependencies.python) counts, with Poetry's C(^) and C(~).
positional: version
options:
  _input:
    description: Text of a C(pyproject.toml).
    type: str
    required: true
  version:
    description: An interpreter's version, for instance C(3.11.2).
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Refuse an interpreter that is too old
  ansible.builtin.assert:
    that: lookup('ansible.builtin.file', 'pyproject.toml') | edusphere.platform.unmet_python('3.11.2') == ''
"""

RETURN = r"""
_value:
  description:
    - The requirement, for instance C(>=3.12), where the version doesn't meet it; empty where it does or nothing is
      required.
  type: str
"""


def unmet_python(pyproject: str, version: str) -> str:
    """C(project.requires-python) of the text I(pyproject) if I(version) doesn't meet it, else an empty string.

    Raises AnsibleFilterError when the text isn't TOML or the requirement isn't a version specifier.
    """
    if PACKAGING_MISSING:
        raise AnsibleFilterError(
            "unmet_python needs the Python package packaging on the control node"
        ) from PACKAGING_MISSING
    try:
        project = tomllib.loads(pyproject)
        poetry = project.get("tool", {}).get("poetry", {}).get("dependencies", {}).get("python", "")
        required = project.get("project", {}).get("requires-python") or poetry
        met = any(
            SpecifierSet(_standard(alternative)).contains(version, prereleases=True)
            for alternative in required.split("||")
        )
    except (tomllib.TOMLDecodeError, InvalidSpecifier) as error:
        raise AnsibleFilterError(f"pyproject.toml can't be read: {error}") from error
    return "" if met else str(required)


def _standard(constraint: str) -> str:
    """Poetry's constraint by the rules of PEP 440: ^3.11 admits every later 3, ~3.11 every 3.11."""

    def bounds(match: re.Match[str]) -> str:
        parts = match[2].split(".")
        kept = parts[: 1 if match[1] == "^" or len(parts) == 1 else 2]
        return f">={match[2]},<{'.'.join([*kept[:-1], str(int(kept[-1]) + 1)])}"

    standard = re.sub(r"([\^~])(?!=)\s*(\d+(?:\.\d+)*)", bounds, constraint.strip())
    return "" if standard == "*" else re.sub(r"^(?=\d)", "==", standard)


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, Any]:
        """Name to function."""
        return {"unmet_python": unmet_python}
