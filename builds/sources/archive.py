"""A zip archive that anybody may have made, as a tar stream for a container; nothing is unpacked on the server.

The directory at the archive's end is read first and judged whole: number and size of entries, their names, kinds and
links, and that no two of them share bytes. Then each entry is inflated piece by piece, never to more than it declared.
What the standard library's reader would do for us, it does for trusted archives: it holds every entry as an object,
takes names and sizes as they come, and believes entries that overlap.

Source: PKWARE, APPNOTE.TXT 6.3.10 (".ZIP File Format Specification"); Info-ZIP's use of the external attributes.
"""

from __future__ import annotations

import calendar
import stat
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, NamedTuple

from builds.sources import members
from builds.sources.members import DIRECTORY, FILE, SYMLINK, FileTooLarge, UnsafeName

PIECE_BYTES = 256 * 1024
# The sources of the largest projects have 80,000 files.
MAX_ENTRIES = 200_000
MAX_DIRECTORY_BYTES = 64 * 1024 * 1024
MAX_LINK_BYTES = 4095
STORED, DEFLATED = 0, 8

_END = struct.Struct("<4s4H2LH")
_END_SIGNATURE = b"PK\5\6"
_END64 = struct.Struct("<4sQ2H2L4Q")
_END64_SIGNATURE = b"PK\6\6"
_LOCATOR64 = struct.Struct("<4sLQL")
_LOCATOR64_SIGNATURE = b"PK\6\7"
_CENTRAL = struct.Struct("<4s2B5H3L5H2L")
_CENTRAL_SIGNATURE = b"PK\1\2"
_LOCAL = struct.Struct("<4s5H3L2H")
_LOCAL_SIGNATURE = b"PK\3\4"
_EXTRA = struct.Struct("<2H")
_MAX_COMMENT_BYTES = 65535
_ENCRYPTED, _UTF8 = 0x1, 0x800
_MADE_ON_DOS, _MADE_ON_UNIX = 0, 3
_ZIP64_EXTRA = 1
_FULL_16, _FULL_32 = 0xFFFF, 0xFFFFFFFF


class ArchiveError(Exception):
    """The archive can't be used; the text says why, in a sentence without its first capital and full stop."""


class Entry(NamedTuple):
    """One entry, its name already judged.

    Attributes:
        kind: members.FILE, DIRECTORY or SYMLINK.
        offset: Of its local header.
        packed_bytes, size_bytes: As the archive declares them.
    """

    path: str
    kind: bytes
    mode: int
    modified_at: int
    method: int
    crc: int
    packed_bytes: int
    size_bytes: int
    offset: int


@dataclass(frozen=True)
class Archive:
    """An open archive whose directory was read; `entries` are in the order in which their bytes lie."""

    file: IO[bytes]
    entries: tuple[Entry, ...]
    end: int

    def tar(self, directory: str) -> Iterator[bytes]:
        """All of it as a tar stream below an absolute path of the container.

        Raises:
            ArchiveError: An entry's bytes are not what the directory says of them.
        """
        for place, entry in enumerate(self.entries):
            limit = self.entries[place + 1].offset if place + 1 < len(self.entries) else self.end
            target = ""
            if entry.kind == SYMLINK:
                target = self._target(entry, limit)
            yield members.entry(
                directory,
                entry.path,
                entry.kind,
                mode=entry.mode,
                size_bytes=entry.size_bytes,
                modified_at=entry.modified_at,
                target=target,
            )
            if entry.kind == FILE:
                yield from self._content(entry, limit)
                yield members.padding(entry.size_bytes)
        yield members.END

    def read(self, path: str, max_bytes: int) -> bytes | None:
        """The bytes of one file, or None where there is no such file. Raises FileTooLarge."""
        for place, entry in enumerate(self.entries):
            if entry.path == path and entry.kind == FILE:
                if entry.size_bytes > max_bytes:
                    raise FileTooLarge
                limit = self.entries[place + 1].offset if place + 1 < len(self.entries) else self.end
                return b"".join(self._content(entry, limit))
        return None

    def _target(self, entry: Entry, limit: int) -> str:
        try:
            target = b"".join(self._content(entry, limit)).decode()
            members.check_link(entry.path, target)
        except UnicodeDecodeError:
            raise ArchiveError(f"the target of the link “{members.shown(entry.path)}” is no UTF-8") from None
        except UnsafeName as error:
            raise ArchiveError(str(error)) from None
        return target

    def _content(self, entry: Entry, limit: int) -> Iterator[bytes]:
        """Exactly `size_bytes` bytes, checked; more or fewer raise before the caller has more than that."""
        packed = self._packed(entry, limit)
        produced, crc = 0, 0
        for piece in packed if entry.method == STORED else _inflated(packed, entry):
            produced += len(piece)
            if produced > entry.size_bytes:
                raise _wrong(entry, "holds more than it says")
            crc = zlib.crc32(piece, crc)
            yield piece
        if produced != entry.size_bytes:
            raise _wrong(entry, "holds less than it says")
        if crc != entry.crc:
            raise _wrong(entry, "is damaged: its checksum is another one")

    def _packed(self, entry: Entry, limit: int) -> Iterator[bytes]:
        self.file.seek(entry.offset)
        header = self.file.read(_LOCAL.size)
        if len(header) < _LOCAL.size or header[:4] != _LOCAL_SIGNATURE:
            raise _wrong(entry, "does not begin where the archive says")
        *_, name_bytes, extra_bytes = _LOCAL.unpack(header)
        begin = entry.offset + _LOCAL.size + name_bytes + extra_bytes
        if begin + entry.packed_bytes > limit:
            raise _wrong(entry, "overlaps with what follows it")
        self.file.seek(begin)
        missing = entry.packed_bytes
        while missing:
            piece = self.file.read(min(missing, PIECE_BYTES))
            if not piece:
                raise _wrong(entry, "is cut off")
            missing -= len(piece)
            yield piece


def read(file: IO[bytes], *, max_bytes: int) -> Archive:
    """Read and judge the directory of an archive.

    Args:
        file: Seekable; read again by what is returned.
        max_bytes: How much all of its files may come to.

    Raises:
        ArchiveError: It is no zip archive, a broken one, or one that may not be unpacked.
    """
    begin, size_bytes, shift = _directory(file)
    if size_bytes > MAX_DIRECTORY_BYTES:
        raise ArchiveError(f"its directory is larger than {MAX_DIRECTORY_BYTES:,} bytes")
    file.seek(begin)
    directory = file.read(size_bytes)
    if len(directory) < size_bytes:
        raise _no_zip()
    try:
        entries = sorted(_entries(directory, shift), key=lambda one: one.offset)
        members.check_places((one.path, one.kind) for one in entries)
    except UnsafeName as error:
        raise ArchiveError(str(error)) from None
    except struct.error:
        raise _no_zip() from None
    total = sum(one.size_bytes for one in entries)
    if total > max_bytes:
        raise ArchiveError(f"its files come to {total:,} bytes, and a source may have {max_bytes:,}")
    return Archive(file, tuple(entries), begin)


def _directory(file: IO[bytes]) -> tuple[int, int, int]:
    """Where the directory begins, its size, and by how much all offsets are off because something stands before it."""
    length = file.seek(0, 2)
    tail_bytes = min(length, _END.size + _MAX_COMMENT_BYTES)
    file.seek(length - tail_bytes)
    tail = file.read(tail_bytes)
    place = len(tail)
    while (place := tail.rfind(_END_SIGNATURE, 0, place)) >= 0:
        record = tail[place : place + _END.size]
        if len(record) == _END.size and place + _END.size + _END.unpack(record)[7] == len(tail):
            break
    if place < 0:
        raise _no_zip()
    _, disk, _, _, count, size_bytes, offset, _ = _END.unpack(tail[place : place + _END.size])
    end = length - tail_bytes + place
    if _FULL_16 in (disk, count) or _FULL_32 in (size_bytes, offset):
        end, disk, size_bytes, offset = _directory64(file, end) or (end, disk, size_bytes, offset)
    if disk:
        raise ArchiveError("it is one part of an archive in several parts")
    begin = end - size_bytes
    if begin < 0 or begin < offset:
        raise _no_zip()
    return begin, size_bytes, begin - offset


def _directory64(file: IO[bytes], end: int) -> tuple[int, int, int, int] | None:
    """The same of an archive in the format for large ones, where it is one: end, disk, size and offset."""
    if end < _LOCATOR64.size:
        return None
    file.seek(end - _LOCATOR64.size)
    signature, _, _, disks = _LOCATOR64.unpack(file.read(_LOCATOR64.size))
    if signature != _LOCATOR64_SIGNATURE:
        return None
    # Not where the locator says, which is off where something stands before the archive, but right before it.
    place = end - _LOCATOR64.size - _END64.size
    if place < 0 or disks > 1:
        raise _no_zip()
    file.seek(place)
    record = _END64.unpack(file.read(_END64.size))
    if record[0] != _END64_SIGNATURE:
        raise _no_zip()
    return place, record[4], record[8], record[9]


def _entries(directory: bytes, shift: int) -> Iterator[Entry]:
    place = count = 0
    while place < len(directory):
        if directory[place : place + 4] != _CENTRAL_SIGNATURE:
            raise _no_zip()
        count += 1
        if count > MAX_ENTRIES:
            raise ArchiveError(f"it has more than {MAX_ENTRIES:,} entries")
        fields = _CENTRAL.unpack_from(directory, place)
        name_bytes, extra_bytes, comment_bytes = fields[11:14]
        place += _CENTRAL.size
        name = directory[place : place + name_bytes]
        extra = directory[place + name_bytes : place + name_bytes + extra_bytes]
        place += name_bytes + extra_bytes + comment_bytes
        if place > len(directory):
            raise _no_zip()
        yield _entry(fields, name, extra, shift)


def _entry(fields: tuple[int, ...], raw: bytes, extra: bytes, shift: int) -> Entry:
    _, _, system, _, flags, method, time, date, crc, packed_bytes, size_bytes = fields[:11]
    attributes, offset = fields[16], fields[17]
    name = _name(raw, is_utf8=bool(flags & _UTF8), is_dos=system == _MADE_ON_DOS)
    if flags & _ENCRYPTED:
        raise ArchiveError(f"“{members.shown(name)}” is encrypted")
    if method not in (STORED, DEFLATED):
        raise ArchiveError(f"“{members.shown(name)}” is compressed by method {method}: only deflate (8) is known here")
    size_bytes, packed_bytes, offset = _large(extra, size_bytes, packed_bytes, offset)
    mode = attributes >> 16 if system == _MADE_ON_UNIX else 0
    kind = _kind(name, mode)
    if kind == SYMLINK and size_bytes > MAX_LINK_BYTES:
        raise ArchiveError(f"the target of the link “{members.shown(name)}” is longer than a path may be")
    if kind == DIRECTORY:
        permissions = mode & 0o777 | 0o700 if mode else 0o755
    else:
        permissions = mode & 0o777 or 0o644
    path = members.check_path(name)
    if not path and kind != DIRECTORY:
        raise UnsafeName("an entry has no name")
    return Entry(path, kind, permissions, _moment(date, time), method, crc, packed_bytes, size_bytes, offset + shift)


def _large(extra: bytes, size_bytes: int, packed_bytes: int, offset: int) -> tuple[int, int, int]:
    """Sizes and offset, from the extra field for large ones where the plain ones are full."""
    values = [size_bytes, packed_bytes, offset]
    if _FULL_32 not in values:
        return size_bytes, packed_bytes, offset
    place = 0
    while place + _EXTRA.size <= len(extra):
        kind, length = _EXTRA.unpack_from(extra, place)
        place += _EXTRA.size
        if kind == _ZIP64_EXTRA:
            wide = extra[place : place + length]
            for index, value in enumerate(values):
                if value == _FULL_32:
                    if len(wide) < 8:
                        raise _no_zip()
                    values[index], wide = int.from_bytes(wide[:8], "little"), wide[8:]
            break
        place += length
    return values[0], values[1], values[2]


def _kind(name: str, mode: int) -> bytes:
    form = stat.S_IFMT(mode)
    if name.endswith("/") and form in (0, stat.S_IFDIR):
        return DIRECTORY
    if form in (0, stat.S_IFREG):
        return FILE
    if form == stat.S_IFLNK:
        return SYMLINK
    if form == stat.S_IFDIR:
        return DIRECTORY
    raise ArchiveError(f"“{members.shown(name)}” is neither a file nor a folder nor a symbolic link")


def _name(raw: bytes, *, is_utf8: bool, is_dos: bool) -> str:
    """A name as text. Many programs write UTF-8 without saying so; what is none is of the old code page."""
    try:
        name = raw.decode()
    except UnicodeDecodeError:
        if is_utf8:
            raise ArchiveError("a name that should be UTF-8 is none") from None
        name = raw.decode("cp437")
    # Old programs of that system wrote its own separator.
    return name.replace("\\", "/") if is_dos else name


def _moment(date: int, time: int) -> int:
    """Seconds since the epoch; the format knows no time zone, so UTC is taken. Impossible dates are its first day."""
    year, month, day = (date >> 9) + 1980, date >> 5 & 15, date & 31
    try:
        return calendar.timegm((year, month, day, time >> 11, time >> 5 & 63, (time & 31) * 2, 0, 0, 0))
    except ValueError:
        return calendar.timegm((1980, 1, 1, 0, 0, 0, 0, 0, 0))


def _inflated(packed: Iterator[bytes], entry: Entry) -> Iterator[bytes]:
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        for piece in packed:
            rest = piece
            while rest and not inflater.eof:
                yield inflater.decompress(rest, PIECE_BYTES)
                rest = inflater.unconsumed_tail
        while not inflater.eof:
            last = inflater.decompress(b"", PIECE_BYTES)
            if not last:
                break
            yield last
    except zlib.error:
        raise _wrong(entry, "can't be inflated") from None


def _wrong(entry: Entry, what: str) -> ArchiveError:
    return ArchiveError(f"“{members.shown(entry.path)}” {what}")


def _no_zip() -> ArchiveError:
    return ArchiveError("it is no whole zip archive")
