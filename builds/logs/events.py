"""A log's lines as the events of CloudWatch Logs: windows of one stream, and a filter over many.

A token names a line, not an answer: it stays right while the log grows and has no end of its own.

Source: Amazon CloudWatch Logs API Reference, "GetLogEvents" and "FilterLogEvents".
"""

from __future__ import annotations

import bisect
import heapq
import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple

from builds.logs.access import line_count, reader_of
from builds.logs.filter_pattern import Filter
from builds.logs.format import Block, Line
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
_PLACE = re.compile(r"(\d{1,15})-(\d{1,18})-(\d{1,15})")


class Event(NamedTuple):
    """One line of one build's log."""

    build: Build
    line: Line

    @property
    def message(self) -> str:
        return f"{self.line.text}\n"

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
    limit: int = MAX_EVENTS,
    token: str | None = None,
    now: Callable[[], float] = time.time,
) -> tuple[list[Event], str | None]:
    """The events of several streams that a filter wants, by time; and the token to go on with, None at the end.

    Args:
        start_ms, end_ms: From when on and until when, both included: that is so here and not in `get_events`.

    Raises:
        InvalidParameter: The token is none of ours, or the times are the wrong way round.
    """
    _check_times(start_ms, end_ms)
    ordered = sorted(builds, key=lambda build: (build.started_at, build.pk))
    running = [build for build in ordered if not build.is_log_complete]
    before_ms = None if end_ms is None else end_ms + 1
    if len(ordered) > 1 and running:
        settled = int(now() * 1000) - SETTLE_MS
        before_ms = settled if before_ms is None else min(before_ms, settled)
    after = _place(token)
    deadline = time.monotonic() + SCAN_SECONDS
    events: list[Event] = []
    size_bytes = 0
    last: tuple[int, int, int] | None = None
    for event in _merged(ordered, wanted, start_ms, before_ms, after):
        size = EVENT_BYTES + len(event.line.text.encode()) + 1
        is_late = last is not None and time.monotonic() > deadline
        if len(events) == limit or (events and size_bytes + size > MAX_BYTES) or is_late:
            return events, _token(last)
        last = (event.line.time_ms, event.build.pk, event.line.number)
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


def _merged(
    builds: Sequence[Build],
    wanted: Filter,
    start_ms: int | None,
    before_ms: int | None,
    after: tuple[int, int, int] | None,
) -> Iterator[Event]:
    """Events of all these builds by time, build and line; a log is opened when its build's time has come."""
    heads: list[tuple[int, int, int, Event, Iterator[Event]]] = []
    waiting = list(reversed(builds))
    while waiting or heads:
        while waiting and (not heads or waiting[-1].started_at.timestamp() * 1000 <= heads[0][0]):
            _push(heads, _events_of(waiting.pop(), wanted, start_ms, before_ms, after))
        if heads:
            *_, event, events = heapq.heappop(heads)
            yield event
            _push(heads, events)


def _push(heads: list[tuple[int, int, int, Event, Iterator[Event]]], events: Iterator[Event]) -> None:
    event = next(events, None)
    if event is not None:
        heapq.heappush(heads, (event.line.time_ms, event.build.pk, event.line.number, event, events))


def _events_of(
    build: Build, wanted: Filter, start_ms: int | None, before_ms: int | None, after: tuple[int, int, int] | None
) -> Iterator[Event]:
    """A build's events in a time, those alone that come behind a place in the order of all.

    Where none is wanted in a piece of the log, its last one says how far the search has come.
    """
    if _is_outside(build, start_ms, before_ms, after):
        return
    log = _Log(build)
    first, behind = log.between(start_ms, before_ms)
    if after is not None:
        time_ms, pk, number = after
        if build.pk == pk:
            first = max(first, number + 1)
        else:
            first = max(first, log.first_from(time_ms + 1 if build.pk < pk else time_ms))
    position = first
    for block in log.blocks(first, behind):
        lines = block.lines(position, behind)
        text = block.text_from(position)
        for start, end, count in _pieces(text, wanted.piece_bytes):
            piece, lines = lines[:count], lines[count:]
            for line in piece if wanted.may_match(text, start, end) else piece[-1:]:
                yield Event(build, line)
            if not lines:
                break
        position = block.next_line


def _pieces(text: bytes, size_bytes: int | None) -> Iterator[tuple[int, int, int]]:
    """Whole lines of about this size together: where they begin and end, and how many there are."""
    start = 0
    while start < len(text):
        end = len(text)
        if size_bytes is not None:
            end = text.rfind(b"\n", start, start + size_bytes) + 1 or text.index(b"\n", start) + 1
        yield start, end, text.count(b"\n", start, end)
        start = end


def _is_outside(build: Build, start_ms: int | None, before_ms: int | None, after: tuple[int, int, int] | None) -> bool:
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


def _token(last: tuple[int, int, int] | None) -> str | None:
    return None if last is None else "-".join(str(part) for part in last)


def _place(token: str | None) -> tuple[int, int, int] | None:
    if token is None:
        return None
    match = _PLACE.fullmatch(token)
    if match is None:
        raise InvalidParameter("The specified nextToken is invalid.")
    return int(match[1]), int(match[2]), int(match[3])
