"""Whose work a fetch is: the lease of an import or of a mirror's run, and what a clock sets right.

The worker whose token stands on the row, and nobody else, may write to it: each change is a compare-and-set. A worker
that falls silent loses its lease; the fetch is tried again, and given up after a few attempts.
"""

from __future__ import annotations

import logging
import time
import uuid
from datetime import timedelta
from typing import Any, TypeVar

from django.conf import settings
from django.db.models import F, QuerySet
from django.utils import timezone

from codeservices import work
from codeservices.errors import ServiceError
from repos.git.progress import Progress
from repos.models import RemoteRun, RunState

logger = logging.getLogger(__name__)

MAX_ATTEMPTS = 3
# A message that was sent so long ago, while its row still waits, is sent again; a second delivery does nothing.
MESSAGE_LIFE = timedelta(minutes=5)
# Progress is for people to watch: a row is written so often at most.
WRITE_SECONDS = 1.0
# Judging what was fetched and moving it in tells no progress, and must not lose the lease over thousands of refs.
APPLY_LIFE = timedelta(minutes=30)

Run = TypeVar("Run", bound=RemoteRun)


class RunLost(Exception):
    """The run is no longer this worker's."""


class RunCancelled(Exception):
    """Somebody has asked for the run to end."""


def claim(model: type[Run], pk: int) -> Run | None:
    """Take the lease of a queued run; None while another holds it, or when the run is over."""
    now = timezone.now()
    taken = (
        _rows(model)
        .filter(pk=pk, state=RunState.QUEUED)
        .update(
            state=RunState.IN_PROGRESS,
            lease_owner=work.new_owner(),
            lease_expires_at=now + timedelta(seconds=settings.LEASE_SECONDS),
            started_at=now,
            attempt_id=uuid.uuid4(),
            attempt_count=F("attempt_count") + 1,
        )
    )
    return _rows(model).get(pk=pk) if taken else None


def change(run: RemoteRun, **fields: Any) -> None:
    """Set fields of a run that is held, on the row and on the object; raises RunLost where it isn't held any more."""
    mine = _rows(type(run)).filter(pk=run.pk, state=RunState.IN_PROGRESS, lease_owner=run.lease_owner)
    if mine.update(**fields) != 1:
        raise RunLost(f"{run} is no longer held by {run.lease_owner}")
    for name, value in fields.items():
        setattr(run, name, value)


class Reporter:
    """Writes a fetch's progress to its row, renews its lease, and looks whether it shall go on."""

    def __init__(self, run: RemoteRun) -> None:
        self._run = run
        self._latest: Progress | None = None
        self._written_at = 0.0

    def __call__(self, progress: Progress | None) -> None:
        """Called often; raises RunLost or RunCancelled."""
        self._latest = progress or self._latest
        if time.monotonic() - self._written_at < WRITE_SECONDS:
            return
        self._written_at = time.monotonic()
        if _rows(type(self._run)).filter(pk=self._run.pk).exclude(cancel_requested_at=None).exists():
            raise RunCancelled
        self._write(timedelta(seconds=settings.LEASE_SECONDS))

    def applying(self) -> None:
        """The fetch is complete, and from now on it is too late to cancel."""
        self._write(APPLY_LIFE)

    def _write(self, life: timedelta) -> None:
        fields: dict[str, Any] = {"lease_expires_at": timezone.now() + life}
        if latest := self._latest:
            fields |= {
                "phase": latest.phase,
                "percent": latest.percent,
                "object_count": latest.count,
                "object_total": latest.total,
                "received_bytes": latest.received_bytes,
            }
        change(self._run, **fields)


def finish(run: RemoteRun, state: RunState, error: ServiceError | None = None, **fields: Any) -> None:
    """End a held run; raises RunLost where another has ended it."""
    change(run, state=state, ended_at=timezone.now(), lease_expires_at=None, **_told(error), **fields)


def cancel(run: RemoteRun) -> bool:
    """Ask for a run to end: a queued one is over at once, a running one within a second or two; whether it can."""
    now = timezone.now()
    rows = _rows(type(run)).filter(pk=run.pk)
    if rows.filter(state=RunState.QUEUED).update(state=RunState.STOPPED, ended_at=now, cancel_requested_at=now):
        return True
    return bool(rows.filter(state=RunState.IN_PROGRESS).update(cancel_requested_at=now))


def end_expired(model: type[Run], task: str) -> list[Run]:
    """Queue again the runs whose worker fell silent, and fail those that had their attempts; the failed ones."""
    failed = []
    now = timezone.now()
    for run in _rows(model).filter(state=RunState.IN_PROGRESS, lease_expires_at__lt=now):
        # The same lease, still expired: a worker that renewed it meanwhile keeps it.
        same = _rows(model).filter(
            pk=run.pk,
            state=RunState.IN_PROGRESS,
            lease_owner=run.lease_owner,
            lease_expires_at=run.lease_expires_at,
        )
        over: dict[str, Any] = {"lease_owner": "", "lease_expires_at": None, "ended_at": now}
        if run.cancel_requested_at is not None:
            same.update(state=RunState.STOPPED, **over)
        elif run.attempt_count < MAX_ATTEMPTS:
            again = {"state": RunState.QUEUED, "lease_owner": "", "lease_expires_at": None, "message_at": now}
            if same.update(**again):
                logger.warning("%s lost its worker and is queued again", run)
                work.wake(task, run.pk)
        elif same.update(state=RunState.FAILED, **over, **_told(_worker_died(run))):
            logger.warning("%s lost its worker %s times and is given up", run, run.attempt_count)
            failed.append(_rows(model).get(pk=run.pk))
    return failed


def resend(model: type[Run], task: str) -> int:
    """Wake a worker for queued runs whose message seems lost; how many."""
    now = timezone.now()
    count = 0
    for run in _rows(model).filter(state=RunState.QUEUED, message_at__lt=now - MESSAGE_LIFE):
        if _rows(model).filter(pk=run.pk, state=RunState.QUEUED, message_at=run.message_at).update(message_at=now):
            work.wake(task, run.pk)
            count += 1
    return count


def defect(error: Exception) -> ServiceError:
    """What is told of an error that nobody foresaw; its traceback is in the log."""
    kind = type(error).__name__
    sentence = f"An error of this server ended the fetch ({kind}); its log has the details."
    return ServiceError(sentence, code="InternalFailure", status=500, hint="Tell an administrator.")


def _worker_died(run: RemoteRun) -> ServiceError:
    host = work.host_of(run.lease_owner)
    sentence = f"The worker on {host} that ran this fell silent, as did {run.attempt_count - 1} before it."
    return ServiceError(sentence, code="WorkerLost", hint="Look at the memory and the log of the worker.")


def _told(error: ServiceError | None) -> dict[str, str]:
    if error is None:
        return {"error_code": "", "error_message": "", "error_hint": ""}
    return {"error_code": error.code[:64], "error_message": error.message, "error_hint": error.hint}


def _rows(model: type[Run]) -> QuerySet[Run]:
    return model._default_manager.all()
