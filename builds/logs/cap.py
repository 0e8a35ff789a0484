"""How large a log may grow: its head is kept as it comes, of the rest the last part; the log says what is missing."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime

from builds.logs.text import cut, timestamp

HEAD_BYTES = 256 * 1024 * 1024
TAIL_BYTES = 16 * 1024 * 1024

# Lines with the time they came, in ms.
Timed = tuple[int, bytes]


class Cap:
    """Lets the head of a log through, and holds of what follows the last bytes until the log ends.

    Attributes:
        left_out_lines: How many lines are in neither part.
    """

    def __init__(self, head_bytes: int = HEAD_BYTES, tail_bytes: int = TAIL_BYTES) -> None:
        self.left_out_lines = 0
        self._head_bytes = head_bytes
        self._tail_bytes = tail_bytes
        self._room_bytes = head_bytes
        self._is_over = False
        self._last_ms = 0
        self._tail: deque[Timed] = deque()
        self._tail_size_bytes = 0

    def admit(self, time_ms: int, text: bytes) -> Iterator[Timed]:
        """What of these whole lines goes into the log now."""
        if not self._is_over:
            if len(text) <= self._room_bytes:
                self._room_bytes -= len(text)
                yield time_ms, text
                return
            self._is_over = True
            head = cut(text, len(text), self._room_bytes)[0] if self._room_bytes > 0 else 0
            if head > self._room_bytes:
                head = 0
            if head:
                yield time_ms, text[:head]
            yield (
                time_ms,
                f"{timestamp(datetime.now(UTC))} The log is larger than {self._head_bytes:,} bytes. Of what follows, "
                f"the last {self._tail_bytes:,} bytes are kept and shown when the build ends.\n".encode(),
            )
            text = text[head:]
        self._hold(time_ms, text)

    def rest(self) -> Iterator[Timed]:
        """What the log ends with: how much is missing, and the last lines with the times they came."""
        if self.left_out_lines:
            sentence = f"{timestamp(datetime.now(UTC))} {self.left_out_lines:,} lines are left out here\n"
            yield (self._tail[0][0] if self._tail else self._last_ms), sentence.encode()
        yield from self._tail

    def _hold(self, time_ms: int, text: bytes) -> None:
        self._last_ms = time_ms
        self._tail.append((time_ms, text))
        self._tail_size_bytes += len(text)
        while self._tail_size_bytes > self._tail_bytes:
            oldest_ms, oldest = self._tail.popleft()
            self._tail_size_bytes -= len(oldest)
            spare = self._tail_bytes - self._tail_size_bytes
            # Of a block that is cut, its last whole lines stay.
            start = oldest.find(b"\n", len(oldest) - spare - 1) + 1 if spare > 0 else len(oldest)
            self.left_out_lines += oldest[:start].count(b"\n")
            if start < len(oldest):
                self._tail.appendleft((oldest_ms, oldest[start:]))
                self._tail_size_bytes += len(oldest) - start
                break
