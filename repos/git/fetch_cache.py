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
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from repos.git import fetch_counts, fetch_files
from repos.git.fetch_counts import Count
from repos.git.fetch_files import Draft, Followed, Kept, opened


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
        self._boot = fetch_files.boot()
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    # ---- whoever asks ------------------------------------------------------------------------------------------------

    def look(self, key: str) -> Kept | Followed | Draft:
        """The answer, or the one under way, or, where there is none, the caller's duty to write it."""
        with self._locked():
            found = self._kept(key) or self._followed(key)
            if found is not None:
                fetch_counts.add(self._counters, Count.HIT if isinstance(found, Kept) else Count.SHARED)
                return found
            fetch_counts.add(self._counters, Count.GENERATED)
            return self._draft(key)

    def forget(self, key: str) -> None:
        """Drop a whole answer, which turned out to be damaged."""
        with self._locked():
            self._path(key, "answer").unlink(missing_ok=True)

    # ---- the writer --------------------------------------------------------------------------------------------------

    def withdraw(self, draft: Draft) -> bool:
        """Let nobody find an answer under way any more, unless somebody reads it already; whether that was done."""
        with self._locked():
            if draft.is_followed():
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
            draft.tell_whole(length)
            is_kept = may_keep and (draft.is_repeated or self._seen_at(draft.key) > draft.seen_at)
        # The next who asks still finds the one under way, which is whole by now: nobody waits for the checksum.
        checksum = fetch_files.checksum(draft.descriptor, length) if is_kept else 0
        with self._locked():
            if is_kept:
                is_kept = fetch_files.add_trailer(draft.descriptor, length, checksum, self._boot)
            if is_kept:
                self._path(draft.key, "part").rename(self._path(draft.key, "answer"))
            self._remove_draft(draft)
            draft.close()
            if is_kept:
                self._make_room()
            return is_kept

    def break_off(self, draft: Draft) -> None:
        """Tell the readers that no more will come."""
        with self._locked():
            draft.tell_failed()
            self._remove_draft(draft)

    def fail(self, draft: Draft) -> None:
        """The same, and the draft is not to be used after."""
        self.break_off(draft)
        draft.close()

    def make_room(self) -> bool:
        """Remove what is old or nobody's, then what was used longest ago; whether all that is left fits."""
        with self._locked():
            return self._make_room()

    # ---- figures -----------------------------------------------------------------------------------------------------

    def counts(self) -> tuple[int, ...]:
        """What was counted since the folder was made, in the order of Count."""
        with self._locked():
            return fetch_counts.read(self._counters)

    def kept(self) -> tuple[int, int]:
        """(how many whole answers are kept, their bytes)."""
        sizes = [size for _, size, _ in self._files("answer")]
        return len(sizes), sum(sizes)

    # ---- under the lock ----------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            descriptor = opened(self.folder / "lock", os.O_RDWR | os.O_CREAT)
        except FileNotFoundError:  # somebody has removed the folder
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = opened(self.folder / "lock", os.O_RDWR | os.O_CREAT)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _kept(self, key: str) -> Kept | None:
        path = self._path(key, "answer")
        try:
            descriptor = opened(path, os.O_RDONLY)
        except FileNotFoundError:
            return None
        trailer = fetch_files.trailer(descriptor, self._boot, self.seconds)
        if trailer is None:
            os.close(descriptor)
            path.unlink(missing_ok=True)
            return None
        os.utime(path)
        return Kept(key, descriptor, *trailer)

    def _followed(self, key: str) -> Followed | None:
        part, state = self._path(key, "part"), self._path(key, "state")
        try:
            descriptor = opened(part, os.O_RDONLY)
        except FileNotFoundError:
            return None
        try:
            if not fetch_files.is_written(descriptor):
                part.unlink()
                state.unlink(missing_ok=True)
                os.close(descriptor)
                return None
            state_descriptor = opened(state, os.O_RDONLY)
        except BaseException:
            os.close(descriptor)
            raise
        fcntl.flock(state_descriptor, fcntl.LOCK_SH)
        self._touch_seen(key)
        return Followed(key, descriptor, state_descriptor)

    def _draft(self, key: str) -> Draft:
        is_repeated = time.time() - self._seen_at(key) / 1e9 < self.seconds
        descriptor, state_descriptor = fetch_files.begun(self._path(key, "part"), self._path(key, "state"))
        self._touch_seen(key)
        return Draft(key, descriptor, state_descriptor, is_repeated, self._seen_at(key))

    def _remove_draft(self, draft: Draft) -> None:
        for kind, descriptor in (("part", draft.descriptor), ("state", draft.state_descriptor)):
            path = self._path(draft.key, kind)
            with contextlib.suppress(FileNotFoundError):
                # After `withdraw` the names may be another draft's.
                if os.path.samestat(path.stat(), os.fstat(descriptor)):
                    path.unlink()

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
            fetch_counts.add(self._counters, Count.EVICTED)
        return total <= self.max_bytes

    def _is_good(self, path: Path) -> bool:
        descriptor = opened(path, os.O_RDONLY)
        try:
            return fetch_files.trailer(descriptor, self._boot, self.seconds) is not None
        finally:
            os.close(descriptor)

    def _is_abandoned(self, path: Path) -> bool:
        descriptor = opened(path, os.O_RDONLY)
        try:
            return not fetch_files.is_written(descriptor)
        finally:
            os.close(descriptor)

    def _seen_at(self, key: str) -> int:
        try:
            return self._path(key, "seen").stat().st_mtime_ns
        except FileNotFoundError:
            return 0

    def _touch_seen(self, key: str) -> None:
        path = self._path(key, "seen")
        os.close(opened(path, os.O_WRONLY | os.O_CREAT))
        # The kernel's own stamps advance in steps of some milliseconds, in which two requests may come.
        os.utime(path, ns=(time.time_ns(), max(time.time_ns(), self._seen_at(key) + 1)))

    def _files(self, kind: str) -> list[tuple[Path, int, float]]:
        found = []
        for path in self.folder.glob(f"*.{kind}"):
            with contextlib.suppress(FileNotFoundError):
                status = path.stat()
                found.append((path, status.st_size, status.st_mtime))
        return found

    @property
    def _counters(self) -> Path:
        return self.folder / "counters"

    def _path(self, key: str, kind: str) -> Path:
        return self.folder / f"{key}.{kind}"
