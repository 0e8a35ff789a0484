"""Patterns of on-failure, which strangers write."""

from __future__ import annotations

from builds.runner import retry


def test_a_pattern_is_looked_for_anywhere_in_the_text():
    assert retry.matches(".*", "")
    assert retry.matches("timed? out", "first line\nread timed out\n")
    assert not retry.matches("disk", "read timed out\n")


def test_a_pattern_that_takes_for_ever_is_given_up():
    assert not retry.matches("(a+)+$", "a" * 64 + "b", seconds=0.5)
