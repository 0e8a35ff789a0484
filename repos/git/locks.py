"""Two file locks in each repository that git knows nothing of: who moves refs, and who rewrites its files.

A ref that moves may begin to need any object that lies in the repository. So that none goes just then, objects are
deleted only while no ref is moved: whoever moves a ref holds `moving_refs`, which any number may hold together, from
before git has checked that all objects are there until after the ref has moved; whoever deletes an object holds
`deleting` for the moment that takes, which excludes all of them. Upkeep holds `rewriting`, so that two repacks never
meet, even where a worker was thought dead and its git lives on.

The kernel lets go of a lock when the last process that inherited it is gone, however that ended. The locks lie in the
repository, so that they hold on every machine that shares its file system (flock(2): NFS included since Linux 2.6.12).
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from pathlib import Path
from types import TracebackType

from codeservices.errors import ServiceError
from repos.git.store import BareRepository

MOVING = "moving-refs.flock"
REWRITING = "rewriting.flock"
# Objects are deleted within milliseconds, after a look at what moved meanwhile: a push hardly ever waits.
MOVING_SECONDS = 60.0
# Whoever rewrites does so for long; but a process that is just being started holds a copy of each lock for a moment.
REWRITING_SECONDS = 2.0
POLL_SECONDS = 0.02


class RepositoryBusy(ServiceError):
    """A file lock could not be had in time; the same request will do later."""

    code = "RepositoryBusy"
    status = 503


class FileLock:
    """A held lock. Release it, or use it as a context manager."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def fileno(self) -> int:
        """For a child process to inherit: the lock is then held until that has ended, too."""
        return self._descriptor

    def release(self) -> None:
        """Let go; a second time does nothing."""
        descriptor, self._descriptor = self._descriptor, -1
        with contextlib.suppress(OSError):
            os.close(descriptor)

    def __enter__(self) -> FileLock:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def moving_refs(repository: BareRepository, *, timeout_seconds: float = MOVING_SECONDS) -> FileLock:
    """Held by whoever moves refs: no object goes meanwhile.

    Raises:
        RepositoryBusy: Objects are being deleted for longer than that.
    """
    lock = _take(repository.path / MOVING, fcntl.LOCK_SH, timeout_seconds)
    if lock is None:
        raise RepositoryBusy("Upkeep is removing old objects of this repository.", hint="Try again in a minute.")
    return lock


def deleting(repository: BareRepository, *, timeout_seconds: float) -> FileLock:
    """Held by whoever deletes objects: no ref moves meanwhile, and no process has begun to move one.

    Raises:
        RepositoryBusy: Refs were being moved all the time.
    """
    lock = _take(repository.path / MOVING, fcntl.LOCK_EX, timeout_seconds)
    if lock is None:
        raise RepositoryBusy(f"For {timeout_seconds:g} seconds there was no moment without a push.")
    return lock


def rewriting(repository: BareRepository, *, timeout_seconds: float = REWRITING_SECONDS) -> FileLock:
    """Held by whoever rewrites packs, packed refs or graphs: one at a time.

    Raises:
        RepositoryBusy: Somebody does.
    """
    lock = _take(repository.path / REWRITING, fcntl.LOCK_EX, timeout_seconds)
    if lock is None:
        raise RepositoryBusy("Another process looks after this repository.")
    return lock


def _take(path: Path, kind: int, timeout_seconds: float) -> FileLock | None:
    deadline = time.monotonic() + timeout_seconds
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    while True:
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
            return FileLock(descriptor)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                os.close(descriptor)
                return None
            time.sleep(POLL_SECONDS)
        except BaseException:
            os.close(descriptor)
            raise
