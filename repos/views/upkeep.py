"""Upkeep of a repository: its state, what was done, and "Run now"; and the list of all repositories by their state."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from codeservices.errors import InvalidInput
from codeservices.http import ConsoleRequest, is_partial
from repos.access import repositories_for
from repos.git.upkeep import state, strategy
from repos.git.upkeep.state import State
from repos.git.upkeep.strategy import Job
from repos.models import Repository, Upkeep, UpkeepRun
from repos.upkeep import schedule
from repos.views.shared import may, opened

PAGE_SIZE = 50
SHOWN_RUNS = 20
LABELS = dict(UpkeepRun.JOBS)
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


@require_GET
def upkeep(request: ConsoleRequest, name: str) -> HttpResponse:
    """The state as it is now, what is due, the last runs; while one is under way the page asks for itself again."""
    with opened(request, "codecommit:GetRepository", name) as repository:
        row = Upkeep.objects.filter(repository=repository).first() or Upkeep(repository=repository)
        seen = state.look(repository.git)
    known = State.from_dict(row.state)
    context = {
        "repository": repository,
        "tab": "settings",
        "settings_tab": "upkeep",
        "upkeep": row,
        "state": seen,
        "missing_commits": known.missing_commits if known.graph_commits == seen.graph_commits else None,
        "due": [LABELS[job] for job in strategy.due_jobs(seen)],
        "planned": [(LABELS[job], job == row.current_job) for job in row.planned_jobs],
        "is_waiting": not row.is_running and row.requested_at is not None,
        "runs": repository.upkeep_runs.all()[:SHOWN_RUNS],
        "grace_days": settings.UNREACHABLE_DAYS,
        "may_run": may(request, repository, schedule.ACTION),
    }
    return render(request, "repos/_upkeep.html" if is_partial(request) else "repos/upkeep.html", context)


@require_POST
def upkeep_run(request: ConsoleRequest, name: str) -> HttpResponse:
    """Have everything done now, or one job."""
    with opened(request, schedule.ACTION, name):
        asked = request.POST.get("job", "")
        if asked and asked not in LABELS:
            raise InvalidInput(f"“{asked[:40]}” is no kind of upkeep.", hint=f"There are {', '.join(LABELS)}.")
        schedule.request(request.principal, name, [Job(asked)] if asked else schedule.EVERYTHING)
    messages.success(request, f"{LABELS[asked] if asked else 'Upkeep'} of {name} starts as soon as a worker is free.")
    return redirect("repos:upkeep", name)


@dataclass(frozen=True)
class Row:
    """A repository in the list."""

    repository: Repository
    upkeep: Upkeep
    state: State
    due: list[str]

    @property
    def current(self) -> str:
        """The job that is under way."""
        return LABELS.get(self.upkeep.current_job, "") if self.upkeep.is_running else ""

    @property
    def rank(self) -> int:
        """Damaged ones first, then those whose jobs fail, then those that wait for something."""
        row = self.upkeep
        return 0 if row.fsck_findings else 1 if row.failure_count else 2 if self.current else 3 if self.due else 4


# Each column by what it sorts by; the first click shows what wants attention first.
SORTS: dict[str, Callable[[Row], Any]] = {
    "state": lambda row: (row.rank, row.repository.name),
    "name": lambda row: row.repository.name,
    "size": lambda row: -row.repository.size_bytes,
    "packs": lambda row: -row.state.packs,
    "loose": lambda row: -(row.state.loose_objects + row.state.loose_refs),
    "check": lambda row: row.upkeep.fsck_at or _LONG_AGO,
}


@require_GET
def upkeep_list(request: ConsoleRequest) -> HttpResponse:
    """All repositories that one may look at, with their state as it was seen last."""
    rows = []
    known = {one.repository_id: one for one in Upkeep.objects.all()}
    for repository in repositories_for(request.principal):
        row = known.get(repository.pk) or Upkeep(repository=repository)
        seen = State.from_dict(row.state)
        rows.append(Row(repository, row, seen, [LABELS[job] for job in strategy.due_jobs(seen)]))
    sort = request.GET.get("sort", "")
    sort = sort if sort in SORTS else "state"
    rows.sort(key=SORTS[sort])
    page = Paginator(rows, PAGE_SIZE).get_page(request.GET.get("page"))
    context = {"page": page, "sort": sort, "damaged": sum(bool(row.upkeep.fsck_findings) for row in rows)}
    return render(request, "repos/upkeep_list.html", context)
