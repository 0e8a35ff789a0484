"""Projects and builds for operators: to look at. What changes them is the console, so that its rules hold."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest

from builds.models import Artifact, Build, LogChunk, Phase, Project
from repos.admin import LookOnly


class LookOnlyInline(admin.TabularInline):
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False


class PhaseInline(LookOnlyInline):
    model = Phase
    fields = readonly_fields = ("phase_type", "status", "started_at", "ended_at", "contexts", "first_line")


class ArtifactInline(LookOnlyInline):
    model = Artifact
    fields = readonly_fields = ("identifier", "name", "key", "size_bytes", "sha256", "created_at")


@admin.register(Project)
class ProjectAdmin(LookOnly):
    list_display = ("name", "description", "image", "compute_type", "updated_at")
    search_fields = ("name", "description")
    # Values of environment variables are for those who may see the project.
    exclude = ("environment",)


@admin.register(Build)
class BuildAdmin(LookOnly):
    list_display = ("__str__", "status", "current_phase", "initiator", "started_at", "ended_at", "lease_owner")
    list_filter = ("status", "current_phase")
    search_fields = ("project_name", "uuid", "initiator", "resolved_source_oid")
    date_hierarchy = "started_at"
    exclude = ("environment", "exported_variables")
    inlines = (PhaseInline, ArtifactInline)


@admin.register(LogChunk)
class LogChunkAdmin(LookOnly):
    list_display = ("build", "first_line", "line_count", "size_bytes", "key")
    search_fields = ("build__project_name", "build__uuid")
    list_select_related = ("build",)
