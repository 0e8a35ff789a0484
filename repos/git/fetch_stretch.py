"""Parts of an answer that stand in a file: read ahead, so that the kernel can send them without waiting for a disk."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass

# A piece read from the file and sent; git's own packets have 64 KiB.
PIECE_BYTES = 512 * 1024


@dataclass(frozen=True)
class Stretch:
    """A part of an answer that stands in a file; it is in memory, and good until the next one is asked for.

    Attributes:
        descriptor: The file, which is not the caller's to close.
        position: Where the part begins.
        length: How many bytes it has.
    """

    descriptor: int
    position: int
    length: int

    async def read(self) -> bytes:
        """Its bytes."""
        return await _read(self.descriptor, self.position, self.length)


Piece = bytes | Stretch


async def stretch(descriptor: int, position: int, end: int) -> Stretch:
    """What comes next, brought into the page cache where it is not there."""
    length = end - position
    for place in (position, position + length - 1):
        try:
            os.preadv(descriptor, [bytearray(1)], place, os.RWF_NOWAIT)
        except OSError:  # it is on the disk, or the file system can't tell
            await asyncio.to_thread(os.pread, descriptor, length, position)
            break
    return Stretch(descriptor, position, length)


async def _read(descriptor: int, position: int, length: int) -> bytes:
    """From the page cache at once, what is not there from the disk in a thread; less only where the file ends."""
    buffer = bytearray(length)
    try:
        count = os.preadv(descriptor, [buffer], position, os.RWF_NOWAIT)  # what the page cache has may be a part
    except OSError:
        count = 0
    if count < length:
        count += await asyncio.to_thread(_read_rest, descriptor, memoryview(buffer)[count:], position + count)
    return bytes(memoryview(buffer)[:count])


def _read_rest(descriptor: int, buffer: memoryview, position: int) -> int:
    total = 0
    while total < len(buffer):
        count = os.preadv(descriptor, [buffer[total:]], position + total)
        if not count:
            break
        total += count
    return total
