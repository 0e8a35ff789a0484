"""Commits of a revision or a path."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from codeservices.errors import NotFound
from codeservices.http import ConsoleRequest, is_partial
from repos.git import log, refs, revspec
from repos.views.kept import kept
from repos.views.shared import opened, spec_of, switch

PAGE_SIZE = 30


@require_GET
@kept
def commit_list(request: ConsoleRequest, name: str, spec: str) -> HttpResponse:
    """Commits of a revision, or of a path in it, by day; `after` is the cursor of the next ones."""
    with opened(request, "codecommit:GetCommitHistory", name) as repository:
        at = revspec.resolve(repository.git, spec_of(request))
        if "q" in request.GET and is_partial(request):
            return render(request, "repos/_ref_options.html", switch(repository, at, "commits", request.GET["q"]))
        page = log.commits(
            repository.git, at.oid, path=at.path, limit=PAGE_SIZE, cursor=request.GET.get("after") or None
        )
        if at.path and not page.commits and "after" not in request.GET:
            raise NotFound(
                f"No commit of “{refs.shown(at.name)}” ever touched “{refs.shown(at.path)}”.",
                code="PathDoesNotExistException",
            )
        parts = at.path.split("/") if at.path else []
        context = {
            "repository": repository,
            "tab": "commits",
            "at": at,
            "days": _by_day(page.commits),
            "next_cursor": page.next_cursor,
            "is_first": "after" not in request.GET,
            "trail": [(part, "/".join(parts[: index + 1])) for index, part in enumerate(parts)],
            "switch_page": "commits",
        }
        template = "repos/_commit_rows.html" if is_partial(request) else "repos/commit_list.html"
        return render(request, template, context)


def _by_day(commits: tuple[log.Commit, ...]) -> list[tuple[Any, list[log.Commit]]]:
    """Neighbours with the same UTC day of committing; None for those without a date."""
    days = groupby(commits, key=lambda one: one.committer.when_at and one.committer.when_at.date())
    return [(day, list(group)) for day, group in days]
