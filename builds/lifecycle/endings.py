"""How a build ends: its final status, its sealed log, and the automatic retry of one that failed."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from django.db import transaction
from django.db.models import F, Max
from django.utils import timezone
from redis.exceptions import RedisError

from builds import branches, lease, service_role
from builds.lifecycle import records
from builds.logs.seal import seal
from builds.logs.text import timestamp
from builds.models import Build, LogChunk, Phase, PhaseType, Project, Status
from builds.reporter import store_chunks, write_phases
from builds.starting import settings_of_build
from codeservices.errors import LimitExceeded

logger = logging.getLogger(__name__)

TIMED_OUT_CONTEXT = ("BUILD_TIMED_OUT", "Build has timed out. ")
# A build that was stopped has what was wanted; one that never ran would wait in vain again.
RETRIED = (Status.FAILED, Status.FAULT, Status.TIMED_OUT)


def finish(
    build: Build,
    status: str,
    *,
    phases: Sequence[Mapping[str, Any]] = (),
    exported_variables: Mapping[str, str] | None = None,
    line_count: int | None = None,
) -> None:
    """Give a held build its final status; the lease and the credentials of its role's session end with it.

    Where it failed and may be retried by itself, the retry is queued in the same transaction.

    Args:
        phases: The last ones, as `write_phases` takes them, where a worker has run all of them.
        line_count: Of the complete log; None where it still has to be sealed.

    Raises:
        LeaseLost: It isn't held any more; nothing was written.
    """
    with transaction.atomic():
        project = _project_to_retry(build, status)
        # A clock that was set back must not make a build end before it began.
        now = max(timezone.now(), build.started_at)
        if phases:
            write_phases(build, phases)
        else:
            Phase.objects.get_or_create(
                build=build, phase_type=PhaseType.COMPLETED, defaults={"started_at": now, "first_line": line_count}
            )
        lease.change(
            build,
            status=status,
            current_phase=PhaseType.COMPLETED,
            ended_at=now,
            exported_variables=[{"name": name, "value": value} for name, value in (exported_variables or {}).items()],
            is_log_complete=line_count is not None,
            log_line_count=line_count or 0,
            lease_expires_at=None,
        )
        service_role.release(build)
        if project is not None:
            _retry(build, project)
    logger.info("build %s ended %s", build.pk, status)


def end(build: Build, status: str, code: str, message: str) -> None:
    """End a held build that no worker runs (any more): its open phase gets the reason, its log a last line.

    Raises:
        LeaseLost: It isn't held any more; nothing was written.
    """
    why = ": ".join(filter(None, (code, message)))
    line_count = seal_log(build, [f"{timestamp(timezone.now())} {why}"] if why else [])
    end_phases(build, status, code, message, line_count=line_count)


def end_phases(build: Build, status: str, code: str, message: str, *, line_count: int | None) -> None:
    """`end` of a build whose log is closed; None where it is to be sealed later."""
    now = timezone.now()
    with transaction.atomic():
        open_phases = Phase.objects.filter(build=build, ended_at=None).exclude(phase_type=PhaseType.COMPLETED)
        # The project's row is locked before the build's, as everywhere.
        project_pk = build.project_id
        if project_pk is not None and status in RETRIED and build.auto_retry_limit:
            Project.objects.select_for_update().filter(pk=project_pk).first()
        outcome = {"status": status, "ended_at": now, "contexts": [{"statusCode": code, "message": message}]}
        if not open_phases.update(**outcome):
            _tell_in_finalizing(build, outcome)
        finish(build, status, line_count=line_count)


def _tell_in_finalizing(build: Build, outcome: Mapping[str, Any]) -> None:
    """Its worker went between two phases: what was not done is to bring it to its end, and the reason stands there.

    Where COMPLETED has begun without a FINALIZING, PROVISIONING has failed and tells why.
    """
    phases = Phase.objects.filter(build=build)
    if phases.filter(phase_type=PhaseType.FINALIZING).update(**outcome):
        return
    if not phases.filter(phase_type=PhaseType.COMPLETED).exists():
        Phase.objects.create(build=build, phase_type=PhaseType.FINALIZING, started_at=outcome["ended_at"], **outcome)


def seal_log(build: Build, closing: list[str]) -> int | None:
    """Finish the log of a build that nobody else writes to; None where Redis or storage is away."""
    stored = LogChunk.objects.filter(build=build).aggregate(end=Max(F("first_line") + F("line_count")))["end"] or 0
    with contextlib.closing(lease.redis_client()) as redis:
        try:
            return seal(str(build.uuid), redis, stored, lambda chunks: store_chunks(build, chunks), closing)
        except (RedisError, OSError) as error:
            logger.warning("build %s: its log is sealed later: %s", build.pk, error)
            return None


def _project_to_retry(build: Build, status: str) -> Project | None:
    """The locked project of a build that is to be retried by itself."""
    if status not in RETRIED or build.claimed_at is None or build.auto_retry_number >= build.auto_retry_limit:
        return None
    if build.project_id is None or build.stop_requested_at is not None:
        return None
    project = Project.objects.select_for_update().filter(pk=build.project_id).first()
    if project is None or (project.cancels_superseded and branches.is_superseded(build)):
        return None
    return project


def _retry(build: Build, project: Project) -> None:
    try:
        with transaction.atomic():
            again = records.create(project, settings_of_build(build), build.initiator, retry_of=build)
    except LimitExceeded as error:
        logger.warning("build %s is not retried: %s", build.pk, error.message)
        return
    logger.info("build %s is retried as %s", build.pk, again.pk)
