"""The thread that numbers a log's lines, sends them to the live tail and stores full chunks.

What is not stored yet stays in memory, so that a Redis that comes back with less than it was given is given the rest
again; while it is away the build goes on. Where storage is slower than the build, the build waits.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence

from redis import Redis

from builds.logs.ansi import style_after
from builds.logs.format import (
    MAX_CHUNK_BYTES,
    MAX_CHUNK_LINES,
    Block,
    Chunk,
    Runs,
    encode_chunk,
    merge_runs,
    split_runs,
)
from builds.logs.stream import StreamWriter
from builds.logs.text import cut

logger = logging.getLogger(__name__)

# One entry of the live tail in this time, unless much has come.
FLUSH_SECONDS = 0.1
# Of a build that says much, so much goes to storage at once (and a piece more): while it does, as much again can come.
# What is stored costs a look at the lease and a transaction each time.
FLUSH_BYTES = 5 * 512 * 1024
# What may wait in memory for storage that is slower than the build, before the build has to wait.
MAX_WAITING_BYTES = 5 * 1024 * 1024
# While Redis is away, lines are stored this often, since memory is the only other place they are in.
EARLY_CHUNK_SECONDS = 5.0
RETRY_SECONDS = 0.5
CLOSE_SECONDS = 60.0
# Stored lines that stay in the stream, so that a viewer at the tail needs no chunk: fewer where they are long.
RECENT_LINES = 1_000
RECENT_BYTES = 1024 * 1024

PutChunks = Callable[[Sequence[Chunk]], None]
# Whole lines as they come in: their time in ms, how many they are, and their text.
New = tuple[int, int, bytes]


class LogLost(Exception):
    """The log belongs to somebody else by now: `put_chunks` raises it where the build's lease is lost."""


class Flusher:
    """Takes whole lines from the build's thread and is their way out. One thread may call `put`, `close`, `abandon`.

    Args:
        build_key: Names the log.
        redis: May be away at any time. Give it a short socket time-out and no retries: there are some here.
        put_chunks: Stores chunks for ever; called from the thread made here, again after an error. Storing a chunk
            twice must change nothing.

    Attributes:
        stored_lines, stored_bytes: What is in stored chunks; final after `close`.
    """

    def __init__(self, build_key: str, redis: Redis, put_chunks: PutChunks) -> None:
        self.stored_lines = 0
        self.stored_bytes = 0
        self._stream = StreamWriter(build_key, redis)
        self._put_chunks = put_chunks
        # Shared between the two threads, under the condition's lock.
        self._condition = threading.Condition()
        self._new: deque[New] = deque()
        self._new_bytes = 0
        self._behind_bytes = 0  # taken, but not yet stored
        self._is_closing = False
        self._failure: BaseException | None = None
        # The thread's own. A block is in `_open` until its chunk is closed, and in `_kept` as long as it may have to be
        # sent: until it is stored and no longer among the last lines.
        self._next_line = 0
        self._style = ""
        self._open: list[Block] = []
        self._open_lines = 0
        self._open_bytes = 0
        self._open_since = 0.0
        self._full: deque[Chunk] = deque()
        self._kept: deque[Block] = deque()
        self._kept_bytes = 0
        self._thread = threading.Thread(target=self._work, name=f"log-{build_key}", daemon=True)
        self._thread.start()

    def put(self, time_ms: int, count: int, text: bytes) -> None:
        """So many whole lines that came at this time. Waits where storage is far behind; never for Redis.

        Raises:
            LogLost: The log is another's, or was abandoned.
            Exception: Storage failed for good.
        """
        with self._condition:
            while self._behind_bytes > MAX_WAITING_BYTES and self._failure is None:
                self._condition.wait()
            if self._failure is not None:
                raise self._failure
            self._new.append((time_ms, count, text))
            self._new_bytes += len(text)
            self._behind_bytes += len(text)
            if len(self._new) == 1 or self._new_bytes >= FLUSH_BYTES:
                self._condition.notify_all()

    def close(self) -> None:
        """Store everything, mark the end of the stream. Raises the storage's error where it fails for a minute."""
        with self._condition:
            self._is_closing = True
            self._condition.notify_all()
        self._thread.join(CLOSE_SECONDS + 2 * RETRY_SECONDS)
        if self._failure is not None:
            raise self._failure

    def abandon(self) -> None:
        """Stop without storing anything more."""
        with self._condition:
            self._failure = self._failure or LogLost("The log was abandoned.")
            self._condition.notify_all()
        self._thread.join(CLOSE_SECONDS)

    # ---- the thread --------------------------------------------------------------------------------------------------

    def _work(self) -> None:
        deadline = 0.0
        last_flush = 0.0
        while True:
            with self._condition:
                while not (self._new or self._is_closing or self._failure):
                    self._condition.wait(self._pause())
                    if self._is_due():
                        break
                # A line after a silence goes at once; what follows it closely goes together.
                wait = last_flush + FLUSH_SECONDS - time.monotonic()
                while wait > 0 and self._new_bytes < FLUSH_BYTES and not (self._is_closing or self._failure):
                    self._condition.wait(wait)
                    wait = last_flush + FLUSH_SECONDS - time.monotonic()
                if self._failure is not None:
                    return
                new = self._taken()
                is_closing = self._is_closing
                is_last = is_closing and not self._new
            if is_closing and not deadline:
                deadline = time.monotonic() + CLOSE_SECONDS
            last_flush = time.monotonic()
            try:
                self._flush(new, is_last)
                if is_last and not self._full:
                    self._stream.end(self._kept, self._next_line)
                    return
            except LogLost as error:
                self._fail(error)
                return
            except Exception as error:  # storage: kept in memory and tried again, the build waits when it is too much
                logger.warning("%s: storing the log failed, trying again: %s", self._stream.key, error)
                if deadline and time.monotonic() > deadline:
                    self._fail(error)
                    return
                time.sleep(RETRY_SECONDS)

    def _pause(self) -> float | None:
        """How long to wait at most for new lines: for ever, unless something is left to do without any."""
        return RETRY_SECONDS if self._is_due() else None

    def _is_due(self) -> bool:
        return bool(self._full) or (self._stream.is_away and bool(self._open))

    def _fail(self, error: BaseException) -> None:
        with self._condition:
            self._failure = error
            self._new.clear()
            self._new_bytes = 0
            self._condition.notify_all()

    def _taken(self) -> deque[New]:
        """What has come, but no more than goes to storage at once."""
        new: deque[New] = deque()
        size_bytes = 0
        while self._new and size_bytes < FLUSH_BYTES:
            new.append(self._new.popleft())
            size_bytes += len(new[-1][2])
        self._new_bytes -= size_bytes
        return new

    def _flush(self, new: deque[New], is_last: bool) -> None:
        """Number lines, store the chunks that are full, send what is not stored and the last lines, trim the stream.

        Of a build that says more than anybody reads, most lines are in a chunk by then and never go through Redis.
        """
        for text, runs in _joined(new):
            self._number(text, runs)
        is_early = self._stream.is_away and self._open and time.monotonic() > self._open_since + EARLY_CHUNK_SECONDS
        if is_last or is_early:
            self._close_chunk()
        try:
            self._store()
        finally:
            self._stream.send(self._kept)
        self._stream.trim(self._kept[0].first_line if self._kept else self.stored_lines)

    def _store(self) -> None:
        if not self._full:
            return
        chunks = list(self._full)
        self._put_chunks(chunks)
        for chunk in chunks:
            self._full.popleft()
            self.stored_lines = chunk.first_line + chunk.line_count
            self.stored_bytes += chunk.size_bytes
        with self._condition:
            self._behind_bytes -= sum(chunk.size_bytes for chunk in chunks)
            self._condition.notify_all()
        while self._kept and self._kept[0].next_line <= self.stored_lines:
            is_recent = self._kept[0].next_line > self._next_line - RECENT_LINES and self._kept_bytes <= RECENT_BYTES
            if is_recent:
                break
            self._kept_bytes -= len(self._kept.popleft().text)

    def _number(self, text: bytes, runs: Runs) -> None:
        """Cut lines into blocks that never reach over a chunk's end."""
        start, left = 0, sum(count for _, count in runs)
        while left:
            if self._open_bytes + text.index(b"\n", start) - start >= MAX_CHUNK_BYTES:
                self._close_chunk()
            room_lines, room_bytes = MAX_CHUNK_LINES - self._open_lines, MAX_CHUNK_BYTES - self._open_bytes
            end, count = len(text), left
            if count > room_lines or end - start > room_bytes:
                end, count = cut(text, room_lines, room_bytes, start)
            piece, start, left = text[start:end], end, left - count
            head, runs = split_runs(runs, count)
            block = Block(self._next_line, count, head, piece, self._style)
            if b"\x1b" in piece:  # one byte is found many times faster than two
                self._style = style_after(self._style, piece.decode())
            if not self._open:
                self._open_since = time.monotonic()
            self._open.append(block)
            self._kept.append(block)
            self._kept_bytes += len(piece)
            self._open_lines += count
            self._open_bytes += len(piece)
            self._next_line += count
            if self._open_lines >= MAX_CHUNK_LINES:
                self._close_chunk()

    def _close_chunk(self) -> None:
        if self._open:
            self._full.append(encode_chunk(self._open))
            self._open, self._open_lines, self._open_bytes = [], 0, 0


def _joined(new: deque[New]) -> Iterator[tuple[bytes, Runs]]:
    """What came since the last flush, small pieces put together, each with its times; takes them out of `new`."""
    group: list[New] = []
    size_bytes = 0
    while new:
        group.append(new.popleft())
        size_bytes += len(group[-1][2])
        if not new or size_bytes + len(new[0][2]) > MAX_CHUNK_BYTES:
            runs = merge_runs([[time_ms, count] for time_ms, count, _ in group])
            yield b"".join(text for _, _, text in group), runs
            group, size_bytes = [], 0
