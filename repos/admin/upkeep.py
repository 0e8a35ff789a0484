"""What upkeep knows of repositories, and what it did."""

from __future__ import annotations

from django.contrib import admin

from codeservices.admin import columns
from repos.admin.shared import OfRepository
from repos.models import Upkeep, UpkeepRun


@admin.register(Upkeep)
class UpkeepAdmin(OfRepository):
    """What upkeep knows of each repository."""

    view_action = "codecommit:GetRepository"
    list_display = ("repository_link", "due_at", "current_job", "fsck_at", "fault_count", "failure_count", "looked_at")
    list_select_related = ("repository",)
    filter_links = ("repository",)
    search_fields = ("repository__name",)
    search_help_text = "Repository"
    fields = (
        "repository_link",
        "elsewhere",
        "state",
        "looked_at",
        "due_at",
        "queued_at",
        "requested_jobs",
        "requested_at",
        "lease_owner",
        "lease_expires_at",
        "planned_jobs",
        "current_job",
        "full_repack_at",
        "fsck_at",
        "fsck_due_at",
        "fsck_findings",
        "failure_count",
    )

    @admin.display(description="faults")
    def fault_count(self, obj: Upkeep) -> int:
        return len(obj.fsck_findings)

    @admin.display(description="elsewhere")
    def elsewhere(self, obj: Upkeep) -> str:
        return columns.console_link("repos:upkeep", obj.repository.name)


@admin.register(UpkeepRun)
class UpkeepRunAdmin(OfRepository):
    """Each job of upkeep that was done, newest first."""

    view_action = "codecommit:GetRepository"
    list_display = ("job", "repository_link", "outcome", "started_at", "seconds", "message")
    list_filter = ("job", "outcome")
    list_select_related = ("repository",)
    filter_links = ("repository",)
    search_fields = ("repository__name", "message")
    search_help_text = "Repository or message"
    date_hierarchy = "started_at"
    fields = ("repository_link", "job", "outcome", "message", "started_at", "ended_at")
