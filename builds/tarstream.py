"""Tar as a stream of bytes: written from files, and read without trusting whoever wrote it.

The reader knows the entries that Docker Engine's archives have (POSIX ustar, pax and GNU long names). It opens nothing
on disk, follows no link, and holds no more in memory than a header and one piece of a file.
"""

from __future__ import annotations

import re
import tarfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

BLOCK_BYTES = 512
PIECE_BYTES = 256 * 1024
# A path may have 4 KiB in Linux, an extended attribute 64 KiB; a header far beyond both is an attack.
MAX_HEADER_BYTES = 1024 * 1024
# An entry has one header of each kind before its own; more of them are no archive but a way to keep a reader busy.
MAX_EXTENSION_HEADERS = 8
# No file system holds more; a size beyond is a lie.
MAX_SIZE_BYTES = 2**63 - 1

FILE, DIRECTORY, SYMLINK, HARDLINK, OTHER = "file", "directory", "symlink", "hardlink", "other"
_KINDS = {b"0": FILE, b"\0": FILE, b"7": FILE, b"5": DIRECTORY, b"2": SYMLINK, b"1": HARDLINK}
_OCTAL = re.compile(rb" *([0-7]*) *(?:\0|\Z)")
_CHECKSUM = slice(148, 156)


class TarError(Exception):
    """The stream is no tar that can be read, or breaks a limit."""


@dataclass(frozen=True, slots=True)
class Member:
    """One entry. `name` and `target` are as the archive says: unchecked. `modified` is in seconds since 1970."""

    name: str
    kind: str
    size_bytes: int
    mode: int
    target: str = ""
    user_id: int = 0
    group_id: int = 0
    modified: int = 0


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
        TarError: It is no tar, or an entry of it can't be what it says.
    """
    source = _Source(pieces)
    long_name = long_target = ""
    pax: dict[str, str] = {}
    extension_headers = 0
    while True:
        header = source.take(BLOCK_BYTES)
        if len(header) < BLOCK_BYTES or not header.strip(b"\0"):
            return
        _check_sum(header)
        size_bytes = _number(header[124:136])
        flag = header[156:157]
        if flag in b"xgLK":
            extension_headers += 1
            if size_bytes > MAX_HEADER_BYTES or extension_headers > MAX_EXTENSION_HEADERS:
                raise TarError(f"Headers are too large or too many: {size_bytes:,} bytes, number {extension_headers}.")
            content = source.take(size_bytes)
            source.skip(-size_bytes % BLOCK_BYTES)
            if flag == b"x":
                pax = _pax(content)
            elif flag == b"L":
                long_name = _string(content)
            elif flag == b"K":
                long_target = _string(content)
            continue
        member = _member(header, size_bytes, pax, long_name, long_target)
        long_name = long_target = ""
        pax = {}
        extension_headers = 0
        remaining = source.limited(member.size_bytes)
        yield member, remaining
        for _ in remaining:
            pass
        source.skip(-member.size_bytes % BLOCK_BYTES)


def _member(header: bytes, size_bytes: int, pax: dict[str, str], long_name: str, long_target: str) -> Member:
    if header[156:157] == b"S" or any(key.startswith("GNU.sparse.") for key in pax):
        # Docker Engine writes none; what follows is a map of holes, which would be taken for the file's content.
        raise TarError("An entry is a sparse file in a form of its own.")
    prefix = _string(header[345:500]) if header[257:263] == b"ustar\0" else ""
    kind = _KINDS.get(header[156:157], OTHER)
    size_bytes = _whole(pax["size"]) if "size" in pax else size_bytes
    return Member(
        name=pax.get("path") or long_name or (f"{prefix}/" if prefix else "") + _string(header[:100]),
        kind=kind,
        size_bytes=size_bytes if kind in (FILE, OTHER) else 0,
        mode=_number(header[100:108]) & 0o7777,
        target=pax.get("linkpath") or long_target or _string(header[157:257]),
        user_id=_whole(pax["uid"]) if "uid" in pax else _number(header[108:116]),
        group_id=_whole(pax["gid"]) if "gid" in pax else _number(header[116:124]),
        modified=_number(header[136:148], may_be_negative=True),
    )


class _Source:
    """Pieces of any length, taken by count."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._piece = b""
        self._position = 0

    def take(self, count: int) -> bytes:
        """Exactly `count` bytes, fewer only at the end of the stream."""
        end = self._position + count
        if end <= len(self._piece):
            taken, self._position = self._piece[self._position : end], end
            return taken
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
            if self._position == len(self._piece):
                self._piece, self._position = next(self._pieces, b""), 0
                if not self._piece:
                    return
            piece = self._piece[self._position : self._position + count]
            self._position += len(piece)
            count -= len(piece)
            yield piece


def _check_sum(header: bytes) -> None:
    """The sum of a header's bytes, its own field counted as blanks. Source: POSIX.1-2017, pax, "ustar Interchange"."""
    if sum(header) - sum(header[_CHECKSUM]) + 8 * ord(" ") != _number(header[_CHECKSUM]):
        raise TarError("A header's checksum is wrong.")


def _number(raw: bytes, *, may_be_negative: bool = False) -> int:
    """An octal field, or GNU's binary form for numbers that are large or negative."""
    if raw[:1] in (b"\x80", b"\xff"):
        value = int.from_bytes(raw, "big", signed=True) if raw[:1] == b"\xff" else int.from_bytes(raw[1:], "big")
    else:
        found = _OCTAL.match(raw)
        if found is None:
            raise TarError("A header holds no number where one must be.")
        value = int(found[1] or b"0", 8)
    if value > MAX_SIZE_BYTES or (value < 0 and not may_be_negative):
        raise TarError("A header holds a number that can't be.")
    return value


def _whole(text: str) -> int:
    """A number of a pax record."""
    if not text.isascii() or not text.isdecimal() or len(text) > len(str(MAX_SIZE_BYTES)):
        raise TarError("A pax header holds no number where one must be.")
    return min(int(text), MAX_SIZE_BYTES)


def _string(raw: bytes) -> str:
    return raw.split(b"\0", 1)[0].decode("utf-8", "surrogateescape")


def _pax(content: bytes) -> dict[str, str]:
    """The records of a pax header, "LENGTH KEY=VALUE\\n" each."""
    found: dict[str, str] = {}
    position = 0
    while position < len(content):
        blank = content.find(b" ", position, position + 20)
        length = content[position:blank]
        if blank < 0 or not length.isdigit() or not blank - position + 1 < int(length) <= len(content) - position:
            raise TarError("A pax header is broken.")
        key, _, value = content[blank + 1 : position + int(length) - 1].partition(b"=")
        found[key.decode("utf-8", "replace")] = value.decode("utf-8", "surrogateescape")
        position += int(length)
    return found
