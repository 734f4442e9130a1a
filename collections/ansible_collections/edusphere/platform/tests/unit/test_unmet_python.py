"""The filter that compares an interpreter with what a project requires."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.edusphere.platform.plugins.filter.unmet_python import unmet_python


@pytest.mark.parametrize(
    ("pyproject", "version", "unmet"),
    [
        ('[project]\nrequires-python = ">=3.11"', "3.11.2", ""),
        ('[project]\nrequires-python = ">=3.12"', "3.11.2", ">=3.12"),
        ('[project]\nrequires-python = ">=3.11,<3.13"', "3.13.5", ">=3.11,<3.13"),
        ('[project]\nname = "x"', "3.9.0", ""),
        ("", "3.9.0", ""),
        ('[tool.poetry.dependencies]\npython = "^3.11"', "3.13.5", ""),
        ('[tool.poetry.dependencies]\npython = "^3.12"', "3.11.2", "^3.12"),
        ('[tool.poetry.dependencies]\npython = "~3.11"', "3.13.5", "~3.11"),
        ('[tool.poetry.dependencies]\npython = "~3.11 || ^3.13"', "3.13.5", ""),
        ('[tool.poetry.dependencies]\npython = "3.11.*"', "3.11.2", ""),
        ('[tool.poetry.dependencies]\npython = "*"', "3.11.2", ""),
        ('[project]\nrequires-python = "~=3.11"', "3.13.5", ""),
    ],
)
def test_compares_by_pep_440(pyproject: str, version: str, unmet: str) -> None:
    """What is required is returned when it isn't met, and nothing otherwise."""
    assert unmet_python(pyproject, version) == unmet


@pytest.mark.parametrize("pyproject", ["[project", '[project]\nrequires-python = "three"'])
def test_refuses_what_it_cannot_read(pyproject: str) -> None:
    """Neither broken TOML nor a broken specifier passes for a requirement that is met."""
    with pytest.raises(AnsibleFilterError, match=r"pyproject\.toml can't be read"):
        unmet_python(pyproject, "3.11.2")
