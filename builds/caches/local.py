"""Caches on this worker's own disk: one file each, under a name of our own that says nothing.

A file is written beside and moved into its place, so that whoever opens it has all of it; one that is removed while a
build reads it lasts until that build closes it.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from django.conf import settings

# A file that no row names may be one that is just being kept.
ORPHAN_SECONDS = 3600.0
_DRAFT = ".draft-"


def folder() -> Path:
    """Where this worker keeps caches; made where it is missing."""
    path = Path(settings.CACHE_ROOT) / "builds"
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


@contextmanager
def draft() -> Iterator[IO[bytes]]:
    """A file to write a cache to, which is gone afterwards unless it was kept."""
    with tempfile.NamedTemporaryFile(dir=folder(), prefix=_DRAFT, delete=False) as file:
        try:
            yield file
        finally:
            Path(file.name).unlink(missing_ok=True)


def keep(file: IO[bytes]) -> str:
    """Keep a draft; the name it got."""
    name = f"{uuid.uuid4().hex}.tar.gz"
    os.fsync(file.fileno())
    Path(file.name).replace(folder() / name)
    return name


def open_file(name: str) -> IO[bytes]:
    """Raises FileNotFoundError where it isn't on this disk."""
    return (folder() / name).open("rb")


def remove(name: str) -> None:
    """Remove a cache of this worker; one that is gone already is no error."""
    (folder() / name).unlink(missing_ok=True)


def remove_orphans(names: set[str]) -> int:
    """Remove old files that are none of these; how many."""
    horizon = time.time() - ORPHAN_SECONDS
    count = 0
    for path in folder().iterdir():
        with contextlib.suppress(FileNotFoundError):  # another build's draft, which has its name now
            if path.name not in names and path.stat().st_mtime < horizon:
                path.unlink()
                count += 1
    return count
