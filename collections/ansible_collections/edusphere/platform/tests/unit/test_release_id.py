"""The names that edusphere.platform.release_id gives to releases."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.edusphere.platform.plugins.filter.release_id import release_id
from hypothesis import given
from hypothesis import strategies as st


def test_known_name() -> None:
    # printf '{"a":1}' | sha256sum
    assert release_id("1.4.0", {"a": 1}) == "1.4.0-015abd7f5cc5"


def test_order_of_keys_does_not_count() -> None:
    assert release_id("v", {"a": 1, "b": {"c": 2, "d": 3}}) == release_id("v", {"b": {"d": 3, "c": 2}, "a": 1})


@pytest.mark.parametrize("other", [{"a": 2}, {"a": "1"}, {"a": True}, {"b": 1}, {"a": [1]}, {"a": None}])
def test_every_difference_counts(other: dict[str, object]) -> None:
    assert release_id("v", other) != release_id("v", {"a": 1})


@pytest.mark.parametrize(
    ("version", "label"),
    [
        ("feature/log in", "feature-log-in"),
        ("", "release"),
        ("///", "release"),
        ("..", "release"),
        ("x" * 99, "x" * 40),
    ],
)
def test_labels(version: str, label: str) -> None:
    assert release_id(version, {}).rpartition("-")[0] == label


@given(st.text())
def test_any_version_makes_a_safe_name(version: str) -> None:
    name = release_id(version, {})
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")
    assert name[0].isalnum()
    assert len(name) <= 53


def test_what_has_no_json() -> None:
    with pytest.raises(AnsibleFilterError, match="set is no plain type"):
        release_id("v", {"a": {1}})
    with pytest.raises(AnsibleFilterError, match="needs a dictionary"):
        release_id("v", ["a"])  # type: ignore[arg-type]
