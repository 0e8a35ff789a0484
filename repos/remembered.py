"""What was computed from a repository's objects, remembered by their oids: what an oid names never changes.

Whoever asks is authorized before; a value is never shared between repositories, so that one repository's objects tell
nothing about another's.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from codeservices import registry
from repos.git.ref_answers import RefAnswers, key_of
from repos.models import Repository

MAX_BYTES = 32 * 1024 * 1024

Value = TypeVar("Value")

# In this process: a page may not wait for, or fail with, another one.
_answers = RefAnswers(MAX_BYTES)
_asked = {"hit": 0, "miss": 0}


def remembered(repository: Repository, kind: str, *parts: str | bytes, make: Callable[[], Value]) -> Value:
    """The value of `make()`, or what an earlier call with the same repository, kind and parts gave.

    Args:
        kind: What it is, "hunks".
        parts: All that the value depends on: full oids and options, never a name that can move.
        make: Gives something that can be pickled.
    """
    key = _key(repository, kind, parts)
    kept = _answers.get(key)
    _asked["hit" if kept is not None else "miss"] += 1
    if kept is not None:
        value: Value = pickle.loads(kept)  # noqa: S301  written below, in this process
        return value
    value = make()
    _answers.put(key, pickle.dumps(value, pickle.HIGHEST_PROTOCOL))
    return value


def recalled(repository: Repository, kind: str, *parts: str | bytes) -> Any:
    """What `remembered` or `remember` was given for these, or None where that is not, or no more, known."""
    kept = _answers.get(_key(repository, kind, parts))
    _asked["hit" if kept is not None else "miss"] += 1
    return None if kept is None else pickle.loads(kept)  # noqa: S301  written here, in this process


def remember(repository: Repository, kind: str, *parts: str | bytes, value: object) -> None:
    """Keep what has been computed elsewhere, such as in the background."""
    _answers.put(_key(repository, kind, parts), pickle.dumps(value, pickle.HIGHEST_PROTOCOL))


def _key(repository: Repository, kind: str, parts: Sequence[str | bytes]) -> bytes:
    return key_of(str(repository.repository_id), kind, *parts)


def register() -> None:
    """Called once when the app is ready."""
    registry.register_meter(registry.Meter("remembered", read))


def read() -> Iterable[tuple[str, str, dict[str, str], float]]:
    """Rows for /metrics, of this web process."""
    for result, count in _asked.items():
        name = "codeservices_remembered_total"
        yield name, "What pages computed from immutable objects: found in memory, or made.", {"result": result}, count
    entries, size = _answers.kept()
    yield "codeservices_remembered_entries", "Values that are kept in memory.", {}, entries
    yield "codeservices_remembered_bytes", "Bytes of the values that are kept in memory.", {}, size
