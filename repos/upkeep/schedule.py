"""Which repository is due for upkeep, and the messages that wake a worker for it.

A repository is looked at after each push, which is cheap, and once a day. Where the look calls for something, its row
is due and a message wakes a worker (worker.py); a sweep wakes one for what is due without a message.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from codeservices import work
from codeservices.iam.principal import Principal
from repos import usage
from repos.access import repository_for
from repos.git.store import RepositoryMissing
from repos.git.upkeep import state, strategy
from repos.git.upkeep.strategy import Job
from repos.models import Repository, Upkeep

logger = logging.getLogger(__name__)

ACTION = "codecommit:RunRepositoryUpkeep"
TASK = "repos.tasks.keep_up"
# A message that is older has been lost, or waits behind a long job, and a second one does no harm.
MESSAGE_LIFE = timedelta(minutes=15)
# The sweep keeps no more waiting, so that a push does not wait behind the whole installation.
MAX_QUEUED = 3
MAX_LOOKS = 20
# Repositories that were there before their upkeep begin within this time, one after the other.
FIRST_LOOK_SPREAD = timedelta(hours=1)
# What "Run now" means.
EVERYTHING = (Job.LEFTOVERS, Job.PACK_REFS, Job.COMMIT_GRAPH, Job.FULL_REPACK, Job.EXPIRE, Job.FSCK)


def of(repository: Repository) -> Upkeep:
    """The row of a repository, made where there is none yet."""
    return Upkeep.objects.get_or_create(repository=repository, defaults=_first(repository))[0]


def request(principal: Principal, name: str, wanted: Collection[Job] = EVERYTHING) -> Upkeep:
    """Have upkeep done now; where it is under way, again after that.

    Raises:
        AccessDenied: Of codecommit:RunRepositoryUpkeep.
        RepositoryDoesNotExist: There is none of that name.
    """
    repository = repository_for(principal, ACTION, name)
    upkeep = of(repository)
    now = timezone.now()
    Upkeep.objects.filter(pk=upkeep.pk).update(
        requested_jobs=[job.value for job in wanted], requested_at=now, due_at=now
    )
    transaction.on_commit(lambda: _queue([upkeep.pk]))
    upkeep.refresh_from_db()
    return upkeep


def look_after_push(repository_pk: int) -> None:
    """Measure a repository that was pushed to, and have done at once what its state calls for."""
    repository = Repository.objects.filter(pk=repository_pk).first()
    if repository is None:
        return
    upkeep = of(repository)
    looked_at = timezone.now()
    try:
        with repository.git as git:
            seen = state.look(git, counts_commits=True)
            usage.measure_size(repository)
    except RepositoryMissing:
        logger.error("repository %s is missing on disk", repository.repository_id)
        Upkeep.objects.filter(pk=upkeep.pk).update(looked_at=looked_at, due_at=looked_at)  # which makes a finding of it
        return
    Upkeep.objects.filter(pk=upkeep.pk).update(state=seen.as_dict(), looked_at=looked_at)
    if strategy.due_jobs(seen):
        Upkeep.objects.filter(pk=upkeep.pk).update(due_at=looked_at)
        transaction.on_commit(lambda: _queue([upkeep.pk]))


def look_again(repository: Repository, delay: timedelta) -> None:
    """Have a repository looked at after a while, for what an earlier look would not see yet.

    What somebody asked for is done at once all the same.
    """
    Upkeep.objects.filter(pk=of(repository).pk, requested_at=None).update(due_at=timezone.now() + delay)


def start_due() -> int:
    """Wake workers for what is due and has no message, and make good for looks that were lost; how many messages."""
    known = Upkeep.objects.values("repository_id")
    for repository in Repository.objects.exclude(pk__in=known):
        of(repository)
    pushed = Repository.objects.filter(last_push_at__lt=timezone.now() - timedelta(minutes=1))
    unseen = pushed.filter(Q(upkeep__looked_at=None) | Q(upkeep__looked_at__lt=F("last_push_at")))
    for repository_pk in unseen.values_list("pk", flat=True)[:MAX_LOOKS]:
        look_after_push(repository_pk)
    now = timezone.now()
    is_queued = Q(queued_at__gt=now - MESSAGE_LIFE)
    room = MAX_QUEUED - Upkeep.objects.filter(is_queued).count()
    ready = free(Upkeep.objects.filter(due_at__lte=now, repository__deleted_at=None), now).exclude(is_queued)
    return _queue(list(ready.order_by("due_at").values_list("pk", flat=True)[: max(0, room)]))


def free(rows: QuerySet[Upkeep], now: datetime) -> QuerySet[Upkeep]:
    """Those of the rows that no worker has in hand."""
    return rows.filter(Q(lease_expires_at=None) | Q(lease_expires_at__lte=now))


def _first(repository: Repository) -> dict[str, datetime]:
    """When the first look and the first fsck of a repository are due: spread by its id, which is random."""
    now = timezone.now()
    share = (repository.repository_id.int % 9973) / 9973
    is_new = repository.created_at > now - FIRST_LOOK_SPREAD
    first = {"due_at": now if is_new else now + FIRST_LOOK_SPREAD * share}
    if settings.FSCK_DAYS:
        first["fsck_due_at"] = now + timedelta(days=settings.FSCK_DAYS) * share
    return first


def _queue(pks: Collection[int]) -> int:
    count = 0
    for upkeep in Upkeep.objects.filter(pk__in=pks):
        if not work.wake(TASK, upkeep.repository_id):
            break
        Upkeep.objects.filter(pk=upkeep.pk).update(queued_at=timezone.now())
        count += 1
    return count
