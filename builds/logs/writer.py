"""The one writer of a build's log, in the worker: bytes as they come are masked, cut into lines, capped and given on.

Lost are only lines that were in neither place: a worker and Redis that die within the same second, or the tail beyond
the size cap of a worker that dies.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from redis import Redis

from builds.logs.cap import HEAD_BYTES, TAIL_BYTES, Cap, Timed
from builds.logs.flusher import Flusher, PutChunks
from builds.logs.text import LineCutter
from builds.masking import Masker


@dataclass(frozen=True)
class Summary:
    """A closed log: how many lines and bytes it has, and how many lines the cap left out."""

    line_count: int
    size_bytes: int
    left_out_lines: int


class LogWriter:
    """The one writer of a build's log. `write`, `line` and `add_secrets` are for one thread; `close` ends it.

    Args:
        build_key, redis, put_chunks: As of `Flusher`.
        head_bytes, tail_bytes: As of `Cap`.
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
        self.line_count = 0
        self._masker = Masker(secrets)
        self._cutter = LineCutter()
        self._cap = Cap(head_bytes, tail_bytes)
        self._clock = clock
        self._time_ms = 0
        self._flusher = Flusher(build_key, redis, put_chunks)

    def add_secrets(self, secrets: Iterable[str]) -> None:
        """Mask these too, from now on."""
        self._masker.add(secrets)

    def write(self, data: bytes) -> None:
        """Bytes as they come. Waits where storage is far behind; never for Redis."""
        # NUL is no text: taken out before secrets are looked for, or one would come together that was split by it.
        self._take(self._masker.feed(data.replace(b"\0", b"")))

    def line(self, text: str) -> None:
        """A whole line of ours; it never continues a line of the build's."""
        self._take(self._masker.feed(b"") + self._masker.flush())
        if self._cutter.has_partial:
            self._take(b"\n")
        self._take(self._masker.feed(text.encode("utf-8", "replace")) + self._masker.flush() + b"\n")

    def close(self) -> Summary:
        """Store everything, mark the end of the stream. Raises the storage's error where it fails for a minute."""
        self._take(self._masker.flush())
        if self._cutter.has_partial:
            self._take(b"\n")
        self._put(self._cap.rest())
        self._flusher.close()
        return Summary(self._flusher.stored_lines, self._flusher.stored_bytes, self._cap.left_out_lines)

    def abandon(self) -> None:
        """Stop without storing anything more: the log belongs to somebody else."""
        self._flusher.abandon()

    def _take(self, data: bytes) -> None:
        """Masked bytes into whole lines, under the time at which the last byte of each came."""
        text = self._cutter.feed(data)
        if text:
            # A clock set back must not make lines older than those before.
            self._time_ms = max(self._time_ms, int(self._clock() * 1000))
            self._put(self._cap.admit(self._time_ms, text))

    def _put(self, lines: Iterable[Timed]) -> None:
        for time_ms, text in lines:
            count = text.count(b"\n")
            self.line_count += count
            self._flusher.put(time_ms, count, text)
