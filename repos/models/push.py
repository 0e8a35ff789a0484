"""Pushes: the outbox that tells the rest of the product what moved."""

from __future__ import annotations

import uuid

from django.db import models
from django.utils import timezone

from repos.git import refs
from repos.git.refs import RefCommand
from repos.models.repository import Repository


class PushState(models.TextChoices):
    """How far a push has come; a dropped one moved nothing."""

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
    # What `git push -o` gave, for those who listen: ["ci.skip"].
    options = models.JSONField(default=list, blank=True)
    # All refs or none: recovery moves the rest of one that a crash interrupted between two refs.
    is_atomic = models.BooleanField(default=False)
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

    @property
    def ref_commands(self) -> list[RefCommand]:
        """`commands` as git's wire has them."""
        return [RefCommand(refs.unescaped(one["refname"]), one["old_oid"], one["new_oid"]) for one in self.commands]
