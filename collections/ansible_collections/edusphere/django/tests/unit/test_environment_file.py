"""The reader of environment files, held against systemd's rules."""

from __future__ import annotations

import pytest
from ansible_collections.edusphere.django.plugins.module_utils.environment_file import EnvironmentFileError, parse
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("text", "variables"),
    [
        ("A=plain\n", {"A": "plain"}),
        ("A=no newline at the end", {"A": "no newline at the end"}),
        ("  A =  stripped \t\nB=\n", {"A": "stripped", "B": ""}),
        ("# A=1\n; B=2\n\nC=3 # kept\n", {"C": "3 # kept"}),
        ('A=" spaces stay "\n', {"A": " spaces stay "}),
        (r'A="quote \" backslash \\ dollar \$ backtick \`"', {"A": 'quote " backslash \\ dollar $ backtick `'}),
        (r'A="other \n \t \x"', {"A": r"other \n \t \x"}),
        ('A="two\nlines"\nB=1', {"A": "two\nlines", "B": "1"}),
        ('A="con\\\ntinued"', {"A": "continued"}),
        ("A=con\\\ntinued", {"A": "continued"}),
        (r"A=\ \"x\ ", {"A": ' "x '}),
        ("A='single \\ \" $x'", {"A": 'single \\ " $x'}),
        ("A='one'\"two\"three", {"A": "onetwothree"}),
        ("A=it's", {"A": "it's"}),
        ("A=first\nA=second", {"A": "second"}),
    ],
)
def test_systemds_rules(text: str, variables: dict[str, str]) -> None:
    assert parse(text) == variables


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("A=1\nnonsense\n", "line 2: no '=' after 'nonsense'"),
        ("A=1\n\n1B=2\n", "line 3: '1B' is not the name of a variable"),
        ("export A=1", "line 1: 'export A' is not the name of a variable"),
        ('A="open\n', "the value of A has no closing quote"),
        ('A="\0"', "line 1: the value of A contains a NUL byte"),
        ("# comment \\\nA=1\n", "line 1: systemd before 254"),
    ],
)
def test_what_systemd_would_skip_is_an_error(text: str, message: str) -> None:
    with pytest.raises(EnvironmentFileError) as error:
        parse(text)
    assert message in str(error.value)


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_any_value_comes_through_double_quotes(value: str) -> None:
    escaped = "".join("\\" + character if character in '\\"$`' else character for character in value)
    assert parse(f'BEFORE=1\nA="{escaped}"\nAFTER=2\n') == {"BEFORE": "1", "A": value, "AFTER": "2"}
