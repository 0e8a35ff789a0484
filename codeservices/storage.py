"""Bytes (artifacts, log chunks, objects) by key, in Django's default storage.

A key is a relative path of safe parts, such as `builds/<uuid>/log/0000000000.gz`. What is written under a key replaces
what was there, whole or not at all, so that a retried write changes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack
from datetime import datetime
from types import TracebackType
from typing import IO, Protocol, Self, cast

from django.core.files.storage import default_storage

_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_COPIED_BYTES = 1024 * 1024
# A disk makes so many files last in little more than the time of one; what is far away answers that many at once.
_COMMITS_AT_ONCE = 8


class Writer(Protocol):
    """Bytes on their way under a key. A context manager: what is not committed when it ends was never there."""

    def write(self, data: bytes | memoryview) -> None:
        """Append."""

    def commit(self) -> None:
        """Put the bytes under the key, in place of what was there; they last from here on."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...


class Store(Protocol):
    """What a storage backend has beside Django's own methods, to be ours."""

    def writer(self, key: str) -> Writer: ...

    def remove_drafts(self, before: datetime) -> int: ...


def check_key(key: str) -> str:
    """The key itself; raises ValueError where a part could leave the store."""
    if not key or not all(_PART.fullmatch(part) for part in key.split("/")):
        raise ValueError(f"“{key}” is no object key.")
    return key


def writer(key: str) -> Writer:
    """To write piece by piece under `key`."""
    return _store().writer(check_key(key))


def write(key: str, content: bytes | IO[bytes]) -> None:
    """Store `content` (bytes, or a binary file read from its position) under `key`."""
    with writer(key) as target:
        for piece in [content] if isinstance(content, bytes) else pieces(content):
            target.write(piece)
        target.commit()


def write_all(contents: Mapping[str, bytes]) -> None:
    """Store each content under its key, several at once. Where this raises, any of them may be there."""
    keys = list(contents)
    with ThreadPoolExecutor(_COMMITS_AT_ONCE) as pool:
        for first in range(0, len(keys), _COMMITS_AT_ONCE):
            with ExitStack() as drafts:
                batch = keys[first : first + _COMMITS_AT_ONCE]
                # A connection to what is far away belongs to the thread that makes the writer, this one.
                targets = [drafts.enter_context(writer(key)) for key in batch]
                for key, target in zip(batch, targets, strict=True):
                    target.write(contents[key])
                commits = [pool.submit(target.commit) for target in targets]
                wait(commits)  # also where one fails: no writer may be closed in the middle of its commit
                for commit in commits:
                    commit.result()


def pieces(file: IO[bytes]) -> Iterable[bytes]:
    """A file's bytes from its position on."""
    return iter(lambda: file.read(_COPIED_BYTES), b"")


def read(key: str) -> bytes:
    """The object's bytes; raises FileNotFoundError where there is none."""
    with open_object(key) as file:
        return file.read()


def open_object(key: str) -> IO[bytes]:
    """The object as a binary file that can be sought in; raises FileNotFoundError where there is none."""
    return default_storage.open(check_key(key), "rb")


def exists(key: str) -> bool:
    """Whether the store has something under the key."""
    return default_storage.exists(check_key(key))


def size_bytes(key: str) -> int:
    """Raises FileNotFoundError where there is none."""
    return default_storage.size(check_key(key))


def delete(key: str) -> None:
    """Remove the object; a missing one is no error."""
    default_storage.delete(check_key(key))


def remove_drafts(before: datetime) -> int:
    """Remove what killed processes left half written before that time; how many."""
    return _store().remove_drafts(before)


def _store() -> Store:
    return cast(Store, default_storage)
