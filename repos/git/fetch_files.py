"""One answer of upload-pack in the fetch cache's files: whole, under way, or to be written; how each tells which it is.

A whole answer ends with a trailer. Beside one under way lies its state, in one write that is there or not; its writer
holds the lock of the answer's file while it lives, and whoever reads it meanwhile shares the lock of the state's.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import struct
import time
import zlib
from dataclasses import dataclass
from pathlib import Path

_MODE = 0o600
_TRAILER = struct.Struct(">8sQId16s")
_MAGIC = b"fetch-1\n"
_STATE = struct.Struct(">cQ")
_RUNNING, _DONE, _FAILED = b"R", b"D", b"F"
_CHECKSUM_BYTES = 1024 * 1024
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class WriterLost(Exception):
    """The process that wrote an answer died or gave up before its end."""


@dataclass
class Kept:
    """A whole answer. Its file may be removed meanwhile; the descriptor stays good until `close`.

    Attributes:
        descriptor: The file, from whose beginning `length` bytes are the answer.
        checksum: CRC-32 of them.
    """

    key: str
    descriptor: int
    length: int
    checksum: int

    def close(self) -> None:
        os.close(self.descriptor)


@dataclass
class Followed:
    """An answer that some process writes. `close` lets its writer know that one less reads it."""

    key: str
    descriptor: int
    state_descriptor: int

    def available(self) -> tuple[int, bool]:
        """(how many bytes may be read, whether that is all); raises WriterLost where no more will come."""
        # In this order: the writer adds the trailer after it has told the state.
        size = os.fstat(self.descriptor).st_size
        told = self._told()
        return (size, False) if told is None else (told, True)

    def check_writer(self) -> None:
        """Raise WriterLost where the writer has died without a word."""
        if not is_written(self.descriptor) and self._told() is None:
            raise WriterLost

    def _told(self) -> int | None:
        outcome, length = _STATE.unpack(os.pread(self.state_descriptor, _STATE.size, 0))
        if outcome == _FAILED:
            raise WriterLost
        return length if outcome == _DONE else None

    def close(self) -> None:
        os.close(self.descriptor)
        os.close(self.state_descriptor)


@dataclass
class Draft:
    """An answer that this process is to write.

    Attributes:
        descriptor: Its file, to be written from the beginning.
        is_repeated: Whether an equal request came before.
        seen_at: In nanoseconds, when it was remembered that this one came.
    """

    key: str
    descriptor: int
    state_descriptor: int
    is_repeated: bool
    seen_at: int

    def is_followed(self) -> bool:
        """Whether somebody reads it already."""
        # Opened anew, since a lock belongs to an opening; not by its name, which may be another draft's by now.
        probe = opened(Path(f"/proc/self/fd/{self.state_descriptor}"), os.O_RDONLY)
        try:
            fcntl.flock(probe, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(probe)
        return False

    def tell_whole(self, length: int) -> None:
        """Let its readers know that these bytes are all."""
        self._tell(_DONE, length)

    def tell_failed(self) -> None:
        """Let its readers know that no more will come."""
        self._tell(_FAILED, 0)

    def _tell(self, outcome: bytes, length: int) -> None:
        try:
            os.pwrite(self.state_descriptor, _STATE.pack(outcome, length), 0)
        except OSError:
            fcntl.flock(self.descriptor, fcntl.LOCK_UN)  # the readers then take its writer for dead

    def close(self) -> None:
        os.close(self.descriptor)
        os.close(self.state_descriptor)


def begun(part: Path, state: Path) -> tuple[int, int]:
    """Make the files of an answer under way, of which there must be none; their descriptors, ours to write."""
    descriptor = opened(part, os.O_RDWR | os.O_CREAT | os.O_EXCL)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        state_descriptor = opened(state, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
        # Written now, so that to tell the end later takes no room of a disk that is full by then.
        os.pwrite(state_descriptor, _STATE.pack(_RUNNING, 0), 0)
    except BaseException:
        part.unlink(missing_ok=True)
        os.close(descriptor)
        raise
    return descriptor, state_descriptor


def is_written(descriptor: int) -> bool:
    """Whether the writer of an answer under way lives, and so holds its lock."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    fcntl.flock(descriptor, fcntl.LOCK_UN)
    return False


def boot() -> bytes:
    """Which start of the machine this is."""
    return hashlib.blake2b(_BOOT_ID.read_bytes(), digest_size=16).digest()


def add_trailer(descriptor: int, length: int, checksum: int, boot: bytes) -> bool:
    """Mark a file of so many bytes as a whole answer; False where the disk has no room for it."""
    trailer = _TRAILER.pack(_MAGIC, length, checksum, time.time(), boot)
    try:
        return os.pwrite(descriptor, trailer, length) == len(trailer)
    except OSError:
        return False


def trailer(descriptor: int, boot: bytes, seconds: float) -> tuple[int, int] | None:
    """(length, checksum) of a whole answer that is no older than that; None for every other file."""
    size = os.fstat(descriptor).st_size
    if size < _TRAILER.size:
        return None
    magic, length, checksum, made_at, made_boot = _TRAILER.unpack(
        os.pread(descriptor, _TRAILER.size, size - _TRAILER.size)
    )
    is_whole = magic == _MAGIC and length + _TRAILER.size == size
    # What was written before a crash of the machine may never have reached the disk.
    if not is_whole or made_boot != boot or not 0 <= time.time() - made_at < seconds:
        return None
    return length, checksum


def checksum(descriptor: int, length: int) -> int:
    """CRC-32 of a file's beginning."""
    found = position = 0
    buffer = memoryview(bytearray(_CHECKSUM_BYTES))
    while position < length:
        count = os.preadv(descriptor, [buffer[: length - position]], position)
        if not count:
            break
        found = zlib.crc32(buffer[:count], found)
        position += count
    return found


def opened(path: Path, flags: int) -> int:
    """A descriptor that no child process inherits, of a file that only we may read."""
    return os.open(path, flags | os.O_CLOEXEC, _MODE)
