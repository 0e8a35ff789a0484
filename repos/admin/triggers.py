"""Triggers, and what they delivered."""

from __future__ import annotations

from django.contrib import admin

from repos.admin.shared import OfRepository
from repos.models import Trigger, TriggerDelivery


@admin.register(Trigger)
class TriggerAdmin(OfRepository):
    """What each repository tells to whom."""

    view_action = "codecommit:GetRepositoryTriggers"
    list_display = ("name", "repository_link", "destination_arn", "events", "branches")
    list_select_related = ("repository",)
    filter_links = ("repository",)
    search_fields = ("name", "repository__name", "destination_arn")
    search_help_text = "Name, repository or destination"
    fields = ("name", "repository_link", "destination_arn", "events", "branches", "custom_data")
    ordering = ("repository__name", "position")


@admin.register(TriggerDelivery)
class TriggerDeliveryAdmin(OfRepository):
    """What was told to whom, newest first, and what became of it."""

    view_action = "codecommit:GetRepositoryTriggers"
    list_display = ("delivery_id", "trigger_name", "repository_link", "cause", "state", "attempt_count", "created_at")
    list_filter = ("state", "cause")
    list_select_related = ("repository",)
    filter_links = ("repository",)
    search_fields = ("delivery_id", "trigger_name", "repository__name", "destination_arn")
    search_help_text = "Delivery id, trigger, repository or destination"
    date_hierarchy = "created_at"
    fields = (
        "delivery_id",
        "trigger_name",
        "repository_link",
        "cause",
        "push",
        "redelivery_of",
        "requested_by",
        "destination_arn",
        "part",
        "payload",
        "state",
        "attempt_count",
        "next_attempt_at",
        "results",
        "error",
        "created_at",
        "ended_at",
    )
