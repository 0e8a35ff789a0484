"""The audit trail in the admin panel: to look at, for those who may look events up, never to change."""

from __future__ import annotations

from typing import Any

from django.contrib import admin

from codeservices.admin.base import ActionAdmin
from codeservices.audit.models import Event

LOOKUP = "cloudtrail:LookupEvents"


@admin.register(Event)
class EventAdmin(ActionAdmin):
    list_action = view_action = LOOKUP
    list_display = ("event_time", "principal_name", "event_name", "resource_arn", "outcome", "via", "source_ip")
    list_filter = ("outcome", "via", "is_read_only")
    search_fields = ("principal_name", "event_name", "resource_arn", "request_id")
    date_hierarchy = "event_time"

    def resource_of(self, obj: Any) -> str:
        """Events are looked up in the account's trail: none of them has an ARN."""
        return "*"
