"""The files that git keeps refs in: all of them read again only where one changed, or a single ref looked up.

A loose ref is a file of its own, the others lie in packed-refs, sorted by name. Git replaces each of these files in one
step, and loose refs are read before packed ones: a ref that git packs meanwhile is then seen in one of the two places.

Since git moves a loose ref by renaming a lock file over it, the times of a folder tell whether any ref in it moved. A
folder or a file that changed a moment ago is not trusted for that: it may change again within one tick of the clock.

Source: gitrepository-layout(5), "refs" and "packed-refs"; git's refs/packed-backend.c for the sorting.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

# Longer than a tick of any file system's clock.
SETTLED_NANOSECONDS: Final = 1_500_000_000
# What packed-refs begins with names its traits; git has sorted it since 2.15, other programs may not.
_SORTED: Final = b" sorted "

Stamp = tuple[int, ...]


@dataclass(frozen=True)
class Folder:
    """One folder of loose refs: names to contents, the folders in it, and what it looked like from outside."""

    stamp: Stamp | None
    contents: dict[bytes, bytes]
    folders: tuple[bytes, ...]


@dataclass(frozen=True)
class Packed:
    """packed-refs: names to oids; without a stamp where it can't be trusted to be the same later."""

    stamp: Stamp | None
    oids: dict[bytes, bytes]


@dataclass(frozen=True)
class Snapshot:
    """Everything at one moment. The next `read` that finds nothing changed gives the very same object."""

    folders: dict[bytes, Folder]
    packed: Packed

    def contents(self) -> dict[bytes, bytes]:
        """Every refname with its file's content: an oid, or "ref: " and another name. Unsorted, unchecked."""
        merged = dict(self.packed.oids)
        for folder in self.folders.values():
            merged |= folder.contents
        return merged


def read(path: Path, before: Snapshot | None) -> Snapshot:
    """All refs of the repository at `path`; of `before` those folders and files are kept that did not change."""
    folders: dict[bytes, Folder] = {}
    waiting = [b"refs/"]
    known = before.folders if before else {}
    while waiting:
        prefix = waiting.pop()
        folders[prefix] = found = _folder(path, prefix, known.get(prefix))
        waiting += found.folders
    packed = _packed(path, before.packed if before else None)
    are_kept = len(folders) == len(known) and all(known.get(prefix) is folder for prefix, folder in folders.items())
    return before if before is not None and are_kept and packed is before.packed else Snapshot(folders, packed)


def _folder(path: Path, prefix: bytes, before: Folder | None) -> Folder:
    place = os.path.join(os.fsencode(path), prefix)  # noqa: PTH118  bytes; and a Path each would cost too much
    contents: dict[bytes, bytes] = {}
    folders: list[bytes] = []
    stamp = None
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        status = os.stat(place)  # noqa: PTH116
        stamp = _stamp(status)
        if before is not None and stamp is not None and before.stamp == stamp:
            return before
        with os.scandir(place) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(prefix + entry.name + b"/")
                elif (content := _content(entry.path)) is not None:
                    contents[prefix + entry.name] = content
    return Folder(stamp, contents, tuple(folders))


def _packed(path: Path, before: Packed | None) -> Packed:
    try:
        with (path / "packed-refs").open("rb") as file:
            stamp = _stamp(os.fstat(file.fileno()))
            if before is not None and stamp is not None and before.stamp == stamp:
                return before
            raw = file.read()
    except (FileNotFoundError, IsADirectoryError):
        return before if before is not None and not before.oids and before.stamp is None else Packed(None, {})
    # A line is an oid, a blank and a refname; headers begin with #, the peeled line of a tag with ^.
    lines = raw.split(b"\n")
    return Packed(stamp, {line[41:]: line[:40] for line in lines if line[40:41] == b" " and line[:1] not in b"#^"})


def _stamp(status: os.stat_result) -> Stamp | None:
    """What tells one state from another; None where the next change may look the same."""
    # The change time, which nobody can set back, as a restored backup does with the other.
    if time.time_ns() - status.st_ctime_ns < SETTLED_NANOSECONDS:
        return None
    return status.st_ctime_ns, status.st_mtime_ns, status.st_ino, status.st_size


def _content(place: bytes) -> bytes | None:
    try:
        with open(place, "rb") as file:  # noqa: PTH123
            return file.read().strip()
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        return None


class Lookup:
    """Looks single refs up where they lie: a few microseconds each, however many others there are.

    Use it as a context manager; it holds packed-refs open meanwhile.
    """

    def __init__(self, path: Path) -> None:
        self._path = os.fsencode(path)
        self._stamp: Stamp | None = None
        self._map: mmap.mmap | None = None
        self._sorted: bool = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._map is not None:
            self._map.close()

    def content(self, refname: bytes) -> bytes | None:
        """What a ref's file or line says: an oid, or "ref: " and another name; None where there is no such ref.

        The name must be a valid refname: it becomes a path.
        """
        loose = _content(os.path.join(self._path, refname))  # noqa: PTH118
        if loose is not None:
            return loose
        # Packed after it was looked for as a file? Then packed-refs is a new file now.
        packed = self._packed()
        if packed is None:
            return None
        if not self._sorted:
            return next((line[:40] for line in _lines(packed) if line[41:] == refname), None)
        at = _lower_bound(packed, refname)
        end = at + 41 + len(refname)
        return packed[at : at + 40] if packed[at + 41 : end + 1].rstrip(b"\n") == refname else None

    def has_below(self, prefix: bytes) -> bool:
        """Whether any ref may have a name that begins with this, "refs/heads/feature/"."""
        if os.path.isdir(os.path.join(self._path, prefix)):  # noqa: PTH112, PTH118
            return True
        packed = self._packed()
        if packed is None:
            return False
        if not self._sorted:
            return any(line[41:].startswith(prefix) for line in _lines(packed))
        at = _lower_bound(packed, prefix)
        return packed[at + 41 : at + 41 + len(prefix)] == prefix

    def _packed(self) -> mmap.mmap | None:
        """packed-refs as it is now."""
        try:
            status = os.stat(os.path.join(self._path, b"packed-refs"))  # noqa: PTH116, PTH118
        except FileNotFoundError:
            return None
        stamp = (status.st_ino, status.st_ctime_ns, status.st_size)
        if self._map is None or stamp != self._stamp:
            self._open()
        return self._map

    def _open(self) -> None:
        if self._map is not None:
            self._map.close()
        self._map = None
        with contextlib.suppress(FileNotFoundError), open(os.path.join(self._path, b"packed-refs"), "rb") as file:  # noqa: PTH118, PTH123
            status = os.fstat(file.fileno())
            self._stamp = (status.st_ino, status.st_ctime_ns, status.st_size)
            if status.st_size:
                self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
                head = self._map[: self._map.find(b"\n") + 1]
                self._sorted = head.startswith(b"#") and _SORTED in head.replace(b"\n", b" ")


def _lines(packed: mmap.mmap) -> Iterator[bytes]:
    return (line for line in packed[:].split(b"\n") if line[40:41] == b" " and line[:1] not in b"#^")


def _lower_bound(packed: mmap.mmap, wanted: bytes) -> int:
    """Where the first ref's line begins whose name is not less; the file's length where there is none."""
    low, high = 0, len(packed)  # beginnings of lines
    while low < high:
        middle = packed.rfind(b"\n", low, (low + high) // 2) + 1 or low
        end = packed.find(b"\n", middle)
        end = len(packed) if end < 0 else end
        following = end + 1
        first = packed[middle : middle + 1]
        if first in (b"#", b"^"):
            # Neither names a ref. The header comes first of all; what a tag peels to follows the tag's own line.
            if first == b"#":
                low = following
                continue
            middle = packed.rfind(b"\n", 0, middle - 1) + 1
            end = packed.find(b"\n", middle)
        if packed[middle + 41 : end] < wanted:
            low = max(following, end + 1)
        else:
            high = middle
    # A tag's peeled line stands where its successor is looked for.
    while low < len(packed) and packed[low : low + 1] in (b"#", b"^"):
        low = packed.find(b"\n", low) + 1 or len(packed)
    return low
