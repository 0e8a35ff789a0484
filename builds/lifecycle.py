"""Start, claim, run, stop, finish: the only code that sets Build.status.

States move only forward and by compare-and-set (see lease.py). A build is IN_PROGRESS from its start; it is queued as
long as no worker holds a lease on it.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F, Max
from django.utils import timezone
from redis.exceptions import RedisError

from builds import isolation, lease, running, service_role, starting
from builds.access import project_for
from builds.logs.seal import seal
from builds.logs.text import timestamp
from builds.models import Build, LogChunk, Phase, PhaseType, Project, Status
from builds.reporter import Reporter, store_chunks
from builds.runner import engine, phases
from builds.runner.executor import LOST
from builds.starting import Settings, settings_of
from codeservices import work
from codeservices.errors import NotFound
from codeservices.iam.authorize import authorize
from codeservices.iam.principal import Principal

logger = logging.getLogger(__name__)

RUN_TASK, QUEUE = "builds.tasks.run_build", "builds"
# The same token means the same build for so long. Source: AWS CodeBuild API reference, StartBuild, idempotencyToken.
TOKEN_LIFE = timedelta(minutes=5)
# A queued build whose message is older than this, while no message waits, has lost it.
MESSAGE_LIFE = timedelta(seconds=30)
# How long the log of a build that ended without it is looked for in the stream, which expires.
SEAL_LIFE = timedelta(hours=1)
TIMED_OUT_CONTEXT = ("BUILD_TIMED_OUT", "Build has timed out. ")


# ---- start ---------------------------------------------------------------------------------------------------------


def start_build(
    principal: Principal,
    project_name: str,
    overrides: Mapping[str, Any] | None = None,
    *,
    initiator: str = "",
) -> Build:
    """Queue a build of a project.

    Args:
        overrides: StartBuild's members: sourceVersion, buildspecOverride, environmentVariablesOverride, …,
            idempotencyToken.
        initiator: Who started it, where that is somebody else than the principal.

    Raises:
        AccessDenied: Of codebuild:StartBuild on the project, or what `settings_of` needs.
        NotFound: There is no such project.
        InvalidInput: An override breaks a rule.
    """
    overrides = overrides or {}
    context = isolation.environment_context(starting.environment_overrides(overrides))
    project = project_for(principal, "codebuild:StartBuild", project_name, context)
    token = overrides.get("idempotencyToken") or ""
    if token:
        recent = project.builds.filter(idempotency_token=token, started_at__gt=timezone.now() - TOKEN_LIFE).first()
        if recent is not None:
            return recent
    wanted = settings_of(principal, project, overrides)
    return _create(project, wanted, initiator or _initiator(principal), token)


def retry_build(principal: Principal, build: Build) -> Build:
    """Queue a build with the settings that an earlier one had.

    Raises:
        AccessDenied: Of codebuild:RetryBuild on the project.
        NotFound: The project is gone.
    """
    context = isolation.environment_context(build.environment)
    authorize(principal, "codebuild:RetryBuild", build.project_arn, context)
    if build.project is None:
        raise NotFound(f"The project {build.project_name} is gone, so its builds can't be retried.")
    wanted = Settings(
        source=build.source,
        source_version=build.source_version,
        secondary_sources=build.secondary_sources,
        secondary_source_versions=build.secondary_source_versions,
        artifacts=build.artifacts_config,
        secondary_artifacts=build.secondary_artifacts_config,
        environment=build.environment,
        cache=build.cache,
        service_role_arn=build.service_role_arn,
        timeout_minutes=build.timeout_minutes,
        queued_timeout_minutes=build.queued_timeout_minutes,
    )
    return _create(build.project, wanted, _initiator(principal), "")


def _create(project: Project, wanted: Settings, initiator: str, token: str) -> Build:
    now = timezone.now()
    with transaction.atomic():
        Project.objects.filter(pk=project.pk).update(last_build_number=F("last_build_number") + 1)
        number = Project.objects.values_list("last_build_number", flat=True).get(pk=project.pk)
        build = Build.objects.create(
            project=project,
            project_name=project.name,
            number=number,
            current_phase=PhaseType.QUEUED,
            initiator=initiator[:300],
            source=wanted.source,
            source_version=wanted.source_version,
            secondary_sources=wanted.secondary_sources,
            secondary_source_versions=wanted.secondary_source_versions,
            artifacts_config=wanted.artifacts,
            secondary_artifacts_config=wanted.secondary_artifacts,
            environment=wanted.environment,
            cache=wanted.cache,
            service_role_arn=wanted.service_role_arn,
            timeout_minutes=wanted.timeout_minutes,
            queued_timeout_minutes=wanted.queued_timeout_minutes,
            idempotency_token=token,
            started_at=now,
            queued_message_at=now,
        )
        Phase.objects.bulk_create(
            [
                Phase(
                    build=build, phase_type=PhaseType.SUBMITTED, status=Status.SUCCEEDED, started_at=now, ended_at=now
                ),
                Phase(build=build, phase_type=PhaseType.QUEUED, started_at=now),
            ]
        )
        transaction.on_commit(lambda: work.wake(RUN_TASK, build.pk))
    return build


def _initiator(principal: Principal) -> str:
    """As CodeBuild names it: the user, or ROLE/SESSION."""
    return f"{principal.name}/{principal.session_name}" if principal.session_name else principal.name


# ---- run -----------------------------------------------------------------------------------------------------------


def claim(build_pk: int) -> Build | None:
    """Take a queued build's lease; None while another holds it, or when the build is over.

    A build that waited for longer than it may is ended instead.
    """
    owner = work.new_owner()
    build = lease.take(build_pk, owner=owner, lease_owner="", stop_requested_at=None)
    if build is None:
        return None
    if _waited_too_long(build):
        _end(build, Status.TIMED_OUT, *TIMED_OUT_CONTEXT)
        return None
    Phase.objects.filter(build=build, phase_type=PhaseType.QUEUED).update(
        status=Status.SUCCEEDED, ended_at=timezone.now()
    )
    return build


def run(build: Build) -> str:
    """Run a claimed build to its end; the status it ended with, or LOST where another has ended it."""
    with Reporter(build) as report:
        try:
            result = phases.run(running.plan(build, report), running.executor(), report, report.interruption)
        except Exception as error:  # a defect of ours must not leave the build to its lease's end
            logger.exception("build %s", build.pk)
            report.abandon_log()
            message = f"An error of this server ended the build ({type(error).__name__}); its log has the details."
            with contextlib.suppress(lease.LeaseLost):
                _end(build, Status.FAULT, "INTERNAL_SERVICE_ERROR", message)
            return Status.FAULT
        if result.status == LOST:
            logger.warning("build %s was taken from this worker", build.pk)
            report.abandon_log()
            return LOST
        summary = report.close_log()
        try:
            finish(
                build,
                result.status,
                exported_variables=result.exported_variables,
                line_count=summary.line_count if summary is not None else None,
            )
        except lease.LeaseLost:
            logger.warning("build %s was taken from this worker at its very end", build.pk)
            return LOST
        return result.status


def finish(
    build: Build, status: str, *, exported_variables: Mapping[str, str] | None = None, line_count: int | None = None
) -> None:
    """Give a held build its final status; the lease and the credentials of its role's session end with it.

    Args:
        line_count: Of the complete log; None where it still has to be sealed.

    Raises:
        LeaseLost: It isn't held any more; nothing was written.
    """
    now = timezone.now()
    with transaction.atomic():
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
    logger.info("build %s ended %s", build.pk, status)


# ---- stop ----------------------------------------------------------------------------------------------------------


def stop_build(principal: Principal, build: Build) -> Build:
    """End a build early. A queued one is over at once, a running one within 5 seconds; a finished one stays as it is.

    Raises:
        AccessDenied: Of codebuild:StopBuild on the project.
    """
    authorize(principal, "codebuild:StopBuild", build.project_arn)
    Build.objects.filter(pk=build.pk, status=Status.IN_PROGRESS, stop_requested_at=None).update(
        stop_requested_at=timezone.now()
    )
    queued = lease.take(build.pk, owner=work.new_owner(), lease_owner="")
    if queued is not None:
        _end(queued, Status.STOPPED, "", "")
        return queued
    build.refresh_from_db()
    if not build.is_finished:
        # The worker sees the request in the database within two seconds; this only spares them.
        with contextlib.suppress(RedisError), contextlib.closing(lease.redis_client()) as redis:
            redis.publish(lease.stop_channel(build), "stop")
    return build


# ---- what a clock sets right -----------------------------------------------------------------------------------------


def end_expired_leases() -> int:
    """End builds whose worker went silent, builds that waited too long, and the logs of both; how many builds."""
    count = 0
    now = timezone.now()
    for row in Build.objects.filter(status=Status.IN_PROGRESS, lease_expires_at__lt=now):
        # The same lease, still expired: a worker that renewed it meanwhile keeps it.
        build = lease.take(
            row.pk,
            owner=work.new_owner(),
            lease_owner=row.lease_owner,
            lease_expires_at=row.lease_expires_at,
        )
        if build is None:
            continue
        count += 1
        host = work.host_of(row.lease_owner)
        if row.stop_requested_at is not None:
            _end(build, Status.STOPPED, "", "")
        else:
            message = f"The worker on {host} that ran this build went silent for {settings.LEASE_SECONDS} seconds."
            _end(build, Status.FAULT, "INTERNAL_SERVICE_ERROR", message)
    for row in Build.objects.filter(status=Status.IN_PROGRESS, lease_owner=""):
        if _waited_too_long(row):
            build = lease.take(row.pk, owner=work.new_owner(), lease_owner="")
            if build is not None:
                _end(build, Status.TIMED_OUT, *TIMED_OUT_CONTEXT)
                count += 1
    _seal_logs()
    if count:
        reap()
    return count


def requeue_builds() -> int:
    """Send queued builds again whose message seems lost: it is old, and none waits at the broker. How many."""
    horizon = timezone.now() - MESSAGE_LIFE
    lost = Build.objects.filter(status=Status.IN_PROGRESS, lease_owner="", queued_message_at__lt=horizon)
    if not lost.exists():
        return 0
    with contextlib.closing(lease.redis_client()) as redis:
        try:
            if redis.llen(QUEUE):
                return 0
        except RedisError as error:
            logger.warning("queued builds can't be sent again: %s", error)
            return 0
    count = 0
    for build in lost:
        again = Build.objects.filter(pk=build.pk, queued_message_at=build.queued_message_at, lease_owner="")
        if again.update(queued_message_at=timezone.now()):
            work.wake(RUN_TASK, build.pk)
            count += 1
    return count


def reap() -> list[str]:
    """Remove this host's containers and networks of builds that nobody runs any more; their ids."""

    def held_ids() -> set[str]:
        return {build.api_id for build in Build.objects.filter(status=Status.IN_PROGRESS).exclude(lease_owner="")}

    try:
        with contextlib.closing(engine.connect(settings.DOCKER_HOST)) as client:
            reaped = engine.reap(client, settings.ACCOUNT_ID, held_ids)
    except Exception as error:  # the engine is away: the next sweep tries again
        logger.warning("containers could not be reaped: %s", error)
        return []
    if reaped:
        logger.warning("reaped what was left of %s", ", ".join(sorted(set(reaped))))
    return reaped


def _waited_too_long(build: Build) -> bool:
    return build.started_at + timedelta(minutes=build.queued_timeout_minutes) < timezone.now()


def _end(build: Build, status: str, code: str, message: str) -> None:
    """End a build that no worker runs (any more): its open phase gets the reason."""
    now = timezone.now()
    line_count = _seal(build, [f"{timestamp(now)} {code}: {message}"] if code else [])
    with transaction.atomic():
        Phase.objects.filter(build=build, ended_at=None).exclude(phase_type=PhaseType.COMPLETED).update(
            status=status, ended_at=now, contexts=[{"statusCode": code, "message": message}]
        )
        finish(build, status, line_count=line_count)


def _seal(build: Build, closing: list[str]) -> int | None:
    """Finish the log of a build that nobody else writes to; None where Redis or storage is away."""
    stored = LogChunk.objects.filter(build=build).aggregate(end=Max(F("first_line") + F("line_count")))["end"] or 0
    with contextlib.closing(lease.redis_client()) as redis:
        try:
            return seal(str(build.uuid), redis, stored, lambda chunks: store_chunks(build, chunks), closing)
        except (RedisError, OSError) as error:
            logger.warning("build %s: its log is sealed later: %s", build.pk, error)
            return None


def _seal_logs() -> None:
    """Seal the logs of builds that ended while Redis or storage was away."""
    recent = Build.objects.filter(is_log_complete=False, ended_at__gt=timezone.now() - SEAL_LIFE)
    for build in recent.exclude(status=Status.IN_PROGRESS):
        line_count = _seal(build, [])
        if line_count is not None:
            Build.objects.filter(pk=build.pk, is_log_complete=False).update(
                is_log_complete=True, log_line_count=line_count
            )
