"""What a running build's worker writes: phases and log lines as they come."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.conf import settings
from django.db import connection, transaction

from builds import lease
from builds.logs.flusher import LogLost
from builds.logs.format import Chunk
from builds.logs.writer import LogWriter, Summary
from builds.models import Build, LogChunk, Phase, Status
from builds.runner.executor import LOST, Interruption
from builds.runner.plan import PhaseResult
from codeservices import storage

logger = logging.getLogger(__name__)

# So long another thread waits for the log before it gives the rest up (see `take_log`).
TAKE_SECONDS = 0.5


def chunk_key(build: Build, first_line: int) -> str:
    """Where a chunk of the log is stored; its name sorts by line number."""
    return f"builds/{build.uuid}/log/{first_line:012d}.gz"


def put_chunks(build: Build, chunks: Sequence[Chunk]) -> None:
    """Store closed chunks of a running build, as `store_chunks`.

    Raises:
        LogLost: The build's lease is lost.
    """
    if not lease.held(build).exists():
        raise LogLost(f"{build} is no longer held by {build.lease_owner}")
    store_chunks(build, chunks)


def chunk_putter(build: Build) -> Callable[[Sequence[Chunk]], None]:
    """`put_chunks` of a build for the log's own thread, which may be silent for hours and so keeps no connection."""

    def put(chunks: Sequence[Chunk]) -> None:
        try:
            put_chunks(build, chunks)
        finally:
            connection.close()

    return put


def store_chunks(build: Build, chunks: Sequence[Chunk]) -> None:
    """Store chunks and put them into the index; doing it twice changes nothing."""
    storage.write_all({chunk_key(build, chunk.first_line): chunk.data for chunk in chunks})
    rows = [
        LogChunk(
            build_id=build.pk,
            first_line=chunk.first_line,
            line_count=chunk.line_count,
            size_bytes=chunk.size_bytes,
            key=chunk_key(build, chunk.first_line),
        )
        for chunk in chunks
    ]
    LogChunk.objects.bulk_create(rows, ignore_conflicts=True)


def write_phases(build: Build, phases: Iterable[Mapping[str, Any]]) -> None:
    """Make the rows of phases, or write down how those ended that are there; of each what its row says."""
    Phase.objects.bulk_create(
        [Phase(build=build, **fields) for fields in phases],
        update_conflicts=True,
        unique_fields=["build", "phase_type"],
        update_fields=["status", "ended_at", "contexts"],
    )


class Reporter:
    """The Report of `builds.runner.phases` over models, Redis and storage. A context manager: its end stops the log.

    Attributes:
        interruption: Raised when the build is to end early.
        untold: What the database does not know yet: the end of the last phase it knows, and the brief ones after that.
    """

    def __init__(self, build: Build) -> None:
        self._build = build
        self.interruption = Interruption()
        self._redis = lease.redis_client()
        self._log = LogWriter(
            str(build.uuid),
            self._redis,
            chunk_putter(build),
            head_bytes=settings.BUILD_LOG_HEAD_MIB * 1024**2,
            tail_bytes=settings.BUILD_LOG_TAIL_MIB * 1024**2,
        )
        self.untold: list[dict[str, Any]] = []
        # The log is for one thread at a time: the build's own, until another takes it.
        self._lock = threading.Lock()
        self._is_taken = False

    def __enter__(self) -> Reporter:
        return self

    def __exit__(self, *_: object) -> None:
        self._log.abandon()  # nothing is left to write where it was closed
        self._redis.close()

    # ---- Report ------------------------------------------------------------------------------------------------------

    def phase_started(self, phase_type: str, started_at: datetime, *, is_brief: bool = False) -> None:
        phase = {"phase_type": phase_type, "started_at": started_at, "first_line": self._log.line_count}
        self.untold.append(phase)
        if is_brief:
            return
        try:
            with transaction.atomic():
                lease.change(self._build, current_phase=phase_type, lease_expires_at=lease.expiry())
                write_phases(self._build, self.untold)
        except lease.LeaseLost:
            self.interruption.raise_for(LOST)
        self.untold = [phase]

    def phase_ended(self, result: PhaseResult) -> None:
        self.untold[-1] |= {
            "status": result.status or Status.SUCCEEDED,
            # The wall clock may have jumped; what lasted was measured by one that doesn't.
            "ended_at": result.started_at + timedelta(seconds=result.duration_seconds),
            "contexts": [{"statusCode": one.status_code, "message": one.message} for one in result.contexts],
        }

    def output(self, data: bytes) -> None:
        with self._lock:
            if not self._is_taken:
                self._to_log(partial(self._log.write, data))

    def line(self, text: str) -> None:
        with self._lock:
            if not self._is_taken:
                self._to_log(partial(self._log.line, text))

    def _to_log(self, write: Callable[[], None]) -> None:
        try:
            write()
        except LogLost:
            self.interruption.raise_for(LOST)

    def mask(self, secrets: Iterable[str]) -> None:
        """Keep these values out of the log from now on."""
        self._log.add_secrets(secrets)

    def close_log(self) -> Summary | None:
        """Store the rest of the log; None where that failed, and the sweep will do it from the stream."""
        with self._lock:
            return None if self._is_taken else self._close()

    def take_log(self, closing: Iterable[str]) -> Summary | None:
        """Close the log from another thread than the build's, which is stuck and can write no more from here on.

        Returns None as `close_log` does, also where the build's thread is in the middle of writing.
        """
        if not self._lock.acquire(timeout=TAKE_SECONDS):
            self._log.abandon()
            return None
        try:
            self._is_taken = True
            for line in closing:
                self._to_log(partial(self._log.line, line))
            return self._close()
        finally:
            self._lock.release()

    def _close(self) -> Summary | None:
        try:
            summary = self._log.close()
            if summary.left_out_lines:
                lease.change(self._build, log_left_out_lines=summary.left_out_lines)
            return summary
        except Exception:  # how the build ended is known, whatever became of its log
            logger.exception("build %s: its log could not be closed", self._build.pk)
            return None

    def abandon_log(self) -> None:
        """Stop writing: the build is another's."""
        self._log.abandon()
