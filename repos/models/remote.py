"""What imports and mirrors have in common: a URL with credentials, and a fetch from it with its progress and end."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.utils import timezone


class RunState(models.TextChoices):
    """How far an import, or a run of a mirror, has come."""

    QUEUED = "QUEUED", "Queued"
    IN_PROGRESS = "IN_PROGRESS", "In progress"
    SUCCEEDED = "SUCCEEDED", "Succeeded"
    FAILED = "FAILED", "Failed"
    STOPPED = "STOPPED", "Cancelled"


class RemoteSource(models.Model):
    """A repository on another server, and who has this server fetch from it.

    The password is encrypted with the master key, which lies outside the database; only repos/remote/sources.py opens
    it.
    """

    url = models.CharField(max_length=2048)
    user_name = models.CharField(max_length=256, blank=True)
    sealed_password = models.TextField(blank=True)
    # Histories of old tools have lines of author and date that git's check refuses.
    tolerates_identity_defects = models.BooleanField(default=False)
    # Whose policies decide which refs may be moved; None once that user is deleted.
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    owner_name = models.CharField(max_length=128, blank=True)

    class Meta:
        abstract = True

    @property
    def has_credentials(self) -> bool:
        return bool(self.user_name or self.sealed_password)


class RemoteRun(models.Model):
    """One fetch. Whose work it is stands here: a worker holds a lease, renews it, and loses it when it falls silent."""

    state = models.CharField(max_length=11, choices=RunState, default=RunState.QUEUED)
    queued_at = models.DateTimeField(default=timezone.now)
    message_at = models.DateTimeField(default=timezone.now)  # when a worker was last told of it
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    cancel_requested_at = models.DateTimeField(null=True)
    lease_owner = models.CharField(max_length=160, blank=True)
    lease_expires_at = models.DateTimeField(null=True)
    # Of this attempt: its quarantine lies under it, so that a worker thought dead never writes where the next one does.
    attempt_id = models.UUIDField(default=uuid.uuid4, editable=False)
    attempt_count = models.PositiveSmallIntegerField(default=0)

    phase = models.CharField(max_length=40, blank=True)
    percent = models.PositiveSmallIntegerField(null=True)
    object_count = models.BigIntegerField(default=0)
    object_total = models.BigIntegerField(default=0)
    received_bytes = models.BigIntegerField(default=0)

    moved_count = models.IntegerField(default=0)  # refs that it moved
    error_code = models.CharField(max_length=64, blank=True)
    error_message = models.TextField(blank=True)
    error_hint = models.TextField(blank=True)
    log = models.TextField(blank=True)

    class Meta:
        abstract = True

    @property
    def is_over(self) -> bool:
        return self.state not in (RunState.QUEUED, RunState.IN_PROGRESS)

    @property
    def is_failed(self) -> bool:
        return self.state == RunState.FAILED

    @property
    def duration_seconds(self) -> float | None:
        if self.started_at is None or self.ended_at is None:
            return None
        return (self.ended_at - self.started_at).total_seconds()
