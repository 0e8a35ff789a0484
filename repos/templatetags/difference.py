"""Rows of a difference, unified or side by side."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape

from django import template
from django.utils.safestring import SafeString, mark_safe

from repos import diff

register = template.Library()


@register.simple_tag
def diff_rows(file_diff: diff.FileDiff, view: str) -> SafeString:
    """Table rows of a file's hunks, "unified" or "split"."""
    rows: list[str] = []
    for hunk in file_diff.hunks:
        head = escape(f"{hunk.range} {hunk.header}".strip())
        numbers = '<td class="line-number"></td>'
        cells = f'{numbers}<td class="line" colspan="3">' if view == "split" else f'{numbers * 2}<td class="line">'
        rows.append(f'<tr data-kind="hunk">{cells}{head}</td></tr>')
        rows += _split(hunk) if view == "split" else _unified(hunk.rows)
    return mark_safe("\n".join(rows))  # noqa: S308 - every text is escaped by _content and above


def _unified(rows: Iterable[diff.Row]) -> Iterator[str]:
    for row in rows:
        yield (
            f'<tr data-kind="{row.kind}"><td class="line-number">{row.old_number or ""}</td>'
            f'<td class="line-number">{row.new_number or ""}</td><td class="line">{_content(row)}</td></tr>'
        )


def _split(hunk: diff.Hunk) -> Iterator[str]:
    for left, right in hunk.split_rows:
        old_number = left.old_number if left else None
        new_number = right.new_number if right else None
        yield f"<tr>{_side(left, old_number)}{_side(right, new_number)}</tr>"


def _side(row: diff.Row | None, number: int | None) -> str:
    if row is None:
        return '<td class="line-number"></td><td class="line" data-kind="none"></td>'
    return (
        f'<td class="line-number" data-kind="{row.kind}">{number or ""}</td>'
        f'<td class="line" data-kind="{row.kind}">{_content(row)}</td>'
    )


def _content(row: diff.Row) -> str:
    tag = "del" if row.kind == "removed" else "ins"
    text = "".join(f"<{tag}>{escape(piece)}</{tag}>" if marked else escape(piece) for piece, marked in row.pieces)
    if row.is_cut:
        text += ' <span class="line-note">… the rest of this line is not shown</span>'
    if row.ends_file:
        text += ' <span class="line-note">no newline at end of file</span>'
    return text
