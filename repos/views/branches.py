"""The branches of a repository: list, create, delete."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from codeservices import registry
from codeservices.errors import NotFound, ServiceError
from codeservices.http import ConsoleRequest, confirmed, is_partial
from codeservices.iam.views.shared import tell
from codeservices.registry import CommitStatus
from repos import branches, protection
from repos.forms import BranchForm
from repos.git import divergence, log, program, refs
from repos.models import Repository
from repos.protection import Protection
from repos.remembered import remembered
from repos.views.shared import may, note_parameters, oid_of_start, opened

PAGE_SIZE = 50
# Counting goes on at the next look at the page, from what was counted until then.
DIVERGENCE_SECONDS = 2.0
SORTS = {"newest": "Newest first", "oldest": "Oldest first", "name": "By name"}


@dataclass(frozen=True)
class Row:
    """A branch as the list shows it.

    Attributes:
        commit: The last one, or None where the branch names no commit.
        apart: How many commits it is ahead of and behind the default branch, where that is counted.
    """

    name: str
    commit: log.Commit | None
    is_default: bool
    protection: Protection | None
    apart: tuple[int, int] | None

    @property
    def menu_id(self) -> str:
        """Of its menu, which stays as it is when the rows come again; htmx takes it for a selector."""
        return f"menu-{refs.encode(self.name).hex()}"


@require_GET
def branch_list(request: ConsoleRequest, name: str) -> HttpResponse:
    """Branches with their last commits; the default one first."""
    return _render(request, name)


@require_POST
def branch_create(request: ConsoleRequest, name: str) -> HttpResponse:
    """Make a branch at a commit."""
    form = BranchForm(request.POST)
    if form.is_valid():
        branch, start = form.cleaned_data["name"], form.cleaned_data["start"]
        note_parameters(repositoryName=name, branchName=branch)
        repository = branches.opened_for(request.principal, branches.CREATE_BRANCH, name, refs.HEADS + branch)
        try:
            oid = oid_of_start(repository, start)
            branches.create_branch(request.principal, name, branch, oid)
        except ServiceError as error:
            tell(form, error)
        else:
            messages.success(request, f"Branch {branch} is made.")
            return redirect("repos:branch_list", name)
    return _render(request, name, form)


@require_POST
def branch_delete(request: ConsoleRequest, name: str) -> HttpResponse:
    """Delete a branch whose name was typed."""
    branch = refs.unescaped(request.POST.get("branch", ""))
    note_parameters(repositoryName=name, branchName=refs.escaped(branch))
    branches.opened_for(request.principal, branches.DELETE_BRANCH, name, refs.HEADS + refs.check_branch_name(branch))
    shown = refs.shown(branch)
    confirmed(request, shown)
    oid = branches.delete_branch(request.principal, name, branch)
    if oid is None:
        raise refs.BranchMissing(f"No branch of {name} is called “{shown}”.")
    messages.success(request, f"Branch {shown} is deleted. It stood at {oid}.")
    return redirect("repos:branch_list", name)


def _render(request: ConsoleRequest, name: str, form: BranchForm | None = None) -> HttpResponse:
    """The page; a form is one that was sent and refused."""
    with opened(request, "codecommit:ListBranches", name) as repository:
        # Taken out, so that the links of the page do not wait for the count on theirs.
        values = request.GET.copy()
        with_divergence = values.pop("divergence", None) is not None
        request.GET = values  # type: ignore[assignment]
        query = request.GET.get("q", "").strip()
        sort = request.GET.get("sort", "")
        sort = sort if sort in SORTS else "newest"
        default = repository.default_branch
        found = [one for one in refs.branches(repository.git) if query.lower() in one[0].lower()]
        page = Paginator(_sorted(repository, found, sort, default), PAGE_SIZE).get_page(request.GET.get("page"))
        is_open = repository.archived_at is None
        rows = _rows(repository, list(page), default, with_divergence)
        context = {
            "repository": repository,
            "tab": "branches",
            "page": page,
            "rows": rows,
            "statuses": _statuses(request, repository, rows),
            "query": query,
            "sort": sort,
            "sorts": SORTS,
            "default_branch": default,
            "with_divergence": with_divergence or default is None,
            "form": form or BranchForm(initial={"start": default or ""}),
            # Whether there is something to begin a branch at; a policy may still refuse single names.
            "may_create": is_open and bool(found or query) and may(request, repository, branches.CREATE_BRANCH),
            "may_delete": is_open and may(request, repository, branches.DELETE_BRANCH),
            "may_set_default": is_open and may(request, repository, "codecommit:UpdateDefaultBranch"),
        }
        template = "repos/_branch_rows.html" if is_partial(request) else "repos/branch_list.html"
        return render(request, template, context, status=400 if form is not None else 200)


def _sorted(
    repository: Repository, found: list[tuple[str, str]], sort: str, default: str | None
) -> list[tuple[str, str]]:
    """The default branch first, then by when each was last committed to, or by name."""
    if sort != "name":
        tips = sorted({oid for _, oid in found})
        digest = hashlib.sha256("".join(tips).encode()).hexdigest()
        times = remembered(repository, "timestamps", digest, make=lambda: divergence.timestamps(repository.git, tips))
        found = sorted(found, key=lambda one: times.get(one[1], 0), reverse=sort == "newest")
    return sorted(found, key=lambda one: one[0] != default)


def _rows(
    repository: Repository, found: list[tuple[str, str]], default: str | None, with_divergence: bool
) -> list[Row]:
    protections = protection.protections(repository, [name for name, _ in found])
    base = refs.tip(repository.git, refs.HEADS + default) if with_divergence and default is not None else None
    deadline = time.monotonic() + DIVERGENCE_SECONDS
    return [
        Row(
            name=name,
            commit=_commit_or_none(repository, oid),
            is_default=name == default,
            protection=protections.get(name),
            apart=_apart(repository, base, oid, deadline) if base is not None else None,
        )
        for name, oid in found
    ]


def _apart(repository: Repository, base: str, oid: str, deadline: float) -> tuple[int, int] | None:
    def count() -> tuple[int, int]:
        left = max(0.01, deadline - time.monotonic())
        return divergence.ahead_behind(repository.git, base, oid, timeout_seconds=left)

    try:
        return remembered(repository, "ahead and behind", base, oid, make=count)
    except program.GitError:  # too slow, or history is missing: the row says nothing then
        return None


def _statuses(request: ConsoleRequest, repository: Repository, rows: list[Row]) -> dict[str, CommitStatus]:
    oids = [row.commit.oid for row in rows if row.commit is not None]
    return registry.commit_statuses(request.principal, repository.name, oids)


def _commit_or_none(repository: Repository, oid: str) -> log.Commit | None:
    try:
        return log.commit(repository.git, oid)
    except NotFound:
        return None
