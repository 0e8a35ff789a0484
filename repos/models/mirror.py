"""Mirrors: repositories that follow one on another server, and each fetch of theirs."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from repos.models.remote import RemoteRun, RemoteSource
from repos.models.repository import Repository


class Mirror(RemoteSource):
    """What a repository follows. The refs that its patterns match are the mirror's: nobody else moves them."""

    repository = models.OneToOneField(Repository, on_delete=models.CASCADE, related_name="mirror")
    # Full refnames, or such with one `*`; none stands for all branches, tags and notes.
    patterns = models.JSONField(default=list, blank=True)
    # Also remove refs that are gone at the other end.
    prunes = models.BooleanField(default=True)
    interval_seconds = models.PositiveIntegerField(default=3600)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    next_run_at = models.DateTimeField(null=True)  # None while paused
    # Why it was paused: empty for a mirror that runs; a person's word or the last of many failures.
    paused_because = models.TextField(blank=True)
    is_paused_by_failures = models.BooleanField(default=False)
    failure_count = models.PositiveIntegerField(default=0)  # in a row
    # What the last run found at the other end (escaped): only what a mirror brought is ever removed by it.
    refnames = models.JSONField(default=list, blank=True)

    class Meta:
        ordering = ["repository__name"]
        indexes = [models.Index(fields=["next_run_at"], name="mirror_by_next_run")]

    def __str__(self) -> str:
        return f"mirror of {self.url}"

    @property
    def is_paused(self) -> bool:
        return self.next_run_at is None


class MirrorRun(RemoteRun):
    """One fetch of a mirror; the newest are kept."""

    mirror = models.ForeignKey(Mirror, on_delete=models.CASCADE, related_name="runs")
    # Who asked for it now; empty where the clock did.
    requested_by = models.CharField(max_length=128, blank=True)

    class Meta:
        ordering = ["-pk"]
        indexes = [models.Index(fields=["state"], name="mirror_run_by_state")]
        constraints = [
            models.UniqueConstraint(
                fields=["mirror"],
                condition=models.Q(state__in=("QUEUED", "IN_PROGRESS")),
                name="mirror_run_one_at_a_time",
            )
        ]

    def __str__(self) -> str:
        return f"run {self.pk} of {self.mirror_id}"
