"""Searching a whole log, running or finished: a page of the lines that match, and how many there are.

Searched is what is read: without escapes and control characters, of a redrawn line what was drawn last. A search ends
after a time; what it has by then is true, and the page says where to go on.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

from builds.logs.ansi import plain
from builds.logs.format import Line
from builds.logs.patterns import Pattern
from builds.logs.reader import LogReader

# For one page: a million lines take less.
SECONDS = 1.8


@dataclass(frozen=True)
class Match:
    """A line that matches.

    Attributes:
        text: As it is read.
        spans: Where in `text` the matches begin and end, in characters.
        before, after: The lines around it, as they are read.
    """

    number: int
    time_ms: int
    text: str
    spans: list[tuple[int, int]]
    before: list[str]
    after: list[str]


@dataclass(frozen=True)
class Found:
    """A page of a search.

    Attributes:
        next_line: Where the next page begins; None where the search has come to the end of the log.
        before_count: How many lines before the page match.
        total: How many lines match in all.
        is_complete: Whether all of the log was looked through; else the counts are what was found in time.
    """

    matches: list[Match]
    next_line: int | None
    before_count: int
    total: int
    is_complete: bool


@dataclass(frozen=True)
class _Piece:
    """A part of the log: whole lines in `text` from `start` to `end`, the first of which has this number."""

    text: bytes
    start: int
    end: int
    number: int


def search(
    reader: LogReader, pattern: Pattern, *, first: int = 0, limit: int = 100, context: int = 0, seconds: float = SECONDS
) -> Found:
    """The first `limit` matching lines from line `first` on, and the count of all.

    Args:
        context: How many lines before and after each match to give with it.
        seconds: When to stop, at the latest.
    """
    deadline = time.monotonic() + seconds
    numbers, next_line = _page(reader, pattern, first, limit, deadline)
    total = len(numbers)
    is_complete = True
    if next_line is not None:
        rest, is_complete = _count(reader, pattern, next_line, None, deadline)
        total += rest
    before_count = 0
    if first:
        before_count, is_whole = _count(reader, pattern, 0, first, deadline)
        is_complete = is_complete and is_whole
    if is_complete and total == len(numbers):
        next_line = None  # nothing but lines that don't match
    matches = _matches(reader, pattern, numbers, context)
    return Found(matches, next_line, before_count, before_count + total, is_complete)


def _page(reader: LogReader, pattern: Pattern, first: int, limit: int, deadline: float) -> tuple[list[int], int | None]:
    """The numbers of the first matching lines, and the line to go on from; None at the end of the log."""
    numbers: list[int] = []
    for piece in _pieces(reader, pattern, first, None):
        number, counted = piece.number, piece.start
        if time.monotonic() > deadline:
            return numbers, number
        for position in pattern.lines(piece.text, piece.start, piece.end):
            number += piece.text.count(b"\n", counted, position)
            counted = position
            numbers.append(number)
            if len(numbers) == limit:
                return numbers, number + 1
    return numbers, None


def _count(reader: LogReader, pattern: Pattern, first: int, behind: int | None, deadline: float) -> tuple[int, bool]:
    """How many lines match from one to before another, and whether there was time for all of them."""
    total = 0
    for piece in _pieces(reader, pattern, first, behind):
        if time.monotonic() > deadline:
            return total, False
        total += pattern.count(piece.text, piece.start, piece.end)
    return total, True


def _pieces(reader: LogReader, pattern: Pattern, first: int, behind: int | None) -> Iterator[_Piece]:
    number = first
    for block in reader.blocks(first, None if behind is None else behind - first):
        text = block.text_from(number)
        if behind is not None and block.next_line > behind:
            text = text[: len(text) - len(block.text_from(behind))]
        text = plain(text)
        start = 0
        while start < len(text):
            end = text.rfind(b"\n", start, start + pattern.piece_bytes) + 1 or text.index(b"\n", start) + 1
            yield _Piece(text, start, end, number)
            number += text.count(b"\n", start, end)
            start = end


def _matches(reader: LogReader, pattern: Pattern, numbers: list[int], context: int) -> list[Match]:
    known: dict[int, Line] = {}
    for first, behind in _ranges(numbers, context):
        known.update((line.number, line) for line in reader.window(first, behind - first))
    return [_match(pattern, known, number, context) for number in numbers]


def _ranges(numbers: list[int], context: int) -> Iterator[tuple[int, int]]:
    """The runs of lines to read: around the matches, those that touch as one."""
    run: tuple[int, int] | None = None
    for number in numbers:
        first, behind = max(number - context, 0), number + context + 1
        if run is not None and first <= run[1]:
            run = run[0], behind
        else:
            if run is not None:
                yield run
            run = first, behind
    if run is not None:
        yield run


def _match(pattern: Pattern, known: dict[int, Line], number: int, context: int) -> Match:
    def text(line_number: int) -> str:
        return plain(known[line_number].text.encode()).decode()

    line = plain(known[number].text.encode())
    return Match(
        number,
        known[number].time_ms,
        line.decode(),
        [(len(line[:begin].decode()), len(line[:end].decode())) for begin, end in pattern.spans(line)],
        [text(one) for one in range(max(number - context, 0), number)],
        [text(one) for one in range(number + 1, number + context + 1) if one in known],
    )
