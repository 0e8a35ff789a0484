"""CloudTrail's operations: looking up events, and trails."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from botocore.model import OperationModel
from django.conf import settings
from django.db.models import QuerySet

from codeservices.audit import cloudtrail, drain, lookup, trails
from codeservices.audit.models import Event, Trail
from codeservices.aws import paging, validate
from codeservices.aws.dispatch import Call, constraint_error, operation
from codeservices.aws.validate import Problem
from codeservices.errors import ServiceError
from codeservices.iam.authorize import authorize

PAGE = 50
TRAILS_PAGE = 50
MAX_LISTED_RESOURCES = 20
_CONSTRAINT_CODES = {
    "lookupAttributes": "InvalidLookupAttributesException",
    "maxResults": "InvalidMaxResultsException",
    "eventCategory": "InvalidEventCategoryException",
    "tagsList": "InvalidTagParameterException",
    "eventSelectors": "InvalidEventSelectorsException",
    "advancedEventSelectors": "InvalidEventSelectorsException",
}


@constraint_error("cloudtrail")
def _constraint_error(_model: OperationModel, problems: list[Problem]) -> ServiceError:
    code = _CONSTRAINT_CODES.get(problems[0].member, "InvalidParameterException")
    return ServiceError(validate.sentences(problems), code=code)


# ---- events ----------------------------------------------------------------------------------------------------------


@operation("cloudtrail", "LookupEvents")
def lookup_events(call: Call) -> dict[str, Any]:
    """Events newest first, by one attribute at most; all that are kept, not only those of 90 days."""
    authorize(call.principal, "cloudtrail:LookupEvents", "*")
    params = call.params
    attributes = params.get("LookupAttributes", [])
    if len(attributes) > 1:
        raise ServiceError(
            f"Give one lookup attribute at most, not {len(attributes)}.", code="InvalidLookupAttributesException"
        )
    if params.get("EventCategory"):
        sentence = "There are no insight events here: leave EventCategory out."
        raise ServiceError(sentence, code="InvalidEventCategoryException")
    drain.drain()
    events: QuerySet[Event] = Event.objects.all()
    if attributes:
        events = lookup.by_attribute(attributes[0]["AttributeKey"], attributes[0]["AttributeValue"])
    events = lookup.between(events, params.get("StartTime"), params.get("EndTime"))
    kind = _lookup_kind(params)
    if params.get("NextToken"):
        refusal = ServiceError("The NextToken is not one of this lookup's.", code="InvalidNextTokenException")
        following = lookup.behind(events, paging.decode(kind, params["NextToken"], refusal))
        if following is None:
            raise refusal
        events = following
    limit = params.get("MaxResults", PAGE)
    rows = list(events.order_by("-event_time", "-pk")[: limit + 1])
    token = paging.encode(kind, lookup.cursor(rows[limit - 1])) if len(rows) > limit else None
    return {"Events": [_event(row) for row in rows[:limit]], "NextToken": token}


def _event(row: Event) -> dict[str, Any]:
    body: dict[str, Any] = {
        "EventId": str(row.event_id),
        "EventName": row.event_name,
        "ReadOnly": "true" if row.is_read_only else "false",
        "EventTime": row.event_time.replace(microsecond=0),
        "EventSource": row.event_source,
        "Username": row.principal_name,
        "Resources": [],
        "CloudTrailEvent": json.dumps(cloudtrail.record(row), ensure_ascii=False, separators=(",", ":")),
    }
    if row.access_key_id:
        body["AccessKeyId"] = row.access_key_id
    if row.resource_name:
        body["Resources"] = [{"ResourceType": row.resource_type, "ResourceName": row.resource_name}]
    return body


def _lookup_kind(params: dict[str, Any]) -> str:
    """A token belongs to the lookup that gave it, whatever its page size."""
    asked = {key: str(value) for key, value in params.items() if key not in ("NextToken", "MaxResults")}
    return "events-" + hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:16]


# ---- trails ----------------------------------------------------------------------------------------------------------


@operation("cloudtrail", "CreateTrail")
def create_trail(call: Call) -> dict[str, Any]:
    return _settings(trails.create_trail(call.principal, call.params))


@operation("cloudtrail", "UpdateTrail")
def update_trail(call: Call) -> dict[str, Any]:
    return _settings(trails.update_trail(call.principal, call.params["Name"], call.params))


@operation("cloudtrail", "DeleteTrail")
def delete_trail(call: Call) -> None:
    trails.delete_trail(call.principal, call.params["Name"])


@operation("cloudtrail", "GetTrail")
def get_trail(call: Call) -> dict[str, Any]:
    return {"Trail": _described(trails.trail_for(call.principal, "cloudtrail:GetTrail", call.params["Name"]))}


@operation("cloudtrail", "DescribeTrails")
def describe_trails(call: Call) -> dict[str, Any]:
    """All trails, or those named; a name that is no trail's is left out."""
    names = {trails.name_of(one) for one in call.params.get("trailNameList", [])}
    found = trails.visible_trails(call.principal, "cloudtrail:DescribeTrails")
    return {"trailList": [_described(one) for one in found if not names or one.name in names]}


@operation("cloudtrail", "ListTrails")
def list_trails(call: Call) -> dict[str, Any]:
    rows, token = paging.page(
        trails.visible_trails(call.principal, "cloudtrail:ListTrails"),
        key=lambda one: one.name,
        kind="trails",
        token=call.params.get("NextToken"),
        limit=TRAILS_PAGE,
        refusal=ServiceError("The NextToken is not one of ListTrails.", code="InvalidTokenException"),
    )
    listed = [{"TrailARN": one.arn, "Name": one.name, "HomeRegion": settings.REGION} for one in rows]
    return {"Trails": listed, "NextToken": token}


@operation("cloudtrail", "StartLogging")
def start_logging(call: Call) -> None:
    trails.start_logging(call.principal, call.params["Name"])


@operation("cloudtrail", "StopLogging")
def stop_logging(call: Call) -> None:
    trails.stop_logging(call.principal, call.params["Name"])


@operation("cloudtrail", "GetTrailStatus")
def get_trail_status(call: Call) -> dict[str, Any]:
    found = trails.trail_for(call.principal, "cloudtrail:GetTrailStatus", call.params["Name"])
    moments = {
        "LatestDeliveryTime": found.latest_delivery_at,
        "StartLoggingTime": found.started_logging_at,
        "StopLoggingTime": found.stopped_logging_at,
    }
    texts = {
        "LatestDeliveryAttemptTime": found.latest_attempt_at,
        "TimeLoggingStarted": found.started_logging_at,
        "TimeLoggingStopped": found.stopped_logging_at,
    }
    status: dict[str, Any] = {"IsLogging": found.is_logging, "LatestDeliveryAttemptSucceeded": ""}
    if found.latest_attempt_at and not found.latest_error and found.latest_delivery_at:
        status["LatestDeliveryAttemptSucceeded"] = f"{found.latest_delivery_at:%Y-%m-%dT%H:%M:%SZ}"
    if found.latest_error:
        status["LatestDeliveryError"] = found.latest_error
    status |= {name: at for name, at in moments.items() if at is not None}
    return status | {name: f"{at:%Y-%m-%dT%H:%M:%SZ}" if at is not None else "" for name, at in texts.items()}


@operation("cloudtrail", "PutEventSelectors")
def put_event_selectors(call: Call) -> dict[str, Any]:
    return _selectors(trails.put_event_selectors(call.principal, call.params["TrailName"], call.params))


@operation("cloudtrail", "GetEventSelectors")
def get_event_selectors(call: Call) -> dict[str, Any]:
    name = call.params["TrailName"]
    return _selectors(trails.trail_for(call.principal, "cloudtrail:GetEventSelectors", name))


@operation("cloudtrail", "AddTags")
def add_tags(call: Call) -> None:
    trails.add_tags(call.principal, call.params["ResourceId"], call.params["TagsList"])


@operation("cloudtrail", "RemoveTags")
def remove_tags(call: Call) -> None:
    trails.remove_tags(call.principal, call.params["ResourceId"], call.params["TagsList"])


@operation("cloudtrail", "ListTags")
def list_tags(call: Call) -> dict[str, Any]:
    asked = call.params["ResourceIdList"]
    if not 1 <= len(asked) <= MAX_LISTED_RESOURCES:
        sentence = f"Name 1 to {MAX_LISTED_RESOURCES} trails by their ARNs, not {len(asked)}."
        raise ServiceError(sentence, code="InvalidParameterException")
    found = []
    for resource_id in asked:
        tags = trails.tags_of(call.principal, resource_id)
        listed = [{"Key": key, "Value": value} for key, value in sorted(tags.items())]
        found.append({"ResourceId": resource_id, "TagsList": listed})
    return {"ResourceTagList": found}


def _settings(one: Trail) -> dict[str, Any]:
    body: dict[str, Any] = {
        "Name": one.name,
        "S3BucketName": one.s3_bucket_name,
        "IncludeGlobalServiceEvents": one.include_global_service_events,
        "IsMultiRegionTrail": one.is_multi_region,
        "TrailARN": one.arn,
        "LogFileValidationEnabled": False,
        "IsOrganizationTrail": False,
    }
    return body | ({"S3KeyPrefix": one.s3_key_prefix} if one.s3_key_prefix else {})


def _described(one: Trail) -> dict[str, Any]:
    more = {
        "HomeRegion": settings.REGION,
        "HasCustomEventSelectors": one.has_event_selectors,
        "HasInsightSelectors": False,
    }
    return _settings(one) | more


def _selectors(one: Trail) -> dict[str, Any]:
    selector = {
        "ReadWriteType": one.read_write_type,
        "IncludeManagementEvents": one.include_management_events,
        "DataResources": [],
        "ExcludeManagementEventSources": one.excluded_sources,
    }
    return {"TrailARN": one.arn, "EventSelectors": [selector]}
