"""What repository pages draw: addresses with any name in them, lines of source, rows of a difference."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from html import escape
from urllib.parse import quote

from django import template
from django.urls import reverse
from django.utils.safestring import SafeString, mark_safe

from repos import diff
from repos.git import refs

register = template.Library()

# Kept as they are in an address; all else, odd bytes too, is percent-encoded.
_SAFE = "/:@!$&'()*+,;=~"


def code_address(repository_name: str, page: str, revision: str, path: str = "") -> str:
    """The address of a revision's page: "browse", "raw" or "commits". Names may hold any byte."""
    spec = f"{revision}/{path}" if path else revision
    place = reverse("repos:repository", args=[repository_name])
    return f"{place}{page}/{quote(spec, safe=_SAFE, errors='surrogateescape')}"


register.simple_tag(code_address, name="code_url")


@register.filter
def shown(name: str) -> str:
    """A name with what can't or shouldn't be printed as escapes."""
    return refs.shown(name)


@register.filter
def form_value(name: str) -> str:
    """A name as a form's field carries it; views read it with `refs.unescaped`."""
    return refs.escaped(name)


@register.simple_tag
def source_lines(lines: Sequence[str]) -> SafeString:
    """Table rows of numbered source lines; made here because a template needs five times as long for 10,000 of them."""
    rows = (
        f'<tr id="L{number}"><th scope="row" class="line-number"><a href="#L{number}">{number}</a></th>'
        f'<td class="line">{escape(line)}</td></tr>'
        for number, line in enumerate(lines, start=1)
    )
    return mark_safe("\n".join(rows))  # noqa: S308 - every line is escaped above


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
