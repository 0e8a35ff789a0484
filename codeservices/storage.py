"""Objects (artifacts, log chunks, audit files) by key, in Django's default storage.

A key is a relative path of safe parts, such as `builds/<uuid>/log/0000000000.gz`. What is written under a key replaces
what was there, whole or not at all, so that a retried write changes nothing.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import IO

from django.core.files.base import ContentFile, File
from django.core.files.storage import FileSystemStorage, default_storage

_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def check_key(key: str) -> str:
    """The key itself; raises ValueError where a part could leave the store."""
    if not key or not all(_PART.fullmatch(part) for part in key.split("/")):
        raise ValueError(f"“{key}” is no object key.")
    return key


def write(key: str, content: bytes | IO[bytes]) -> None:
    """Store `content` (bytes, or a binary file read from its position) under `key`."""
    check_key(key)
    storage = default_storage
    body = ContentFile(content) if isinstance(content, bytes) else File(content)
    if isinstance(getattr(storage, "_wrapped", storage), FileSystemStorage):
        target = Path(storage.path(key))
        draft = storage.save(f"{key}.part", body)
        Path(storage.path(draft)).replace(target)
        return
    if storage.exists(key):
        storage.delete(key)
    storage.save(key, body)


def read(key: str) -> bytes:
    """The object's bytes; raises FileNotFoundError where there is none."""
    with open_object(key) as file:
        return file.read()


def open_object(key: str) -> IO[bytes]:
    """The object as a binary file; raises FileNotFoundError where there is none."""
    return default_storage.open(check_key(key), "rb")


def exists(key: str) -> bool:
    return default_storage.exists(check_key(key))


def size_bytes(key: str) -> int:
    return default_storage.size(check_key(key))


def delete(key: str) -> None:
    """Remove the object; a missing one is no error."""
    default_storage.delete(check_key(key))
