"""Triggers: what is told when a ref moves."""

from __future__ import annotations

from django.db import models

from repos.models.repository import Repository


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
