"""Files that events are appended to before they are in the database: one write(2) an event, whatever dies later.

A process owns a token. `TOKEN.owner` is locked (flock) while the process lives; `TOKEN.000000.jsonl` and on are its
segments, to the last of which it appends. What write(2) has taken is in the page cache and outlives the process; a
segment is synced to the disk when it is closed. A token without a living owner is anybody's to finish.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import secrets
import threading
import time
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# Large enough to seldom change files, small enough that one is quickly read again.
SEGMENT_BYTES = 16 * 1024 * 1024
_MODE = 0o600


@dataclass(frozen=True)
class Segment:
    """One file of lines.

    Attributes:
        token: Whose it is.
        number: Its place among the owner's segments, from 0.
        path: Where it lies.
    """

    token: str
    number: int
    path: Path

    @property
    def name(self) -> str:
        return self.path.name

    def size_bytes(self) -> int:
        """What it holds now; 0 where it has been removed meanwhile."""
        try:
            return self.path.stat().st_size
        except FileNotFoundError:
            return 0

    def lines(self, offset: int, max_bytes: int) -> list[bytes]:
        """Whole lines from `offset` on, about `max_bytes` of them; a line that isn't ended yet is left out."""
        try:
            with self.path.open("rb") as file:
                file.seek(offset)
                data = file.read(max_bytes)
                while data and b"\n" not in data and (more := file.read(max_bytes)):
                    data += more
        except FileNotFoundError:
            return []
        return data[: data.rfind(b"\n") + 1].splitlines(keepends=True)


class Spool:
    """The segments of this process under one folder. Threads share it; a forked child begins one of its own."""

    def __init__(self, root: Path, *, segment_bytes: int = SEGMENT_BYTES) -> None:
        self.root = root
        self.token = ""
        self._segment_bytes = segment_bytes
        self._lock = threading.Lock()
        self._file = self._owner = -1
        self._number = self._size_bytes = 0
        _spools.add(self)

    def append(self, line: bytes) -> None:
        """Add one line, which ends with a newline: whole, or not at all.

        Raises:
            OSError: The file system does not take it (full, read-only, gone).
        """
        with self._lock:
            self._ready(len(line))
            try:
                written = os.write(self._file, line)
            except OSError:
                self._undo()
                raise
            if written != len(line):
                self._undo()
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.root))
            self._size_bytes += written

    def close(self) -> None:
        """Sync and let go of everything; what isn't drained is then anybody's. The next append begins anew."""
        with self._lock:
            if self._file >= 0:
                with contextlib.suppress(OSError):
                    os.fsync(self._file)
            self._close_files()

    def _ready(self, length: int) -> None:
        """Have a file to append to: a first one, another one when this is full or somebody has removed it."""
        if self._file >= 0 and os.fstat(self._file).st_nlink == 0:
            self._close_files()
        if self._file < 0:
            self._begin()
        elif self._size_bytes and self._size_bytes + length > self._segment_bytes:
            os.fsync(self._file)
            full = self._file
            self._file = self._create_segment(self._number + 1)
            self._number, self._size_bytes = self._number + 1, 0
            os.close(full)

    def _begin(self) -> None:
        self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        token = f"{time.time_ns():020d}-{os.getpid()}-{secrets.token_hex(4)}"
        # Locked before it has its name: nobody ever sees a living owner's file unlocked.
        draft = self.root / f".{token}.new"
        owner = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _MODE)
        try:
            fcntl.flock(owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
            draft.rename(_owner_path(self.root, token))
            self.token = token
            self._file = self._create_segment(0)
        except OSError:
            os.close(owner)
            raise
        self._owner, self._number, self._size_bytes = owner, 0, 0

    def _create_segment(self, number: int) -> int:
        path = self.root / f"{self.token}.{number:06d}.jsonl"
        return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _MODE)

    def _undo(self) -> None:
        """Take back a line that was written in part; where even that fails, the file is left as it is for good."""
        try:
            os.ftruncate(self._file, self._size_bytes)
        except OSError:
            self._close_files()

    def _close_files(self) -> None:
        for descriptor in (self._file, self._owner):
            if descriptor >= 0:
                os.close(descriptor)
        self._file = self._owner = -1

    def _after_fork(self) -> None:
        # Closing our copies leaves the parent's lock alone; a thread that held ours does not exist here.
        self._close_files()
        self._lock = threading.Lock()


_spools: weakref.WeakSet[Spool] = weakref.WeakSet()


def _forked() -> None:
    for one in list(_spools):
        one._after_fork()


os.register_at_fork(after_in_child=_forked)


def segments(root: Path) -> list[Segment]:
    """Every segment under a folder, an owner's in the order in which they were written."""
    found = []
    for path in _files(root, ".jsonl"):
        token, _, number = path.stem.rpartition(".")
        if token and number.isdigit():
            found.append(Segment(token, int(number), path))
    return sorted(found, key=lambda one: (one.token, one.number))


def living_tokens(root: Path) -> set[str]:
    """The tokens whose process lives."""
    return {path.stem for path in _files(root, ".owner") if _is_locked(path)}


def dead_tokens(root: Path) -> set[str]:
    """The tokens of processes that have ended. Segments listed after this call are all that they ever wrote."""
    tokens = {path.stem for path in _files(root, ".owner")} | {one.token for one in segments(root)}
    return tokens - living_tokens(root)


def remove_segment(segment: Segment) -> None:
    """Remove a segment of which every line is stored."""
    segment.path.unlink(missing_ok=True)


def remove_owner(root: Path, token: str) -> None:
    """Remove a dead token's last trace."""
    _owner_path(root, token).unlink(missing_ok=True)


def _owner_path(root: Path, token: str) -> Path:
    return root / f"{token}.owner"


def _files(root: Path, suffix: str) -> Iterator[Path]:
    try:
        paths = list(root.iterdir())
    except FileNotFoundError:
        return
    for path in paths:
        if path.suffix == suffix and not path.name.startswith("."):
            yield path


def _is_locked(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False
    return False
