"""A worker's part in upkeep: take a repository, do what its state calls for job by job, and note what came of it.

The worker that takes the lease by compare-and-set does all that is due; a second message finds nothing due. A worker
that dies leaves a lease that runs out, and its git, if that lives on, a file lock that keeps others away.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from codeservices import work
from repos import usage
from repos.git import locks
from repos.git.locks import RepositoryBusy
from repos.git.program import GitError, GitTimeout
from repos.git.store import RepositoryMissing
from repos.git.upkeep import expiry, state, strategy
from repos.git.upkeep.jobs import LockedRepository
from repos.git.upkeep.strategy import Job
from repos.models import JobOutcome, Repository, Upkeep, UpkeepRun
from repos.upkeep import jobs, schedule

logger = logging.getLogger(__name__)

LEASE = timedelta(minutes=2)
RENEW_SECONDS = 30.0
LOOK_INTERVAL = timedelta(days=1)
FULL_REPACK_INTERVAL = timedelta(days=7)
BUSY_DELAY = timedelta(minutes=10)
FAILURE_DELAY = timedelta(minutes=10)
MAX_FAILURE_DELAY = timedelta(days=1)
KEPT_RUNS = 100
MISSING = "The objects of this repository are missing on the server's disk."


class LeaseLost(Exception):
    """Another worker has the repository in hand, since this one was thought dead."""


def keep_up(repository_pk: int) -> list[UpkeepRun]:
    """Do what is due for a repository; nothing where nothing is, or where another worker has it in hand."""
    upkeep = _claim(repository_pk, Q(due_at__lte=timezone.now()))
    return [] if upkeep is None else _work(upkeep, upkeep.requested_jobs)


def run_now(repository: Repository, wanted: Collection[Job] = ()) -> list[UpkeepRun]:
    """Do what the state calls for and some jobs besides, in this process.

    Raises:
        RepositoryBusy: Another process has the repository in hand.
    """
    schedule.of(repository)
    upkeep = _claim(repository.pk, Q())
    if upkeep is None:
        raise RepositoryBusy(f"Upkeep of {repository.name} is under way already.", hint="Wait until it has ended.")
    return _work(upkeep, [job.value for job in wanted])


def _claim(repository_pk: int, condition: Q) -> Upkeep | None:
    """Take the lease, by one statement on this table alone, so that of two workers one gets it."""
    if not Repository.objects.filter(pk=repository_pk).exists():
        return None
    now = timezone.now()
    rows = schedule.free(Upkeep.objects.filter(condition, repository_id=repository_pk), now)
    if rows.update(lease_owner=work.new_owner(), lease_expires_at=now + LEASE, queued_at=None) != 1:
        return None
    return Upkeep.objects.select_related("repository").get(repository_id=repository_pk)


def _held(upkeep: Upkeep) -> QuerySet[Upkeep]:
    return Upkeep.objects.filter(pk=upkeep.pk, lease_owner=upkeep.lease_owner)


@contextmanager
def _renewed(upkeep: Upkeep) -> Iterator[None]:
    """The lease goes on while the block runs, however long git takes."""
    is_over = threading.Event()

    def renew() -> None:
        while not is_over.wait(RENEW_SECONDS):
            try:
                _held(upkeep).update(lease_expires_at=timezone.now() + LEASE)
            except DatabaseError as error:
                logger.warning("the lease of %s could not be renewed: %s", upkeep, error)
            finally:
                connection.close()

    thread = threading.Thread(target=renew, name="upkeep lease", daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def _work(upkeep: Upkeep, requested: Collection[str]) -> list[UpkeepRun]:
    runs: list[UpkeepRun] = []
    due_at = timezone.now() + BUSY_DELAY
    try:
        with _renewed(upkeep), upkeep.repository.git as git, locks.rewriting(git) as rewriting:
            locked = LockedRepository(git, rewriting)
            planned = _plan(upkeep, locked, requested)
            for job in planned:
                runs.append(_run(upkeep, locked, job, planned))  # noqa: PERF401  those before a loss of the lease count
            upkeep.looked_at = timezone.now()
            upkeep.state = state.look(git, counts_commits=True).as_dict()
            usage.measure_size(upkeep.repository)
        due_at = _next_due(upkeep, runs)
    except RepositoryBusy as error:
        logger.info("%s waits: %s", upkeep, error.message)
    except RepositoryMissing:
        upkeep.fsck_at = upkeep.fsck_due_at = timezone.now()
        upkeep.fsck_findings = [MISSING]
        due_at = timezone.now() + LOOK_INTERVAL
        logger.error("repository %s is missing on disk", upkeep.repository.repository_id)
    except LeaseLost:
        logger.warning("%s was taken from this worker", upkeep)
        return runs
    _release(upkeep, due_at)
    return runs


def _plan(upkeep: Upkeep, locked: LockedRepository, requested: Collection[str]) -> list[Job]:
    """The jobs to do, in their order: those that the state calls for, those of the calendar, those asked for."""
    now = timezone.now()
    wanted = set(strategy.due_jobs(state.look(locked.repository, counts_commits=True)))
    wanted |= {Job(name) for name in requested}
    wants_fsck = bool(settings.FSCK_DAYS or upkeep.fsck_findings)
    if wants_fsck and upkeep.fsck_due_at is not None and upkeep.fsck_due_at <= now:
        wanted.add(Job.FSCK)
    repository = upkeep.repository
    last_full = upkeep.full_repack_at or repository.created_at
    has_new = repository.last_push_at is not None and repository.last_push_at > last_full
    if has_new and last_full < now - FULL_REPACK_INTERVAL:
        wanted.add(Job.FULL_REPACK)
    if expiry.has_expired(locked.repository, jobs.horizon()):
        wanted.add(Job.EXPIRE)
    if Job.EXPIRE in wanted:  # it is sure of what is unreachable only after one
        wanted.add(Job.FULL_REPACK)
    if Job.FULL_REPACK in wanted:
        wanted.discard(Job.REPACK)
    return [job for job in Job if job in wanted]


def _run(upkeep: Upkeep, locked: LockedRepository, job: Job, planned: Collection[Job]) -> UpkeepRun:
    began_at = timezone.now()
    change = {"current_job": job.value, "job_began_at": began_at, "planned_jobs": [one.value for one in planned]}
    if _held(upkeep).update(**change) != 1:
        raise LeaseLost
    outcome = JobOutcome.SUCCEEDED
    try:
        message = jobs.do(job, upkeep, locked)
        if job is Job.FSCK and upkeep.fsck_findings:
            outcome = JobOutcome.FAILED
    except RepositoryBusy as error:
        outcome, message = JobOutcome.POSTPONED, error.message
    except GitTimeout as error:
        outcome, message = JobOutcome.TIMED_OUT, error.message
    except GitError as error:
        outcome, message = JobOutcome.FAILED, error.message
    except Exception as error:  # a defect of ours, or of the disk, must not leave the row to its lease's end for ever
        logger.exception("%s of %s", job, upkeep.repository.repository_id)
        outcome, message = JobOutcome.FAILED, f"An error of this server ended it ({type(error).__name__})."
    if outcome == JobOutcome.SUCCEEDED:
        upkeep.failure_count = 0
    elif outcome != JobOutcome.POSTPONED:
        upkeep.failure_count += 1
        logger.error("%s of %s: %s", job, upkeep.repository.repository_id, message)
    return UpkeepRun.objects.create(
        repository=upkeep.repository,
        job=job,
        outcome=outcome,
        message=message,
        started_at=began_at,
        ended_at=timezone.now(),
    )


def _next_due(upkeep: Upkeep, runs: Collection[UpkeepRun]) -> datetime:
    now = timezone.now()
    if any(run.outcome in (JobOutcome.FAILED, JobOutcome.TIMED_OUT) for run in runs if run.job != Job.FSCK):
        return now + min(FAILURE_DELAY * 2 ** min(upkeep.failure_count, 10), MAX_FAILURE_DELAY)
    if any(run.outcome == JobOutcome.POSTPONED for run in runs):
        return now + BUSY_DELAY
    due = [now + LOOK_INTERVAL]
    if settings.FSCK_DAYS and upkeep.fsck_due_at is not None:
        due.append(max(upkeep.fsck_due_at, now + FAILURE_DELAY))
    return min(due)


def _release(upkeep: Upkeep, due_at: datetime) -> None:
    """Write down what is known now and let go; what somebody asked for meanwhile stays due."""
    with transaction.atomic():
        row = _held(upkeep).order_by("pk").select_for_update().first()
        if row is None:
            return
        if row.due_at == upkeep.due_at:
            row.due_at = due_at
        if row.requested_at == upkeep.requested_at:
            row.requested_jobs, row.requested_at = [], None
        if upkeep.looked_at is not None and (row.looked_at is None or upkeep.looked_at > row.looked_at):
            row.state, row.looked_at = upkeep.state, upkeep.looked_at
        row.full_repack_at, row.failure_count = upkeep.full_repack_at, upkeep.failure_count
        row.fsck_at, row.fsck_due_at, row.fsck_findings = upkeep.fsck_at, upkeep.fsck_due_at, upkeep.fsck_findings
        row.lease_owner, row.lease_expires_at = "", None
        row.current_job, row.job_began_at, row.planned_jobs = "", None, []
        row.save()
    old = UpkeepRun.objects.filter(repository=upkeep.repository).values_list("pk", flat=True)[KEPT_RUNS:]
    UpkeepRun.objects.filter(pk__in=list(old)).delete()
