"""Documents that are made from the code say what the code says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("page", "command"),
    [("docs/variables.md", ["scripts/variables.py"]), ("molecule/README.md", ["-m", "runner.page"])],
)
def test_generated_pages_are_not_stale(page: str, command: list[str]) -> None:
    """They are what the roles' argument specs and the scenarios' catalogue say now."""
    environment = os.environ | {"PYTHONPATH": str(ROOT / "tests")}
    made = subprocess.run(
        [sys.executable, *command], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    assert (ROOT / page).read_text() == made.stdout, f"{page} is stale: run `make docs` and commit it."


def test_what_proves_each_need_of_an_application_is_there() -> None:
    """docs/applications.md names scenarios and files of tests that exist, one at least for each need."""
    page = (ROOT / "docs/applications.md").read_text()
    rows = [line.split(" | ") for line in page.splitlines() if line.startswith("| ")][2:]
    assert len(rows) > 20
    for need, _variables, proof in rows:
        named = [ROOT / path for path in re.findall(r"[\w/]*tests/[\w/]+\.py", proof)]
        named += [ROOT / "molecule" / scenario for scenario in re.findall(r"`([\w-]+)`", proof)]
        assert named, need
        assert [path for path in named if not path.exists()] == [], need


def test_descriptions_are_not_templates() -> None:
    """Ansible fills in the templates of a whole specification when it validates a role's arguments, secrets too."""
    specs = sorted(ROOT.glob("roles/*/meta/argument_specs.yml"))
    assert len(specs) > 10
    assert [str(spec) for spec in specs if "{{" in spec.read_text()] == []
