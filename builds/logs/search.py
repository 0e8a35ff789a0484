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
# For marking what matched on the page; lines that there is no time for are shown without marks. The worst pattern takes
# a second for each mark in a line of 64 KiB.
MARK_SECONDS = 0.5
# Marked in one line at most.
MAX_SPANS = 100
# Of a line longer than that a part is given, which begins so far before its first match: a page of the longest lines
# with their neighbours would be half a gigabyte.
SHOWN_BYTES = 2_000
SHOWN_BEFORE = 200
CUT = "…"


@dataclass(frozen=True)
class Match:
    """A line that matches.

    Attributes:
        text: As it is read; of a very long line the part around its first match, with CUT where it goes on.
        spans: Where in `text` the matches begin and end, in characters.
        before, after: The lines around it likewise, of long ones their beginning.
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
    places, next_line = _page(reader, pattern, first, limit, deadline)
    total = len(places)
    is_complete = True
    if next_line is not None:
        rest, is_complete = _count(reader, pattern, next_line, None, deadline)
        total += rest
    before_count = 0
    if first:
        before_count, is_whole = _count(reader, pattern, 0, first, deadline)
        is_complete = is_complete and is_whole
    if is_complete and total == len(places):
        next_line = None  # nothing but lines that don't match
    matches = _matches(reader, pattern, places, context)
    return Found(matches, next_line, before_count, before_count + total, is_complete)


def _page(
    reader: LogReader, pattern: Pattern, first: int, limit: int, deadline: float
) -> tuple[dict[int, int], int | None]:
    """The numbers of the first matching lines, each with where in it the first match begins, in bytes of its plain
    text; and the line to go on from, None at the end of the log.
    """
    places: dict[int, int] = {}
    for piece in _pieces(reader, pattern, first, None):
        number, counted = piece.number, piece.start
        if time.monotonic() > deadline:
            return places, number
        for position in pattern.lines(piece.text, piece.start, piece.end):
            number += piece.text.count(b"\n", counted, position)
            counted = position
            places[number] = position - (piece.text.rfind(b"\n", piece.start, position) + 1 or piece.start)
            if len(places) == limit:
                return places, number + 1
    return places, None


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


def _matches(reader: LogReader, pattern: Pattern, places: dict[int, int], context: int) -> list[Match]:
    deadline = time.monotonic() + MARK_SECONDS
    found: dict[int, Match] = {}
    around: dict[int, str] = {}
    for first, behind in _ranges(list(places), context):
        position = first
        for block in reader.blocks(first, behind - first):
            for line in block.lines(position, behind):
                if line.number in places:
                    found[line.number] = _match(pattern, line, places[line.number], deadline)
                around[line.number] = _part(plain(line.text.encode()), 0)[0]
            position = block.next_line
    for number, match in found.items():
        match.before.extend(around[one] for one in range(max(number - context, 0), number) if one in around)
        match.after.extend(around[one] for one in range(number + 1, number + context + 1) if one in around)
    return list(found.values())


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


def _match(pattern: Pattern, line: Line, place: int, deadline: float) -> Match:
    text = plain(line.text.encode())
    shown, start, stop = _part(text, place)
    spans: list[tuple[int, int]] = []
    marked = pattern.spans(text)
    while len(spans) < MAX_SPANS and time.monotonic() < deadline:
        begin, end = next(marked, (stop, stop))
        if begin >= stop:
            break
        if end > begin:
            spans.append((begin, min(end, stop)))
    offset = len(CUT) if start else 0
    characters = [tuple(offset + len(text[start:at].decode()) for at in span) for span in spans]
    return Match(line.number, line.time_ms, shown, [(begin, end) for begin, end in characters], [], [])


def _part(text: bytes, place: int) -> tuple[str, int, int]:
    """What is shown of a line that matches at a place, and where in it that begins and ends."""
    start, stop = 0, len(text)
    if stop > SHOWN_BYTES:
        start = _character(text, max(0, place - SHOWN_BEFORE))
        stop = _character(text, min(stop, start + SHOWN_BYTES))
    shown = text[start:stop].decode()
    return f"{CUT if start else ''}{shown}{CUT if stop < len(text) else ''}", start, stop


def _character(text: bytes, position: int) -> int:
    """Where the character begins that a byte belongs to."""
    while 0 < position < len(text) and text[position] & 0xC0 == 0x80:
        position -= 1
    return position
