"""Rows of a difference as rows of an HTML table, unified or side by side.

Made here because a template needs many times as long for a thousand of them. Gaps between hunks stay what they are:
their buttons hold addresses, and these rows know of none, so that they can be remembered for any page.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from html import escape
from typing import Final, Literal

from repos.diff import excerpt, spans
from repos.diff.changes import FileChange
from repos.diff.excerpt import Gap
from repos.diff.rows import FileDiff, Hunk, Row
from repos.text import invisible

View = Literal["unified", "split"]
# Pieces of the old and of the new file's lines, by the highlighter.
Coloured = Sequence[Sequence[tuple[str, str]]]

VIEWS: Final[tuple[View, ...]] = ("unified", "split")
# The beginning of a row that stands for no line.
NUMBERS: Final[dict[View, str]] = {"unified": '<th colspan="2"></th><td>', "split": '<th></th><td colspan="3">'}


def parts(
    file: FileDiff,
    change: FileChange,
    view: View,
    context: int,
    *,
    old_lines: Coloured | None = None,
    new_lines: Coloured | None = None,
) -> list[str | Gap]:
    """HTML of neighbouring rows, and between them the gaps where lines are not shown."""
    has_gaps = change.has_lines_between_hunks
    content = partial(_content, file.has_mixed_line_ends, old_lines, new_lines)
    found: list[str | Gap] = []
    before: Hunk | None = None
    for hunk in file.hunks:
        if not hunk.is_continued:
            gap = excerpt.gap_above(hunk, before)
            found.append(gap if has_gaps and gap.line_count else _label(gap.label, view))
        found.append("\n".join(_unified(hunk.rows, content) if view == "unified" else _split(hunk, content)))
        before = hunk
    if has_gaps:
        below = excerpt.gap_below(file, context)
        if below is not None:
            found.append(below)
    return found


def context_rows(rows: Sequence[Row], view: View, new_lines: Coloured | None = None) -> str:
    """Rows for the place of a gap."""
    content = partial(_content, False, None, new_lines)
    if view == "unified":
        return "\n".join(_unified(rows, content))
    return "\n".join(_split(Hunk(0, 0, 0, 0, "", tuple(rows)), content))


def label(text: str) -> str:
    """The line above a hunk, as far as it can be shown: git cuts it where it likes."""
    return _visible(text)


def _label(text: str, view: View) -> str:
    return f'<tr data-kind="hunk">{NUMBERS[view]}{label(text)}</td></tr>'


def _unified(rows: Sequence[Row], content: Callable[[Row], str]) -> Iterator[str]:
    for row in rows:
        yield (
            f'<tr data-kind="{row.kind}"><th>{row.old_number or ""}</th><th>{row.new_number or ""}</th>'
            f"<td>{content(row)}</td></tr>"
        )


def _split(hunk: Hunk, content: Callable[[Row], str]) -> Iterator[str]:
    for left, right in hunk.split_rows:
        old = _side(left, left.old_number, content) if left else '<th></th><td data-kind="none"></td>'
        new = _side(right, right.new_number, content) if right else '<th></th><td data-kind="none"></td>'
        yield f"<tr>{old}{new}</tr>"


def _side(row: Row, number: int | None, content: Callable[[Row], str]) -> str:
    kind = f' data-kind="{row.kind}"' if row.kind != "context" else ""
    return f"<th{kind}>{number or ''}</th><td{kind}>{content(row)}</td>"


def _content(shows_returns: bool, old_lines: Coloured | None, new_lines: Coloured | None, row: Row) -> str:
    is_old = row.kind == "removed"
    lines, number = (old_lines, row.old_number) if is_old else (new_lines, row.new_number)
    pieces = lines[number - 1] if lines is not None and number is not None and number <= len(lines) else None
    tag = "del" if is_old else "ins"
    if pieces is None and not row.marks:
        text = _text(row.text, shows_returns)
    else:
        text = "".join(_span(span, tag, shows_returns) for span in spans.merged(row.text, pieces, row.marks))
    if row.is_cut:
        text += ' <span class="line-note">… the rest of this line is not shown</span>'
    if row.ends_file:
        text += ' <span class="line-note">no newline at end of file</span>'
    return text


def _span(span: spans.Span, tag: str, shows_returns: bool) -> str:
    text = _text(span.text, shows_returns)
    if span.css_class:
        text = f'<span class="{span.css_class}">{text}</span>'
    return f"<{tag}>{text}</{tag}>" if span.is_marked else text


def _text(text: str, shows_returns: bool) -> str:
    if text.endswith("\r"):
        ending = '<span class="invisible" title="CARRIAGE RETURN">CR</span>' if shows_returns else ""
        return _text(text[:-1], False) + ending
    if text.isascii() and text.isprintable():
        return escape(text, quote=False)
    return _visible(text)


def _visible(text: str) -> str:
    """Surrogates, which stand for bytes that are no text, can't be sent."""
    shown = invisible.html(text)
    return shown if shown.isascii() else shown.encode("utf-8", "replace").decode("utf-8")
