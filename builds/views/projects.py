"""Build projects: list, create, history, settings, delete."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.core.paginator import Paginator
from django.db import transaction
from django.db.models import OuterRef, Subquery
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from builds import buildspec, compute, limit_rules, projects, storage_forms
from builds.access import project_for
from builds.forms import EXAMPLE_BUILDSPEC, ProjectForm, VariableFormSet, initial_of, variable_rows
from builds.models import Build, Project, Status
from builds.project_rules import InvalidProject
from builds.source_forms import SecondaryFormSet, secondary_rows
from builds.sources import credentials
from builds.storage_forms import SecondaryArtifactFormSet, secondary_artifact_rows
from builds.views.shared import note
from codeservices.errors import Conflict, InvalidInput
from codeservices.http import ConsoleRequest, is_partial
from codeservices.iam.authorize import authorize, is_allowed

PROJECTS_A_PAGE = 50
BUILDS_A_PAGE = 30
# The history chart shows so many builds, oldest first.
BUILDS_IN_CHART = 40
CHART_HEIGHT = 60
CHECKBOXES = (
    "build_on_push",
    "privileged",
    "submodules",
    "insecure_ssl",
    "cancels_superseded",
    "badge_enabled",
    *storage_forms.CHECKBOXES,
)


@dataclass(frozen=True)
class _Tables:
    """What a project's form has rows of."""

    variables: VariableFormSet
    sources: SecondaryFormSet
    artifacts: SecondaryArtifactFormSet

    def are_valid(self) -> bool:
        return all(one.is_valid() for one in (self.variables, self.sources, self.artifacts) if one.is_bound)


@require_GET
def project_list(request: ConsoleRequest) -> HttpResponse:
    """The projects that one may look at, with the latest build of each."""
    visible = projects.visible_projects(request.principal)
    query = request.GET.get("q", "").strip()
    found = [one for one in visible if query.lower() in one.name.lower()]
    page = Paginator(found, PROJECTS_A_PAGE).get_page(request.GET.get("page"))
    latest = _latest_builds([one.pk for one in page.object_list])
    rows = [(one, latest.get(one.pk)) for one in page.object_list]
    context = {
        "rows": rows,
        "page": page,
        "query": query,
        "has_projects": bool(visible),
        "may_create": is_allowed(request.principal, "codebuild:CreateProject", "*"),
        "may_list_credentials": is_allowed(request.principal, credentials.LIST, "*"),
    }
    return render(request, "builds/project_list.html", context)


@require_http_methods(["GET", "POST"])
def project_create(request: ConsoleRequest) -> HttpResponse:
    """The form of a new project."""
    if not is_allowed(request.principal, "codebuild:CreateProject", "*"):  # the form lists roles, right or wrong
        authorize(request.principal, "codebuild:CreateProject", "*")
    return _project_form(request, None)


@require_GET
def project(request: ConsoleRequest, name: str) -> HttpResponse:
    """A project's history, newest first; htmx asks for the rows alone."""
    principal = request.principal
    found = project_for(principal, "codebuild:BatchGetProjects", name)
    page = Paginator(found.builds.order_by("-number"), BUILDS_A_PAGE).get_page(request.GET.get("page"))
    context: dict[str, Any] = {
        "project": found,
        "page": page,
        "builds": page.object_list,
        "has_running": any(not one.is_finished for one in page.object_list),
        "refresh_url": request.get_full_path(),
    }
    if is_partial(request):
        return render(request, "builds/_build_rows.html", context)
    context |= {
        "bars": _bars(list(found.builds.order_by("-number")[:BUILDS_IN_CHART])),
        "trigger": projects.push_trigger(found),
        "may_start": is_allowed(principal, "codebuild:StartBuild", found.arn),
        "may_change": is_allowed(principal, "codebuild:UpdateProject", found.arn),
        "is_inline": buildspec.looks_inline(found.source.get("buildspec", "")),
        "compute_label": compute.label_of(found.compute_type),
        "example_buildspec": EXAMPLE_BUILDSPEC,
        "badge_url": badge_url(request, found),
        "start_command": f"aws codebuild start-build --project-name {found.name}",
    }
    return render(request, "builds/project.html", context)


def badge_url(request: ConsoleRequest, project: Project) -> str:
    """Where everybody finds the project's badge; empty where it has none."""
    return request.build_absolute_uri(limit_rules.badge_path(project.badge_uuid)) if project.badge_enabled else ""


@require_http_methods(["GET", "POST"])
def project_settings(request: ConsoleRequest, name: str) -> HttpResponse:
    """The form of an existing project."""
    found = project_for(request.principal, "codebuild:UpdateProject", name)
    return _project_form(request, found)


@require_POST
def project_delete(request: ConsoleRequest, name: str) -> HttpResponse:
    """Delete a project whose name was typed; its builds stay in the list of all builds."""
    found = project_for(request.principal, "codebuild:DeleteProject", name)
    if request.POST.get("confirm") != found.name:
        raise InvalidInput(
            f"{found.name} was not deleted: the name typed was another.", hint="Type the project's name to delete it."
        )
    projects.delete_project(request.principal, found.name)
    messages.success(request, f"Deleted {name}. Its builds are still in the list of all builds.")
    return redirect("builds:project_list")


def _project_form(request: ConsoleRequest, project: Project | None) -> HttpResponse:
    """Show, extend or save the form. More rows for variables are a plain submit button, and htmx swaps the table."""
    principal = request.principal
    if request.method == "GET":
        form = ProjectForm(principal, project=project, initial=initial_of(project, request.GET.get("repository", "")))
        rows = variable_rows(variables=project.environment.get("environmentVariables") if project else None)
        return _render_form(request, form, _Tables(rows, secondary_rows(project=project), _artifact_rows(project)))
    sources, artifacts = secondary_rows(request.POST, project), secondary_artifact_rows(request.POST)
    if "add_variables" in request.POST:
        form = ProjectForm(principal, project=project, initial=request.POST.dict() | _checked(request))
        return _render_form(request, form, _Tables(variable_rows(request.POST, more=3), sources, artifacts))
    form = ProjectForm(principal, request.POST, project=project)
    tables = _Tables(variable_rows(request.POST), sources, artifacts)
    if form.is_valid() and tables.are_valid():
        saved = _save(request, form, tables)
        if saved is not None:
            return redirect("builds:project", saved.name)
    return _render_form(request, form, tables, status=400)


def _artifact_rows(project: Project | None) -> SecondaryArtifactFormSet:
    return secondary_artifact_rows(artifacts=list(project.secondary_artifacts) if project is not None else [])


def _checked(request: ConsoleRequest) -> dict[str, bool]:
    """A checkbox that is off is not posted."""
    return {name: name in request.POST for name in CHECKBOXES}


def _save(request: ConsoleRequest, form: ProjectForm, tables: _Tables) -> Project | None:
    """The project as saved, or None where a rule is broken, which the form then tells."""
    principal = request.principal
    note(name=form.project.name if form.project else form.cleaned_data["name"])
    fields = form.fields_of_project(request.build_absolute_uri("/").rstrip("/"), tables.variables.variables())
    if tables.sources.is_bound:
        fields |= tables.sources.members(form.project)
    if tables.artifacts.is_bound:
        before = list(form.project.secondary_artifacts) if form.project else []
        fields["secondaryArtifacts"] = tables.artifacts.artifacts(before)
    try:
        with transaction.atomic():
            if form.project is None:
                saved = projects.create_project(principal, fields)
            else:
                saved = projects.update_project(principal, form.project.name, fields)
            wants_trigger = form.cleaned_data["build_on_push"] and bool(saved.repository_name)
            projects.set_push_trigger(principal, saved, is_on=wants_trigger)
    except InvalidProject as error:
        form.add_project_error(error)
        return None
    except Conflict as error:
        form.add_error("name" if "name" in form.fields else None, error.message)
        return None
    messages.success(request, f"{saved.name} was {'created' if form.project is None else 'changed'}.")
    return saved


def _render_form(request: ConsoleRequest, form: ProjectForm, tables: _Tables, status: int = 200) -> HttpResponse:
    if is_partial(request) and "add_variables" in request.POST:
        return render(request, "builds/_variables.html", {"rows": tables.variables, "rows_url": request.path})
    context = {
        "form": form,
        "rows": tables.variables,
        "rows_url": request.path,
        "secondary_artifacts": tables.artifacts,
        "project": form.project,
        "variable_errors": form.variable_errors,
        "sources": tables.sources,
        "source_errors": form.source_errors,
        # Not the hashed name that pages link to: this address goes into editors' settings and stays.
        "schema_url": request.build_absolute_uri(f"{settings.STATIC_URL}{buildspec.SCHEMA}"),
        "may_delete": form.project is not None
        and is_allowed(request.principal, "codebuild:DeleteProject", form.project.arn),
    }
    return render(request, "builds/project_form.html", context, status=status)


def _latest_builds(project_pks: list[int]) -> dict[int, Build]:
    newest = Build.objects.filter(project=OuterRef("pk")).order_by("-number").values("pk")[:1]
    pks = Project.objects.filter(pk__in=project_pks).values_list(Subquery(newest), flat=True)
    builds = Build.objects.filter(pk__in=[pk for pk in pks if pk])
    return {one.project_id: one for one in builds if one.project_id is not None}


def _bars(builds: list[Build]) -> dict[str, Any]:
    """The history chart: a bar a build, oldest first, as high as it took long; and how many succeeded."""
    finished = [one for one in builds if one.is_finished]
    longest = max((one.duration_seconds for one in builds), default=0) or 1
    bars = [
        {
            "build": one,
            "x": index * 10,
            "height": (height := max(3, round(CHART_HEIGHT * one.duration_seconds / longest))),
            "y": CHART_HEIGHT - height,
        }
        for index, one in enumerate(reversed(builds))
    ]
    succeeded = sum(one.status == Status.SUCCEEDED for one in finished)
    seconds = sorted(one.duration_seconds for one in finished)
    return {
        "bars": bars,
        "width": BUILDS_IN_CHART * 10,
        "height": CHART_HEIGHT,
        "success_percent": round(100 * succeeded / len(finished)) if finished else None,
        "median_seconds": seconds[len(seconds) // 2] if seconds else None,
        "count": len(finished),
    }
