"""Stop a build, at whatever moment: it is over within five seconds.

A queued build is ended here. A running one is told, and its worker ends it; where the worker does not (a call that
hangs, a process that died), `end_stopped` takes the build from it.
"""

from __future__ import annotations

import contextlib
import logging
from datetime import timedelta

from django.utils import timezone
from redis.exceptions import RedisError

from builds import lease
from builds.lifecycle import endings
from builds.models import Build, Status
from codeservices import work
from codeservices.iam.authorize import authorize
from codeservices.iam.principal import Principal

logger = logging.getLogger(__name__)

END_TASK = "builds.tasks.end_stopped_build"
# A worker gets so long to end a build that it was told to stop; within five seconds it is over in any case.
PATIENCE_SECONDS = 4.0


def stop_build(principal: Principal, build: Build) -> Build:
    """End a build early. A queued one is over at once, a running one within 5 seconds; a finished one stays as it is.

    Raises:
        AccessDenied: Of codebuild:StopBuild on the project.
    """
    authorize(principal, "codebuild:StopBuild", build.project_arn)
    request(build, f"Stopped by {principal.name}.")
    carry_out(build.pk)
    build.refresh_from_db()
    return build


def request(build: Build, reason: str) -> None:
    """Write down that a build is to be stopped and why; the first one who asks is named."""
    Build.objects.filter(pk=build.pk, status=Status.IN_PROGRESS, stop_requested_at=None).update(
        stop_requested_at=timezone.now(), stop_reason=reason[:300]
    )


def carry_out(build_pk: int) -> None:
    """End a build whose stop was requested where it is queued; else tell its worker."""
    queued = lease.take(build_pk, owner=work.new_owner(), lease_owner="", stop_requested_at__isnull=False)
    if queued is not None:
        endings.end(queued, Status.STOPPED, "", queued.stop_reason)
        return
    build = Build.objects.filter(pk=build_pk, status=Status.IN_PROGRESS).first()
    if build is None:
        return
    # The worker sees the request in the database within two seconds; this only spares them.
    with contextlib.suppress(RedisError), contextlib.closing(lease.redis_client()) as redis:
        redis.publish(lease.stop_channel(build), "stop")
    work.wake(END_TASK, build_pk, after_seconds=PATIENCE_SECONDS)


def end_stopped(build_pk: int) -> bool:
    """End a build that was to be stopped PATIENCE_SECONDS ago and goes on; whether there was something to end."""
    row = Build.objects.filter(pk=build_pk, status=Status.IN_PROGRESS, stop_requested_at__isnull=False).first()
    if row is None or row.stop_requested_at is None:
        return False
    # A tenth of a second less: the message may come that much early.
    if timezone.now() - row.stop_requested_at < timedelta(seconds=PATIENCE_SECONDS - 0.1):
        return False
    build = lease.take(row.pk, owner=work.new_owner(), lease_owner=row.lease_owner)
    if build is None:
        return False
    logger.warning("build %s did not end by itself and is taken from %s", build.pk, row.lease_owner or "the queue")
    endings.end(build, Status.STOPPED, "", build.stop_reason)
    return True
