"""Lines of source as rows of a table; made here because a template needs five times as long for 10,000 of them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from html import escape
from itertools import chain, islice
from typing import Final

from django import template
from django.utils.safestring import SafeString, mark_safe

from codeservices.templatetags.ui import SHORT_OID_LENGTH, icon, timeago
from repos.git.blame import Group, Origin
from repos.git.refs import shown
from repos.templatetags.repository import place_address, quoted_spec

register = template.Library()

# The commits of a page by age, in shades: the oldest is 0, the youngest AGES - 1.
AGES: Final = 8
ROWS_A_BLOCK: Final = 1000


@register.simple_tag
def source_rows(lines: Sequence[str]) -> SafeString:
    """Rows of numbered lines; `repos.views.source` has made their HTML.

    A file of 3,000 lines is worth short rows: `.lines th` and `.lines td` style them without a class.
    """
    if not lines:
        return SafeString()
    starts = chain.from_iterable(_row_starts(block) for block in range(-(-len(lines) // ROWS_A_BLOCK)))
    parts = [""] * (2 * len(lines))  # by turns a start and a line: joined in a tenth of the time of formatting each row
    parts[::2] = islice(starts, len(lines))
    parts[1::2] = lines
    return mark_safe(f"{''.join(parts)}</td></tr>")  # noqa: S308 - every line was escaped where it was made


@lru_cache(maxsize=20)
def _row_starts(block: int) -> list[str]:
    """What stands before each line of a thousand: the end of the row before it, and its own up to the line."""
    first = block * ROWS_A_BLOCK + 1
    starts = [
        f'</td></tr>\n<tr id="L{number}"><th><a href="#L{number}">{number}</a></th><td>'
        for number in range(first, first + ROWS_A_BLOCK)
    ]
    if first == 1:
        starts[0] = starts[0].removeprefix("</td></tr>\n")
    return starts


@register.simple_tag
def blame_rows(groups: Sequence[Group], lines: Sequence[str], repository_name: str) -> SafeString:
    """Rows of numbered lines like those of `source_rows`, with a cell before each group that tells its commit."""
    place, ages = place_address(repository_name), _ages(groups)
    cells: dict[Origin | None, str] = {}
    rows: list[str] = []
    start = groups[0].first if groups else 1
    for group in groups:
        if group.origin not in cells:
            cells[group.origin] = _origin(group.origin, ages, place)
        rowspan = f' rowspan="{group.line_count}"' if group.line_count > 1 else ""
        line = _line(group.first, lines[group.first - start])
        rows.append(f'<tr id="L{group.first}"><td{rowspan} {cells[group.origin]}</td>{line}')
        rows += [
            f'<tr id="L{number}">{_line(number, lines[number - start])}'
            for number in range(group.first + 1, group.first + group.line_count)
        ]
    return mark_safe("\n".join(rows))  # noqa: S308 - every line was escaped where it was made, the rest by _origin


def _line(number: int, line: str) -> str:
    return f'<th><a href="#L{number}">{number}</a></th><td>{line}</td></tr>'


def _ages(groups: Sequence[Group]) -> dict[str, int]:
    """The shade of each commit, by when it was written between the first and the last of them."""
    moments = {one.origin.oid: one.origin.when_at for one in groups if one.origin is not None}
    known = {oid: moment.timestamp() for oid, moment in moments.items() if moment is not None}
    oldest, youngest = min(known.values(), default=0.0), max(known.values(), default=0.0)
    span = (youngest - oldest) or 1.0
    return {oid: round((moment - oldest) / span * (AGES - 1)) for oid, moment in known.items()}


def _origin(origin: Origin | None, ages: dict[str, int], place: str) -> str:
    """The attributes and the content of a cell that tells where lines are from."""
    if origin is None:
        return 'class="origin"><div><span class="muted">not found in time</span></div>'
    subject, author = escape(origin.subject or "(no message)"), escape(origin.author or "no author")
    return (
        f'class="origin" data-age="{ages.get(origin.oid, 0)}"><div>'
        f'<a class="subject" href="{place}commit/{origin.oid}" title="{subject}">{subject}</a>'
        f'<span class="author" title="{escape(origin.email)}">{author}</span>{timeago(origin.when_at, "no date")}'
        f"{_before(origin, place)}</div>"
    )


def _before(origin: Origin, place: str) -> str:
    """A link to the blame of the file as it was before the commit; nothing where the file began with it."""
    if origin.previous is None:
        return '<span class="before"></span>'
    oid, path = origin.previous
    words = escape(f"Blame before {origin.oid[:SHORT_OID_LENGTH]}, of {shown(path)}")
    address = escape(f"{place}blame/{quoted_spec(oid, path)}")
    return f'<a class="before" href="{address}" title="{words}" aria-label="{words}">{icon("before")}</a>'
