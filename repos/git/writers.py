"""Which git processes may hold the lock files of a repository, and what dead ones left of them.

Git locks a ref with a file, `refs/heads/main.lock`, and takes a push into a folder of its own, the quarantine. Killed,
it leaves both behind, and the file blocks every later push to that ref. So each process of ours that may write refs
holds one lock of its repository, shared with its likes, which the kernel drops however the process ends. Whoever gets
that lock alone knows that no such process lives, and that every lock file and quarantine there belongs to a dead one.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from repos.git.store import BareRepository

# Git's commands that lock refs or take objects into quarantine.
WRITERS = frozenset(
    {"fetch", "gc", "maintenance", "pack-refs", "receive-pack", "reflog", "symbolic-ref", "update-ref", "worktree"}
)
LOCK_NAME = "writers"
POLL_SECONDS = 0.05
# A push holds its refs' locks while it writes at most 4,000 of them to disk. A lock file that is older belongs to a
# dead process even where others live, such as a push over a slow line, for whose end nobody should have to wait.
_OLD_SECONDS = 120.0
_REF_LOCKS = ("packed-refs.lock", "packed-refs.new", "HEAD.lock")


def try_join(repository: BareRepository) -> int | None:
    """A descriptor of the repository's lock, shared with other writers, for a git process to inherit.

    None while somebody has the lock alone, which is as long as a clean-up takes: try again after POLL_SECONDS. The
    caller closes its own copy when the process has started.
    """
    return _try_lock(repository, fcntl.LOCK_SH)


def join(repository: BareRepository) -> int:
    """As `try_join`, waiting for its turn."""
    while (descriptor := try_join(repository)) is None:
        time.sleep(POLL_SECONDS)
    return descriptor


@contextlib.contextmanager
def alone(repository: BareRepository, *, wait_seconds: float) -> Iterator[int | None]:
    """The lock held alone for the block: its descriptor, or None where writers live for all of `wait_seconds`."""
    deadline = time.monotonic() + wait_seconds
    while (descriptor := _try_lock(repository, fcntl.LOCK_EX)) is None and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    try:
        yield descriptor
    finally:
        if descriptor is not None:
            os.close(descriptor)


def remove_leftovers(repository: BareRepository, *, is_alone: bool) -> list[str]:
    """Remove what dead writers left: lock files of refs and quarantines; their paths in the repository.

    Args:
        repository: Where to look.
        is_alone: Whether the caller has the lock alone. Otherwise lock files are removed that are too old for a
            process that lives, and quarantines stay.
    """
    horizon = time.time() if is_alone else time.time() - _OLD_SECONDS
    removed: list[str] = []
    for path in _ref_locks(repository.path):
        with contextlib.suppress(FileNotFoundError):
            if path.lstat().st_mtime <= horizon:
                path.unlink()
                removed.append(str(path.relative_to(repository.path)))
    if is_alone:
        for path in (repository.path / "objects").glob("tmp_objdir-*"):
            shutil.rmtree(path, ignore_errors=True)
            removed.append(str(path.relative_to(repository.path)))
    return removed


def _ref_locks(root: Path) -> Iterator[Path]:
    # No refname ends in .lock, so each file of that name under refs/ is git's.
    yield from (root / name for name in _REF_LOCKS)
    for folder, _, names in os.walk(root / "refs"):
        yield from (Path(folder) / name for name in sorted(names) if name.endswith(".lock"))


def _try_lock(repository: BareRepository, kind: int) -> int | None:
    descriptor = os.open(repository.path / LOCK_NAME, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor
