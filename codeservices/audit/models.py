"""The audit trail: one row an act, only ever added to."""

from __future__ import annotations

import uuid
from typing import Any

from django.db import models
from django.utils import timezone


class Outcome(models.TextChoices):
    SUCCESS = "Success", "Success"
    DENIED = "Denied", "Denied"
    FAILED = "Failed", "Failed"


class Event(models.Model):
    """Who did what to which resource, from where, and how it ended.

    The members are those of a CloudTrail record (AWS CloudTrail User Guide, "CloudTrail record contents").
    """

    event_id = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    event_time = models.DateTimeField(default=timezone.now, editable=False)
    event_source = models.CharField(max_length=128)
    event_name = models.CharField(max_length=128)
    event_type = models.CharField(max_length=32, default="AwsApiCall")
    is_read_only = models.BooleanField(default=False)
    principal_kind = models.CharField(max_length=16)
    principal_arn = models.CharField(max_length=600)
    principal_id = models.CharField(max_length=300, blank=True)
    principal_name = models.CharField(max_length=128, blank=True)
    access_key_id = models.CharField(max_length=128, blank=True)
    source_ip = models.CharField(max_length=64, blank=True)
    user_agent = models.CharField(max_length=512, blank=True)
    via = models.CharField(max_length=16)
    request_id = models.CharField(max_length=64)
    action = models.CharField(max_length=128, blank=True)
    resource_arn = models.CharField(max_length=600, blank=True)
    outcome = models.CharField(max_length=8, choices=Outcome)
    error_code = models.CharField(max_length=128, blank=True)
    error_message = models.TextField(blank=True)
    request_parameters = models.JSONField(null=True)
    response_elements = models.JSONField(null=True)
    additional_event_data = models.JSONField(null=True)

    class Meta:
        ordering = ["-event_time", "-pk"]
        indexes = [
            models.Index(fields=["-event_time", "-id"], name="event_newest"),
            models.Index(fields=["principal_name", "-event_time"], name="event_by_principal"),
            models.Index(fields=["event_name", "-event_time"], name="event_by_name"),
            models.Index(fields=["resource_arn", "-event_time"], name="event_by_resource"),
            models.Index(fields=["outcome", "-event_time"], name="event_by_outcome"),
        ]

    def __str__(self) -> str:
        return f"{self.event_time:%Y-%m-%d %H:%M:%S} {self.principal_name} {self.event_name}"

    def record(self) -> dict[str, Any]:
        """The event in CloudTrail's record shape, ready for JSON."""
        identity: dict[str, Any] = {
            "type": _IDENTITY_TYPES.get(self.principal_kind, "Unknown"),
            "arn": self.principal_arn,
        }
        if self.principal_id:
            identity["principalId"] = self.principal_id
        if self.access_key_id:
            identity["accessKeyId"] = self.access_key_id
        if self.principal_kind == "user":
            identity["userName"] = self.principal_name
        body: dict[str, Any] = {
            "eventVersion": "1.08",
            "userIdentity": identity,
            "eventTime": self.event_time.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "eventSource": self.event_source,
            "eventName": self.event_name,
            "sourceIPAddress": self.source_ip,
            "userAgent": self.user_agent,
            "requestParameters": self.request_parameters,
            "responseElements": self.response_elements,
            "requestID": self.request_id,
            "eventID": str(self.event_id),
            "readOnly": self.is_read_only,
            "eventType": self.event_type,
            "managementEvent": True,
            "eventCategory": "Management",
        }
        if self.additional_event_data:
            body["additionalEventData"] = self.additional_event_data
        if self.resource_arn and self.resource_arn != "*":
            body["resources"] = [{"ARN": self.resource_arn}]
        if self.error_code:
            body["errorCode"] = self.error_code
            body["errorMessage"] = self.error_message
        return body


_IDENTITY_TYPES = {"user": "IAMUser", "role": "AssumedRole", "service": "AWSService"}
