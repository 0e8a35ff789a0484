"""The pure parts of a shown difference: spans of colours and marks, gaps between hunks, lines for them, HTML."""

from __future__ import annotations

import pytest

from repos.diff import excerpt, markup, spans
from repos.diff.changes import FileChange
from repos.diff.excerpt import Gap
from repos.diff.pairing import Mark
from repos.diff.rows import FileDiff, Hunk, Row

CHANGE = FileChange("M", "x", "x", "100644", "100644", "1" * 40, "2" * 40)
HOSTILE = "<script>alert('x')</script> & more"


def context(start: int, count: int) -> list[Row]:
    return [Row("context", number, number, f"line {number}") for number in range(start, start + count)]


@pytest.mark.parametrize(
    ("pieces", "marks", "expected"),
    [
        (None, (), [("let x = 1", "", False)]),
        ([("k", "let"), ("", " x = "), ("m", "1")], (), [("let", "k", False), (" x = ", "", False), ("1", "m", False)]),
        (None, [Mark(4, 5)], [("let ", "", False), ("x", "", True), (" = 1", "", False)]),
        (  # a mark over a border of colours, and one that begins inside a colour
            [("k", "let"), ("", " x = "), ("m", "1")],
            [Mark(1, 5), Mark(8, 9)],
            [("l", "k", False), ("et", "k", True), (" x", "", True), (" = ", "", False), ("1", "m", True)],
        ),
        ([("k", "let x")], [Mark(0, 9)], [("let x", "k", True), (" = 1", "", True)]),  # colours end too early
        ([("k", "let"), ("s", " y = 1")], (), [("let", "k", False), (" x = 1", "", False)]),  # of another line
        ([("k", "let"), ("", " x = 1 and more")], (), [("let", "k", False), (" x = 1", "", False)]),  # the line is cut
        ([("", ""), ("k", "let x = 1")], (), [("let x = 1", "k", False)]),
    ],
)
def test_colours_and_marks_are_merged(pieces, marks, expected):
    found = list(spans.merged("let x = 1", pieces, marks))
    assert found == expected
    assert "".join(span.text for span in found) == "let x = 1"


def test_an_empty_line_has_no_spans():
    assert list(spans.merged("", [("k", "")], ())) == []


def hunk(start: int, rows: list[Row], *, old: int | None = None, new: int | None = None) -> Hunk:
    olds = sum(row.kind != "added" for row in rows) if old is None else old
    news = sum(row.kind != "removed" for row in rows) if new is None else new
    return Hunk(start, olds, start, news, "f()", tuple(rows))


def test_gaps_are_above_between_and_below_hunks():
    first, second = hunk(4, context(4, 7)), hunk(31, context(31, 6))
    assert excerpt.gap_above(first, None) == Gap(1, 1, 3, "@@ -4,7 +4,7 @@ f()")
    assert excerpt.gap_above(second, first) == Gap(11, 11, 20, "@@ -31,6 +31,6 @@ f()")
    assert excerpt.gap_below(FileDiff((first, second)), 3) == Gap(37, 37, None)


def test_no_gap_is_below_what_reaches_the_end():
    change = Row("added", None, 6, "new")
    assert excerpt.gap_below(FileDiff((hunk(4, [*context(4, 2), change, *context(7, 2)]),)), 3) is None
    ended = [*context(4, 2), Row("context", 6, 6, "last", ends_file=True)]
    assert excerpt.gap_below(FileDiff((hunk(4, ended),)), 3) is None
    assert excerpt.gap_below(FileDiff((hunk(4, context(4, 7)),), next_row=7), 3) is None
    assert excerpt.gap_below(FileDiff(), 3) is None


def taken(made, gap: Gap, show, content: str = "", **limits):
    oid = made.blob(content or "".join(f"line {number}\n" for number in range(1, 101)))
    found = excerpt.excerpt(made.repository, oid, gap, show, **({"max_rows": 1500, "max_bytes": 10**6} | limits))
    return found.gap_above, [row.new_number for row in found.rows], found.gap_below, found.rows


def test_lines_of_a_gap_come_from_its_top_or_its_end_and_the_rest_stays_a_gap(made):
    gap = Gap(8, 10, 60)
    above, numbers, below, rows = taken(made, gap, "down")
    assert (above, numbers, below) == (None, list(range(10, 30)), Gap(28, 30, 40))
    assert (rows[0].old_number, rows[0].text) == (8, "line 10")
    above, numbers, below, _ = taken(made, gap, "up")
    assert (above, numbers, below) == (Gap(8, 10, 40), list(range(50, 70)), None)
    assert taken(made, gap, "all")[:3] == (None, list(range(10, 70)), None)
    assert taken(made, gap, "all", max_rows=30)[:3] == (None, list(range(10, 40)), Gap(38, 40, 30))
    assert taken(made, gap, "up", max_bytes=16)[:3] == (Gap(8, 10, 58), [68, 69], None)


def test_the_gap_at_the_end_of_a_file_ends_with_the_file(made):
    assert taken(made, Gap(90, 90, None), "down")[:3] == (None, list(range(90, 101)), None)
    assert taken(made, Gap(70, 70, None), "down")[:3] == (None, list(range(70, 90)), Gap(90, 90, None))
    assert taken(made, Gap(101, 101, None), "down")[:3] == (None, [], None)
    rows = taken(made, Gap(1, 1, None), "all", "one\ntwo")[3]
    assert [(row.text, row.ends_file) for row in rows] == [("one", False), ("two", True)]
    assert taken(made, Gap(5, 5, 10**6), "all", "one\n")[:3] == (None, [], None)


def html(file: FileDiff, view: markup.View = "unified", **colours) -> str:
    return "\n".join(part for part in markup.parts(file, CHANGE, view, 3, **colours) if isinstance(part, str))


@pytest.mark.parametrize("view", markup.VIEWS)
def test_text_and_headers_are_escaped_in_both_views(view):
    rows = (Row("removed", 1, None, HOSTILE), Row("added", None, 1, f"{HOSTILE}!"), *context(2, 1))
    found = html(FileDiff((Hunk(1, 2, 1, 2, HOSTILE, rows),)), view)
    assert "<script>" not in found
    assert found.count("&lt;script&gt;") == 3
    assert found.count("<tr") == (4 if view == "unified" else 3)


def test_marks_and_colours_are_in_the_html():
    rows = (Row("removed", 1, None, "let a", (Mark(4, 5),), 1), Row("added", None, 1, "let b", (Mark(4, 5),), 0))
    file = FileDiff((Hunk(1, 1, 1, 1, "", rows),))
    assert "<td>let <del>a</del></td>" in html(file)
    found = html(file, new_lines=[[("k", "let"), ("", " b")]])
    assert '<td><span class="k">let</span> <ins>b</ins></td>' in found
    assert "<td>let <del>a</del></td>" in found


def test_what_can_not_be_seen_is_shown():
    rows = (Row("added", None, 1, "a\u202eb\x00"), Row("added", None, 2, "ends\r"), Row("added", None, 3, "no"))
    found = html(FileDiff((Hunk(0, 0, 1, 3, "\udce9", rows),)))
    assert '<span class="invisible" title="RIGHT-TO-LEFT OVERRIDE">U+202E</span>' in found
    assert 'title="NULL">U+0000<' in found
    assert 'title="CARRIAGE RETURN">CR<' in found
    assert found.encode()
    found = html(FileDiff((Hunk(0, 0, 1, 1, "", rows[1:2]),)))
    assert "CARRIAGE RETURN" not in found  # every line ends so


def test_gaps_are_left_for_the_page_to_draw():
    file = FileDiff((hunk(4, context(4, 7)), hunk(31, context(31, 6))))
    kinds = [type(part).__name__ for part in markup.parts(file, CHANGE, "split", 3)]
    assert kinds == ["Gap", "str", "Gap", "str", "Gap"]
    added = FileChange("A", "x", "x", "000000", "100644", "", "2" * 40)
    assert all(isinstance(part, str) for part in markup.parts(file, added, "split", 3))


def test_a_hunk_that_goes_on_from_an_earlier_window_has_no_header():
    file = FileDiff((Hunk(1, 9, 1, 9, "", tuple(context(5, 3)), is_continued=True),), first_row=4)
    assert "@@" not in html(file)
