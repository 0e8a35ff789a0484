"""How large objects are, told from the first bytes that git stores of them, with no process.

To start git for the size of one file costs more than to read the file, and a page of differences asks for two a file.

Source: gitformat-pack(5), "pack-*.pack files have the following format" and "Deltified representation"; for loose
objects the git book, "Git Internals - Git Objects".
"""

from __future__ import annotations

import contextlib
import re
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import BinaryIO, Final

from dulwich.objects import RawObjectID
from dulwich.pack import Pack, PackFileDisappeared

from repos.git.store import BareRepository

_OFFSET_DELTA: Final = 6
_REF_DELTA: Final = 7
_BASE_OID_BYTES: Final = 20
# A size takes up to ten bytes, and so does the distance to a delta's base; the rest is for what zlib needs to begin.
_HEAD_BYTES: Final = 256
_SIZES_BYTES: Final = 32
_LOOSE_HEADER: Final = re.compile(rb"(?:blob|tree|commit|tag) (\d{1,18})\0")


def stored(repository: BareRepository, oids: Iterable[str]) -> dict[str, int]:
    """The sizes in bytes of those objects of which they can be told; one that is odd or elsewhere is left out."""
    found: dict[str, int] = {}
    packs = repository.dulwich.object_store.packs
    with contextlib.ExitStack() as files:
        opened: dict[str, BinaryIO] = {}
        for oid in oids:
            with contextlib.suppress(ValueError, LookupError, OSError, zlib.error, PackFileDisappeared):
                place = _place(packs, oid)
                if place is None:
                    found[oid] = _loose(repository.path, oid)
                    continue
                path, offset = place
                if path not in opened:
                    opened[path] = files.enter_context(Path(path).open("rb"))
                opened[path].seek(offset)
                found[oid] = _packed(opened[path].read(_HEAD_BYTES))
    return found


def _place(packs: Sequence[Pack], oid: str) -> tuple[str, int] | None:
    """The pack that holds an object, and where in it."""
    raw = RawObjectID(bytes.fromhex(oid))
    for pack in packs:
        with contextlib.suppress(KeyError):
            return str(pack.data.path), pack.index.object_offset(raw)
    return None


def _packed(head: bytes) -> int:
    """The size of the object whose entry in a pack begins so; a delta tells what comes of it in its own beginning."""
    kind = head[0] >> 4 & 7
    size, position = head[0] & 15, 1
    shift = 4
    while head[position - 1] & 0x80:
        size |= (head[position] & 0x7F) << shift
        shift += 7
        position += 1
    if kind == _OFFSET_DELTA:
        while head[position] & 0x80:
            position += 1
        position += 1
    elif kind == _REF_DELTA:
        position += _BASE_OID_BYTES
    else:
        return size
    delta = zlib.decompressobj().decompress(head[position:], _SIZES_BYTES)
    _, position = _number(delta, 0)
    return _number(delta, position)[0]


def _number(data: bytes, position: int) -> tuple[int, int]:
    """A number of seven bits a byte, the lowest first; and where it ends."""
    number = shift = 0
    while True:
        byte = data[position]
        number |= (byte & 0x7F) << shift
        position += 1
        shift += 7
        if not byte & 0x80:
            return number, position


def _loose(path: Path, oid: str) -> int:
    with (path / "objects" / oid[:2] / oid[2:]).open("rb") as file:
        head = zlib.decompressobj().decompress(file.read(_HEAD_BYTES), _SIZES_BYTES)
    match = _LOOSE_HEADER.match(head)
    if match is None:
        raise ValueError(f"the loose object {oid} has no header")
    return int(match[1])
