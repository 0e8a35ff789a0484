"""A log's lines as the events of CloudWatch Logs: windows of one stream, and a filter over many.

A token names a line, not an answer: it stays right while the log grows and has no end of its own.

Source: Amazon CloudWatch Logs API Reference, "GetLogEvents" and "FilterLogEvents".
"""

from __future__ import annotations

import bisect
import heapq
import math
import re
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple

from builds.logs.access import line_count, reader_of
from builds.logs.filter_pattern import Filter
from builds.logs.format import MAX_CHUNK_LINES, Block, Line
from builds.logs.groups import InvalidParameter
from builds.logs.reader import LogReader
from builds.models import Build

MAX_EVENTS = 10_000
# Of messages in one answer, each with what CloudWatch counts for an event besides.
MAX_BYTES = 1024 * 1024
EVENT_BYTES = 26
# A filter looks through logs for so long, and answers with what it found and where to go on.
SCAN_SECONDS = 1.8
# What a filter needs of each build: a group may have thousands, whose rows are large.
FIELDS = ("uuid", "started_at", "ended_at", "is_log_complete", "log_line_count")
# The clocks of web and worker may differ, or have been set: a log has no line so much before its build began or after
# that ended.
_CLOCK_MS = 60_000
# While builds run, lines of the last moment may be on their way: of several logs, one would come before another's
# earlier line, and a reader who goes on from its time would miss that.
SETTLE_MS = 1_000
_READ_LINES = 200
_POSITION = re.compile(r"([fb])/(\d{56})/s")
_PLACE = re.compile(r"(b-)?(\d{1,15})-(\d{1,18})-(\d{1,15})")

# A line's place in the order of all: its time in ms, its build's key, its number.
Place = tuple[int, int, int]


class Event(NamedTuple):
    """One line of one build's log."""

    build: Build
    line: Line

    @property
    def message(self) -> str:
        return f"{self.line.text}\n"

    @property
    def place(self) -> Place:
        return self.line.time_ms, self.build.pk, self.line.number

    @property
    def event_id(self) -> str:
        """Digits, never the same for two events."""
        return f"{self.build.pk:019d}{self.line.number:019d}"


@dataclass(frozen=True)
class Page:
    """Events of one stream in order, and the tokens of those behind and before them."""

    events: list[Event]
    forward_token: str
    backward_token: str


def get_events(
    build: Build,
    *,
    start_ms: int | None = None,
    end_ms: int | None = None,
    is_from_head: bool = False,
    limit: int = MAX_EVENTS,
    token: str | None = None,
) -> Page:
    """A page of one stream's events: the first ones, the last ones, or those that a token leads to.

    Args:
        start_ms, end_ms: From when on, and before when.
        token: What an answer before gave; at the end of a stream it comes back as it was.

    Raises:
        InvalidParameter: The token is none of ours, or the times are the wrong way round.
    """
    log = _Log(build)
    first, behind = log.between(start_ms, end_ms)
    if token is None:
        is_forward, position = is_from_head, first if is_from_head else behind
    else:
        match = _POSITION.fullmatch(token)
        if match is None:
            raise InvalidParameter("The specified nextToken is invalid.")
        is_forward, position = match[1] == "f", int(match[2])
    if is_forward:
        start = max(position, first)
        lines = _fitting(log.forward(start, min(behind, start + limit)))
    else:
        stop = min(position, behind)
        lines = _fitting(log.backward(max(first, stop - limit), stop))[::-1]
    return Page(
        [Event(build, line) for line in lines],
        _position("f", lines[-1].number + 1 if lines else position),
        _position("b", lines[0].number if lines else position),
    )


def filter_events(
    builds: Iterable[Build],
    wanted: Filter,
    *,
    start_ms: int | None = None,
    end_ms: int | None = None,
    is_from_head: bool = True,
    limit: int = MAX_EVENTS,
    token: str | None = None,
    now: Callable[[], float] = time.time,
) -> tuple[list[Event], str | None]:
    """The events of several streams that a filter wants, by time; and the token to go on with, None at the end.

    Args:
        start_ms, end_ms: From when on and until when, both included: that is so here and not in `get_events`.
        is_from_head: The oldest first, or the newest; where there is a token, that says which.

    Raises:
        InvalidParameter: The token is none of ours, or the times are the wrong way round.
    """
    _check_times(start_ms, end_ms)
    before_ms = None if end_ms is None else end_ms + 1
    chosen = list(builds)
    if len(chosen) > 1 and not all(build.is_log_complete for build in chosen):
        before_ms = _earlier(before_ms, int(now() * 1000) - SETTLE_MS)
    place = None
    if token is not None:
        is_from_head, place = _place(token)
        if not is_from_head:
            before_ms = _earlier(before_ms, place[0] + 1)
    search = _Search(wanted, start_ms, before_ms, is_from_head, place)
    deadline = time.monotonic() + SCAN_SECONDS
    events: list[Event] = []
    size_bytes = 0
    last: Place | None = None
    for event in search.merged(chosen):
        size = EVENT_BYTES + len(event.line.text.encode()) + 1
        is_late = last is not None and time.monotonic() > deadline
        if last is not None and (len(events) == limit or (events and size_bytes + size > MAX_BYTES) or is_late):
            return events, _token(last, is_from_head)
        last = event.place
        if wanted.matches(event.message):
            events.append(event)
            size_bytes += size
    return events, None


def first_and_last_ms(build: Build) -> tuple[int, int] | None:
    """The times of a log's first and last line; None where it has none."""
    log = _Log(build)
    return (log.time_of(0), log.time_of(log.total - 1)) if log.total else None


class _Log:
    """One build's log with its times: as long as it is now, since it may grow meanwhile."""

    def __init__(self, build: Build) -> None:
        reader = reader_of(build.pk, str(build.uuid))
        # Looking for a time reads the same chunks again and again.
        self._reader: LogReader = replace(reader, get_chunk=lru_cache(maxsize=4)(reader.get_chunk))
        self.total = line_count(build)

    def blocks(self, first: int, behind: int) -> Iterator[Block]:
        return self._reader.blocks(first, behind - first) if behind > first else iter(())

    def parts(self, first: int, behind: int, is_from_head: bool) -> Iterator[tuple[Block, int, int]]:
        """The blocks of these lines, each with the first line to take of it and the one behind the last."""
        if is_from_head:
            for block in self.blocks(first, behind):
                yield block, first, behind
                first = block.next_line
            return
        while behind > first:
            start = max(first, behind - MAX_CHUNK_LINES)
            yield from reversed([*self.parts(start, behind, is_from_head=True)])
            behind = start

    def forward(self, first: int, behind: int) -> Iterator[Line]:
        """Lines from one number to before another."""
        for block in self.blocks(first, behind):
            lines = block.lines(first, behind)
            yield from lines
            first += len(lines)

    def backward(self, first: int, behind: int) -> Iterator[Line]:
        """The same from the last to the first."""
        while behind > first:
            start = max(first, behind - _READ_LINES)
            yield from reversed(self._reader.window(start, behind - start))
            behind = start

    def time_of(self, number: int) -> int:
        """When a line came; what is not to be had any more is later than all else."""
        lines = self._reader.window(number, 1)
        return lines[0].time_ms if lines else 10**15

    def between(self, start_ms: int | None, end_ms: int | None) -> tuple[int, int]:
        """The first line from one time on, and the line behind the last one before another. Times never go back."""
        _check_times(start_ms, end_ms)
        first = 0 if start_ms is None else self.first_from(start_ms)
        behind = self.total if end_ms is None else self.first_from(end_ms)
        return first, max(first, behind)

    def first_from(self, time_ms: int) -> int:
        """The number of the first line that came then or later."""
        return bisect.bisect_left(range(self.total), time_ms, key=self.time_of)


# What orders an event among others, itself, and those of its log that follow.
_Head = tuple[Place, Event, Iterator[Event]]


@dataclass(frozen=True)
class _Search:
    """What is looked for in several logs, in which order, and behind which place in it."""

    wanted: Filter
    start_ms: int | None
    before_ms: int | None
    is_from_head: bool
    place: Place | None

    def merged(self, builds: Iterable[Build]) -> Iterator[Event]:
        """Events of all these builds by time, build and line; a log is opened when its build's time has come."""
        heads: list[_Head] = []
        waiting = sorted(((self._turn(build), build) for build in builds), key=lambda one: one[0], reverse=True)
        while waiting or heads:
            while waiting and (not heads or waiting[-1][0][0] <= heads[0][0][0]):
                self._push(heads, self._events_of(waiting.pop()[1]))
            if heads:
                _, event, events = heapq.heappop(heads)
                yield event
                self._push(heads, events)

    def _turn(self, build: Build) -> tuple[float, int]:
        """What orders a build: no event of its log comes before that."""
        if self.is_from_head:
            return build.started_at.timestamp() * 1000, build.pk
        if build.ended_at is None or not build.is_log_complete:
            return -math.inf, -build.pk
        return -(build.ended_at.timestamp() * 1000 + _CLOCK_MS), -build.pk

    def _push(self, heads: list[_Head], events: Iterator[Event]) -> None:
        event = next(events, None)
        if event is not None:
            time_ms, pk, number = event.place
            order = event.place if self.is_from_head else (-time_ms, -pk, -number)
            heapq.heappush(heads, (order, event, events))

    def _events_of(self, build: Build) -> Iterator[Event]:
        """A build's events in the time and behind the place that are asked for.

        Where none is wanted in a piece of the log, its last one says how far the search has come.
        """
        after = self.place if self.is_from_head else None
        if _is_outside(build, self.start_ms, self.before_ms, after):
            return
        log = _Log(build)
        for block, first, behind in log.parts(*self._bounds(log, build.pk), self.is_from_head):
            for line in self._looked_at(block, first, behind):
                yield Event(build, line)

    def _bounds(self, log: _Log, pk: int) -> tuple[int, int]:
        """The first line of a log to look at, and the one behind the last."""
        first, behind = log.between(self.start_ms, self.before_ms)
        if self.place is None:
            return first, behind
        time_ms, place_pk, number = self.place
        # Of the lines of the place's own time, those of builds with smaller keys come before it, with larger behind.
        around = number if pk == place_pk else log.first_from(time_ms + 1 if pk < place_pk else time_ms)
        if self.is_from_head:
            return max(first, around + 1 if pk == place_pk else around), behind
        return first, min(behind, around)

    def _looked_at(self, block: Block, first: int, behind: int) -> Iterator[Line]:
        lines, text = block.lines(first, behind), block.text_from(first)
        pieces: list[tuple[int, int, list[Line]]] = []
        for start, end, count in _pieces(text, self.wanted.piece_bytes):
            piece, lines = lines[:count], lines[count:]
            pieces.append((start, end, piece if self.is_from_head else piece[::-1]))
            if not lines:
                break
        for start, end, piece in pieces if self.is_from_head else reversed(pieces):
            yield from piece if self.wanted.may_match(text, start, end) else piece[-1:]


def _pieces(text: bytes, size_bytes: int | None) -> Iterator[tuple[int, int, int]]:
    """Whole lines of about this size together: where they begin and end, and how many there are."""
    start = 0
    while start < len(text):
        end = len(text)
        if size_bytes is not None:
            end = text.rfind(b"\n", start, start + size_bytes) + 1 or text.index(b"\n", start) + 1
        yield start, end, text.count(b"\n", start, end)
        start = end


def _is_outside(build: Build, start_ms: int | None, before_ms: int | None, after: Place | None) -> bool:
    """Whether a build began after the time that is asked for, or had ended before it: its log need not be opened."""
    if before_ms is not None and build.started_at.timestamp() * 1000 - _CLOCK_MS > before_ms:
        return True
    if not build.is_log_complete or build.ended_at is None:
        return False
    # The log is closed before the row says that the build has ended.
    return build.ended_at.timestamp() * 1000 + _CLOCK_MS < max(start_ms or 0, after[0] if after else 0)


def _fitting(lines: Iterable[Line]) -> list[Line]:
    """As many lines as an answer may hold; at least one, if there is any."""
    kept: list[Line] = []
    size_bytes = 0
    for line in lines:
        size_bytes += EVENT_BYTES + len(line.text.encode()) + 1
        if kept and size_bytes > MAX_BYTES:
            break
        kept.append(line)
    return kept


def _check_times(start_ms: int | None, end_ms: int | None) -> None:
    if start_ms is not None and end_ms is not None and end_ms < start_ms:
        raise InvalidParameter("endTime must not be before startTime.")


def _position(direction: str, number: int) -> str:
    return f"{direction}/{number:056d}/s"


def _earlier(one_ms: int | None, other_ms: int) -> int:
    return other_ms if one_ms is None else min(one_ms, other_ms)


def _token(last: Place, is_from_head: bool) -> str:
    return ("" if is_from_head else "b-") + "-".join(str(part) for part in last)


def _place(token: str) -> tuple[bool, Place]:
    """Whether a token goes on from the head, and behind which place."""
    match = _PLACE.fullmatch(token)
    if match is None:
        raise InvalidParameter("The specified nextToken is invalid.")
    return not match[1], (int(match[2]), int(match[3]), int(match[4]))
