"""Imports and mirrors, with their runs."""

from __future__ import annotations

from typing import Any

from django.contrib import admin

from codeservices.admin import columns
from codeservices.admin.base import LookOnlyInline
from repos.admin.shared import OfRepository
from repos.models import Import, Mirror, MirrorRun, Repository

_SOURCE_FIELDS = ("url", "user_name", "has_password", "tolerates_identity_defects", "owner_name")
_RUN_FIELDS = (
    "state",
    "queued_at",
    "started_at",
    "ended_at",
    "cancel_requested_at",
    "lease_owner",
    "lease_expires_at",
    "attempt_count",
    "phase",
    "percent",
    "received_bytes",
    "moved_count",
    "error_code",
    "error_message",
    "error_hint",
    "log",
)


class OfSource(OfRepository):
    """Rows with a URL and credentials, of which the password is never shown, encrypted or not."""

    @admin.display(description="has a password", boolean=True)
    def has_password(self, obj: Any) -> bool:
        return bool(obj.sealed_password)


@admin.register(Import)
class ImportAdmin(OfSource):
    """What filled repositories from other servers."""

    view_action = "codecommit:GetRepository"
    list_display = ("repository_link", "url", "state", "owner_name", "queued_at", "ended_at")
    list_filter = ("state", "becomes_mirror")
    list_select_related = ("repository",)
    search_fields = ("repository__name", "url", "owner_name")
    search_help_text = "Repository, URL or owner"
    date_hierarchy = "queued_at"
    fields = ("repository_link", *_SOURCE_FIELDS, "becomes_mirror", *_RUN_FIELDS)


class MirrorRunInline(LookOnlyInline):
    """The runs of a mirror that are kept."""

    model, view_action = MirrorRun, "codecommit:GetRepository"
    fields = ("state", "requested_by", "queued_at", "ended_at", "moved_count", "error_message")

    def owner_of(self, obj: Mirror) -> Repository:
        return obj.repository


@admin.register(Mirror)
class MirrorAdmin(OfSource):
    """Repositories that follow one on another server."""

    view_action = "codecommit:GetRepository"
    list_display = ("repository_link", "url", "owner_name", "failure_count", "is_paused_by_failures", "next_run_at")
    list_filter = ("is_paused_by_failures",)
    list_select_related = ("repository",)
    search_fields = ("repository__name", "url", "owner_name")
    search_help_text = "Repository, URL or owner"
    inlines = (MirrorRunInline,)
    fields = (
        "repository_link",
        *_SOURCE_FIELDS,
        "patterns",
        "prunes",
        "interval_seconds",
        "created_at",
        "next_run_at",
        "paused_because",
        "failure_count",
    )


@admin.register(MirrorRun)
class MirrorRunAdmin(OfRepository):
    """Single fetches of mirrors, newest first."""

    view_action, repository_field = "codecommit:GetRepository", "mirror__repository"
    list_display = ("pk", "mirrored", "state", "requested_by", "queued_at", "ended_at", "moved_count")
    list_filter = ("state",)
    list_select_related = ("mirror__repository",)
    filter_links = ("mirror",)
    search_fields = ("mirror__repository__name", "error_message")
    search_help_text = "Repository or error"
    date_hierarchy = "queued_at"
    fields = ("mirrored", "requested_by", *_RUN_FIELDS)

    def owner_of(self, obj: Any) -> Repository:
        repository: Repository = obj.mirror.repository
        return repository

    @admin.display(description="repository", ordering="mirror__repository__name")
    def mirrored(self, obj: MirrorRun) -> str:
        return columns.link(obj.mirror.repository)
