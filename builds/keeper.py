"""The thread that keeps a running build's lease and sees that it is to end early.

It is woken through Redis; where Redis is away it looks every two seconds. What there is to do stands in the database.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from django.conf import settings
from django.db import DatabaseError, connection
from redis.exceptions import RedisError

from builds import lease
from builds.models import Build
from builds.runner.executor import LOST, STOPPED, Interruption

logger = logging.getLogger(__name__)

# A stop must be final within 5 seconds also while Redis is away.
LOOK_SECONDS = 1.5
# So long an interrupted build gets to end in its own thread, before it is ended over its head.
PATIENCE_SECONDS = 2.0
# An engine that hangs must not keep the keeper from the clock.
INTERRUPT_SECONDS = 0.5
FIELDS = ("stop_requested_at", "stop_reason", "lease_expires_at", "lease_doubted_at")


class LeaseKeeper:
    """Keeps the lease as long as its context lasts.

    Args:
        interruption: Raised when a stop is wanted, or when the build is another's.
        end_overdue: Called once, from the keeper's thread, when the build goes on for PATIENCE_SECONDS after an
            interruption.
    """

    def __init__(self, build: Build, interruption: Interruption, end_overdue: Callable[[], None]) -> None:
        self._build = build
        self._interruption = interruption
        self._end_overdue = end_overdue
        self._redis = lease.redis_client()
        self._done = threading.Event()
        self._renewed = time.monotonic()
        self._interrupted_at: float | None = None
        self._thread = threading.Thread(target=self._keep, name=f"lease-{build.pk}", daemon=True)

    def __enter__(self) -> LeaseKeeper:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        try:
            self._redis.publish(lease.stop_channel(self._build), "done")
        except RedisError:
            logger.debug("build %s: its keeper ends by itself", self._build.pk)
        self._thread.join(lease.REDIS_SECONDS + LOOK_SECONDS)
        self._redis.close()

    def _keep(self) -> None:
        pubsub = self._redis.pubsub(ignore_subscribe_messages=True)
        is_subscribed = False
        try:
            while not self._done.is_set():
                self._look()
                self._check_overdue()
                pause = LOOK_SECONDS if self._interrupted_at is None else PATIENCE_SECONDS / 5
                try:
                    if not is_subscribed:
                        pubsub.subscribe(lease.stop_channel(self._build))
                        is_subscribed = True
                    pubsub.get_message(timeout=pause)
                except RedisError:
                    is_subscribed = False
                    self._done.wait(pause)
        finally:
            pubsub.close()
            connection.close()

    def _check_overdue(self) -> None:
        """End the build over its thread's head where that is stuck in a call."""
        if not self._interruption.reason:
            return
        if self._interrupted_at is None:
            self._interrupted_at = time.monotonic()
        elif time.monotonic() - self._interrupted_at > PATIENCE_SECONDS and not self._done.is_set():
            self._interrupted_at = float("inf")
            self._end_overdue()

    def _look(self) -> None:
        """Renew the lease when a third of it has passed or the clock was set; see whether a stop is wanted."""
        try:
            row = lease.held(self._build).only(*FIELDS).first()
            if row is None:
                # Finished by ourselves, or ended by another.
                if not self._done.is_set():
                    self._interrupt(LOST)
                return
            if row.stop_requested_at is not None:
                self._interrupt(STOPPED, row.stop_reason)
            is_due = time.monotonic() - self._renewed > settings.LEASE_SECONDS / 3
            if (is_due or lease.is_odd(row)) and lease.renew(self._build):
                self._renewed = time.monotonic()
        except DatabaseError as error:
            logger.warning("build %s: its lease could not be renewed: %s", self._build.pk, error)
            connection.close()
            # Others end the build once the lease has run out: from then on this worker may do nothing more.
            if time.monotonic() - self._renewed > settings.LEASE_SECONDS:
                self._interrupt(LOST)

    def _interrupt(self, reason: str, message: str = "") -> None:
        """Interrupt the build in a thread of its own, which is waited for a moment."""
        if self._interruption.reason:
            return
        self._interrupted_at = time.monotonic()
        told = threading.Thread(target=self._interruption.raise_for, args=(reason, message), daemon=True)
        told.start()
        told.join(INTERRUPT_SECONDS)
