"""What git makes while somebody downloads it, archives and patches: a few at once, each begun before it is promised."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from typing import Final

from codeservices.errors import LimitExceeded

# One of a large tree keeps a processor busy for seconds, and a slow reader keeps a process for minutes.
MAX_RUNNING: Final = 6
MAX_RUNNING_EACH: Final = 2


class TooManyDownloads(LimitExceeded):
    """Others of this person's, or of everybody's, must end first."""

    code = "ThrottlingException"
    status = 429


class Places:
    """How many downloads this process makes at once, in all and for each person."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: Counter[str] = Counter()

    @contextmanager
    def taken(self, holder: str) -> Iterator[None]:
        """Hold a place; raises TooManyDownloads."""
        with self._lock:
            if self._held[holder] >= MAX_RUNNING_EACH:
                raise TooManyDownloads(
                    f"{MAX_RUNNING_EACH} archives or patches are being made for you already.",
                    hint="Wait until one is complete.",
                )
            if self._held.total() >= MAX_RUNNING:
                raise TooManyDownloads(
                    "The server is busy making other archives and patches.", hint="Try again in a minute."
                )
            self._held[holder] += 1
        try:
            yield
        finally:
            with self._lock:
                self._held[holder] -= 1
                if not self._held[holder]:
                    del self._held[holder]


places = Places()


def in_place(holder: str, parts: Generator[bytes, None, None]) -> Iterator[bytes]:
    """The parts, in one of the places, of which the first is made now: what fails at once is told as an error.

    Args:
        holder: Whose place it is.

    Raises:
        TooManyDownloads: There is no place.
        Whatever the first part raises.
    """
    return _Begun(_held(holder, parts))


def _held(holder: str, parts: Generator[bytes, None, None]) -> Generator[bytes, None, None]:
    with places.taken(holder), closing(parts):
        yield from parts


class _Begun:
    """An iterator whose first part is there, and that the response closes."""

    def __init__(self, parts: Generator[bytes, None, None]) -> None:
        self._parts = parts
        self._first: bytes | None = next(parts, None)

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if self._first is None:
            return next(self._parts)
        first, self._first = self._first, None
        return first

    def close(self) -> None:
        self._parts.close()
