"""The audit trail in the admin panel: to look at, never to change."""

from __future__ import annotations

import contextlib
import json
import uuid
from datetime import timedelta
from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone

from codeservices.admin import columns
from codeservices.admin.base import ActionAdmin
from codeservices.audit import cloudtrail, drain
from codeservices.audit.models import ChainHead, Checkpoint, Event, Trail
from codeservices.audit.search import matching
from codeservices.http import ConsoleRequest


class OfTrail(ActionAdmin):
    """What everybody sees who may look events up, and nobody else."""

    list_action = view_action = "cloudtrail:LookupEvents"

    def resource_of(self, obj: Any) -> str:
        return "*"


class WhenFilter(admin.SimpleListFilter):
    """Spans that an index answers; a hierarchy of dates would look at every row."""

    title = "time"
    parameter_name = "within"
    HOURS: ClassVar = {"hour": 1, "day": 24, "week": 7 * 24, "month": 30 * 24}

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("hour", "Last hour"), ("day", "Last 24 hours"), ("week", "Last 7 days"), ("month", "Last 30 days")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        hours = self.HOURS.get(self.value() or "")
        return queryset if hours is None else queryset.filter(event_time__gte=timezone.now() - timedelta(hours=hours))


class KindFilter(admin.SimpleListFilter):
    """One choice of three: no index would answer two of them together."""

    title = "kind"
    parameter_name = "kind"
    FIELDS: ClassVar = {
        "notable": {"is_notable": True},
        "write": {"is_read_only": False},
        "read": {"is_read_only": True},
    }

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("notable", "Changes and refusals"), ("write", "Changes"), ("read", "Reads")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(**self.FIELDS.get(self.value() or "", {}))


@admin.register(Event)
class EventAdmin(OfTrail):
    """Events, newest first. Only what an index answers is offered: there may be millions of them."""

    list_display = ("at", "principal_name", "event_name", "resource_name", "outcome", "via", "source_ip")
    list_filter = (WhenFilter, "outcome", KindFilter)
    sortable_by = ()
    search_fields = ("principal_name", "event_name", "resource_arn")
    search_help_text = "Part of a user or event name; a whole resource name, ARN, access key id, event id or request id"
    fields = (
        "at",
        "event_name",
        "principal_arn",
        "resource_arn",
        "outcome",
        "via",
        "source_ip",
        "sequence",
        "elsewhere",
        "text",
    )

    def admit(self, request: ConsoleRequest, action: str, obj: Any = None) -> None:
        """With what has happened until now: events wait a moment before they are in the table."""
        super().admit(request, action, obj)
        drain.drain()

    def get_search_results(self, request: HttpRequest, queryset: QuerySet[Any], search_term: str) -> Any:
        """The newest events that match in one column or another, as many of each as the list has pages for."""
        text = search_term.strip()
        if not text:
            return queryset, False
        wanted = [Q(**{column: text}) for column in ("resource_arn", "resource_name", "access_key_id", "request_id")]
        wanted += [matching(column, text) for column in ("principal_name", "event_name")]
        with contextlib.suppress(ValueError):
            wanted.append(Q(event_id=uuid.UUID(text)))
        found = Q()
        for one in wanted:
            if Event.objects.filter(one).order_by().exists():
                newest = Event.objects.filter(one).order_by("-event_time", "-pk")[: columns.BoundedPaginator.MAX_ROWS]
                found |= Q(pk__in=newest.values("pk"))
        return (queryset.filter(found) if found else queryset.none()), False

    @admin.display(description="time (UTC)")
    def at(self, obj: Event) -> str:
        return f"{obj.event_time:%Y-%m-%d %H:%M:%S}"

    @admin.display(description="record")
    def text(self, obj: Event) -> str:
        return columns.code(json.dumps(cloudtrail.record(obj), indent=2, ensure_ascii=False))

    @admin.display(description="elsewhere")
    def elsewhere(self, obj: Event) -> str:
        return columns.console_link("audit:event", obj.event_id)


@admin.register(Trail)
class TrailAdmin(ActionAdmin):
    """Deliveries of events into buckets. They are made, started and stopped in the console."""

    list_action, view_action = "cloudtrail:DescribeTrails", "cloudtrail:GetTrail"
    list_display = ("name", "is_logging", "s3_bucket_name", "s3_key_prefix", "latest_delivery_at", "latest_error")
    list_filter = ("is_logging",)
    search_fields = ("name", "s3_bucket_name")
    search_help_text = "Name or bucket"
    fields = (
        "name",
        "row_arn",
        "s3_bucket_name",
        "s3_key_prefix",
        "read_write_type",
        "excluded_sources",
        "tags",
        "is_logging",
        "delivered_sequence",
        "created_at",
        "started_logging_at",
        "stopped_logging_at",
        "latest_delivery_at",
        "latest_attempt_at",
        "latest_error",
        "elsewhere",
    )

    @admin.display(description="ARN")
    def row_arn(self, obj: Trail) -> str:
        return obj.arn

    @admin.display(description="elsewhere")
    def elsewhere(self, obj: Trail) -> str:
        return columns.console_link("audit:trail", obj.name)


@admin.register(ChainHead, Checkpoint)
class PlaceInChainAdmin(OfTrail):
    """Where the chain of events ends, and where it begins since retention has removed what was before."""

    list_display = ("sequence", "chain_hash", "created_at")
    fields = ("sequence", "chain_hash", "created_at")
    ordering = ("-sequence",)
