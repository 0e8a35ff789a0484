"""Builds: list, start, one build with its phases, stop, retry."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from builds import compute, lifecycle, panels, shapes
from builds.access import build_for, project_for, visible_builds
from builds.forms import BuildFilterForm, StartForm, VariableFormSet, variable_rows
from builds.logs import access as log_access
from builds.logs.format import Line
from builds.models import Build, Project
from builds.project_rules import InvalidProject
from builds.views.artifacts import with_rights
from builds.views.shared import note, note_answer, phase_rows
from codeservices.http import ConsoleRequest, is_partial
from codeservices.iam.authorize import authorize, is_allowed

BUILDS_A_PAGE = 30
# What the page shows before, or without, its script; and no more text than a page may weigh.
LINES_ON_PAGE = 2_000
BYTES_ON_PAGE = 512 * 1024


@require_GET
def build_list(request: ConsoleRequest) -> HttpResponse:
    """Builds of all projects that one may look at, newest first; htmx asks for the rows alone."""
    authorize(request.principal, "codebuild:ListBuilds", "*")
    form = BuildFilterForm(request.GET)
    rows = visible_builds(request.principal, "codebuild:BatchGetBuilds").order_by("-pk")
    wanted = form.cleaned_data if form.is_valid() else {}
    if wanted.get("status"):
        rows = rows.filter(status=wanted["status"])
    if wanted.get("project"):
        rows = rows.filter(project_name__icontains=wanted["project"])
    page = Paginator(rows, BUILDS_A_PAGE).get_page(request.GET.get("page"))
    context = {
        "page": page,
        "builds": page.object_list,
        "has_running": any(not one.is_finished for one in page.object_list),
        "refresh_url": request.get_full_path(),
        "shows_project": True,
        "form": form,
        "is_filtered": any(wanted.values()),
    }
    template = "builds/_build_rows.html" if is_partial(request) else "builds/build_list.html"
    return render(request, template, context)


@require_GET
def build_recent(request: ConsoleRequest) -> HttpResponse:
    """The dashboard's panel, which renews itself."""
    authorize(request.principal, "codebuild:ListBuilds", "*")
    return render(request, "builds/_recent_builds.html", panels.recent(request.principal))


@require_http_methods(["GET", "POST"])
def build_start(request: ConsoleRequest, name: str) -> HttpResponse:
    """Start a build; a GET asks for overrides first."""
    project = project_for(request.principal, "codebuild:StartBuild", name)
    if request.method == "GET":
        return _render_start(request, project, StartForm(project=project), variable_rows())
    if "add_variables" in request.POST:
        rows = variable_rows(request.POST, more=3)
        return _render_start(request, project, StartForm(initial=request.POST.dict(), project=project), rows)
    form = StartForm(request.POST, project=project)
    # The button on the project's page sends no table.
    table = variable_rows(request.POST) if "variables-TOTAL_FORMS" in request.POST else None
    problems: list[str] = []
    if form.is_valid() and (table is None or table.is_valid()):
        overrides = form.overrides()
        note(projectName=name, **overrides)
        if table is not None and table.variables():
            overrides["environmentVariablesOverride"] = table.variables()
        try:
            build = lifecycle.start_build(request.principal, name, overrides)
        except InvalidProject as error:
            if error.field == "sourceVersion":
                form.add_error("source_version", f"{error.message} {error.hint}".strip())
            else:
                problems = list(error.problems) or [error.message]
        else:
            note_answer(shapes.started_for_trail(build))
            return redirect("builds:build", build.project_name, build.number)
    return _render_start(request, project, form, table or variable_rows(), problems, status=400)


def _render_start(
    request: ConsoleRequest,
    project: Project,
    form: StartForm,
    rows: VariableFormSet,
    problems: list[str] | None = None,
    status: int = 200,
) -> HttpResponse:
    context = {
        "project": project,
        "form": form,
        "rows": rows,
        "rows_url": reverse("builds:build_start", args=[project.name]),
        "variable_errors": problems or [],
    }
    is_table = is_partial(request) and "add_variables" in request.POST
    return render(request, "builds/_variables.html" if is_table else "builds/build_start.html", context, status=status)


@require_GET
def build(request: ConsoleRequest, name: str, number: int) -> HttpResponse:
    """One build: status, phases, log, artifacts, environment."""
    principal = request.principal
    found = build_for(principal, "codebuild:BatchGetBuilds", name, number)
    may_read_log = log_access.may_read_log(principal, found)
    is_live = found.project is not None
    phases = phase_rows(found)
    context = {
        "build": found,
        "project": found.project,
        "phases": phases,
        "wait": lifecycle.wait_of(found),
        "retries": {"of": found.auto_retry_of, "next": Build.objects.filter(auto_retry_of=found).first()},
        "failed_line": next((one.last_line for one in phases if one.is_failed), None),
        "may_read_log": may_read_log,
        "log": _log(found, request.GET.get("from", "")) if may_read_log else None,
        "artifacts": with_rights(principal, found),
        "compute_label": compute.label_of(found.environment.get("computeType", "")),
        "may_stop": not found.is_finished and is_allowed(principal, "codebuild:StopBuild", found.project_arn),
        "may_retry": found.is_finished and is_live and is_allowed(principal, "codebuild:RetryBuild", found.project_arn),
    }
    return render(request, "builds/build.html", context)


@require_POST
def build_stop(request: ConsoleRequest, name: str, number: int) -> HttpResponse:
    """End a build early."""
    found = build_for(request.principal, "codebuild:StopBuild", name, number)
    note(id=found.api_id)
    lifecycle.stop_build(request.principal, found)
    return redirect("builds:build", name, number)


@require_POST
def build_retry(request: ConsoleRequest, name: str, number: int) -> HttpResponse:
    """The same again, as a new build."""
    found = build_for(request.principal, "codebuild:RetryBuild", name, number)
    note(id=found.api_id)
    again = lifecycle.retry_build(request.principal, found)
    messages.success(request, f"Build #{again.number} does what #{found.number} did.")
    return redirect("builds:build", again.project_name, again.number)


def _log(build: Build, wanted: str) -> dict[str, Any]:
    """The last lines, or those from a number on; where the page's rows begin and end, and how many lines there are."""
    total = log_access.line_count(build)
    first = max(0, total - LINES_ON_PAGE)
    if wanted.isascii() and wanted.isdigit() and len(wanted) <= 18:
        first = min(int(wanted), total)
    lines = log_access.reader_of(build.pk, str(build.uuid)).window(first, LINES_ON_PAGE)
    shown = _within(lines, BYTES_ON_PAGE, from_end=not wanted)
    first = shown[0].number if shown else first
    behind = shown[-1].number + 1 if shown else first
    return {"lines": shown, "first": first, "next": behind, "total": max(total, behind)}


def _within(lines: list[Line], max_bytes: int, *, from_end: bool) -> list[Line]:
    """As many lines as weigh no more than `max_bytes`, at least one."""
    kept: list[Line] = []
    size = 0
    for line in reversed(lines) if from_end else lines:
        size += len(line.text)
        if kept and size > max_bytes:
            break
        kept.append(line)
    return kept[::-1] if from_end else kept
