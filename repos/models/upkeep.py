"""Upkeep of a repository: its state, when it is due, who has it in hand, and how each job ended."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from repos.git.upkeep.strategy import Job
from repos.models.repository import Repository


class JobOutcome(models.TextChoices):
    """How a job of upkeep ended."""

    SUCCEEDED = "SUCCEEDED", "Succeeded"
    FAILED = "FAILED", "Failed"
    TIMED_OUT = "TIMED_OUT", "Timed out"
    # Nothing was done, since pushes were under way: the next time will do.
    POSTPONED = "POSTPONED", "Postponed"


class Upkeep(models.Model):
    """What upkeep knows about a repository. Whose work it is stands in the lease, never in the broker.

    `requested_jobs` are those that somebody asked for at `requested_at`; what else is done follows from the state.
    """

    repository = models.OneToOneField(Repository, on_delete=models.CASCADE, related_name="upkeep")
    state = models.JSONField(default=dict)
    looked_at = models.DateTimeField(null=True)

    due_at = models.DateTimeField(default=timezone.now, db_index=True)
    queued_at = models.DateTimeField(null=True)
    requested_jobs = models.JSONField(default=list)
    requested_at = models.DateTimeField(null=True)

    lease_owner = models.CharField(max_length=128, blank=True)
    lease_expires_at = models.DateTimeField(null=True)
    planned_jobs = models.JSONField(default=list)
    current_job = models.CharField(max_length=16, blank=True)
    job_began_at = models.DateTimeField(null=True)

    full_repack_at = models.DateTimeField(null=True)
    fsck_at = models.DateTimeField(null=True)
    fsck_due_at = models.DateTimeField(null=True)
    # What git fsck found, in its words; empty where the last one found nothing.
    fsck_findings = models.JSONField(default=list)
    # Jobs that failed one after the other, without a success in between.
    failure_count = models.PositiveIntegerField(default=0)

    class Meta:
        verbose_name_plural = "upkeep"
        ordering = ["repository__name"]

    def __str__(self) -> str:
        return f"upkeep of {self.repository}"

    @property
    def is_running(self) -> bool:
        """Whether a worker has it in hand."""
        return self.lease_expires_at is not None and self.lease_expires_at > timezone.now()


class UpkeepRun(models.Model):
    """One job that was done, or tried."""

    JOBS = [
        (Job.LEFTOVERS.value, "Leftover files"),
        (Job.PACK_REFS.value, "Pack refs"),
        (Job.COMMIT_GRAPH.value, "Commit-graph"),
        (Job.REPACK.value, "Repack"),
        (Job.FULL_REPACK.value, "Full repack"),
        (Job.EXPIRE.value, "Expire unreachable objects"),
        (Job.FSCK.value, "Check (fsck)"),
    ]

    repository = models.ForeignKey(Repository, on_delete=models.CASCADE, related_name="upkeep_runs")
    job = models.CharField(max_length=16, choices=JOBS)
    outcome = models.CharField(max_length=9, choices=JobOutcome)
    message = models.TextField(blank=True)
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField()

    class Meta:
        verbose_name = "upkeep run"
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"{self.job} {self.outcome} {self.started_at:%Y-%m-%d %H:%M:%S}"

    @property
    def seconds(self) -> float:
        """How long it took."""
        return (self.ended_at - self.started_at).total_seconds()
