"""The fast way and the safe way through a pattern give the same answers, and no pattern takes for ever."""

from __future__ import annotations

import random

import pytest

from builds import path_patterns
from builds.path_patterns import PathPattern
from tests.endless import ends

PIECES = ("a", "b", "/", "*", "**", "**/", "?")


def test_the_set_of_states_answers_as_the_regular_expression_does():
    chosen = random.Random(7)
    answers = set()
    for _ in range(20_000):
        pattern = "".join(chosen.choice(PIECES) for _ in range(chosen.randint(1, 7)))
        path = "".join(chosen.choice("ab/") for _ in range(chosen.randint(0, 8)))
        tokens = list(path_patterns._TOKEN.finditer(pattern))
        expected = path_patterns._regex(tokens).fullmatch(path) is not None
        assert path_patterns._States(tokens).accept(path) is expected, (pattern, path)
        answers.add(expected)
    assert answers == {True, False}


@pytest.mark.parametrize("pattern", ["*a" * 40 + "b", "**/" * 30 + "x/*/y", "**a" * 40 + "/b"])
def test_a_pattern_with_many_wildcards_ends(pattern: str):
    with ends():
        assert not PathPattern(pattern).fullmatch("a" * 200 + "/a" * 60)


def test_many_wildcards_still_match():
    assert PathPattern("**/src/*/*_test.*").fullmatch("a/b/src/lib/one_test.py")
    assert not PathPattern("**/src/*/*_test.*").fullmatch("a/b/src/lib/more/one_test.py")
