"""How ranges are read from descriptions, and values held against them."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.edusphere.platform.plugins.plugin_utils.ranges import out_of_range, parse, range_of


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("1 to 65535", [1, "80", 65535], [0, 65536, -1, "-1", "", True, 80.0, "080", "8_0", " 80", "80\n", "٨٠"]),
        ("0 to 100", [0, "0", 100], [-1, "-0", "+1", float("inf"), float("nan"), 10**5000, "1e9", "0x10", None]),
        ("-5 to 5", [-5, "-5", 5], [-6, 6]),
        ("1 to 10, or 1% to 100%", [1, "10", "1%", "100%"], [0, 11, "0%", "101%", "-1%", "%", "1 %"]),
        ("1 to 5, or 9 to 10, or empty", [5, 9, "", "1"], [0, 6, 8, 11, " "]),
        ("1:0 to 70000:70000", ["1:0", "999:1000"], ["0:0", "1:-1", "70001:0", "1:70001", "999", 999, "1:1:1", "a:b"]),
        (
            "1k to 1g, as nginx writes sizes",
            ["1k", "1024", 1024, "10M", "1g"],
            ["1023", 0, "0", "1025m", "1gb", "1.5m"],
        ),
        ("1M to 1G, as systemd writes sizes", ["1M", "1.5M", "1024K", "1G"], ["1m", "1MB", "1.1G", "infinity", "1K"]),
        ("1m to 1g, as Docker writes sizes", ["1m", "1M", "1mb", "1.5MB", "1g"], ["1kb", "2g", "1 m", "1mib", "-1"]),
        ("1kb to 1mb, as Redis writes sizes", ["1kb", "1024", "2k", "1m", "1mb"], ["1k", "2mb", "1.5mb", "1M0"]),
    ],
)
def test_values(text: str, inside: list[Any], outside: list[Any]) -> None:
    wanted = parse(text)
    assert [value for value in inside if value not in wanted] == []
    assert [value for value in outside if value in wanted] == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "5",
        "5 to",
        "9 to 1",
        "1:9 to 9:1",
        "1 to 5%",
        "a to b",
        "empty to empty",
        "1k to 2k",
        "1 to 2, as x writes sizes",
    ],
)
def test_what_is_no_range(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no range|nothing in it|no notation"):
        parse(text)


@pytest.mark.parametrize(
    ("description", "text"),
    [
        ("The port. From 1 to 65535.", "1 to 65535"),
        (["The port.", "From 1 to\n 65535."], "1 to 65535"),
        ("From 1 to 2.", "1 to 2"),
        ("The port.", None),
        ("From 1 to 2. More is said after it", None),
    ],
)
def test_the_last_sentence_of_a_description_is_the_range(description: str | list[str], text: str | None) -> None:
    found = range_of({"description": description})
    assert (found.text if found else None) == text


def test_a_sentence_that_only_looks_like_a_range_is_told() -> None:
    with pytest.raises(ValueError, match="is no range"):
        range_of({"description": "What it is made of. From the builder."})


def test_problems_name_the_setting_the_value_and_the_range() -> None:
    port = {"type": "int", "description": "From 1 to 65535."}
    processes = {"type": "list", "options": {"name": {"type": "str"}, "port": port}}
    assert list(out_of_range("a_port", port, 0)) == ["a_port: is 0 and must be 1 to 65535"]
    assert list(out_of_range("a_port", port, 80)) == []
    assert list(out_of_range("all", processes, [{"port": 1}, {"name": "x", "port": "-1"}, {"port": None}, "x"])) == [
        "all[1].port: is '-1' and must be 1 to 65535"
    ]


def test_each_item_of_a_list() -> None:
    turns = {"type": "raw", "description": "From 1 to 9, or 1% to 100%."}
    assert list(out_of_range("turns", turns, [1, "50%"])) == []
    assert list(out_of_range("turns", turns, [1, 0])) == ["turns: is 0 and must be 1 to 9, or 1% to 100%"]
    assert list(out_of_range("turns", turns, [])) == ["turns: is [] and must be 1 to 9, or 1% to 100%"]


def test_a_problem_is_short_whatever_the_value() -> None:
    port = {"type": "int", "description": "From 1 to 65535."}
    for value in (10**5000, "9" * 5000):
        (problem,) = out_of_range("a_port", port, value)
        assert len(problem) < 120
