"""The filter patterns of CloudWatch Logs."""

from __future__ import annotations

import pytest

from builds.logs import filter_pattern
from builds.logs.patterns import PatternError

MESSAGES = ["ERROR in main", "WARN disk full", "ERROR WARN both", 'say "hi" there', "nothing", "code 503", "100% sure"]


@pytest.mark.parametrize(
    ("pattern", "wanted"),
    [
        ("", MESSAGES),
        ("   ", MESSAGES),
        ("ERROR", ["ERROR in main", "ERROR WARN both"]),
        ("error", []),
        ("ERROR WARN", ["ERROR WARN both"]),
        ('"disk full"', ["WARN disk full"]),
        (r'"say \"hi\""', ['say "hi" there']),
        ("?ERROR ?WARN", ["ERROR in main", "WARN disk full", "ERROR WARN both"]),
        ('?"disk full" ?nothing', ["WARN disk full", "nothing"]),
        ("ERROR -WARN", ["ERROR in main"]),
        ('-"disk full" -ERROR', ['say "hi" there', "nothing", "code 503", "100% sure"]),
        ("ERROR ?nothing", ["ERROR in main", "ERROR WARN both"]),
        ("%code [45]0[0-9]%", ["code 503"]),
        ("%^ERROR% -both", ["ERROR in main"]),
        (r"%100\% sure%", ["100% sure"]),
        ("-%ERROR|WARN%", ['say "hi" there', "nothing", "code 503", "100% sure"]),
    ],
)
def test_a_pattern_wants_what_it_says(pattern, wanted):
    found = filter_pattern.parse(pattern)
    assert [message for message in MESSAGES if found.matches(f"{message}\n")] == wanted
    text = "".join(f"{message}\n" for message in MESSAGES).encode()
    assert found.may_match(text, 0, len(text)) or not wanted


@pytest.mark.parametrize(
    ("pattern", "sentence"),
    [
        ('"open', "at character 1"),
        ("a %open", "at character 3"),
        ("%(%", "no regular expression"),
        ('{ $.level = "x" }', "is text"),
        ("[a, b]", "is text"),
        ("%a% ?%b% -%c%", "at most 2 regular expressions"),
    ],
)
def test_what_is_no_pattern_is_refused_in_words(pattern, sentence):
    with pytest.raises(PatternError, match=sentence):
        filter_pattern.parse(pattern)
