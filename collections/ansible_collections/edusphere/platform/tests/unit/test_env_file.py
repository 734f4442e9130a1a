"""The environment files that edusphere.platform.env_file writes."""

from __future__ import annotations

import re

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.edusphere.platform.plugins.filter.env_file import FilterModule, env_file
from hypothesis import given
from hypothesis import strategies as st

NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]*", fullmatch=True)
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\n"))
# Hypothesis seldom comes to runs of these by itself.
AWKWARD = st.text(st.sampled_from("\\\"$`'#{}() \t;=%!é€😀\r\x1b\x7fa1"))


def read_as_systemd(text: str) -> dict[str, str]:
    """What systemd reads: systemd.exec(5), EnvironmentFile=, written anew from the manual.

    "C escapes are not supported, but shell-like escapes are": inside double quotes a backslash keeps its meaning only
    before a double quote, a backslash, a dollar sign and a backtick, and before a newline it joins lines. Comments and
    unquoted values do not occur.
    """
    result = {}
    position = 0
    while position < len(text):
        name, quote = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=(\")").match(text, position).groups()  # type: ignore[union-attr]
        assert quote == '"'
        position += len(name) + 2
        value = ""
        while text[position] != '"':
            if text[position] == "\\" and text[position + 1] in '"\\$`':
                position += 1
            value += text[position]
            position += 1
        assert text[position + 1] == "\n"
        position += 2
        result[name] = value
    return result


def read_as_compose(text: str) -> dict[str, str]:
    """What Docker Compose 2.26 reads: a double-quoted value, whose escapes it undoes and whose references it fills.

    Escapes are those of Go's strings and an escaped dollar sign; any other backslash stays. A dollar sign that is left
    would start a reference, and none may be.
    """
    result = {}
    for line in text.split("\n")[:-1]:
        name, value = re.fullmatch(r'([A-Za-z_][A-Za-z0-9_]*)="((?:[^"\\]|\\.)*)"', line).groups()  # type: ignore[union-attr]
        assert not re.search(r"(?<!\\)(?:\\\\)*\$", value)
        result[name] = re.sub(r'\\([\\"$])', r"\1", value)
        assert not re.search(r"(?<!\\)(?:\\\\)*\\[abcfnrtv0]", value)
    return result


@given(st.dictionaries(NAMES, TEXTS | AWKWARD))
def test_both_readers_get_every_text_back(variables: dict[str, str]) -> None:
    text = env_file(variables)
    assert read_as_systemd(text) == variables
    assert read_as_compose(text) == variables


def test_sorted_and_the_same_each_time() -> None:
    assert env_file({"B": "2", "A": "1"}) == env_file({"A": "1", "B": "2"}) == 'A="1"\nB="2"\n'
    assert env_file({}) == ""


def test_only_three_characters_are_escaped() -> None:
    assert env_file({"A": "\\\"$`'#"}) == 'A="\\\\\\"\\$`\'#"\n'


def test_numbers_and_booleans() -> None:
    assert env_file({"A": True, "B": False, "C": 5432, "D": 1.5}) == 'A="True"\nB="False"\nC="5432"\nD="1.5"\n'


@pytest.mark.parametrize("name", ["", "1A", "A-B", "A B", "Ä", "A=B", "A\n"])
def test_names_are_checked(name: str) -> None:
    with pytest.raises(AnsibleFilterError, match="is not a variable's name"):
        env_file({name: "x"})


@pytest.mark.parametrize("value", ["s3cr\0et", "s3cr\net", "s3cr\r\net", "s3cr\ud800et", ["s3cr"], {"s3cr": 1}])
def test_a_refusal_names_the_key_and_not_the_value(value: object) -> None:
    with pytest.raises(AnsibleFilterError) as caught:
        env_file({"GOOD": "x", "TOKEN": value})
    assert "TOKEN" in str(caught.value)
    assert "s3cr" not in str(caught.value)
    assert "GOOD" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_all_mistakes_are_told() -> None:
    with pytest.raises(AnsibleFilterError, match=r"A contains a newline.*B must be text.*not null"):
        env_file({"A": "\n", "B": None})


def test_not_a_dictionary() -> None:
    with pytest.raises(AnsibleFilterError, match="needs a dictionary"):
        env_file(["A=1"])  # type: ignore[arg-type]


def test_entry_point() -> None:
    assert FilterModule().filters() == {"env_file": env_file}
