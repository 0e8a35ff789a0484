"""The audit trail: one row an act, only ever added to, each chained to the one before; and what trails remember."""

from __future__ import annotations

import uuid
from typing import Any, NoReturn

from django.conf import settings
from django.db import models
from django.utils import timezone

from codeservices.iam import arn


class Outcome(models.TextChoices):
    """How an act ended."""

    SUCCESS = "Success", "Success"
    DENIED = "Denied", "Denied"
    FAILED = "Failed", "Failed"


class AppendOnly(TypeError):
    """Somebody tried to change the trail through its model."""


class EventQuerySet(models.QuerySet["Event"]):
    """To read. trail.py writes the rows and chains them; retention.py removes them and leaves a checkpoint."""

    def _refuse(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise AppendOnly("The audit trail is append-only: events come from acts and go by retention.")

    create = bulk_create = get_or_create = update_or_create = update = bulk_update = delete = _refuse


class Event(models.Model):
    """Who did what to which resource, from where, and how it ended.

    The members are those of a CloudTrail record (AWS CloudTrail User Guide, "CloudTrail record contents"). `sequence`
    has no gap; it is NULL only for what code from before the chain writes during an upgrade (trail.adopt).
    """

    sequence = models.BigIntegerField(null=True, unique=True, editable=False)
    chain_hash = models.CharField(max_length=64, blank=True, db_default="", editable=False)
    event_id = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    event_time = models.DateTimeField(default=timezone.now, editable=False)
    event_source = models.CharField(max_length=128)
    event_name = models.CharField(max_length=128)
    event_type = models.CharField(max_length=32, default="AwsApiCall")
    api_version = models.CharField(max_length=16, blank=True, db_default="")
    is_read_only = models.BooleanField(default=False)
    # A change, or anything that did not succeed: what people look for among the many reads.
    is_notable = models.BooleanField(default=True, db_default=True)
    principal_kind = models.CharField(max_length=16)
    principal_arn = models.CharField(max_length=600)
    principal_id = models.CharField(max_length=300, blank=True)
    principal_name = models.CharField(max_length=128, blank=True)
    access_key_id = models.CharField(max_length=128, blank=True)
    user_identity = models.JSONField(null=True)
    aws_region = models.CharField(max_length=32, blank=True, db_default="")
    source_ip = models.CharField(max_length=64, blank=True)
    user_agent = models.CharField(max_length=512, blank=True)
    via = models.CharField(max_length=16)
    request_id = models.CharField(max_length=64)
    action = models.CharField(max_length=128, blank=True)
    resource_arn = models.CharField(max_length=600, blank=True)
    resource_type = models.CharField(max_length=64, blank=True, db_default="")
    resource_name = models.CharField(max_length=256, blank=True, db_default="")
    outcome = models.CharField(max_length=8, choices=Outcome)
    error_code = models.CharField(max_length=128, blank=True)
    error_message = models.TextField(blank=True)
    request_parameters = models.JSONField(null=True)
    response_elements = models.JSONField(null=True)
    additional_event_data = models.JSONField(null=True)

    objects = EventQuerySet.as_manager()

    class Meta:
        ordering = ["-event_time", "-pk"]
        indexes = [
            models.Index(fields=["-event_time", "-id"], name="event_newest"),
            models.Index(fields=["principal_name", "-event_time", "-id"], name="event_by_principal"),
            models.Index(fields=["event_name", "-event_time", "-id"], name="event_by_name"),
            models.Index(fields=["event_source", "-event_time", "-id"], name="event_by_source"),
            models.Index(fields=["access_key_id", "-event_time", "-id"], name="event_by_key"),
            models.Index(fields=["resource_arn", "-event_time", "-id"], name="event_by_resource"),
            models.Index(fields=["resource_name", "-event_time", "-id"], name="event_by_resource_name"),
            models.Index(fields=["resource_type", "-event_time", "-id"], name="event_by_resource_type"),
            models.Index(fields=["is_read_only", "-event_time", "-id"], name="event_by_kind"),
            models.Index(fields=["is_notable", "-event_time", "-id"], name="event_by_notable"),
            models.Index(fields=["outcome", "-event_time", "-id"], name="event_by_outcome"),
            models.Index(fields=["request_id"], name="event_by_request"),
        ]

    def __str__(self) -> str:
        return f"{self.event_time:%Y-%m-%d %H:%M:%S} {self.principal_name} {self.event_name}"

    def save(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise AppendOnly("The audit trail is append-only: an event is recorded by its act.")

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise AppendOnly("The audit trail is append-only: events go by retention alone.")


class ChainHead(models.Model):
    """The last event's place and hash. Its one row is the lock that every writer of the trail takes."""

    sequence = models.BigIntegerField(default=0)
    chain_hash = models.CharField(max_length=64)
    created_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"head at {self.sequence}"


class Checkpoint(models.Model):
    """Where the chain begins since retention has removed what was before: the last removed event's place and hash."""

    sequence = models.BigIntegerField(unique=True)
    chain_hash = models.CharField(max_length=64)
    mac = models.CharField(max_length=64)
    created_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"checkpoint at {self.sequence}"


class SpoolOffset(models.Model):
    """How much of one spool segment is in the database; moved in the transaction that stores its events."""

    name = models.CharField(max_length=128, unique=True)
    offset_bytes = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.name} up to {self.offset_bytes}"


class OpenAct(models.Model):
    """A change that was begun and whose end is not drained yet. Its process may live, or have died in between."""

    event_id = models.UUIDField(unique=True)
    token = models.CharField(max_length=96, db_index=True)
    members = models.JSONField()
    is_deferred = models.BooleanField(default=False)
    begun_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.event_id} begun {self.begun_at:%Y-%m-%d %H:%M:%S}"


class Trail(models.Model):
    """A delivery of events, as files, into a bucket of the object store.

    Delivered are the events behind `delivered_sequence`, all while it is logging, else up to `until_sequence`, at which
    logging was stopped. Where the file ends that is being written is fixed in `writing_sequence` before it is.
    """

    name = models.CharField(max_length=128, unique=True)
    s3_bucket_name = models.CharField(max_length=63)
    s3_key_prefix = models.CharField(max_length=200, blank=True)
    include_global_service_events = models.BooleanField(default=True)
    is_multi_region = models.BooleanField(default=False)
    read_write_type = models.CharField(max_length=16, default="All")
    include_management_events = models.BooleanField(default=True)
    excluded_sources = models.JSONField(default=list)
    has_event_selectors = models.BooleanField(default=False)
    tags = models.JSONField(default=dict)
    is_logging = models.BooleanField(default=False)
    delivered_sequence = models.BigIntegerField(default=0)
    writing_sequence = models.BigIntegerField(null=True)
    until_sequence = models.BigIntegerField(null=True)
    created_at = models.DateTimeField(default=timezone.now)
    started_logging_at = models.DateTimeField(null=True)
    stopped_logging_at = models.DateTimeField(null=True)
    latest_delivery_at = models.DateTimeField(null=True)
    latest_attempt_at = models.DateTimeField(null=True)
    latest_error = models.CharField(max_length=512, blank=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def arn(self) -> str:
        return arn.trail_arn(settings.REGION, settings.ACCOUNT_ID, self.name)

    @property
    def key_prefix(self) -> str:
        """What the keys of its files begin with."""
        prefix = f"{self.s3_key_prefix}/" if self.s3_key_prefix else ""
        return f"{prefix}AWSLogs/{settings.ACCOUNT_ID}/CloudTrail/{settings.REGION}"
