"""Images on Docker Engines."""

from __future__ import annotations

from django.db import models
from django.utils import timezone


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
