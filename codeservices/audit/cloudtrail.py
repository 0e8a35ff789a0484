"""A stored event as CloudTrail tells it: the record of log files and exports.

Source: AWS CloudTrail User Guide, "CloudTrail record contents".
"""

from __future__ import annotations

from typing import Any

from django.conf import settings

from codeservices.audit.members import SIGN_IN, resource_of
from codeservices.audit.models import Event

EVENT_VERSION = "1.08"
_IDENTITY_TYPES = {"user": "IAMUser", "role": "AssumedRole", "service": "AWSService"}


def record(event: Event) -> dict[str, Any]:
    """The event in CloudTrail's record shape, ready for JSON."""
    body: dict[str, Any] = {
        "eventVersion": EVENT_VERSION,
        "userIdentity": event.user_identity or _identity(event),
        "eventTime": event.event_time.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "eventSource": event.event_source,
        "eventName": event.event_name,
        "awsRegion": event.aws_region or settings.REGION,
        "sourceIPAddress": event.source_ip,
        "userAgent": event.user_agent,
    }
    if event.error_code and event.event_type != SIGN_IN:  # a failed sign-in has a message alone
        body["errorCode"] = event.error_code
    if event.error_message:
        body["errorMessage"] = event.error_message
    body |= {"requestParameters": event.request_parameters, "responseElements": event.response_elements}
    if event.additional_event_data:
        body["additionalEventData"] = event.additional_event_data
    body |= {"requestID": event.request_id, "eventID": str(event.event_id), "readOnly": event.is_read_only}
    resources = _resources(event)
    if resources:
        body["resources"] = resources
    body["eventType"] = event.event_type
    if event.api_version:
        body["apiVersion"] = event.api_version
    is_data = is_data_event(event)
    body |= {"managementEvent": not is_data, "recipientAccountId": settings.ACCOUNT_ID}
    body["eventCategory"] = "Data" if is_data else "Management"
    if event.via == "console" and event.principal_kind == "user" and event.event_type != SIGN_IN:
        body["sessionCredentialFromConsole"] = "true"
    return body


def is_data_event(event: Event) -> bool:
    """Whether an event is about an object, which CloudTrail calls data: it was got, put, deleted.

    Source: AWS CloudTrail User Guide, "Logging data events".
    """
    return event.event_source == "s3.amazonaws.com" and "/" in event.resource_arn


def _resources(event: Event) -> list[dict[str, str]]:
    kind, _ = resource_of(event.resource_arn)
    if not event.resource_arn.startswith("arn:") or "*" in event.resource_arn:
        return []
    resource = {"ARN": event.resource_arn, "accountId": settings.ACCOUNT_ID}
    return [resource | {"type": kind} if kind else resource]


def _identity(event: Event) -> dict[str, Any]:
    """The identity of an event from before identities were kept whole."""
    identity: dict[str, Any] = {
        "type": _IDENTITY_TYPES.get(event.principal_kind, "Unknown"),
        "principalId": event.principal_id,
        "arn": event.principal_arn,
        "accountId": settings.ACCOUNT_ID,
        "accessKeyId": event.access_key_id,
        "userName": event.principal_name if event.principal_kind == "user" else "",
    }
    return {key: value for key, value in identity.items() if value}
