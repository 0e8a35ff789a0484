"""Git's patch of numbered files, read as it comes: rows as bytes, no more of them than asked for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from repos.diff import pair_trees
from repos.diff.rows import RowKind
from repos.git import program

_HUNK: Final = re.compile(rb"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@ ?(.*)", re.DOTALL)
_KINDS: Final[dict[bytes, RowKind]] = {b" ": "context", b"-": "removed", b"+": "added"}


class Window(NamedTuple):
    """Which rows of a file: how many to pass over, how many to give at most, and how many bytes of text."""

    first_row: int
    max_rows: int
    max_bytes: int


class RawRow(NamedTuple):
    """A line of a hunk; `data` without its sign and line feed."""

    kind: RowKind
    old_number: int
    new_number: int
    data: bytes
    is_cut: bool


@dataclass
class RawHunk:
    """A hunk or what a window has of it.

    Attributes:
        span: Start and count of the old side, start and count of the new one.
        without_newline: The indexes of the rows that no newline follows.
    """

    span: tuple[int, int, int, int]
    header: bytes
    is_continued: bool
    rows: list[RawRow] = field(default_factory=list)
    without_newline: set[int] = field(default_factory=set)


class RawFile:
    """The rows of one file.

    Attributes:
        number: Its name in the patch.
        next_row: The first row that the window has no room for; None if all are there.
    """

    def __init__(self, number: int, window: Window) -> None:
        self.number = number
        self.is_binary = False
        self.hunks: list[RawHunk] = []
        self.next_row: int | None = None
        self._window = window
        self._seen = self._kept = self._kept_bytes = 0
        self._old_left = self._new_left = 0
        self._old_number = self._new_number = 0
        self._hunk: RawHunk | None = None
        self._is_last_kept = False

    @property
    def is_inside_hunk(self) -> bool:
        """The next line belongs to the hunk, whatever it looks like."""
        return self._old_left > 0 or self._new_left > 0

    def head(self, data: bytes) -> None:
        """Take a line between hunks; of the lines above the first one only that of a binary file tells something."""
        if data.startswith(b"@@"):
            match = _HUNK.match(data)
            assert match is not None, "git writes hunk headers in one form"
            span = tuple(1 if x is None else int(x) for x in match.groups()[:4])
            self._old_number, self._old_left, self._new_number, self._new_left = span
            self._hunk = RawHunk((span[0], span[1], span[2], span[3]), match[5], is_continued=False)
        elif data.startswith(b"Binary files "):
            self.is_binary = True
        elif data.startswith(b"\\"):
            self._end_file()

    def row(self, data: bytes, is_cut: bool) -> None:
        """Take a line inside a hunk."""
        kind = _KINDS.get(data[:1])
        if kind is None:  # "\ No newline at end of file"
            self._end_file()
            return
        self._is_last_kept = self._seen >= self._window.first_row and self._has_room(len(data))
        if self._is_last_kept:
            self._keep(RawRow(kind, self._old_number, self._new_number, data[1:], is_cut))
        elif self._seen < self._window.first_row and self._hunk is not None:
            self._hunk.is_continued = True
        self._seen += 1
        if kind != "added":
            self._old_number += 1
            self._old_left -= 1
        if kind != "removed":
            self._new_number += 1
            self._new_left -= 1

    def _keep(self, row: RawRow) -> None:
        assert self._hunk is not None, "rows stand in hunks"
        if not self.hunks or self.hunks[-1] is not self._hunk:
            self.hunks.append(self._hunk)
        self._hunk.rows.append(row)
        self._kept += 1
        self._kept_bytes += len(row.data) + 1

    def _has_room(self, size_bytes: int) -> bool:
        """Whether a row fits in the window, which always takes one."""
        if self.next_row is None and self._kept:
            is_full = self._kept >= self._window.max_rows or self._kept_bytes + size_bytes > self._window.max_bytes
            self.next_row = self._seen if is_full else None
        return self.next_row is None

    def _end_file(self) -> None:
        if self._is_last_kept:
            self.hunks[-1].without_newline.add(len(self.hunks[-1].rows) - 1)


def read(
    pieces: Iterable[bytes], window: Window, max_line_bytes: int, numbers: Iterator[int] | None = None
) -> Iterator[RawFile]:
    """Each file of a patch, as soon as its window is full or its end is reached.

    A file whose kind changed is two parts of the patch under one number, and one file here.

    Args:
        numbers: Of the files that the parts are about, where these are not called by their numbers.

    Raises:
        GitError: What the pieces raise, after the files before it.
    """
    file: RawFile | None = None
    is_given = False
    try:
        for data, is_cut in _lines(pieces, max_line_bytes + 1):
            if file is not None and file.is_inside_hunk:
                file.row(data, is_cut)
                if file.next_row is not None and not is_given:
                    yield file
                    is_given = True
            elif data.startswith(b"diff --git "):
                number = pair_trees.number_of(data.rpartition(b"/")[2]) if numbers is None else next(numbers)
                if file is None or number != file.number:
                    if file is not None and not is_given:
                        yield file
                    file, is_given = RawFile(number, window), False
            elif file is not None:
                file.head(data)
    except program.GitTimeout:
        raise
    except program.GitError:  # git reads a file's two objects before it writes a line of it: the last file is whole
        if file is not None and not is_given:
            yield file
        raise
    if file is not None and not is_given:
        yield file


def _lines(pieces: Iterable[bytes], most: int) -> Iterator[tuple[bytes, bool]]:
    """Lines without their line feed, of each no more than so many bytes, and whether there was more."""
    begun = bytearray()
    is_cut = False
    for piece in pieces:
        first, *others = piece.split(b"\n")
        is_cut = is_cut or len(begun) + len(first) > most
        begun += first[: most - len(begun)]
        if others:
            yield bytes(begun), is_cut
            for line in others[:-1]:
                yield line[:most], len(line) > most
            begun = bytearray(others[-1][:most])
            is_cut = len(others[-1]) > most
    if begun:
        yield bytes(begun), is_cut
