"""Whole answers of upload-pack, kept in files: by request, ref state and program. One folder, shared by all processes.

    KEY.seen     an equal request came at its modification time
    KEY.part     an answer under way; its writer holds the file's lock while it lives
    KEY.state    beside it: how it ended, once it has. Whoever reads the answer meanwhile shares this file's lock
    KEY.answer   a whole answer with a trailer: length, checksum, when it was made and since which start of the machine
    lock         held, for moments, by whoever adds, finds or removes one of the above
    counters     what /metrics tells

Nothing here is needed: the folder may be removed at any time, and a process that dies at any point leaves at most files
that the next one recognises as nobody's. Times are the clock's; locks are flock(2)'s.
"""

from __future__ import annotations

import contextlib
import enum
import fcntl
import hashlib
import os
import struct
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_MODE = 0o600
_TRAILER = struct.Struct(">8sQId16s")
_MAGIC = b"fetch-1\n"
_STATE = struct.Struct(">cQ")
_RUNNING, _DONE, _FAILED = b"R", b"D", b"F"
_CHECKSUM_BYTES = 1024 * 1024
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Count(enum.IntEnum):
    """What is counted, by its place in the file of counters."""

    HIT = 0
    SHARED = 1
    GENERATED = 2
    EVICTED = 3


_COUNTERS = struct.Struct(f">{len(Count)}Q")


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
        try:
            fcntl.flock(self.descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        fcntl.flock(self.descriptor, fcntl.LOCK_UN)
        if self._told() is None:
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


class WriterLost(Exception):
    """The process that wrote an answer died or gave up before its end."""


class FetchCache:
    """The folder of answers. All methods may be called from any thread; they block for moments.

    Args:
        folder: Made where it is missing.
        max_bytes: Of all answers together, unfinished ones included.
        seconds: How old an answer may grow, and for how long a request is remembered.
    """

    def __init__(self, folder: Path, *, max_bytes: int, seconds: float) -> None:
        self.folder = folder
        self.max_bytes = max_bytes
        self.seconds = seconds
        self._boot = hashlib.blake2b(_BOOT_ID.read_bytes(), digest_size=16).digest()
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    # ---- whoever asks ------------------------------------------------------------------------------------------------

    def look(self, key: str) -> Kept | Followed | Draft:
        """The answer, or the one under way, or, where there is none, the caller's duty to write it."""
        with self._locked():
            found = self._kept(key) or self._followed(key)
            if found is not None:
                self._count(Count.HIT if isinstance(found, Kept) else Count.SHARED)
                return found
            self._count(Count.GENERATED)
            return self._draft(key)

    def forget(self, key: str) -> None:
        """Drop a whole answer, which turned out to be damaged."""
        with self._locked():
            self._path(key, "answer").unlink(missing_ok=True)

    # ---- the writer --------------------------------------------------------------------------------------------------

    def withdraw(self, draft: Draft) -> bool:
        """Let nobody find an answer under way any more, unless somebody reads it already; whether that was done."""
        with self._locked():
            if self._is_followed(draft):
                return False
            self._remove_draft(draft)
            return True

    def finish(self, draft: Draft, length: int, *, may_keep: bool) -> bool:
        """Tell the readers that an answer is whole, and keep it if it was asked for more than once; whether it is kept.

        Args:
            draft: Not to be used after.
            length: How many bytes it has.
            may_keep: Whether a later request may have it.
        """
        with self._locked():
            self._tell(draft, _DONE, length)
            is_kept = may_keep and (draft.is_repeated or self._seen_at(draft.key) > draft.seen_at)
        # The next who asks still finds the one under way, which is whole by now: nobody waits for the checksum.
        checksum = _checksum(draft.descriptor, length) if is_kept else 0
        with self._locked():
            if is_kept:
                trailer = _TRAILER.pack(_MAGIC, length, checksum, time.time(), self._boot)
                try:
                    is_kept = os.pwrite(draft.descriptor, trailer, length) == len(trailer)
                except OSError:
                    is_kept = False  # the disk is full
            if is_kept:
                self._path(draft.key, "part").rename(self._path(draft.key, "answer"))
            self._remove_draft(draft)
            self._close(draft)
            if is_kept:
                self._make_room()
            return is_kept

    def break_off(self, draft: Draft) -> None:
        """Tell the readers that no more will come."""
        with self._locked():
            self._tell(draft, _FAILED, 0)
            self._remove_draft(draft)

    def fail(self, draft: Draft) -> None:
        """The same, and the draft is not to be used after."""
        self.break_off(draft)
        self._close(draft)

    def make_room(self) -> bool:
        """Remove what is old or nobody's, then what was used longest ago; whether all that is left fits."""
        with self._locked():
            return self._make_room()

    # ---- figures -----------------------------------------------------------------------------------------------------

    def counts(self) -> tuple[int, ...]:
        """What was counted since the folder was made, in the order of Count."""
        with self._locked():
            return self._counts()

    def kept(self) -> tuple[int, int]:
        """(how many whole answers are kept, their bytes)."""
        sizes = [size for _, size, _ in self._files("answer")]
        return len(sizes), sum(sizes)

    # ---- under the lock ----------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            descriptor = self._open(self.folder / "lock", os.O_RDWR | os.O_CREAT)
        except FileNotFoundError:  # somebody has removed the folder
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = self._open(self.folder / "lock", os.O_RDWR | os.O_CREAT)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _kept(self, key: str) -> Kept | None:
        path = self._path(key, "answer")
        try:
            descriptor = self._open(path, os.O_RDONLY)
        except FileNotFoundError:
            return None
        trailer = self._trailer(descriptor)
        if trailer is None:
            os.close(descriptor)
            path.unlink(missing_ok=True)
            return None
        os.utime(path)
        return Kept(key, descriptor, *trailer)

    def _trailer(self, descriptor: int) -> tuple[int, int] | None:
        """(length, checksum) of a whole answer that is young enough; None for every other file."""
        size = os.fstat(descriptor).st_size
        if size < _TRAILER.size:
            return None
        magic, length, checksum, made_at, boot = _TRAILER.unpack(
            os.pread(descriptor, _TRAILER.size, size - _TRAILER.size)
        )
        is_whole = magic == _MAGIC and length + _TRAILER.size == size
        # What was written before a crash of the machine may never have reached the disk.
        if not is_whole or boot != self._boot or not 0 <= time.time() - made_at < self.seconds:
            return None
        return length, checksum

    def _followed(self, key: str) -> Followed | None:
        part, state = self._path(key, "part"), self._path(key, "state")
        try:
            descriptor = self._open(part, os.O_RDONLY)
        except FileNotFoundError:
            return None
        try:
            if not self._is_alive(descriptor):
                part.unlink()
                state.unlink(missing_ok=True)
                os.close(descriptor)
                return None
            state_descriptor = self._open(state, os.O_RDONLY)
        except BaseException:
            os.close(descriptor)
            raise
        fcntl.flock(state_descriptor, fcntl.LOCK_SH)
        self._touch_seen(key)
        return Followed(key, descriptor, state_descriptor)

    def _draft(self, key: str) -> Draft:
        is_repeated = time.time() - self._seen_at(key) / 1e9 < self.seconds
        descriptor = self._open(self._path(key, "part"), os.O_RDWR | os.O_CREAT | os.O_EXCL)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            state_descriptor = self._open(self._path(key, "state"), os.O_RDWR | os.O_CREAT | os.O_TRUNC)
            # Written now, so that to tell the end later takes no room of a disk that is full by then.
            os.pwrite(state_descriptor, _STATE.pack(_RUNNING, 0), 0)
        except BaseException:
            self._path(key, "part").unlink(missing_ok=True)
            os.close(descriptor)
            raise
        self._touch_seen(key)
        return Draft(key, descriptor, state_descriptor, is_repeated, self._seen_at(key))

    def _is_followed(self, draft: Draft) -> bool:
        # Opened anew, since a lock belongs to an opening; not by its name, which may be another draft's by now.
        probe = self._open(Path(f"/proc/self/fd/{draft.state_descriptor}"), os.O_RDONLY)
        try:
            fcntl.flock(probe, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(probe)
        return False

    def _tell(self, draft: Draft, outcome: bytes, length: int) -> None:
        try:
            os.pwrite(draft.state_descriptor, _STATE.pack(outcome, length), 0)
        except OSError:
            fcntl.flock(draft.descriptor, fcntl.LOCK_UN)  # the readers then take its writer for dead

    def _remove_draft(self, draft: Draft) -> None:
        for kind, descriptor in (("part", draft.descriptor), ("state", draft.state_descriptor)):
            path = self._path(draft.key, kind)
            with contextlib.suppress(FileNotFoundError):
                # After `withdraw` the names may be another draft's.
                if os.path.samestat(path.stat(), os.fstat(descriptor)):
                    path.unlink()

    def _close(self, draft: Draft) -> None:
        os.close(draft.descriptor)
        os.close(draft.state_descriptor)

    def _make_room(self) -> bool:
        now = time.time()
        for path, _, used_at in self._files("seen"):
            if now - used_at >= self.seconds:
                path.unlink(missing_ok=True)
        total = 0
        for path, size, _ in self._files("part"):
            if self._is_abandoned(path):
                path.unlink(missing_ok=True)
                path.with_suffix(".state").unlink(missing_ok=True)
            else:
                total += size
        answers = []
        for path, size, used_at in self._files("answer"):
            if self._is_good(path):
                answers.append((used_at, size, path))
                total += size
            else:
                path.unlink(missing_ok=True)
        for _, size, path in sorted(answers):
            if total <= self.max_bytes:
                break
            path.unlink(missing_ok=True)
            total -= size
            self._count(Count.EVICTED)
        return total <= self.max_bytes

    def _is_good(self, path: Path) -> bool:
        descriptor = self._open(path, os.O_RDONLY)
        try:
            return self._trailer(descriptor) is not None
        finally:
            os.close(descriptor)

    def _is_abandoned(self, path: Path) -> bool:
        descriptor = self._open(path, os.O_RDONLY)
        try:
            return not self._is_alive(descriptor)
        finally:
            os.close(descriptor)

    @staticmethod
    def _is_alive(descriptor: int) -> bool:
        """Whether the writer of an answer under way lives, and so holds its lock."""
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        fcntl.flock(descriptor, fcntl.LOCK_UN)
        return False

    def _seen_at(self, key: str) -> int:
        try:
            return self._path(key, "seen").stat().st_mtime_ns
        except FileNotFoundError:
            return 0

    def _touch_seen(self, key: str) -> None:
        path = self._path(key, "seen")
        os.close(self._open(path, os.O_WRONLY | os.O_CREAT))
        # The kernel's own stamps advance in steps of some milliseconds, in which two requests may come.
        os.utime(path, ns=(time.time_ns(), max(time.time_ns(), self._seen_at(key) + 1)))

    def _files(self, kind: str) -> list[tuple[Path, int, float]]:
        found = []
        for path in self.folder.glob(f"*.{kind}"):
            with contextlib.suppress(FileNotFoundError):
                status = path.stat()
                found.append((path, status.st_size, status.st_mtime))
        return found

    def _counts(self) -> tuple[int, ...]:
        try:
            return _COUNTERS.unpack((self.folder / "counters").read_bytes())
        except (FileNotFoundError, struct.error):
            return (0,) * len(Count)

    def _count(self, what: Count) -> None:
        counts = list(self._counts())
        counts[what] += 1
        descriptor = self._open(self.folder / "counters", os.O_WRONLY | os.O_CREAT)
        try:
            with contextlib.suppress(OSError):  # a full disk: figures are not worth an answer
                os.pwrite(descriptor, _COUNTERS.pack(*counts), 0)
        finally:
            os.close(descriptor)

    def _path(self, key: str, kind: str) -> Path:
        return self.folder / f"{key}.{kind}"

    @staticmethod
    def _open(path: Path, flags: int) -> int:
        return os.open(path, flags | os.O_CLOEXEC, _MODE)


def _checksum(descriptor: int, length: int) -> int:
    """CRC-32 of a file's beginning."""
    checksum = position = 0
    buffer = memoryview(bytearray(_CHECKSUM_BYTES))
    while position < length:
        count = os.preadv(descriptor, [buffer[: length - position]], position)
        if not count:
            break
        checksum = zlib.crc32(buffer[:count], checksum)
        position += count
    return checksum
