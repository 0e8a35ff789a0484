"""Projects: what to build, where, and what to keep of it.

`source`, `artifacts` and `environment` hold the API's own structures (ProjectSource, ProjectArtifacts,
ProjectEnvironment with environmentVariables).
"""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone

from builds.models.source import Sources
from codeservices.iam import arn


class Priority(models.IntegerChoices):
    """Which of the queued builds goes first."""

    LOW = -1, "Low"
    NORMAL = 0, "Normal"
    HIGH = 1, "High"


class Project(Sources, models.Model):
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
