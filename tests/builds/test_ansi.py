"""A log line as a terminal would leave it."""

from __future__ import annotations

import pytest

from builds.logs import ansi
from tests.builds.ansi_lines import KINDS, LINES


@pytest.mark.parametrize(("line", "wanted"), LINES)
def test_a_line_is_shown_as_a_terminal_would_leave_it(line, wanted):
    assert [tuple(span) for span in ansi.spans(line)] == wanted


@pytest.mark.parametrize(("line", "wanted"), KINDS)
def test_our_own_lines_are_told_apart(line, wanted):
    assert ansi.kind(line) == wanted


def test_no_text_is_lost_and_no_escape_is_left_whatever_comes():
    for code in range(0, 0x3000):
        shown = "".join(span.text for span in ansi.spans(f"a{chr(code)}b"))
        assert "\x1b" not in shown and shown.endswith("b" if code != 0x1B else "")


def test_a_long_line_of_escapes_costs_time_in_proportion():
    line = "\x1b[31mx\x1b[0m" * 6000 + "\x1b[" * 3000 + "\x1b]" * 3000
    assert len(ansi.spans(line)) >= 6000
