"""Tar as a stream of bytes: written from files, and read without trusting whoever wrote it.

The reader knows the entries that Docker Engine's archives have (POSIX ustar, pax and GNU long names). It opens nothing
on disk, follows no link, and holds no more in memory than a header and one piece of a file.
"""

from __future__ import annotations

import tarfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

BLOCK_BYTES = 512
PIECE_BYTES = 256 * 1024
# A path may have 4 KiB in Linux, an extended attribute 64 KiB; a header far beyond both is an attack.
MAX_HEADER_BYTES = 1024 * 1024

FILE, DIRECTORY, SYMLINK, HARDLINK, OTHER = "file", "directory", "symlink", "hardlink", "other"
_KINDS = {b"0": FILE, b"\0": FILE, b"7": FILE, b"5": DIRECTORY, b"2": SYMLINK, b"1": HARDLINK}


class TarError(Exception):
    """The stream is no tar that can be read, or breaks a limit."""


@dataclass(frozen=True)
class Member:
    """One entry. `name` and `target` are as the archive says: unchecked."""

    name: str
    kind: str
    size_bytes: int
    mode: int
    target: str = ""


def write(root: Path, prefix: str, *, leave_out: frozenset[str] = frozenset()) -> Iterator[bytes]:
    """A tar of the files and folders below `root`, under `prefix`; nothing else than those two kinds is in it.

    Args:
        leave_out: Paths relative to `root`.
    """
    now = int(time.time())
    for path in [root, *sorted(root.rglob("*"))]:
        relative = path.relative_to(root).as_posix()
        if relative in leave_out or path.is_symlink():
            continue
        info = tarfile.TarInfo(f"{prefix}/{relative}" if relative != "." else prefix)
        info.mtime = now
        if path.is_dir():
            info.type, info.mode = tarfile.DIRTYPE, 0o755
            yield info.tobuf(tarfile.PAX_FORMAT)
            continue
        info.mode = 0o644
        with path.open("rb") as file:
            file.seek(0, 2)
            info.size = file.tell()
            file.seek(0)
            yield info.tobuf(tarfile.PAX_FORMAT)
            while piece := file.read(PIECE_BYTES):
                yield piece
        yield b"\0" * (-info.size % BLOCK_BYTES)
    yield b"\0" * BLOCK_BYTES * 2


def read(pieces: Iterator[bytes]) -> Iterator[tuple[Member, Iterator[bytes]]]:
    """The entries with their contents; a content that isn't read is passed over.

    Raises:
        TarError: It is no tar.
    """
    source = _Source(pieces)
    long_name = long_target = ""
    pax: dict[str, str] = {}
    while True:
        header = source.take(BLOCK_BYTES)
        if len(header) < BLOCK_BYTES or not header.strip(b"\0"):
            return
        size_bytes = _number(header[124:136])
        flag = header[156:157]
        if flag in b"xgLK":
            if size_bytes > MAX_HEADER_BYTES:
                raise TarError(f"A header of {size_bytes:,} bytes is too large.")
            content = source.take(size_bytes)
            source.skip(-size_bytes % BLOCK_BYTES)
            if flag == b"x":
                pax = _pax(content)
            elif flag == b"L":
                long_name = _string(content)
            elif flag == b"K":
                long_target = _string(content)
            continue
        if "size" in pax:
            size_bytes = int(pax["size"]) if pax["size"].isdigit() else -1
        if size_bytes < 0:
            raise TarError("An entry has no sensible size.")
        prefix = _string(header[345:500]) if header[257:262] == b"ustar" else ""
        name = pax.get("path") or long_name or (f"{prefix}/" if prefix else "") + _string(header[:100])
        target = pax.get("linkpath") or long_target or _string(header[157:257])
        kind = _KINDS.get(flag, OTHER)
        long_name = long_target = ""
        pax = {}
        has_content = kind in (FILE, OTHER)
        remaining = source.limited(size_bytes if has_content else 0)
        yield Member(name, kind, size_bytes if has_content else 0, _number(header[100:108]) & 0o7777, target), remaining
        for _ in remaining:
            pass
        if has_content:
            source.skip(-size_bytes % BLOCK_BYTES)


class _Source:
    """Pieces of any length, taken by count."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = b""

    def take(self, count: int) -> bytes:
        """Exactly `count` bytes, fewer only at the end of the stream."""
        return b"".join(self._some(count))

    def skip(self, count: int) -> None:
        for _ in self._some(count):
            pass

    def limited(self, count: int) -> Iterator[bytes]:
        """The next `count` bytes; raises where the stream ends before."""
        missing = count
        for piece in self._some(count):
            missing -= len(piece)
            yield piece
        if missing:
            raise TarError("The archive ends in the middle of a file.")

    def _some(self, count: int) -> Iterator[bytes]:
        while count > 0:
            if not self._rest:
                self._rest = next(self._pieces, b"")
                if not self._rest:
                    return
            piece, self._rest = self._rest[:count], self._rest[count:]
            count -= len(piece)
            yield piece


def _number(raw: bytes) -> int:
    """An octal field, or GNU's binary form for large numbers."""
    if raw[:1] in (b"\x80", b"\xff"):
        return int.from_bytes(raw[1:], "big") if raw[:1] == b"\x80" else -1
    try:
        return int(raw.strip(b" \0") or b"0", 8)
    except ValueError:
        raise TarError("A header holds no number where one must be.") from None


def _string(raw: bytes) -> str:
    return raw.split(b"\0", 1)[0].decode("utf-8", "surrogateescape")


def _pax(content: bytes) -> dict[str, str]:
    """The records of a pax header, "LENGTH KEY=VALUE\\n" each."""
    found: dict[str, str] = {}
    position = 0
    while position < len(content):
        blank = content.find(b" ", position, position + 20)
        length = content[position:blank]
        if blank < 0 or not length.isdigit() or int(length) <= blank - position + 1:
            raise TarError("A pax header is broken.")
        key, _, value = content[blank + 1 : position + int(length) - 1].partition(b"=")
        found[key.decode("utf-8", "replace")] = value.decode("utf-8", "surrogateescape")
        position += int(length)
    return found
