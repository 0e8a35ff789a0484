"""What took long to find out about a commit and is true for ever, kept on disk across restarts and processes.

For answers that cost a large part of a second; what is cheaper stays in memory alone (remembered.py). Whoever asks is
authorized before, and a value is never shared between repositories. The directory may be emptied at any time.
"""

from __future__ import annotations

import contextlib
import pickle
import zlib
from collections.abc import Callable
from typing import TypeVar

from django.core.cache import caches

from repos.git.ref_answers import key_of
from repos.models import Repository

# The cache has a number of entries at most, so this bounds it; real answers are a few kilobytes.
MAX_BYTES = 8 * 1024 * 1024

# What reading a damaged pickle raises, or one of a class that is no more, or has other members. Source: pickle's
# documentation, UnpicklingError.
_UNREADABLE: tuple[type[Exception], ...] = (
    *(OSError, EOFError, ValueError, LookupError, zlib.error, pickle.PickleError),
    *(AttributeError, ImportError, MemoryError, RecursionError, TypeError),
)

Value = TypeVar("Value")


def lasting(
    repository: Repository,
    kind: str,
    *parts: str | bytes,
    make: Callable[[], Value],
    is_whole: Callable[[Value], bool] = lambda value: True,
) -> Value:
    """The value of `make()`, or what an earlier call with the same repository, kind and parts gave.

    Args:
        kind: What it is, "last-commits"; another name where the form of the value changes.
        parts: All that the value depends on: full oids, paths and options, never a name that can move.
        make: Gives something that can be pickled.
        is_whole: Whether a value is to be kept; one that was cut short for lack of time is not.
    """
    key = key_of(str(repository.repository_id), kind, *parts).hex()
    # A disk that is damaged, unreadable or full costs time, not the page; nor does what another version has written.
    with contextlib.suppress(*_UNREADABLE):
        kept: bytes | None = caches["answers"].get(key)
        if kept is not None:
            value: Value = pickle.loads(kept)  # noqa: S301  written below, under var/
            return value
    value = make()
    raw = pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
    if len(raw) <= MAX_BYTES and is_whole(value):
        with contextlib.suppress(OSError):
            caches["answers"].set(key, raw)
    return value
