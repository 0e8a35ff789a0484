"""What a running build's worker writes: phases and log lines as they come; and it keeps the lease.

A thread of its own renews the lease and looks whether somebody asked for a stop. It is woken through Redis; where
Redis is away it looks every two seconds.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.db import DatabaseError, connection, transaction
from redis.exceptions import RedisError

from builds import lease
from builds.logs.flusher import LogLost
from builds.logs.format import Chunk
from builds.logs.writer import LogWriter, Summary
from builds.models import Build, LogChunk, Phase, Status
from builds.runner.executor import LOST, STOPPED, Interruption
from builds.runner.phases import PhaseResult
from codeservices import storage

logger = logging.getLogger(__name__)

# A stop must be final within 5 seconds also while Redis is away.
LOOK_SECONDS = 2.0


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
    for chunk in chunks:
        storage.write(chunk_key(build, chunk.first_line), chunk.data)
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


class Reporter:
    """The Report of `builds.runner.phases` over models, Redis and storage. A context manager: its end stops the thread.

    Attributes:
        interruption: Raised when the build is to end early.
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
        self._done = threading.Event()
        self._renewed = time.monotonic()
        self._keeper = threading.Thread(target=self._keep, name=f"lease-{build.pk}", daemon=True)

    def __enter__(self) -> Reporter:
        self._keeper.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._log.abandon()  # nothing is left to write where it was closed
        try:
            self._redis.publish(lease.stop_channel(self._build), "done")
        except RedisError:
            logger.debug("build %s: its keeper ends by itself", self._build.pk)
        self._keeper.join(lease.REDIS_SECONDS + LOOK_SECONDS)
        self._redis.close()

    # ---- Report ------------------------------------------------------------------------------------------------------

    def phase_started(self, phase_type: str, started_at: datetime) -> None:
        try:
            with transaction.atomic():
                lease.change(self._build, current_phase=phase_type)
                Phase.objects.get_or_create(
                    build=self._build,
                    phase_type=phase_type,
                    defaults={"started_at": started_at, "first_line": self._log.line_count},
                )
        except lease.LeaseLost:
            self.interruption.raise_for(LOST)

    def phase_ended(self, result: PhaseResult) -> None:
        contexts = [{"statusCode": one.status_code, "message": one.message} for one in result.contexts]
        try:
            with transaction.atomic():
                lease.change(self._build, lease_expires_at=lease.expiry())
                Phase.objects.filter(build=self._build, phase_type=result.type).update(
                    status=result.status or Status.SUCCEEDED,
                    # The wall clock may have jumped; what lasted was measured by one that doesn't.
                    ended_at=result.started_at + timedelta(seconds=result.duration_seconds),
                    contexts=contexts,
                )
        except lease.LeaseLost:
            self.interruption.raise_for(LOST)

    def output(self, data: bytes) -> None:
        try:
            self._log.write(data)
        except LogLost:
            self.interruption.raise_for(LOST)

    def line(self, text: str) -> None:
        try:
            self._log.line(text)
        except LogLost:
            self.interruption.raise_for(LOST)

    def mask(self, secrets: Iterable[str]) -> None:
        """Keep these values out of the log from now on."""
        self._log.add_secrets(secrets)

    def close_log(self) -> Summary | None:
        """Store the rest of the log; None where that failed, and the sweep will do it from the stream."""
        try:
            summary = self._log.close()
            if summary.left_out_lines:
                lease.change(self._build, log_left_out_lines=summary.left_out_lines)
            return summary
        except Exception:
            logger.exception("build %s: its log could not be closed", self._build.pk)
            return None

    def abandon_log(self) -> None:
        """Stop writing: the build is another's."""
        self._log.abandon()

    # ---- the lease ---------------------------------------------------------------------------------------------------

    def _keep(self) -> None:
        pubsub = self._redis.pubsub(ignore_subscribe_messages=True)
        is_subscribed = False
        try:
            while not self._done.is_set():
                self._look()
                try:
                    if not is_subscribed:
                        pubsub.subscribe(lease.stop_channel(self._build))
                        is_subscribed = True
                    pubsub.get_message(timeout=LOOK_SECONDS)
                except RedisError:
                    is_subscribed = False
                    self._done.wait(LOOK_SECONDS)
        finally:
            pubsub.close()
            connection.close()

    def _look(self) -> None:
        """Renew the lease when a third of it has passed; see whether a stop is wanted."""
        try:
            row = lease.held(self._build).values("stop_requested_at").first()
            if row is None:
                # Finished by ourselves, or ended by another.
                if not self._done.is_set():
                    self.interruption.raise_for(LOST)
                return
            if row["stop_requested_at"] is not None:
                self.interruption.raise_for(STOPPED)
            is_due = time.monotonic() - self._renewed > settings.LEASE_SECONDS / 3
            if is_due and lease.held(self._build).update(lease_expires_at=lease.expiry()):
                self._renewed = time.monotonic()
        except DatabaseError as error:
            logger.warning("build %s: its lease could not be renewed: %s", self._build.pk, error)
            connection.close()
            # Others end the build once the lease has run out: from then on this worker may do nothing more.
            if time.monotonic() - self._renewed > settings.LEASE_SECONDS:
                self.interruption.raise_for(LOST)
