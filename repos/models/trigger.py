"""Triggers: what is told when a ref moves, and what became of each telling."""

from __future__ import annotations

import uuid
from functools import cached_property
from typing import Any

from django.db import models
from django.utils import timezone

from repos.models.push import Push
from repos.models.repository import Repository
from repos.triggers import events as trigger_events


class Trigger(models.Model):
    """What to tell when a ref moves: a destination (ARN), for which events and branches."""

    repository = models.ForeignKey(Repository, on_delete=models.CASCADE, related_name="triggers")
    name = models.CharField(max_length=100)
    destination_arn = models.CharField(max_length=600)
    # Of an HTTPS endpoint its address; the destination is the topic that was made for it.
    endpoint_url = models.CharField(max_length=2048, blank=True)
    events = models.JSONField(default=list)
    branches = models.JSONField(default=list, blank=True)
    custom_data = models.CharField(max_length=1000, blank=True)
    position = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ["position", "pk"]
        constraints = [models.UniqueConstraint(fields=["repository", "name"], name="trigger_name_unique")]

    def __str__(self) -> str:
        return self.name


class TriggerDeliveryCause(models.TextChoices):
    """Why a trigger's destination is told."""

    PUSH = "PUSH", "Push"
    TEST = "TEST", "Test"
    REDELIVERY = "REDELIVERY", "Redelivery"


class TriggerDeliveryState(models.TextChoices):
    """What has become of telling it."""

    WAITING = "WAITING", "Waiting"
    SUCCEEDED = "SUCCEEDED", "Delivered"
    FAILED = "FAILED", "Failed"


class TriggerDelivery(models.Model):
    """One event on its way to a trigger's destination: the outbox, and the log of what came of it.

    Everything it needs is in the row, so that a trigger that is changed or removed meanwhile changes nothing.
    `results` holds what came of it so far, in the order in which it did: {"ref", "project", "number"} of a build,
    {"ref", "error"} of one that could not start, {"message_id"} of a topic's message, {"note"} for people.
    """

    delivery_id = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    repository = models.ForeignKey(Repository, on_delete=models.CASCADE, related_name="trigger_deliveries")
    # By name: the API replaces all triggers at each change.
    trigger_name = models.CharField(max_length=100)
    cause = models.CharField(max_length=10, choices=TriggerDeliveryCause, default=TriggerDeliveryCause.PUSH)
    push = models.ForeignKey(Push, null=True, on_delete=models.SET_NULL, related_name="trigger_deliveries")
    redelivery_of = models.ForeignKey("self", null=True, on_delete=models.SET_NULL, related_name="redeliveries")
    requested_by = models.CharField(max_length=600, blank=True)  # who tested or delivered again, by ARN
    destination_arn = models.CharField(max_length=600)
    part = models.PositiveSmallIntegerField(default=1)
    payload = models.TextField()
    state = models.CharField(max_length=9, choices=TriggerDeliveryState, default=TriggerDeliveryState.WAITING)
    # Counts the claims, and so tells the worker that works on it from one that was taken for dead.
    attempt_count = models.PositiveSmallIntegerField(default=0)
    # When it may be claimed: of one that is being worked on, when its worker counts as dead.
    next_attempt_at = models.DateTimeField(default=timezone.now)
    results = models.JSONField(default=list)
    error = models.CharField(max_length=1000, blank=True)
    created_at = models.DateTimeField(default=timezone.now, db_index=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name_plural = "trigger deliveries"
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["push", "trigger_name", "part"],
                condition=models.Q(cause=TriggerDeliveryCause.PUSH),
                name="trigger_delivery_once_a_push",
            )
        ]
        indexes = [
            models.Index(fields=["state", "next_attempt_at"], name="trigger_delivery_due"),
            models.Index(fields=["repository", "trigger_name", "-id"], name="trigger_delivery_by_trigger"),
        ]

    def __str__(self) -> str:
        return f"{self.trigger_name} {self.delivery_id}"

    @cached_property
    def references(self) -> list[dict[str, Any]]:
        """The refs that its event tells of: {"commit", "ref"} and, where it is so, "created" or "deleted"."""
        return trigger_events.references_of(self.payload)

    @property
    def message_id(self) -> str:
        """The id of the topic's message that it became; empty where it became none."""
        return next((one["message_id"] for one in self.results if "message_id" in one), "")

    @property
    def is_waiting(self) -> bool:
        return self.state == TriggerDeliveryState.WAITING

    @property
    def is_delivered(self) -> bool:
        return self.state == TriggerDeliveryState.SUCCEEDED

    @property
    def is_test(self) -> bool:
        return self.cause == TriggerDeliveryCause.TEST
