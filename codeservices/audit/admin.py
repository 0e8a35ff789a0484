"""The audit trail in the administration: to look at, never to change."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from codeservices.audit.models import Event


@admin.register(Event)
class EventAdmin(admin.ModelAdmin):
    list_display = ["event_time", "principal_name", "event_name", "resource_arn", "outcome", "via", "source_ip"]
    list_filter = ["outcome", "via", "is_read_only"]
    search_fields = ["principal_name", "event_name", "resource_arn", "request_id"]
    date_hierarchy = "event_time"
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
