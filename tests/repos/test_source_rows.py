"""The rows of a file's page are what a browser makes numbered lines of, however many there are."""

from __future__ import annotations

import pytest

from repos.templatetags.source import ROWS_A_BLOCK, source_rows


@pytest.mark.parametrize("count", [0, 1, 2, ROWS_A_BLOCK, ROWS_A_BLOCK + 1, 2 * ROWS_A_BLOCK + 3])
def test_each_line_has_a_row_with_its_number(count: int) -> None:
    lines = [f"<b>{number}</b>" for number in range(count)]
    expected = [
        f'<tr id="L{number}"><th><a href="#L{number}">{number}</a></th><td>{line}</td></tr>'
        for number, line in enumerate(lines, start=1)
    ]
    assert source_rows(lines) == "\n".join(expected)


def test_rows_of_one_file_leave_those_of_another_alone() -> None:
    long = source_rows(["x"] * 5)
    assert source_rows(["y"]) == '<tr id="L1"><th><a href="#L1">1</a></th><td>y</td></tr>'
    assert source_rows(["x"] * 5) == long
