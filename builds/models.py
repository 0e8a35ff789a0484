"""Build projects, builds with their phases and artifacts, and where a build's log lies.

`source`, `artifacts` and `environment` hold the API's own structures (ProjectSource, ProjectArtifacts,
ProjectEnvironment with environmentVariables): a build keeps a copy of what it ran with, whatever its project becomes.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
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
    # Builds that started before this leave no cache behind.
    cache_invalidated_at = models.DateTimeField(null=True, editable=False)
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

    @property
    def secondary(self) -> list[SecondarySource]:
        return secondary_of(self)


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
    def repository_name(self) -> str:
        return repository_name_of(self.source)

    @property
    def secondary(self) -> list[SecondarySource]:
        return secondary_of(self)

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


class Packaging(models.TextChoices):
    """CodeBuild's ArtifactPackaging."""

    NONE = "NONE", "Files"
    ZIP = "ZIP", "ZIP"


class Artifact(models.Model):
    """What a build left behind in the object store: one ZIP, or a folder of files."""

    build = models.ForeignKey(Build, on_delete=models.CASCADE, related_name="artifacts")
    # "" for the primary artifact, else its artifactIdentifier.
    identifier = models.CharField(max_length=128, blank=True)
    name = models.CharField(max_length=255)
    packaging = models.CharField(max_length=4, choices=Packaging)
    bucket = models.CharField(max_length=63)
    # The object's key, or what the keys of the files begin with, without the slash behind it.
    key = models.CharField(max_length=1024, blank=True)
    # When the object was stored: one of another time, under the same key, is not this build's.
    object_modified_at = models.DateTimeField(null=True)
    # Where the list of a folder's files lies (see builds/artifacts/manifest.py); a ZIP lists its own.
    manifest_key = models.CharField(max_length=200, blank=True)
    size_bytes = models.PositiveBigIntegerField()
    file_count = models.PositiveIntegerField(default=0)
    # Of the ZIP, in hex.
    md5 = models.CharField(max_length=32, blank=True)
    sha256 = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["pk"]
        constraints = [models.UniqueConstraint(fields=["build", "identifier"], name="artifact_once_a_build")]

    def __str__(self) -> str:
        return self.name

    @property
    def arn(self) -> str:
        """Where it is: what the API calls its location, and what policies decide on."""
        return f"arn:aws:s3:::{self.bucket}/{self.key}".rstrip("/")

    @property
    def is_zip(self) -> bool:
        return self.packaging == Packaging.ZIP


class CacheEntry(models.Model):
    """Files that later builds may begin with: an object in the object store, or a file on one worker's disk.

    Which builds find it is its `scope` (see builds/caches/scopes.py); what it is made of never changes under a key.
    """

    # Whose build wrote it; nobody's where the project is gone and others share its namespace.
    project = models.ForeignKey(Project, null=True, on_delete=models.SET_NULL, related_name="cache_entries")
    namespace = models.CharField(max_length=255, blank=True)
    refname = models.CharField(max_length=255, blank=True)
    # The worker's machine, of a local cache.
    host = models.CharField(max_length=64, blank=True)
    # A digest of all that keeps the caches of one apart from those of others.
    scope = models.CharField(max_length=64)
    # What the buildspec's cache.key gave, or "" where it has none, and a digest of cache.paths.
    cache_key = models.CharField(max_length=512, blank=True)
    version = models.CharField(max_length=64)
    # Where it lies: a bucket and a key, or without a bucket a file's name on the worker's disk.
    bucket = models.CharField(max_length=63, blank=True)
    key = models.CharField(max_length=1024)
    object_modified_at = models.DateTimeField(null=True)
    size_bytes = models.PositiveBigIntegerField()
    file_count = models.PositiveIntegerField(default=0)
    # What its bytes must give: others may write to a bucket, but not here.
    sha256 = models.CharField(max_length=64)
    created_at = models.DateTimeField(default=timezone.now)
    used_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name = "cache"
        ordering = ["-created_at", "-pk"]
        constraints = [models.UniqueConstraint(fields=["scope", "version", "cache_key"], name="cache_entry_once")]
        indexes = [models.Index(fields=["host", "used_at"], name="cache_entry_by_use")]

    def __str__(self) -> str:
        return self.cache_key or "(no key)"


class Leftover(models.Model):
    """Bytes in the object store that belong to nothing any more; the sweep removes them (see builds/retention.py).

    Written in the transaction that removes what they belonged to. A build that stores many objects, which takes more
    than one transaction, writes one with each of them and takes them back with the row that names them all: what a
    killed worker has stored by then is left over as soon as its build has ended.
    """

    # The build that is storing them now; of one that runs they are not left over yet.
    build = models.ForeignKey(Build, null=True, on_delete=models.SET_NULL, related_name="+")
    bucket = models.CharField(max_length=63)
    key = models.CharField(max_length=1024, blank=True)
    # Only the object that was stored then is removed: what somebody put there later is theirs.
    object_modified_at = models.DateTimeField(null=True)
    manifest_key = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.bucket}/{self.key}"


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

    server_type = models.CharField(max_length=40, unique=True)
    auth_type = models.CharField(max_length=40)
    # The only host that it is ever sent to, with its port where that is not 443; "" until it is known.
    host = models.CharField(max_length=255, blank=True)
    username = models.CharField(max_length=255, blank=True)
    # Under the master key; empty where a secret of this server's store holds the token.
    encrypted_token = models.BinaryField(default=b"")
    secret_arn = models.CharField(max_length=600, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["server_type"]

    def __str__(self) -> str:
        return f"{self.server_type} {self.host}".strip()

    @property
    def arn(self) -> str:
        return f"arn:aws:codebuild:{settings.REGION}:{settings.ACCOUNT_ID}:token/{self.server_type.lower()}"


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


@dataclass(frozen=True)
class SecondarySource:
    """A secondary source as pages show it; `repository_name` is "" for those that are not of this server."""

    identifier: str
    location: str
    version: str
    repository_name: str


def secondary_of(row: Project | Build) -> list[SecondarySource]:
    """The secondary sources of a project or a build, each with the version that is asked for."""
    versions = {one["sourceIdentifier"]: one["sourceVersion"] for one in row.secondary_source_versions}
    return [
        SecondarySource(
            one["sourceIdentifier"],
            one.get("location", ""),
            versions.get(one["sourceIdentifier"], ""),
            repository_name_of(one),
        )
        for one in row.secondary_sources
    ]
