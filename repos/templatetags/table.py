"""Records as the rows of a table; made here because a template needs many times as long for 20,000 cells."""

from __future__ import annotations

from html import escape

from django import template
from django.utils.safestring import SafeString, mark_safe

from repos.text import invisible
from repos.text.table import Row, Table

register = template.Library()


@register.simple_tag
def record_rows(table: Table) -> SafeString:
    """Head and body of a table; each record is numbered by its line, and its id is that of the line in the source."""
    head = _row(table.head, "th", ' scope="col"')
    body = "\n".join(_row(row, "td", "") for row in table.rows)
    return mark_safe(f"<thead>{head}</thead>\n<tbody>\n{body}\n</tbody>")  # noqa: S308 - every cell is escaped below


def _row(row: Row, tag: str, attributes: str) -> str:
    cells = "".join(f"<{tag}{attributes}>{_cell(cell)}</{tag}>" for cell in row.cells)
    return f'<tr id="L{row.line}"><th scope="row"><a href="#L{row.line}">{row.line}</a></th>{cells}</tr>'


def _cell(text: str) -> str:
    if text.isascii() and text.isprintable():
        return escape(text, quote=False)
    return "\n".join(invisible.html(line) for line in text.replace("\r\n", "\n").split("\n"))
