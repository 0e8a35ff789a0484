"""Rows of builds: those that wait, those that run, and a new one with its number and its first phases."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from builds.models import Build, Phase, PhaseType, Project, Status
from builds.starting import Settings
from codeservices import work
from codeservices.errors import LimitExceeded

RUN_TASK = "builds.tasks.run_build"


def queued() -> QuerySet[Build]:
    """The builds that wait for a worker."""
    return Build.objects.filter(status=Status.IN_PROGRESS, lease_owner="", stop_requested_at=None)


def running() -> QuerySet[Build]:
    """The builds that a worker holds."""
    return Build.objects.filter(status=Status.IN_PROGRESS).exclude(lease_owner="")


def wake(build_pk: int) -> None:
    """Tell a worker to look at the queue; the build named is why."""
    work.wake(RUN_TASK, build_pk)


def create(
    project: Project,
    wanted: Settings,
    initiator: str,
    *,
    token: str = "",
    request_digest: str = "",
    retry_of: Build | None = None,
) -> Build:
    """A queued build, whose message is sent when the transaction commits. The project's row stays locked until then.

    Args:
        retry_of: The build of which this is the automatic retry.

    Raises:
        LimitExceeded: Too many builds wait.
    """
    now = timezone.now()
    with transaction.atomic():
        Project.objects.filter(pk=project.pk).update(last_build_number=F("last_build_number") + 1)
        number = Project.objects.values_list("last_build_number", flat=True).get(pk=project.pk)
        _check_room()
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
            cache_owner=wanted.cache_owner,
            service_role_arn=wanted.service_role_arn,
            timeout_minutes=wanted.timeout_minutes,
            queued_timeout_minutes=wanted.queued_timeout_minutes,
            priority=wanted.priority,
            auto_retry_limit=wanted.auto_retry_limit,
            auto_retry_number=0 if retry_of is None else retry_of.auto_retry_number + 1,
            auto_retry_of=retry_of,
            idempotency_token=token,
            request_digest=request_digest,
            started_at=now,
            queued_message_at=now,
        )
        Phase.objects.bulk_create(_first_phases(build, now))
        transaction.on_commit(lambda: wake(build.pk))
    return build


def _first_phases(build: Build, now: datetime) -> list[Phase]:
    submitted = Phase(
        build=build, phase_type=PhaseType.SUBMITTED, status=Status.SUCCEEDED, started_at=now, ended_at=now
    )
    return [submitted, Phase(build=build, phase_type=PhaseType.QUEUED, started_at=now)]


def _check_room() -> None:
    limit = settings.BUILD_QUEUE_LIMIT
    if queued().count() >= limit:
        raise LimitExceeded(
            f"Cannot have more than {limit} builds in queue for the account",
            code="AccountLimitExceededException",
            hint="Wait until some of them have run, or stop those that nobody needs.",
        )
