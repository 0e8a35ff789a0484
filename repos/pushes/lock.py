"""Tells whether anybody still works on a push: a file lock that the git process inherits.

The kernel lets go of it when the last process that holds it is gone, however that ended. So a recovery that can take
the lock knows that neither the server that began the push nor the git it started will move a ref any more. The lock
that keeps objects from being deleted meanwhile (repos/git/locks.py) is held and inherited together with it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from pathlib import Path

from repos.git.locks import FileLock

# A file is locked by its maker long before.
ABANDONED_SECONDS = 60.0


class PushLock:
    """Held from before a push's row exists until after its outcome is recorded."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self._path = path
        self._descriptor = descriptor
        self._moving: FileLock | None = None

    def hold(self, moving: FileLock) -> None:
        """Keep this lock as well, until the same moment."""
        self._moving = moving

    def filenos(self) -> tuple[int, ...]:
        """For the git process to inherit."""
        return (self._descriptor,) if self._moving is None else (self._descriptor, self._moving.fileno())

    def release_moving(self) -> None:
        """Let go of the lock that `hold` took, when no process of the push lives: what it left can then be removed."""
        if self._moving is not None:
            self._moving.release()
            self._moving = None

    def release(self) -> None:
        """Let go, and remove the file; call it when the outcome is in the database."""
        self.release_moving()
        with contextlib.suppress(FileNotFoundError):
            self._path.unlink()
        with contextlib.suppress(OSError):
            os.close(self._descriptor)
        self._descriptor = -1


def remove_abandoned(folder: Path) -> int:
    """Remove the files that killed processes left, which are nobody's; how many.

    A process may die between making the file and writing the push's row, or between recording the outcome and removing
    the file. What has just been made is left alone, since its maker is about to lock it.
    """
    count = 0
    for path in folder.glob("*.lock"):
        with contextlib.suppress(FileNotFoundError):
            if time.time() - path.stat().st_mtime > ABANDONED_SECONDS:
                lock = take(folder, path.stem)
                if lock is not None:
                    lock.release()
                    count += 1
    return count


def take(folder: Path, push_id: str) -> PushLock | None:
    """The lock of a push, or None where a process holds it. It can always be had for a new push."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / f"{push_id}.lock"
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return PushLock(path, descriptor)
