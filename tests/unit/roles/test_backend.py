"""What the role backend takes the containers for that it finds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from rendering import rendered

# The record of a host without one names no release, and so does the image of what serves there.
SERVING, OTHER = "edusphere/backend:", "edusphere/backend:v2"


def containers(**images: str) -> list[dict[str, Any]]:
    """As the module describes them, by name."""
    return [{"name": name, "image": image, "id": f"id of {name}"} for name, image in images.items()]


@pytest.mark.parametrize(
    ("current", "outdated", "expected"),
    [
        pytest.param({"a": SERVING}, {"b": OTHER}, ["a"], id="beside one that was never ready"),
        pytest.param({}, {"a": SERVING, "b": OTHER}, ["a"], id="and the stack is described anew"),
        pytest.param({"b": OTHER}, {"a": SERVING}, ["a"], id="of a run that was killed before its record"),
        pytest.param({"b": SERVING}, {"a": SERVING}, ["b"], id="of a run that was killed before the old one went"),
        pytest.param({}, {"a": OTHER}, [], id="nothing serves"),
    ],
)
def test_what_serves(tmp_path: Path, current: dict[str, str], outdated: dict[str, str], expected: list[str]) -> None:
    """nginx asks no other."""
    found = {"current": containers(**current), "outdated": containers(**outdated)}
    template = tmp_path / "names.j2"
    template.write_text("{{ __backend_before_names | to_json }}")
    (place := tmp_path / "place").mkdir()
    before = {"services": {"backend": found}}
    said = rendered(place, template, {"app": {}}, {"app": ["app"]}, role="backend", __backend_before=before)
    assert json.loads(said["app"]) == expected
