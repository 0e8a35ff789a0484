"""A build's log on its way: live in a Redis Stream, for ever in chunks. Reading is in logreader.py.

The writer lives in the worker. Bytes are masked, cut into numbered lines, and every 100 ms sent to Redis as one entry
whose id is its first line's number + 1, so that sending it again is refused: writing is idempotent. Full chunks are
stored, and only then is the stream trimmed. What is not stored yet stays in the writer's memory, so that a Redis that
comes back with less than it was given is given the rest again; while it is away the build goes on.

Lost are only lines that were in neither: a worker and Redis that die within the same second, or the tail beyond the
size cap of a worker that dies.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from redis import Redis
from redis.exceptions import RedisError, ResponseError

from builds.logformat import (
    MAX_CHUNK_BYTES,
    MAX_CHUNK_LINES,
    MAX_LINE_BYTES,
    Block,
    Chunk,
    Runs,
    clean,
    cut,
    encode_chunk,
    merge_runs,
    split_long,
    timestamp,
)
from builds.logreader import decode_entry, entry_number, stream_key
from builds.masking import Masker

logger = logging.getLogger(__name__)

HEAD_BYTES = 256 * 1024 * 1024
TAIL_BYTES = 16 * 1024 * 1024
FLUSH_SECONDS = 0.1
# What may wait in memory for storage that is slower than the build, before the build has to wait.
MAX_WAITING_BYTES = 16 * 1024 * 1024
# While Redis is away, lines are stored this often, since memory is the only other place they are in.
EARLY_CHUNK_SECONDS = 5.0
RETRY_SECONDS = 0.5
CLOSE_SECONDS = 60.0
# Stored lines that stay in the stream, so that a viewer at the tail needs no chunk.
RECENT_LINES = 1_000
# How long a finished log's stream stays for viewers who are still reading from it.
EXPIRE_SECONDS = 3600

# Adds entries if the stream ends where the writer thinks it does; answers where it ends now.
# ARGV: the expected last id, then id, lines, runs, text for each entry.
_APPEND = """
local last = '0-0'
if redis.call('EXISTS', KEYS[1]) == 1 then
  local info = redis.call('XINFO', 'STREAM', KEYS[1])
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then last = info[i + 1] end
  end
end
if last ~= ARGV[1] then return last end
for i = 2, #ARGV, 4 do
  last = redis.call('XADD', KEYS[1], ARGV[i], 'n', ARGV[i + 1], 't', ARGV[i + 2], 'd', ARGV[i + 3])
end
return last
"""

PutChunks = Callable[[Sequence[Chunk]], None]


class LogLost(Exception):
    """The log belongs to somebody else by now: `put_chunks` raises it where the build's lease is lost."""


@dataclass(frozen=True)
class Summary:
    """A closed log: how many lines and bytes it has, and how many lines the cap left out."""

    line_count: int
    size_bytes: int
    left_out_lines: int


class LogWriter:
    """The one writer of a build's log. `write`, `line` and `add_secrets` are for one thread; `close` ends it.

    Args:
        build_key: Names the log, the build's uuid.
        redis: May be away at any time. Give it a short socket time-out and no retries: the writer has its own.
        put_chunks: Stores chunks for ever; called from the writer's own thread, again after an error. Storing a chunk
            twice must change nothing.
        clock: Seconds since the epoch.

    Attributes:
        line_count: The number that the next line gets.
    """

    def __init__(
        self,
        build_key: str,
        redis: Redis,
        put_chunks: PutChunks,
        *,
        secrets: Iterable[str] = (),
        head_bytes: int = HEAD_BYTES,
        tail_bytes: int = TAIL_BYTES,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._key = stream_key(build_key)
        self._redis = redis
        self._append = redis.register_script(_APPEND)
        self._put_chunks = put_chunks
        self._masker = Masker(secrets)
        self._head_bytes = head_bytes
        self._tail = _Tail(tail_bytes)
        self._clock = clock
        self._time_ms = 0
        self._partial = b""
        self._size_bytes = 0
        self.line_count = 0
        # Shared with the flushing thread, under the condition's lock.
        self._condition = threading.Condition()
        self._new: list[tuple[int, bytes]] = []
        self._new_bytes = 0
        self._behind_bytes = 0  # taken, but not yet stored
        self._is_closing = False
        self._failure: BaseException | None = None
        # The flushing thread's own.
        self._next_line = 0
        self._open: list[Block] = []
        self._open_lines = 0
        self._open_bytes = 0
        self._open_since = 0.0
        self._full: deque[Chunk] = deque()
        self._unstored: deque[Block] = deque()
        self._stored_lines = 0
        self._stored_bytes = 0
        self._last_id = "0-0"
        self._is_away = False
        self._retry_at = 0.0
        self._thread = threading.Thread(target=self._work, name=f"log-{build_key}", daemon=True)
        self._thread.start()

    # ---- the build's thread ------------------------------------------------------------------------------------------

    def add_secrets(self, secrets: Iterable[str]) -> None:
        """Mask these too, from now on."""
        self._masker.add(secrets)

    def write(self, data: bytes) -> None:
        """Bytes as they come. Waits where storage is far behind; never for Redis."""
        self._take(self._masker.feed(data))

    def line(self, text: str) -> None:
        """A whole line of ours; it never continues a line of the build's."""
        self._take(self._masker.feed(b"") + self._masker.flush())
        if self._partial:
            self._take(b"\n")
        self._take(self._masker.feed(text.encode("utf-8", "replace")) + self._masker.flush() + b"\n")

    def close(self) -> Summary:
        """Store everything, mark the end of the stream. Raises the storage's error where it fails for a minute."""
        self._take(self._masker.flush())
        if self._partial:
            self._take(b"\n")
        left_out_lines = self._tail.left_out_lines
        if left_out_lines:
            self._emit(f"{timestamp(datetime.now(UTC))} {left_out_lines:,} lines are left out here\n".encode())
        for time_ms, text in self._tail.blocks:
            self._emit(text, time_ms)
        with self._condition:
            self._is_closing = True
            self._condition.notify_all()
        self._thread.join(CLOSE_SECONDS + 2 * RETRY_SECONDS)
        if self._failure is not None:
            raise self._failure
        return Summary(self._stored_lines, self._stored_bytes, left_out_lines)

    def abandon(self) -> None:
        """Stop without storing anything more: the log belongs to somebody else."""
        with self._condition:
            self._failure = self._failure or LogLost("The log was abandoned.")
            self._condition.notify_all()
        self._thread.join(CLOSE_SECONDS)

    def _take(self, data: bytes) -> None:
        """Masked bytes into whole lines."""
        end = data.rfind(b"\n") + 1
        if end:
            text, self._partial = self._partial + data[:end], data[end:]
        else:
            text, self._partial = b"", self._partial + data
        if len(self._partial) >= MAX_LINE_BYTES:
            text += self._cut_partial()
        if text:
            self._keep(split_long(clean(text)))

    def _cut_partial(self) -> bytes:
        """What of an unfinished line is too long to wait for its end, as lines."""
        lines = split_long(self._partial + b"\n").split(b"\n")[:-1]
        self._partial = lines.pop()
        return b"".join(line + b"\n" for line in lines)

    def _keep(self, text: bytes) -> None:
        now_ms = int(self._clock() * 1000)
        self._time_ms = max(self._time_ms, now_ms)  # a clock set back must not make lines older than those before
        if self._tail.is_used:
            self._tail.add(self._time_ms, text)
            return
        room = self._head_bytes - self._size_bytes
        if len(text) > room:
            head = cut(text, len(text), room) if room > 0 else 0
            self._emit(text[:head])
            self._emit(
                f"{timestamp(datetime.now(UTC))} The log is larger than {self._head_bytes:,} bytes. Of what follows, "
                f"the last {self._tail.max_bytes:,} bytes are kept and shown when the build ends.\n".encode()
            )
            self._tail.is_used = True
            self._tail.add(self._time_ms, text[head:])
            return
        self._emit(text)

    def _emit(self, text: bytes, time_ms: int = 0) -> None:
        if not text:
            return
        self._size_bytes += len(text)
        self.line_count += text.count(b"\n")
        with self._condition:
            while self._behind_bytes > MAX_WAITING_BYTES and self._failure is None:
                self._condition.wait()
            if self._failure is not None:
                raise self._failure
            self._new.append((time_ms or self._time_ms, text))
            self._new_bytes += len(text)
            self._behind_bytes += len(text)
            if len(self._new) == 1 or self._new_bytes >= MAX_CHUNK_BYTES:
                self._condition.notify_all()

    # ---- the flushing thread -----------------------------------------------------------------------------------------

    def _work(self) -> None:
        deadline = 0.0
        last_flush = 0.0
        while True:
            with self._condition:
                while not (self._new or self._is_closing or self._failure):
                    self._condition.wait(self._pause())
                    if self._is_due():
                        break
                # One entry every 100 ms at most, unless it is large; a line after a silence goes at once.
                wait = last_flush + FLUSH_SECONDS - time.monotonic()
                while wait > 0 and self._new_bytes < MAX_CHUNK_BYTES and not (self._is_closing or self._failure):
                    self._condition.wait(wait)
                    wait = last_flush + FLUSH_SECONDS - time.monotonic()
                if self._failure is not None:
                    return
                new, self._new, self._new_bytes = self._new, [], 0
                is_closing = self._is_closing
                self._condition.notify_all()
            if is_closing and not deadline:
                deadline = time.monotonic() + CLOSE_SECONDS
            last_flush = time.monotonic()
            try:
                self._flush(new, is_closing)
                if is_closing and not self._full:
                    self._end()
                    return
            except LogLost as error:
                self._fail(error)
                return
            except Exception as error:  # storage: kept in memory and tried again, the build waits when it is too much
                logger.warning("%s: storing the log failed, trying again: %s", self._key, error)
                if deadline and time.monotonic() > deadline:
                    self._fail(error)
                    return
                time.sleep(RETRY_SECONDS)

    def _pause(self) -> float | None:
        """How long to wait at most for new lines: for ever, unless something is left to do without any."""
        if self._full:
            return RETRY_SECONDS
        return RETRY_SECONDS if self._is_away and self._open else None

    def _is_due(self) -> bool:
        return bool(self._full) or (self._is_away and bool(self._open))

    def _fail(self, error: BaseException) -> None:
        with self._condition:
            self._failure = error
            self._new, self._new_bytes = [], 0
            self._condition.notify_all()

    def _flush(self, new: list[tuple[int, bytes]], is_closing: bool) -> None:
        """Number lines, send them to Redis, store the chunks that are full, trim the stream."""
        for text, runs in _joined(new):
            self._number(text, runs)
        is_early = self._is_away and self._open and time.monotonic() > self._open_since + EARLY_CHUNK_SECONDS
        if is_closing or is_early:
            self._close_chunk()
        self._send()
        if self._full:
            chunks = list(self._full)
            self._put_chunks(chunks)
            for chunk in chunks:
                self._full.popleft()
                self._stored_lines = chunk.first_line + chunk.line_count
                self._stored_bytes += chunk.size_bytes
            with self._condition:
                self._behind_bytes -= sum(chunk.size_bytes for chunk in chunks)
                self._condition.notify_all()
            while self._unstored and self._unstored[0].first_line < self._stored_lines:
                self._unstored.popleft()
            self._trim()

    def _number(self, text: bytes, runs: Runs) -> None:
        """Cut lines into blocks that never reach over a chunk's end."""
        while text:
            if self._open_bytes + text.index(b"\n") >= MAX_CHUNK_BYTES:
                self._close_chunk()
            size = cut(text, MAX_CHUNK_LINES - self._open_lines, MAX_CHUNK_BYTES - self._open_bytes)
            piece, text = text[:size], text[size:]
            count = piece.count(b"\n")
            head, runs = _split_runs(runs, count)
            block = Block(self._next_line, count, head, piece)
            if not self._open:
                self._open_since = time.monotonic()
            self._open.append(block)
            self._unstored.append(block)
            self._open_lines += count
            self._open_bytes += size
            self._next_line += count
            if self._open_lines >= MAX_CHUNK_LINES:
                self._close_chunk()

    def _close_chunk(self) -> None:
        if self._open:
            self._full.append(encode_chunk(self._open))
            self._open, self._open_lines, self._open_bytes = [], 0, 0

    def _send(self) -> None:
        """Whatever Redis doesn't have yet; it may turn out to have less or more than we think."""
        if time.monotonic() < self._retry_at:
            return
        try:
            for _ in range(3):
                last = entry_number(self._last_id)
                missing = [block for block in self._unstored if block.first_line + 1 > last]
                arguments: list[Any] = [self._last_id]
                for block in missing:
                    runs = json.dumps(block.runs, separators=(",", ":"))
                    arguments += [f"{block.first_line + 1}-0", block.line_count, runs, block.text]
                expected = f"{missing[-1].first_line + 1}-0" if missing else self._last_id
                answer = self._append(keys=[self._key], args=arguments)
                self._last_id = answer.decode() if isinstance(answer, bytes) else str(answer)
                if self._last_id == expected:
                    break
            if self._is_away:
                logger.info("%s: Redis is back", self._key)
            self._is_away = False
        except RedisError as error:
            if not self._is_away:
                logger.warning("%s: Redis is away, lines wait in memory: %s", self._key, error)
            self._is_away = True
            self._retry_at = time.monotonic() + RETRY_SECONDS

    def _trim(self) -> None:
        # Only what is stored leaves the stream, and not all of that.
        keep_from = min(self._stored_lines, self._next_line - RECENT_LINES)
        if keep_from > 0 and not self._is_away:
            try:
                self._redis.xtrim(self._key, minid=f"{keep_from + 1}-0", approximate=False)
            except RedisError:
                self._is_away = True

    def _end(self) -> None:
        self._retry_at = 0.0
        self._send()
        if not self._is_away:
            try:
                mark_end(self._redis, self._key, self._next_line)
            except RedisError as error:
                logger.warning("%s: the end was not marked: %s", self._key, error)


class _Tail:
    """The last bytes of a log that has grown past its head."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.is_used = False
        self.blocks: deque[tuple[int, bytes]] = deque()
        self.left_out_lines = 0
        self._size_bytes = 0

    def add(self, time_ms: int, text: bytes) -> None:
        self.blocks.append((time_ms, text))
        self._size_bytes += len(text)
        while self._size_bytes > self.max_bytes:
            oldest_ms, oldest = self.blocks.popleft()
            self._size_bytes -= len(oldest)
            spare = self.max_bytes - self._size_bytes
            # Of a block that is cut, its last whole lines stay.
            start = oldest.find(b"\n", len(oldest) - spare - 1) + 1 if spare > 0 else len(oldest)
            self.left_out_lines += oldest[:start].count(b"\n")
            if start < len(oldest):
                self.blocks.appendleft((oldest_ms, oldest[start:]))
                self._size_bytes += len(oldest) - start
                break


def mark_end(redis: Redis, key: str, line_count: int) -> None:
    """Tell readers of the stream that no line follows, and let it expire. Doing it twice changes nothing."""
    _add(redis, key, f"{line_count + 1}-1", {"end": line_count})
    redis.expire(key, EXPIRE_SECONDS)


def _add(redis: Redis, key: str, entry_id: str, fields: dict[Any, Any]) -> None:
    """Add an entry unless the stream has it, or a later one, already."""
    try:
        redis.xadd(key, fields, id=entry_id)
    except ResponseError as error:
        if "equal or smaller" not in str(error):
            raise


def seal(build_key: str, redis: Redis, stored_lines: int, put_chunks: PutChunks, closing: Sequence[str] = ()) -> int:
    """Finish the log of a worker that died: what only the stream has becomes chunks. Returns the number of lines.

    Doing it again changes nothing, except that `closing` must then be empty or the same call's.

    Args:
        stored_lines: How many lines the stored chunks have.
        closing: Lines to put behind, such as why the build ended.
    """
    key = stream_key(build_key)
    blocks: list[Block] = []
    next_line = stored_lines
    entries: Any = redis.xrange(key, min=f"{stored_lines + 1}-0")
    for entry_id, fields in entries:
        block = decode_entry(entry_id, fields)
        if block is None:
            closing = ()  # sealed already
            break
        if block.first_line != next_line:
            break
        blocks.append(block)
        next_line += block.line_count
    if closing:
        time_ms = int(time.time() * 1000)
        text = clean("".join(f"{line}\n" for line in closing).encode("utf-8", "replace"))
        last = Block(next_line, text.count(b"\n"), [[time_ms, text.count(b"\n")]], text)
        _add(redis, key, f"{next_line + 1}-0", {"n": last.line_count, "t": json.dumps(last.runs), "d": text})
        blocks.append(last)
        next_line += last.line_count
    chunks: list[Chunk] = []
    group: list[Block] = []
    for block in blocks:
        lines = sum(one.line_count for one in group) + block.line_count
        if group and (lines > MAX_CHUNK_LINES or sum(len(one.text) for one in group) > MAX_CHUNK_BYTES):
            chunks.append(encode_chunk(group))
            group = []
        group.append(block)
    if group:
        chunks.append(encode_chunk(group))
    if chunks:
        put_chunks(chunks)
    mark_end(redis, key, next_line)
    return next_line


def _joined(new: list[tuple[int, bytes]]) -> Iterator[tuple[bytes, Runs]]:
    """What came since the last flush, small pieces put together, each with its times."""
    group: list[tuple[int, bytes]] = []
    size_bytes = 0
    for piece in [*new, None]:
        if group and (piece is None or size_bytes + len(piece[1]) > MAX_CHUNK_BYTES):
            runs = merge_runs([[time_ms, text.count(b"\n")] for time_ms, text in group])
            yield b"".join(text for _, text in group), runs
            group, size_bytes = [], 0
        if piece is not None:
            group.append(piece)
            size_bytes += len(piece[1])


def _split_runs(runs: Runs, count: int) -> tuple[Runs, Runs]:
    """The runs of the first `count` lines, and those of the rest."""
    head: Runs = []
    for index, (time_ms, lines) in enumerate(runs):
        if lines >= count:
            head.append([time_ms, count])
            rest = [[time_ms, lines - count]] if lines > count else []
            return head, rest + runs[index + 1 :]
        head.append([time_ms, lines])
        count -= lines
    return head, []
