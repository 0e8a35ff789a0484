"""Searches through logs, a few at once in each process: one takes a second or two of a processor, and pages come first.

Others wait for their turn. So do few of them, since whoever waits holds one of the places in which pages are made
(codeservices/page_threads.py); the rest are told to come again.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from codeservices.errors import ServiceError

SEARCHES = 2
WAITING = 8
SECONDS = 10.0

_turns = threading.BoundedSemaphore(SEARCHES)
_waiting = threading.BoundedSemaphore(WAITING)


@contextmanager
def turn() -> Iterator[None]:
    """One search, when its turn has come. Raises ServiceError, ThrottlingException, where too many wait or too long."""
    if not _turns.acquire(blocking=False):
        _wait()
    try:
        yield
    finally:
        _turns.release()


def _wait() -> None:
    has_come = False
    if _waiting.acquire(blocking=False):
        try:
            has_come = _turns.acquire(timeout=SECONDS)
        finally:
            _waiting.release()
    if not has_come:
        raise ServiceError(
            "Too many logs are being searched. Try again in a moment.", code="ThrottlingException", status=503
        )
