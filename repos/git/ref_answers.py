"""What git said about refs, kept in memory while no ref moves: advertisements and protocol 2's ls-refs.

Git says it itself, once for each state of the refs and each way of asking; to start a process for it again would cost
more than everything else that such a request needs.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict

MAX_BYTES = 32 * 1024 * 1024
# Half a million refs. An answer beyond that would push out all others.
MAX_ANSWER_BYTES = 8 * 1024 * 1024


class RefAnswers:
    """Answers by key, bounded, the one used longest ago leaves first. Threads may share it."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._size_bytes = 0
        self._answers: OrderedDict[bytes, bytes] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: bytes) -> bytes | None:
        """The answer, or None."""
        with self._lock:
            if key in self._answers:
                self._answers.move_to_end(key)
            return self._answers.get(key)

    def put(self, key: bytes, answer: bytes) -> None:
        """Keep an answer, unless it is huge."""
        if len(answer) > min(MAX_ANSWER_BYTES, self._max_bytes):
            return
        with self._lock:
            self._size_bytes += len(answer) - len(self._answers.pop(key, b""))
            self._answers[key] = answer
            while self._size_bytes > self._max_bytes:
                self._size_bytes -= len(self._answers.popitem(last=False)[1])

    def kept(self) -> tuple[int, int]:
        """How many answers there are, and their bytes."""
        with self._lock:
            return len(self._answers), self._size_bytes


def key_of(*parts: str | bytes) -> bytes:
    """A key of fixed length; parts can't run into each other."""
    digest = hashlib.blake2b(digest_size=20)
    for part in parts:
        raw = part.encode("utf-8", "surrogateescape") if isinstance(part, str) else part
        digest.update(b"%d:%s" % (len(raw), raw))
    return digest.digest()
