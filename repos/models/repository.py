"""Repositories: the row beside the bare repository on disk."""

from __future__ import annotations

import uuid
from functools import cached_property

from django.conf import settings
from django.db import models
from django.utils import timezone

from codeservices.iam import arn
from repos.git import refs, store


class LiveRepositories(models.Manager["Repository"]):
    """Those that are not deleted: all that any door but the page of deleted ones may see."""

    def get_queryset(self) -> models.QuerySet[Repository]:
        """Without the deleted ones."""
        return super().get_queryset().filter(deleted_at=None)


class Repository(models.Model):
    """A git repository with a name. Its objects lie under `repository_id`, never under the name.

    A deleted one keeps its row and its objects until they are purged: `objects` leaves it out, `all_objects` has it.
    """

    repository_id = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=100)
    description = models.CharField(max_length=1000, blank=True)
    tags = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(default=timezone.now, editable=False)
    last_push_at = models.DateTimeField(null=True, editable=False)
    # Renewed whenever the list of triggers changes; told in every event a trigger sends.
    trigger_configuration_id = models.UUIDField(default=uuid.uuid4, editable=False)
    # Read-only since then: no push, no change of refs, no mirror.
    archived_at = models.DateTimeField(null=True, editable=False)
    deleted_at = models.DateTimeField(null=True, editable=False)
    deleted_by = models.CharField(max_length=600, blank=True, editable=False)  # the principal's ARN
    # What its objects and refs take on disk, as measured after a push and by upkeep.
    size_bytes = models.BigIntegerField(default=0, editable=False)
    size_measured_at = models.DateTimeField(null=True, editable=False)
    # None stands for the installation's default, CODESERVICES_REPOSITORY_QUOTA_BYTES.
    quota_bytes = models.BigIntegerField(null=True, blank=True)

    objects = LiveRepositories()
    all_objects = models.Manager["Repository"]()

    class Meta:
        verbose_name_plural = "repositories"
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(
                fields=["name"], condition=models.Q(deleted_at=None), name="repository_name_unique_while_live"
            )
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def arn(self) -> str:
        return arn.repository_arn(settings.REGION, settings.ACCOUNT_ID, self.name)

    @property
    def deleted_by_name(self) -> str:
        """Who deleted it, as people call them: "user/alice"."""
        return self.deleted_by.rpartition(":")[2]

    @cached_property
    def git(self) -> store.BareRepository:
        """The bare repository on disk."""
        return store.open_repository(settings.GIT_ROOT, str(self.repository_id))

    @property
    def default_branch(self) -> str | None:
        """The short name of HEAD's branch, or None until a first branch exists."""
        return refs.default_branch(self.git)

    def clone_url(self, origin: str) -> str:
        """The HTTPS clone URL under `origin` ("https://host:8443"), or under BASE_URL where that is set."""
        return f"{settings.BASE_URL or origin}/v1/repos/{self.name}"
