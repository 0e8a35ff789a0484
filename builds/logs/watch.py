"""One watched build: what all its viewers in this web process share, and what a viewer is told.

Its last lines stay in memory, and each batch of them is rendered once, however many viewers get it.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from builds.logs.format import Line

# Lines of each watched build that stay in memory; whoever is further behind reads stored chunks.
RECENT_LINES = 4_000
RECENT_BYTES = 4 * 1024 * 1024
LINES_A_BATCH = 1_000
# Viewers who wait are woken this often at most, and a little less often where they are many: waking one takes about a
# tenth of a millisecond, and a third of the time is to be left for other things.
FLUSH_SECONDS = 0.1
FLUSH_SECONDS_A_VIEWER = 0.00015

RenderLines = Callable[[list[Line]], bytes]


@dataclass(frozen=True)
class Lines:
    """Lines that follow each other; `data` is what was rendered of them, once for all viewers."""

    first: int
    next: int
    data: bytes = field(repr=False)


@dataclass(frozen=True)
class Status:
    """The build has changed; `data` is what was rendered of it, once for all viewers."""

    data: bytes = field(repr=False)


@dataclass(frozen=True)
class Pause:
    """Nothing happened for a while: time for a heartbeat."""


@dataclass(frozen=True)
class End:
    """The build is over and every line was given."""

    line_count: int


Update = Lines | Status | Pause | End


@dataclass
class Watch:
    """What is known of a build, by its stream and by the database.

    Attributes:
        next_line: The number behind the last line in memory.
        cursor: The id of the stream's entry read last; empty before the first look.
        has_ended: Whether the stream has nothing more to give.
        total_lines: How many lines there are, in memory or stored.
        state, status, version: Of the database: what to tell a change by, what to show, and how often it has changed.
        is_over: Whether the build has ended and its log is whole, or never will be.
        changed: Set when something of this has changed; a new one is made each time.
    """

    pk: int
    uuid: str
    render_lines: RenderLines
    viewers: int = 0
    next_line: int = 0
    cursor: str = ""
    has_ended: bool = False
    total_lines: int = 0
    state: Any = None
    status: bytes = b""
    version: int = 0
    is_over: bool = False
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    _recent: deque[Line] = field(default_factory=deque)
    _recent_bytes: int = 0
    _batches: dict[int, Lines] = field(default_factory=dict)
    _woken_at: float = 0.0
    _timer: asyncio.TimerHandle | None = None

    def notify(self) -> None:
        """Wake every viewer that waits, at once."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._woken_at = time.monotonic()
        self.changed.set()
        self.changed = asyncio.Event()

    def notify_soon(self) -> None:
        """Wake the viewers, unless that was done a moment ago: what comes meanwhile goes out together."""
        if self._timer is None:
            pause = max(FLUSH_SECONDS, self.viewers * FLUSH_SECONDS_A_VIEWER)
            wait = self._woken_at + pause - time.monotonic()
            if wait <= 0:
                self.notify()
            else:
                self._timer = asyncio.get_running_loop().call_later(wait, self.notify)

    def begin(self, next_line: int) -> None:
        """Nothing is in memory yet; lines from this number on are to come."""
        self._recent.clear()
        self._batches.clear()
        self._recent_bytes = 0
        self.next_line = next_line
        self.total_lines = max(self.total_lines, next_line)

    def take(self, lines: list[Line]) -> None:
        """Lines from the stream, in order. Known ones are skipped; after a gap the memory starts anew."""
        lines = [line for line in lines if line.number >= self.next_line]
        if not lines:
            return
        self._batches.clear()
        if lines[0].number > self.next_line:
            self._recent.clear()
            self._recent_bytes = 0
        self._recent.extend(lines)
        self._recent_bytes += sum(len(line.text) for line in lines)
        while len(self._recent) > RECENT_LINES or (self._recent_bytes > RECENT_BYTES and len(self._recent) > 1):
            self._recent_bytes -= len(self._recent.popleft().text)
        self.next_line = lines[-1].number + 1
        self.total_lines = max(self.total_lines, self.next_line)

    def batch(self, first: int) -> Lines | None:
        """At most LINES_A_BATCH lines from memory; None where line `first` is not in it."""
        if not self._recent or not self._recent[0].number <= first <= self._recent[-1].number:
            return None
        if first not in self._batches:
            start = first - self._recent[0].number
            lines = list(islice(self._recent, start, start + LINES_A_BATCH))
            self._batches[first] = Lines(first, lines[-1].number + 1, self.render_lines(lines))
        return self._batches[first]
