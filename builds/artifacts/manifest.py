"""The list of the objects that an artifact of single files is made of, kept in the store beside the build's log."""

from __future__ import annotations

import gzip
import json
import secrets
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from builds.models import Build
from codeservices import storage


@dataclass(frozen=True, slots=True)
class StoredFile:
    """One file: its path below the artifact's folder, and when its object was stored."""

    path: str
    size_bytes: int
    modified_at: str  # ISO 8601


def new_key(build: Build) -> str:
    """A storage key for the list of one artifact's files."""
    return f"builds/{build.uuid}/artifacts/{secrets.token_hex(16)}.json.gz"


def write(key: str, files: Iterable[StoredFile]) -> None:
    """Keep a list under a key that `new_key` gave."""
    storage.write(key, gzip.compress(json.dumps([asdict(one) for one in files]).encode(), mtime=0))


def read(key: str) -> list[StoredFile]:
    """The list; raises FileNotFoundError where there is none."""
    return [StoredFile(**one) for one in json.loads(gzip.decompress(storage.read(key)))]
