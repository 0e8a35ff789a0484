"""Who searches in code right now: one search a person, and a few in all, so that nobody takes the whole machine."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from typing import Final

from codeservices.errors import LimitExceeded

# Of one web process. A search has one thread of git and ends after seconds.
PLACES: Final = 2
# Whoever changes the query while the one before still runs waits for that rather than to be sent away.
WAIT_SECONDS: Final = 6.0

_changed = threading.Condition()
_running: set[str] = set()


class SearchLimit(LimitExceeded):
    """Too many searches at once."""

    code = "ThrottlingException"
    status = 429


@contextlib.contextmanager
def place(person: str) -> Iterator[None]:
    """Search within this block.

    Args:
        person: The ARN of whoever searches.

    Raises:
        SearchLimit: An own search still runs, or all places are taken, and waiting did not help.
    """
    deadline = time.monotonic() + WAIT_SECONDS
    with _changed:
        while person in _running or len(_running) >= PLACES:
            if not _changed.wait(max(0.0, deadline - time.monotonic())):
                whose = "Another search of yours is" if person in _running else "Searches of others are"
                raise SearchLimit(f"{whose} still running.", hint="Try again in a few seconds.")
        _running.add(person)
    try:
        yield
    finally:
        with _changed:
            _running.discard(person)
            _changed.notify_all()
