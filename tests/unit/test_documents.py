"""Documents that are made from the code say what the code says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_variables_page_is_not_stale() -> None:
    """docs/variables.md is what the roles' argument specs say now."""
    page = subprocess.run([sys.executable, ROOT / "scripts/variables.py"], capture_output=True, text=True, check=True)
    written = (ROOT / "docs/variables.md").read_text()
    assert written == page.stdout, "docs/variables.md is stale: run `make docs` and commit it."
