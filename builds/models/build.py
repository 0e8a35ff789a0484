"""Builds with their phases, and where a build's log lies.

A build keeps a copy of what it ran with, in the API's own structures, whatever its project becomes.
"""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.utils import timezone

from builds.models.project import Priority, Project
from builds.models.source import Sources
from codeservices.iam import arn


class Status(models.TextChoices):
    """CodeBuild's StatusType."""

    IN_PROGRESS = "IN_PROGRESS", "In progress"
    SUCCEEDED = "SUCCEEDED", "Succeeded"
    FAILED = "FAILED", "Failed"
    FAULT = "FAULT", "Fault"
    TIMED_OUT = "TIMED_OUT", "Timed out"
    STOPPED = "STOPPED", "Stopped"


class PhaseType(models.TextChoices):
    """CodeBuild's BuildPhaseType, in the order in which phases come."""

    SUBMITTED = "SUBMITTED", "Submitted"
    QUEUED = "QUEUED", "Queued"
    PROVISIONING = "PROVISIONING", "Provisioning"
    DOWNLOAD_SOURCE = "DOWNLOAD_SOURCE", "Download source"
    INSTALL = "INSTALL", "Install"
    PRE_BUILD = "PRE_BUILD", "Pre-build"
    BUILD = "BUILD", "Build"
    POST_BUILD = "POST_BUILD", "Post-build"
    UPLOAD_ARTIFACTS = "UPLOAD_ARTIFACTS", "Upload artifacts"
    FINALIZING = "FINALIZING", "Finalizing"
    COMPLETED = "COMPLETED", "Completed"


class Build(Sources, models.Model):
    """One run of a project. Its status is set by builds/lifecycle/ alone."""

    uuid = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    # Builds outlive their project, as in CodeBuild.
    project = models.ForeignKey(Project, null=True, on_delete=models.SET_NULL, related_name="builds")
    project_name = models.CharField(max_length=150)
    number = models.PositiveIntegerField()
    status = models.CharField(max_length=11, choices=Status, default=Status.IN_PROGRESS)
    current_phase = models.CharField(max_length=16, choices=PhaseType, default=PhaseType.SUBMITTED)
    initiator = models.CharField(max_length=300)
    source = models.JSONField()
    source_version = models.CharField(max_length=512, blank=True)
    resolved_source_oid = models.CharField(max_length=64, blank=True)
    secondary_sources = models.JSONField(default=list, blank=True)
    secondary_source_versions = models.JSONField(default=list, blank=True)
    artifacts_config = models.JSONField()
    secondary_artifacts_config = models.JSONField(default=list, blank=True)
    environment = models.JSONField()
    cache = models.JSONField(default=dict, blank=True)
    # Whose caches it writes: "" for those of its branch, else the ARN of whoever started it otherwise than the project
    # says, without being allowed to change the project (see builds/caches/scopes.py).
    cache_owner = models.CharField(max_length=600, blank=True)
    service_role_arn = models.CharField(max_length=600)
    timeout_minutes = models.PositiveIntegerField(default=60)
    queued_timeout_minutes = models.PositiveIntegerField(default=480)
    priority = models.SmallIntegerField(choices=Priority, default=Priority.NORMAL)
    auto_retry_limit = models.PositiveSmallIntegerField(default=0)
    # How many automatic retries led to this build, and of which build it is one.
    auto_retry_number = models.PositiveSmallIntegerField(default=0)
    auto_retry_of = models.OneToOneField(
        "self", null=True, editable=False, on_delete=models.SET_NULL, related_name="auto_retry"
    )
    exported_variables = models.JSONField(default=list, blank=True)
    idempotency_token = models.CharField(max_length=128, blank=True)
    # Of what was asked for under the token: other parameters under the same one are refused.
    request_digest = models.CharField(max_length=64, blank=True)
    started_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True)
    # When a worker took it out of the queue.
    claimed_at = models.DateTimeField(null=True)
    stop_requested_at = models.DateTimeField(null=True)
    # One sentence on who or what stopped it.
    stop_reason = models.CharField(max_length=300, blank=True)
    # Whose work it is: the worker that holds an unexpired lease, and nobody else, may write to this build.
    lease_owner = models.CharField(max_length=128, blank=True)
    lease_expires_at = models.DateTimeField(null=True)
    # The sweep found the lease run out; its holder may still renew it, as a clock that was set ends no build.
    lease_doubted_at = models.DateTimeField(null=True)
    queued_message_at = models.DateTimeField(null=True)
    log_line_count = models.PositiveBigIntegerField(default=0)
    is_log_complete = models.BooleanField(default=False)
    # How many lines of a log that grew over its limits are in neither of its two parts.
    log_left_out_lines = models.PositiveBigIntegerField(default=0)

    class Meta:
        ordering = ["-pk"]
        constraints = [models.UniqueConstraint(fields=["project", "number"], name="build_number_unique")]
        indexes = [
            models.Index(fields=["status", "lease_expires_at"], name="build_by_lease"),
            models.Index(fields=["project_name", "-id"], name="build_by_project"),
            models.Index(fields=["resolved_source_oid"], name="build_by_commit"),
        ]

    def __str__(self) -> str:
        return f"{self.project_name} #{self.number}"

    @property
    def api_id(self) -> str:
        """The API's build id, NAME:UUID."""
        return f"{self.project_name}:{self.uuid}"

    @property
    def arn(self) -> str:
        return arn.build_arn(settings.REGION, settings.ACCOUNT_ID, self.project_name, str(self.uuid))

    @property
    def project_arn(self) -> str:
        """Builds are authorized through their project's ARN."""
        return arn.project_arn(settings.REGION, settings.ACCOUNT_ID, self.project_name)

    @property
    def is_queued(self) -> bool:
        """Whether it waits for a worker."""
        return not self.is_finished and not self.lease_owner

    @property
    def is_finished(self) -> bool:
        return self.status != Status.IN_PROGRESS

    @property
    def duration_seconds(self) -> float:
        """From submission to the end, or to now."""
        return ((self.ended_at or timezone.now()) - self.started_at).total_seconds()


class Phase(models.Model):
    """One phase of a build, from its start."""

    build = models.ForeignKey(Build, on_delete=models.CASCADE, related_name="phases")
    phase_type = models.CharField(max_length=16, choices=PhaseType)
    status = models.CharField(max_length=11, choices=Status, blank=True)
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    # [{"statusCode", "message"}], as the API tells them.
    contexts = models.JSONField(default=list, blank=True)
    first_line = models.PositiveBigIntegerField(null=True)

    class Meta:
        ordering = ["pk"]
        constraints = [models.UniqueConstraint(fields=["build", "phase_type"], name="phase_once_a_build")]

    def __str__(self) -> str:
        return f"{self.phase_type} {self.status}"

    @property
    def duration_seconds(self) -> float:
        return ((self.ended_at or timezone.now()) - self.started_at).total_seconds()


class LogChunk(models.Model):
    """A closed, immutable run of log lines in storage: the sparse index of a build's log."""

    build = models.ForeignKey(Build, on_delete=models.CASCADE, related_name="log_chunks")
    first_line = models.PositiveBigIntegerField()
    line_count = models.PositiveIntegerField()
    size_bytes = models.PositiveBigIntegerField()
    key = models.CharField(max_length=600)

    class Meta:
        ordering = ["first_line"]
        constraints = [models.UniqueConstraint(fields=["build", "first_line"], name="log_chunk_once")]

    def __str__(self) -> str:
        return f"{self.first_line}+{self.line_count}"
