"""What the fetch cache counts, in one file for all processes."""

from __future__ import annotations

import contextlib
import enum
import os
import struct
from pathlib import Path

from repos.git.fetch_files import opened


class Count(enum.IntEnum):
    """What is counted, by its place in the file of counters."""

    HIT = 0
    SHARED = 1
    GENERATED = 2
    EVICTED = 3


_COUNTERS = struct.Struct(f">{len(Count)}Q")


def read(path: Path) -> tuple[int, ...]:
    """What was counted since the file was made, in the order of Count."""
    try:
        return _COUNTERS.unpack(path.read_bytes())
    except (FileNotFoundError, struct.error):
        return (0,) * len(Count)


def add(path: Path, what: Count) -> None:
    """Count one more; whoever calls holds the folder's lock."""
    counts = list(read(path))
    counts[what] += 1
    descriptor = opened(path, os.O_WRONLY | os.O_CREAT)
    try:
        with contextlib.suppress(OSError):  # a full disk: figures are not worth an answer
            os.pwrite(descriptor, _COUNTERS.pack(*counts), 0)
    finally:
        os.close(descriptor)
