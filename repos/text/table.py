"""Comma-separated values and their kin, as rows of cells.

Source: RFC 4180. Spreadsheets of half of Europe write semicolons, since their numbers have commas; and with tabs all of
them quote as with commas, whatever the media type text/tab-separated-values says.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

MAX_ROWS: Final = 1000
MAX_COLUMNS: Final = 100
_DELIMITERS: Final = {".csv": ",;\t", ".tsv": "\t", ".tab": "\t"}


@dataclass(frozen=True)
class Row:
    """One record.

    Attributes:
        line: The number, from 1, of the line that it begins in; a cell may have line ends.
        cells: As many as the table has columns.
    """

    line: int
    cells: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """Records, of which the first names the columns. `is_cut` where there are more rows or columns than are given."""

    head: Row
    rows: tuple[Row, ...]
    is_cut: bool


def is_table(name: str) -> bool:
    """Whether a file's name says that it is one."""
    return name.lower().endswith(tuple(_DELIMITERS))


def table(text: str, name: str) -> Table | None:
    """The records of a text; None where it is not written as such.

    Args:
        name: The file's, which tells what stands between cells; where there is a choice, the first records do.
    """
    text = text.removeprefix("\ufeff")
    choices = _DELIMITERS[name[name.rindex(".") :].lower()]
    reader = _reader(text, next((one for one in choices if _divides(text, one)), choices[0]))
    found: list[Row] = []
    begun = 1
    try:
        for cells in reader:
            if cells:  # else it is an empty line
                found.append(Row(begun, tuple(cells)))
            begun = reader.line_num + 1
            if len(found) > MAX_ROWS + 1:
                break
    except csv.Error:
        return None
    if not found:
        return None
    width = max(len(row.cells) for row in found)
    columns = min(width, MAX_COLUMNS)
    filled = [Row(row.line, (*row.cells, *[""] * columns)[:columns]) for row in found[: MAX_ROWS + 1]]
    return Table(filled[0], tuple(filled[1:]), is_cut=len(found) > len(filled) or width > columns)


def _reader(text: str, delimiter: str) -> Any:
    # A lone carriage return ends no line here, as in the text's own view.
    return csv.reader(io.StringIO(text, newline="\n"), delimiter=delimiter, strict=True)


def _divides(text: str, delimiter: str) -> bool:
    """Whether the first two records, read so, have as many cells as each other, and more than one."""
    try:
        widths = {len(cells) for cells in islice(filter(None, _reader(text, delimiter)), 2)}
    except csv.Error:
        return False
    return len(widths) == 1 and widths != {1}
