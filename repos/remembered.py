"""What was computed from a repository's objects, remembered by their oids: what an oid names never changes.

Whoever asks is authorized before; a value is never shared between repositories, so that one repository's objects tell
nothing about another's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from django.core.cache import cache

from repos.git.ref_answers import key_of
from repos.models import Repository

SECONDS = 24 * 3600

Value = TypeVar("Value")


def remembered(repository: Repository, kind: str, *parts: str | bytes, make: Callable[[], Value]) -> Value:
    """The value of `make()`, or what an earlier call with the same repository, kind and parts gave.

    Args:
        kind: What it is, "hunks"; changed when what `make` gives changes in meaning.
        parts: All that the value depends on: full oids and options, never a name that can move.
        make: Gives something that can be pickled, not None.
    """
    key = f"remembered:{key_of(str(repository.repository_id), kind, *parts).hex()}"
    value: Value | None = cache.get(key)
    if value is None:
        value = make()
        cache.set(key, value, SECONDS)
    return value
