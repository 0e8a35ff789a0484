"""Repositories that the web process keeps open for a moment between two requests.

A page asks for its parts at once, and the next page is its neighbour: the packs are mapped already then, and what other
objects are deltas of is known. Other processes keep nothing. What nobody has asked for is soon closed, so that packs
which upkeep has replaced give their disk space back.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from dulwich.repo import Repo

MAX_IDLE: Final = 4
IDLE_SECONDS: Final = 3.0
# What an open repository remembers of its packs, all together; dulwich takes 96 MB for each.
DELTA_BASE_BYTES: Final = 16 * 1024 * 1024

logger = logging.getLogger(__name__)

State = tuple[int, ...]


@dataclass
class Opened:
    """A repository as dulwich reads it, for one user at a time.

    Attributes:
        state: Of the files that tell which packs there are, from before they were looked at.
        idle_since: When it was given back, in seconds of the monotonic clock.
    """

    path: Path
    repo: Repo
    state: State
    idle_since: float = 0.0

    @classmethod
    def anew(cls, path: Path) -> Opened:
        """Open it."""
        state = _state(path)
        repo = Repo(str(path), bare=True)
        count = sum(1 for _ in (path / "objects" / "pack").glob("*.pack"))
        repo.object_store.delta_base_cache_limit = DELTA_BASE_BYTES // max(1, count)
        return cls(path, repo, state)


@dataclass
class _Idle:
    """Those that wait for their next user, the one that waits longest first."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    waiting: list[Opened] = field(default_factory=list)
    is_keeping: bool = False
    has_closer: bool = False


_idle = _Idle()


def begin() -> None:
    """Keep repositories open in this process from now on."""
    _idle.is_keeping = True


def end() -> None:
    """Keep none any more, and close those that wait."""
    with _idle.lock:
        _idle.is_keeping = False
        closing, _idle.waiting = _idle.waiting, []
    _close(closing)


def take(path: Path) -> Opened:
    """A repository, as it is on disk now; whoever takes it gives it back.

    Raises:
        NotGitRepository: There is none.
    """
    with _idle.lock:
        found = next((one for one in reversed(_idle.waiting) if one.path == path), None)
        if found is not None:
            _idle.waiting.remove(found)
    if found is None:
        return Opened.anew(path)
    if found.state == _state(path):
        return found
    _close([found])
    return Opened.anew(path)


def give_back(opened: Opened) -> None:
    """Keep a repository for its next user, or close it."""
    closing = [opened]
    with _idle.lock:
        if _idle.is_keeping:
            opened.idle_since = time.monotonic()
            _idle.waiting.append(opened)
            closing = _idle.waiting[:-MAX_IDLE]
            _idle.waiting = _idle.waiting[-MAX_IDLE:]
            if not _idle.has_closer:
                threading.Thread(target=_close_idle, name="repository-closer", daemon=True).start()
                _idle.has_closer = True
    _close(closing)


def _close_idle() -> None:
    """Close what waits too long, until nothing waits."""
    while True:
        time.sleep(IDLE_SECONDS)
        with _idle.lock:
            latest = time.monotonic() - IDLE_SECONDS
            closing = [one for one in _idle.waiting if one.idle_since <= latest]
            _idle.waiting = [one for one in _idle.waiting if one.idle_since > latest]
            _idle.has_closer = bool(_idle.waiting)
            is_last = not _idle.has_closer
        _close(closing)
        if is_last:
            return


def _close(closing: list[Opened]) -> None:
    for one in closing:
        try:
            one.repo.close()
        except Exception:  # the others, and those who come later, are not to wait for ever
            logger.exception("a repository could not be closed: %s", one.path.name)


def _state(path: Path) -> State:
    """Changes when packs come or go, or what git is told to do with them; nothing where there is no repository."""
    try:
        packs, configuration = (path / "objects" / "pack").stat(), (path / "config").stat()
    except OSError:
        return ()
    return packs.st_ino, packs.st_mtime_ns, configuration.st_ino, configuration.st_mtime_ns
