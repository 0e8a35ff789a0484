"""Repositories, their triggers, and pushes: the outbox that tells the rest of the product what moved."""

from __future__ import annotations

import uuid
from functools import cached_property

from django.conf import settings
from django.db import models
from django.utils import timezone

from codeservices.iam import arn
from repos.git import refs, store


class Repository(models.Model):
    """A git repository with a name. Its objects lie under `repository_id`, never under the name."""

    repository_id = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=100, unique=True)
    description = models.CharField(max_length=1000, blank=True)
    tags = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(default=timezone.now, editable=False)
    last_push_at = models.DateTimeField(null=True, editable=False)
    # Renewed whenever the list of triggers changes; told in every event a trigger sends.
    trigger_configuration_id = models.UUIDField(default=uuid.uuid4, editable=False)

    class Meta:
        verbose_name_plural = "repositories"
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def arn(self) -> str:
        return arn.repository_arn(settings.REGION, settings.ACCOUNT_ID, self.name)

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


class Trigger(models.Model):
    """What to tell when a ref moves: a destination (ARN), for which events and branches."""

    repository = models.ForeignKey(Repository, on_delete=models.CASCADE, related_name="triggers")
    name = models.CharField(max_length=100)
    destination_arn = models.CharField(max_length=600)
    events = models.JSONField(default=list)
    branches = models.JSONField(default=list, blank=True)
    custom_data = models.CharField(max_length=1000, blank=True)
    position = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ["position", "pk"]
        constraints = [models.UniqueConstraint(fields=["repository", "name"], name="trigger_name_unique")]

    def __str__(self) -> str:
        return self.name


class PushState(models.TextChoices):
    BEGUN = "BEGUN", "Begun"
    RECORDED = "RECORDED", "Recorded"
    DELIVERED = "DELIVERED", "Delivered"
    DROPPED = "DROPPED", "Dropped"


class Push(models.Model):
    """One push. Begun before its pack is read, recorded once its refs have moved, delivered to those who listen.

    `commands` holds {"refname", "old_oid", "new_oid"} for each ref: as asked while BEGUN, as moved once RECORDED; an
    oid of forty zeros means that the ref did not exist before or does not any more.
    """

    push_id = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    repository = models.ForeignKey(Repository, on_delete=models.CASCADE, related_name="pushes")
    principal_arn = models.CharField(max_length=600)
    principal_name = models.CharField(max_length=128, blank=True)
    state = models.CharField(max_length=9, choices=PushState, default=PushState.BEGUN)
    commands = models.JSONField(default=list)
    # Which process reads the pack, so that a start-up recovers only what a dead one left.
    owner = models.CharField(max_length=128, blank=True)
    begun_at = models.DateTimeField(default=timezone.now)
    recorded_at = models.DateTimeField(null=True)
    delivered_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name_plural = "pushes"
        ordering = ["-pk"]
        indexes = [models.Index(fields=["state", "begun_at"], name="push_by_state")]

    def __str__(self) -> str:
        return f"{self.repository_id} {self.state} {self.begun_at:%Y-%m-%d %H:%M:%S}"
