"""Projects and builds for operators: to look at, and to stop. What else changes them is the console."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.defaultfilters import filesizeformat

from builds import lifecycle
from builds.access import project_arn
from builds.models import Artifact, Build, CacheEntry, EngineImage, Leftover, LogChunk, Phase, Project, SourceCredential
from codeservices.admin import columns
from codeservices.admin.base import ActionAdmin, LookOnlyInline
from codeservices.http import ConsoleRequest
from codeservices.iam.authorize import is_allowed


class OfBuild(ActionAdmin):
    """Builds and what belongs to them: of those projects whose builds one may look at, as in the console."""

    list_action, view_action = "codebuild:ListBuilds", "codebuild:BatchGetBuilds"
    list_select_related = ("build",)
    filter_links = ("build",)
    # From a row to the name of its project, as lookups say it.
    project_name_field = "build__project_name"

    def resource_of(self, obj: Any) -> str:
        return str(obj.build.project_arn)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        found: QuerySet[Any] = super().get_queryset(request)
        names = Build.objects.order_by().values_list("project_name", flat=True).distinct()
        hidden = [one for one in names if not _may(request, self.view_action, project_arn(one))]
        return found.exclude(**{f"{self.project_name_field}__in": hidden}) if hidden else found

    @admin.display(description="build", ordering="build")
    def build_link(self, obj: Any) -> str:
        return columns.link(obj.build)


class BuildInline(LookOnlyInline):
    view_action = "codebuild:BatchGetBuilds"

    def resource_of(self, obj: Build) -> str:
        return obj.project_arn


class PhaseInline(BuildInline):
    model = Phase
    fields = ("phase_type", "status", "started_at", "ended_at", "contexts", "first_line")


class ArtifactInline(BuildInline):
    model = Artifact
    fields = readonly_fields = ("identifier", "name", "size", "sha256", "created_at")

    @admin.display(description="size")
    def size(self, obj: Artifact) -> str:
        return filesizeformat(obj.size_bytes)


@admin.register(Project)
class ProjectAdmin(ActionAdmin):
    list_action, view_action = "codebuild:ListProjects", "codebuild:BatchGetProjects"
    list_display = ("name", "description", "image", "compute_type", "builds", "updated_at")
    search_fields = ("name", "description", "service_role_arn")
    search_help_text = "Name, description or service role"
    date_hierarchy = "created_at"
    # Values of environment variables are for those who may see the project in the console.
    fields = (
        "name",
        "description",
        "row_arn",
        "source",
        "source_version",
        "secondary_sources",
        "secondary_source_versions",
        "artifacts",
        "image",
        "compute_type",
        "variables",
        "service_role_arn",
        "timeout_minutes",
        "queued_timeout_minutes",
        "concurrent_build_limit",
        "auto_retry_limit",
        "priority",
        "cancels_superseded",
        "badge_enabled",
        "tags",
        "builds",
        "elsewhere",
        "created_at",
        "updated_at",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        found: QuerySet[Any] = super().get_queryset(request)
        rows = Project.objects.only("name")
        hidden = [one.pk for one in rows if not _may(request, self.view_action, one.arn)]
        return found.exclude(pk__in=hidden) if hidden else found

    @admin.display(description="builds", ordering="last_build_number")
    def builds(self, obj: Project) -> str:
        return columns.list_link(Build, f"{obj.last_build_number} started", project__id__exact=obj.pk)

    @admin.display(description="environment variables")
    def variables(self, obj: Project) -> str:
        return _variable_names(obj.environment)

    @admin.display(description="ARN")
    def row_arn(self, obj: Project) -> str:
        return obj.arn

    @admin.display(description="elsewhere")
    def elsewhere(self, obj: Project) -> str:
        return columns.console_link("builds:project", obj.name)


@admin.register(SourceCredential)
class SourceCredentialAdmin(ActionAdmin):
    """Which credentials are stored; never what they are."""

    list_action = view_action = "codebuild:ListSourceCredentials"
    list_display = ("server_type", "host", "auth_type", "created_at")
    fields = readonly_fields = ("server_type", "host", "auth_type", "username", "secret_arn", "created_at")
    search_fields = ("server_type", "host")


@admin.register(Build)
class BuildAdmin(OfBuild):
    list_display = ("__str__", "status", "current_phase", "initiator", "started_at", "ended_at", "lease_owner")
    list_filter = ("status", "current_phase")
    list_select_related = ("project",)
    filter_links = ("project",)
    project_name_field = "project_name"
    search_fields = ("project_name", "uuid", "initiator", "resolved_source_oid")
    search_help_text = "Project, build id, initiator or commit"
    date_hierarchy = "started_at"
    inlines = (PhaseInline, ArtifactInline)
    actions = ("stop",)
    fields = (
        "project_link",
        "number",
        "row_arn",
        "status",
        "current_phase",
        "initiator",
        "source",
        "source_version",
        "resolved_source_oid",
        "variables",
        "cache_owner",
        "service_role_arn",
        "timeout_minutes",
        "queued_timeout_minutes",
        "priority",
        "auto_retry_limit",
        "auto_retry_number",
        "log",
        "started_at",
        "claimed_at",
        "ended_at",
        "stop_requested_at",
        "stop_reason",
        "lease_owner",
        "lease_expires_at",
    )

    def resource_of(self, obj: Build) -> str:
        return obj.project_arn

    @admin.action(description="Stop selected builds")
    def stop(self, request: ConsoleRequest, queryset: QuerySet[Build]) -> None:
        self.each(request, queryset, lambda build: lifecycle.stop_build(request.principal, build), done="told to stop")

    @admin.display(description="project")
    def project_link(self, obj: Build) -> str:
        return columns.link(obj.project) if obj.project else f"{obj.project_name} (deleted)"

    @admin.display(description="environment variables")
    def variables(self, obj: Build) -> str:
        return _variable_names(obj.environment)

    @admin.display(description="log")
    def log(self, obj: Build) -> str:
        return columns.together(
            columns.console_link("builds:build", obj.project_name, obj.number, text=f"{obj.log_line_count} lines"),
            columns.list_link(LogChunk, "Chunks in storage", build__id__exact=obj.pk),
        )

    @admin.display(description="ARN")
    def row_arn(self, obj: Build) -> str:
        return obj.arn


@admin.register(Phase)
class PhaseAdmin(OfBuild):
    list_display = ("phase_type", "build_link", "status", "started_at", "ended_at")
    list_filter = ("phase_type", "status")
    search_fields = ("build__project_name", "build__uuid")
    search_help_text = "Project or build id"
    date_hierarchy = "started_at"
    fields = ("build_link", "phase_type", "status", "contexts", "first_line", "started_at", "ended_at")
    ordering = ("-pk",)


@admin.register(Artifact)
class ArtifactAdmin(OfBuild):
    list_display = ("name", "build_link", "identifier", "packaging", "size", "file_count", "created_at")
    list_filter = ("packaging",)
    search_fields = ("name", "build__project_name", "build__uuid", "sha256", "key")
    search_help_text = "Name, project, build id, key or SHA-256"
    date_hierarchy = "created_at"
    fields = (
        "name",
        "build_link",
        "identifier",
        "packaging",
        "row_arn",
        "size",
        "file_count",
        "md5",
        "sha256",
        "object_modified_at",
        "manifest_key",
        "created_at",
    )
    ordering = ("-pk",)

    @admin.display(description="ARN")
    def row_arn(self, obj: Artifact) -> str:
        return obj.arn

    @admin.display(description="size", ordering="size_bytes")
    def size(self, obj: Artifact) -> str:
        return filesizeformat(obj.size_bytes)


@admin.register(CacheEntry)
class CacheEntryAdmin(ActionAdmin):
    """Caches of projects that one may look at. They are forgotten in the console, all of a project at once."""

    list_action, view_action = "codebuild:ListProjects", "codebuild:BatchGetProjects"
    list_display = ("__str__", "project", "refname", "namespace", "host", "size", "file_count", "created_at", "used_at")
    list_filter = ("host",)
    list_select_related = ("project",)
    filter_links = ("project",)
    search_fields = ("cache_key", "project__name", "namespace", "key")
    search_help_text = "Key of the cache or of its object, project or namespace"
    date_hierarchy = "created_at"
    fields = (
        "project",
        "cache_key",
        "refname",
        "namespace",
        "host",
        "bucket",
        "key",
        "size",
        "file_count",
        "sha256",
        "version",
        "scope",
        "created_at",
        "used_at",
    )

    def resource_of(self, obj: CacheEntry) -> str:
        return obj.project.arn if obj.project is not None else "*"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        found: QuerySet[Any] = super().get_queryset(request)
        if not _may(request, self.view_action, "*"):
            rows = Project.objects.only("name")
            found = found.filter(project__in=[one.pk for one in rows if _may(request, self.view_action, one.arn)])
        return found

    @admin.display(description="size", ordering="size_bytes")
    def size(self, obj: CacheEntry) -> str:
        return filesizeformat(obj.size_bytes)


@admin.register(Leftover)
class LeftoverAdmin(ActionAdmin):
    """What waits for the sweep, or for the build that is storing it; an old one: the store can't be reached."""

    list_action, view_action = "codebuild:ListBuilds", "s3:GetObject"
    list_display = ("__str__", "object_modified_at", "created_at")
    search_fields = ("bucket", "key")
    search_help_text = "Bucket or key"
    date_hierarchy = "created_at"
    fields = ("bucket", "key", "object_modified_at", "manifest_key", "build_link", "created_at")

    @admin.display(description="being stored by")
    def build_link(self, obj: Leftover) -> str:
        return columns.link(obj.build)

    def resource_of(self, obj: Leftover) -> str:
        return f"arn:aws:s3:::{obj.bucket}/{obj.key}"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        found: QuerySet[Any] = super().get_queryset(request)
        return found if _may(request, self.view_action, "arn:aws:s3:::*") else found.none()


@admin.register(LogChunk)
class LogChunkAdmin(OfBuild):
    list_display = ("__str__", "build_link", "line_count", "size", "key")
    search_fields = ("build__project_name", "build__uuid", "key")
    search_help_text = "Project, build id or key"
    fields = ("build_link", "first_line", "line_count", "size", "key")
    ordering = ("-pk",)

    @admin.display(description="size", ordering="size_bytes")
    def size(self, obj: LogChunk) -> str:
        return filesizeformat(obj.size_bytes)


@admin.register(EngineImage)
class EngineImageAdmin(ActionAdmin):
    """Images that builds brought to an engine; the collection removes those that nobody uses."""

    list_action = view_action = "codebuild:ListCuratedEnvironmentImages"
    list_display = ("reference", "engine_id", "obtained_at", "used_at")
    search_fields = ("reference", "engine_id")
    search_help_text = "Image or engine"
    date_hierarchy = "used_at"
    fields = ("reference", "engine_id", "obtained_at", "used_at")

    def resource_of(self, obj: Any) -> str:
        return "*"


def _may(request: HttpRequest, action: str, resource: str) -> bool:
    return is_allowed(request.principal, action, resource)  # type: ignore[attr-defined]


def _variable_names(environment: dict[str, Any]) -> str:
    """The names alone: values may be secrets."""
    return ", ".join(one.get("name", "") for one in environment.get("environmentVariables", [])) or "–"
