"""The queue: which build a free worker takes, and what those that wait are told.

Which one is next is decided here, in the database, when a worker is free; a message only tells a worker to look. A
project's limit holds because its row is locked from the count to the claim.
"""

from __future__ import annotations

import contextlib
import logging
from dataclasses import dataclass

from django.conf import settings
from django.db import transaction
from django.db.models import Count
from django.utils import timezone
from redis.exceptions import RedisError

from builds import host, lease
from builds.fair_order import Standing, Waiting, order
from builds.lifecycle import endings
from builds.lifecycle.records import queued, running, wake
from builds.models import Build, Phase, PhaseType, Project, Status
from codeservices import work
from codeservices.statements import Statement

logger = logging.getLogger(__name__)

# The broker's list of their messages. Source: codeservices/celery.py.
QUEUE = "builds"
# A worker that is there takes a build in far less.
SLOW_SECONDS = 20.0


@dataclass(frozen=True)
class Wait:
    """Where a queued build stands: its place (1 is next), of how many, and one sentence on what it waits for."""

    position: int
    total: int
    reason: str


def claim_next() -> Build | None:
    """Take the lease of the build that is next; None while nothing may begin.

    Builds that waited for longer than they may are ended on the way.
    """
    tried: set[int] = set()
    while True:
        candidate = next((pk for pk in claimable() if pk not in tried), None)
        if candidate is None:
            return None
        refusal = "" if tried else host.refusal()
        if refusal:
            logger.warning("no build is started: %s", refusal)
            return None
        build = claim(candidate)
        if build is not None:
            return build
        tried.add(candidate)


def claim(build_pk: int) -> Build | None:
    """Take one queued build's lease; None while another holds it, its project is at its limit, or it is over.

    A build that waited for longer than it may is ended instead.
    """
    with transaction.atomic():
        row = queued().filter(pk=build_pk).first()
        if row is None:
            return None
        project = Project.objects.select_for_update().filter(pk=row.project_id).first() if row.project_id else None
        if project is not None and _is_full(project):
            return None
        now = timezone.now()
        is_late = waited_too_long(row)
        claimed = {} if is_late else {"claimed_at": now}
        build = lease.take(build_pk, owner=work.new_owner(), fields=claimed, lease_owner="", stop_requested_at=None)
        if build is None:
            return None
        if not is_late:
            if project is not None:
                Project.objects.filter(pk=project.pk).update(last_claimed_at=now)
            Phase.objects.filter(build=build, phase_type=PhaseType.QUEUED).update(status=Status.SUCCEEDED, ended_at=now)
            return build
    endings.end(build, Status.TIMED_OUT, *endings.TIMED_OUT_CONTEXT)
    return None


def claimable() -> list[int]:
    """The queued builds that may begin now, best first."""
    waiting = _waiting()
    return [one.pk for one in order(waiting, _standings(waiting), within_limits=True)]


def wake_next() -> None:
    """A build has ended: what waited for its place may begin. Where enough messages wait, they wake all workers."""
    if (waiting_messages() or 0) >= settings.BUILD_CONCURRENCY:
        return
    found = claimable()
    if found:
        wake(found[0])


def waiting_messages() -> int | None:
    """How many messages wait for a worker of builds; None where the broker does not say."""
    with contextlib.closing(lease.redis_client()) as redis:
        try:
            return int(redis.llen(QUEUE))
        except RedisError as error:
            logger.warning("the broker does not say whether messages of builds wait: %s", error)
            return None


def waited_too_long(build: Build) -> bool:
    """Whether the build has waited for longer than its project lets it (queuedTimeoutInMinutes)."""
    return (timezone.now() - build.started_at).total_seconds() > build.queued_timeout_minutes * 60


def wait_of(build: Build) -> Wait | None:
    """Where a build stands in the queue and why it waits; None of one that doesn't."""
    if not build.is_queued:
        return None
    waiting = _waiting()
    standings = _standings(waiting)
    shown = [one.pk for one in order(waiting, standings, within_limits=False)]
    position = shown.index(build.pk) + 1 if build.pk in shown else 1
    return Wait(position, max(len(shown), 1), _reason(build, position, standings.get(build.project_name, Standing())))


def _reason(build: Build, position: int, standing: Standing) -> str:
    refusal = host.recent_refusal()
    if refusal:
        return f"No build can be started now. {refusal}"
    if standing.limit is not None and standing.running >= standing.limit:
        count = "one build at a time" if standing.limit == 1 else f"{standing.limit} builds at a time"
        return f"{build.project_name} runs {count}, and {'that one runs' if standing.limit == 1 else 'those run'}."
    busy = running().count()
    if busy >= settings.BUILD_CONCURRENCY:
        return "The build worker is busy." if busy == 1 else f"All {busy} build workers are busy."
    if position > 1:
        return "Other builds are before it."
    if (timezone.now() - build.started_at).total_seconds() > SLOW_SECONDS:
        return "No build worker has taken it yet; an administrator sees at /readyz whether one runs."
    return "A build worker is about to take it."


def _is_full(project: Project) -> bool:
    limit = project.concurrent_build_limit
    return limit is not None and running().filter(project_name=project.name).count() >= limit


# Workers ask these before and after each build, pages of builds that wait again and again.
_WAITING = Statement(lambda: queued().order_by("pk").values_list("pk", "project_name", "priority"))
_RUNNING = Statement(lambda: running().order_by().values_list("project_name").annotate(Count("pk")))
_PROJECTS = Statement(
    lambda: Project.objects.filter(name__in=queued().values("project_name")).values_list(
        "name", "concurrent_build_limit", "last_claimed_at"
    )
)


def _waiting() -> list[Waiting]:
    return [Waiting(*row) for row in _WAITING.rows()]


def _standings(waiting: list[Waiting]) -> dict[str, Standing]:
    if not waiting:
        return {}
    busy = dict(_RUNNING.rows())
    found = {one.project: Standing(busy.get(one.project, 0)) for one in waiting}
    for name, limit, at in _PROJECTS.rows():
        found[name] = Standing(busy.get(name, 0), limit, at.timestamp() if at else 0.0)
    return found
