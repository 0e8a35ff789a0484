"""What a clock sets right: builds whose worker died, builds that waited too long, lost messages, orphans, open logs."""

from __future__ import annotations

import contextlib
import logging
from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from builds import lease, worker_networks
from builds.lifecycle import endings, stops
from builds.lifecycle.queue import claimable, waited_too_long, waiting_messages, wake_next
from builds.lifecycle.records import queued, running, wake
from builds.models import Build, Status
from builds.runner import engine
from codeservices import work

logger = logging.getLogger(__name__)

# A queued build whose message is older than this, while no message waits, has lost it.
MESSAGE_LIFE = timedelta(seconds=30)
MAX_MESSAGES = 100
# How long the log of a build that ended without it is looked for in the stream, which expires.
SEAL_LIFE = timedelta(hours=1)


def end_expired_leases() -> int:
    """End builds that nobody runs any more, that wait for too long, or that were told to stop; how many.

    A lease that has run out is doubted first: a worker that lives renews it within seconds, so that a machine whose
    clock was set loses no build.
    """
    count = 0
    for row in lease.run_out():
        if row.lease_doubted_at is None:
            lease.doubt(row)
            continue
        # The same lease, still expired: a worker that renewed it meanwhile keeps it.
        build = lease.take(
            row.pk,
            owner=work.new_owner(),
            lease_owner=row.lease_owner,
            lease_expires_at=row.lease_expires_at,
        )
        if build is not None:
            _end_silent(build, work.host_of(row.lease_owner))
            count += 1
    for row in queued():
        if waited_too_long(row):
            build = lease.take(row.pk, owner=work.new_owner(), lease_owner="")
            if build is not None:
                endings.end(build, Status.TIMED_OUT, *endings.TIMED_OUT_CONTEXT)
                count += 1
    for pk in Build.objects.filter(status=Status.IN_PROGRESS, stop_requested_at__isnull=False).values_list("pk"):
        count += stops.end_stopped(*pk)
    _seal_logs()
    if count:
        reap()
        wake_next()
    return count


def requeue_builds() -> int:
    """Send messages again for builds that may begin and whose message seems lost. How many.

    It is lost when it is old and none waits at the broker. Builds that wait for others need none: these wake the next
    one when they end.
    """
    horizon = timezone.now() - MESSAGE_LIFE
    if not queued().filter(queued_message_at__lt=horizon).exists():
        return 0
    if waiting_messages() != 0:
        return 0
    count = 0
    for pk in claimable()[:MAX_MESSAGES]:
        if queued().filter(pk=pk, queued_message_at__lt=horizon).update(queued_message_at=timezone.now()):
            wake(pk)
            count += 1
    return count


def reap() -> list[str]:
    """Remove this host's containers, networks and volumes of builds that nobody runs any more; those builds' ids."""

    def held_ids() -> set[str]:
        return {build.api_id for build in running()}

    try:
        with contextlib.closing(engine.connect(settings.DOCKER_HOST)) as client:
            reaped = engine.reap(client, settings.ACCOUNT_ID, held_ids, worker_networks.is_kept)
    except engine.ENGINE_ERRORS as error:  # it is away: the next sweep tries again
        logger.warning("containers could not be reaped: %s", error)
        return []
    if reaped:
        logger.warning("reaped what was left of %s", ", ".join(sorted(set(reaped))))
    return reaped


def _end_silent(build: Build, host: str) -> None:
    """End a build whose worker died."""
    if build.stop_requested_at is not None:
        endings.end(build, Status.STOPPED, "", build.stop_reason)
        return
    message = f"The worker on {host} that ran this build went silent for {settings.LEASE_SECONDS} seconds."
    endings.end(build, Status.FAULT, "INTERNAL_SERVICE_ERROR", message)


def _seal_logs() -> None:
    """Seal the logs of builds that ended while Redis or storage was away."""
    recent = Build.objects.filter(is_log_complete=False, ended_at__gt=timezone.now() - SEAL_LIFE)
    for build in recent.exclude(status=Status.IN_PROGRESS):
        line_count = endings.seal_log(build, [])
        if line_count is not None:
            Build.objects.filter(pk=build.pk, is_log_complete=False).update(
                is_log_complete=True, log_line_count=line_count
            )
