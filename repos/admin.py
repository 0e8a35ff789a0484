"""Repositories, triggers, pushes and deliveries as an operator sees them.

They are made and removed through the product alone.
"""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from codeservices import sizes
from codeservices.admin import columns
from codeservices.admin.base import ActionAdmin, LookOnlyInline
from codeservices.iam.authorize import is_allowed
from repos import quota
from repos.models import Import, Mirror, MirrorRun, Push, Repository, Trigger, TriggerDelivery, Upkeep, UpkeepRun


class OfRepository(ActionAdmin):
    """Rows of repositories: those that one may look at, as in the console."""

    list_action = "codecommit:ListRepositories"
    # From a row to its repository, as lookups say it.
    repository_field = "repository"

    def owner_of(self, obj: Any) -> Repository:
        repository: Repository = obj.repository
        return repository

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return self.visible(request, super().get_queryset(request))

    def visible(self, request: HttpRequest, found: QuerySet[Any]) -> QuerySet[Any]:
        """Without the rows of repositories that the person may not look at, deleted ones included."""
        hidden = [
            one.pk
            for one in Repository.all_objects.only("name")
            if not is_allowed(request.principal, self.view_action, one.arn)  # type: ignore[attr-defined]
        ]
        return found.exclude(**{f"{self.repository_field}__in": hidden}) if hidden else found

    @admin.display(description="repository", ordering="repository__name")
    def repository_link(self, obj: Any) -> str:
        return columns.link(obj.repository)


class TriggerInline(LookOnlyInline):
    """The triggers of a repository."""

    model, view_action = Trigger, "codecommit:GetRepositoryTriggers"
    fields = ("name", "destination_arn", "events", "branches")


@admin.register(Repository)
class RepositoryAdmin(OfRepository):
    """Repositories with their triggers, deleted ones too for as long as they are kept."""

    view_action, repository_field = "codecommit:GetRepository", "pk"
    list_display = (
        "name",
        "description",
        "size",
        "trigger_count",
        "pushes",
        "last_push_at",
        "created_at",
        "deleted_at",
    )
    list_filter = (("deleted_at", admin.EmptyFieldListFilter), ("archived_at", admin.EmptyFieldListFilter))
    search_fields = ("name", "description", "repository_id")
    search_help_text = "Name, description or id"
    date_hierarchy = "created_at"
    inlines = (TriggerInline,)
    fields = (
        "name",
        "description",
        "row_arn",
        "repository_id",
        "tags",
        "size",
        "quota",
        "pushes",
        "elsewhere",
        "created_at",
        "updated_at",
        "last_push_at",
        "archived_at",
        "deleted_at",
        "deleted_by",
    )

    def owner_of(self, obj: Repository) -> Repository:
        return obj

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        found = self.visible(request, Repository.all_objects.order_by(*self.get_ordering(request)))
        return found.annotate(trigger_count=columns.count_of(Trigger, "repository"))

    @admin.display(description="triggers", ordering="trigger_count")
    def trigger_count(self, obj: Any) -> int:
        count: int = obj.trigger_count
        return count

    @admin.display(description="pushes")
    def pushes(self, obj: Repository) -> str:
        return columns.list_link(Push, "Pushes", repository__id__exact=obj.pk)

    @admin.display(description="ARN")
    def row_arn(self, obj: Repository) -> str:
        return obj.arn

    @admin.display(description="elsewhere")
    def elsewhere(self, obj: Repository) -> str:
        if obj.deleted_at is not None:
            return columns.console_link("repos:deleted", obj.name, obj.repository_id)
        return columns.console_link("repos:repository", obj.name)

    @admin.display(description="size", ordering="size_bytes")
    def size(self, obj: Repository) -> str:
        return sizes.words(obj.size_bytes) if obj.size_measured_at else "not measured"

    @admin.display(description="quota")
    def quota(self, obj: Repository) -> str:
        limit = quota.limit_bytes(obj)
        return "none" if limit is None else sizes.words(limit)


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


@admin.register(Push)
class PushAdmin(OfRepository):
    """Pushes, newest first, with the refs that they moved."""

    view_action = "codecommit:GetRepository"
    list_display = ("push_id", "repository_link", "principal_name", "state", "ref_count", "begun_at", "delivered_at")
    list_filter = ("state",)
    list_select_related = ("repository",)
    filter_links = ("repository",)
    search_fields = ("push_id", "repository__name", "principal_name")
    search_help_text = "Push id, repository or principal"
    date_hierarchy = "begun_at"
    fields = (
        "push_id",
        "repository_link",
        "principal_name",
        "principal_arn",
        "state",
        "commands",
        "options",
        "is_atomic",
        "owner",
        "begun_at",
        "recorded_at",
        "delivered_at",
    )

    @admin.display(description="refs")
    def ref_count(self, obj: Push) -> int:
        return len(obj.commands)


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
