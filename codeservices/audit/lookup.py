"""Finding events by one attribute, newest first, in pages that follow a cursor; each attribute has an index.

Source: AWS CloudTrail API Reference, LookupEvents.
"""

from __future__ import annotations

import uuid
from datetime import datetime

from django.db.models import QuerySet
from django.utils.dateparse import parse_datetime

from codeservices.audit.models import Event
from codeservices.errors import ServiceError

_COLUMNS = {
    "EventName": "event_name",
    "EventSource": "event_source",
    "Username": "principal_name",
    "ResourceType": "resource_type",
    "AccessKeyId": "access_key_id",
}


def by_attribute(key: str, value: str) -> QuerySet[Event]:
    """The events whose attribute has exactly this value; raises InvalidLookupAttributesException."""
    events = Event.objects.all()
    if key == "EventId":
        try:
            return events.filter(event_id=uuid.UUID(value))
        except ValueError:
            raise _invalid(f"“{value[:100]}” is no event id: it must be a UUID.") from None
    if key == "ReadOnly":
        if value not in ("true", "false"):
            raise _invalid(f"ReadOnly must be “true” or “false”, not “{value[:100]}”.")
        return events.filter(is_read_only=value == "true")
    if key == "ResourceName":  # people know a thing by its name, scripts by its ARN
        return events.filter(**{"resource_arn" if value.startswith("arn:") else "resource_name": value})
    return events.filter(**{_COLUMNS[key]: value})


def between(events: QuerySet[Event], start: datetime | None, end: datetime | None) -> QuerySet[Event]:
    """The events of a span of time, both ends included; raises InvalidTimeRangeException."""
    if start is not None and end is not None and start > end:
        raise ServiceError(
            f"The span begins at {start:%Y-%m-%dT%H:%M:%SZ}, after its end at {end:%Y-%m-%dT%H:%M:%SZ}.",
            code="InvalidTimeRangeException",
        )
    if start is not None:
        events = events.filter(event_time__gte=start)
    if end is not None:
        events = events.filter(event_time__lte=end)
    return events


def cursor(last: Event) -> str:
    """Where the next page begins: behind this event."""
    return f"{last.event_time.isoformat()}_{last.pk}"


def behind(events: QuerySet[Event], place: str) -> QuerySet[Event] | None:
    """The events behind a cursor, or None where the text is none."""
    moment, _, number = place.rpartition("_")
    try:
        at = parse_datetime(moment)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None or not (number.isascii() and number.isdigit() and len(number) < 19):
        return None
    # In this form both databases begin in the middle of the index.
    return events.filter(event_time__lte=at).exclude(event_time=at, pk__gte=int(number))


def _invalid(sentence: str) -> ServiceError:
    return ServiceError(sentence, code="InvalidLookupAttributesException")
