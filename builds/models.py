"""Build projects, builds with their phases and artifacts, and where a build's log lies.

`source`, `artifacts` and `environment` hold the API's own structures (ProjectSource, ProjectArtifacts,
ProjectEnvironment with environmentVariables): a build keeps a copy of what it ran with, whatever its project becomes.
"""

from __future__ import annotations

import uuid
from typing import Any

from django.conf import settings
from django.db import models
from django.utils import timezone

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


class Priority(models.IntegerChoices):
    """Which of the queued builds goes first."""

    LOW = -1, "Low"
    NORMAL = 0, "Normal"
    HIGH = 1, "High"


class Project(models.Model):
    """What to build, where, and what to keep of it."""

    name = models.CharField(max_length=150, unique=True)
    description = models.CharField(max_length=255, blank=True)
    source = models.JSONField()
    source_version = models.CharField(max_length=256, blank=True)
    # ProjectSources with a sourceIdentifier each, and ProjectSourceVersions.
    secondary_sources = models.JSONField(default=list, blank=True)
    secondary_source_versions = models.JSONField(default=list, blank=True)
    artifacts = models.JSONField()
    # ProjectArtifacts with an artifactIdentifier each.
    secondary_artifacts = models.JSONField(default=list, blank=True)
    environment = models.JSONField()
    cache = models.JSONField(default=dict, blank=True)
    logs_config = models.JSONField(default=dict, blank=True)
    service_role_arn = models.CharField(max_length=600)
    timeout_minutes = models.PositiveIntegerField(default=60)
    queued_timeout_minutes = models.PositiveIntegerField(default=480)
    # How many of its builds may run at once; None is as many as there are workers.
    concurrent_build_limit = models.PositiveIntegerField(null=True, blank=True)
    # How often a build that failed is started again by itself.
    auto_retry_limit = models.PositiveSmallIntegerField(default=0)
    priority = models.SmallIntegerField(choices=Priority, default=Priority.NORMAL)
    # Whether a new build of a branch stops the older ones of that branch.
    cancels_superseded = models.BooleanField(default=False)
    # Whether the status of its last build may be seen by whoever knows the badge's address.
    badge_enabled = models.BooleanField(default=False)
    badge_uuid = models.UUIDField(unique=True, null=True, editable=False)
    tags = models.JSONField(default=list, blank=True)
    # When a worker last took one of its builds: projects take turns.
    last_claimed_at = models.DateTimeField(null=True, editable=False)
    # Counts up for ever, so that a build number is never used twice.
    last_build_number = models.PositiveIntegerField(default=0, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def arn(self) -> str:
        return arn.project_arn(settings.REGION, settings.ACCOUNT_ID, self.name)

    @property
    def image(self) -> str:
        return self.environment.get("image", "")

    @property
    def compute_type(self) -> str:
        return self.environment.get("computeType", "")

    @property
    def repository_name(self) -> str:
        """The name of the source repository on this server, or "" for other sources."""
        return repository_name_of(self.source)


class Build(models.Model):
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
    def repository_name(self) -> str:
        return repository_name_of(self.source)

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


class Artifact(models.Model):
    """What a build left behind, stored under `key`."""

    build = models.ForeignKey(Build, on_delete=models.CASCADE, related_name="artifacts")
    # "" for the primary artifact, else its artifactIdentifier.
    identifier = models.CharField(max_length=128, blank=True)
    name = models.CharField(max_length=255)
    key = models.CharField(max_length=600)
    size_bytes = models.PositiveBigIntegerField()
    md5 = models.CharField(max_length=32)
    sha256 = models.CharField(max_length=64)
    # [{"path", "size_bytes"}] of the files inside, for the console's tree.
    files = models.JSONField(default=list, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["pk"]
        constraints = [models.UniqueConstraint(fields=["build", "identifier"], name="artifact_once_a_build")]

    def __str__(self) -> str:
        return self.name


class CacheEntry(models.Model):
    """Files that a project's builds may begin with, stored under `storage_key`."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="cache_entries")
    # What the buildspec's cache.key gave, or "" where it has none, and a digest of cache.paths.
    cache_key = models.CharField(max_length=512, blank=True)
    version = models.CharField(max_length=64)
    storage_key = models.CharField(max_length=600)
    size_bytes = models.PositiveBigIntegerField()
    sha256 = models.CharField(max_length=64)
    created_at = models.DateTimeField(default=timezone.now)
    used_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-created_at", "-pk"]
        constraints = [models.UniqueConstraint(fields=["project", "cache_key", "version"], name="cache_entry_once")]

    def __str__(self) -> str:
        return f"{self.project} {self.cache_key or '(no key)'}"


class EngineImage(models.Model):
    """An image that this installation brought to a Docker Engine, and so may remove again."""

    # The engine's own id, as `docker info` tells it.
    engine_id = models.CharField(max_length=128)
    reference = models.CharField(max_length=300)
    obtained_at = models.DateTimeField(default=timezone.now)
    used_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-used_at"]
        constraints = [models.UniqueConstraint(fields=["engine_id", "reference"], name="engine_image_once")]

    def __str__(self) -> str:
        return self.reference


class SourceCredential(models.Model):
    """A token or password for the git servers of one kind. One installation is one account, which has one of each."""

    server_type = models.CharField(max_length=40)
    auth_type = models.CharField(max_length=40)
    # The host it is for, where the kind alone does not tell it.
    host = models.CharField(max_length=255, blank=True)
    username = models.CharField(max_length=255, blank=True)
    encrypted_token = models.BinaryField()
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["server_type", "host"]
        constraints = [models.UniqueConstraint(fields=["server_type", "host"], name="source_credential_once")]

    def __str__(self) -> str:
        return f"{self.server_type} {self.host}".strip()


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


def repository_name_of(source: dict[str, Any]) -> str:
    """The repository that a CODECOMMIT source's clone URL names, or ""."""
    if source.get("type") != "CODECOMMIT":
        return ""
    _, found, name = source.get("location", "").rstrip("/").rpartition("/v1/repos/")
    return name.removesuffix(".git") if found else ""
