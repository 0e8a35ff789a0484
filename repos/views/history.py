"""Commits of a revision or a path."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from itertools import groupby
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from django.views.decorators.http import require_GET

from codeservices import registry
from codeservices.errors import NotFound
from codeservices.http import ConsoleRequest, is_partial
from repos import signatures
from repos.forms import CommitSearchForm
from repos.git import log, refs, revspec, tree
from repos.git.revspec import Resolved
from repos.models import Repository
from repos.remembered import remembered
from repos.views import kept
from repos.views.shared import opened, spec_of, switch

PAGE_SIZE = 30


@require_GET
@kept.kept_of_commits
def commit_list(request: ConsoleRequest, name: str, spec: str) -> HttpResponse:
    """Commits of a revision, or of a path in it, by day; `after` is the cursor of the next ones."""
    with opened(request, "codecommit:GetCommitHistory", name) as repository:
        at = revspec.resolve(repository.git, spec_of(request))
        if "q" in request.GET and is_partial(request):
            return render(request, "repos/_ref_options.html", switch(repository, at, "commits", request.GET["q"]))
        form = CommitSearchForm(request.GET)
        search = form.search() if form.is_valid() else log.Search()
        page = _page(repository, at, request.GET.get("after") or None, search)
        if search:  # which looks at as much as there is time for
            kept.not_final(request)
        if at.path and not page.entries and not search and "after" not in request.GET:
            raise NotFound(
                f"No commit of “{refs.shown(at.name)}” ever touched “{refs.shown(at.path)}”.",
                code="PathDoesNotExistException",
            )
        parts = at.path.split("/") if at.path else []
        context = {
            "repository": repository,
            "tab": "commits",
            "at": at,
            "days": _by_day(page.entries),
            "signatures": signatures.of_commits(repository, page.commits),
            "statuses": registry.commit_statuses(request.principal, name, [one.oid for one in page.commits]),
            "page": page,
            "seen": f"{page.seen:,}",
            "is_first": "after" not in request.GET,
            "fields": _no_search() if form.is_valid() and not search else _search_fields(form),
            "is_search": bool(search) or not form.is_valid(),
            "trail": [(part, "/".join(parts[: index + 1])) for index, part in enumerate(parts)],
            "switch_page": "commits",
        }
        template = "repos/_commit_rows.html" if is_partial(request) else "repos/commit_list.html"
        return render(request, template, context)


def _page(repository: Repository, at: Resolved, cursor: str | None, search: log.Search) -> log.Page:
    """One page. What depends on objects alone is remembered; a search depends on the time that it has."""

    def read() -> log.Page:
        follows = bool(at.path) and not _is_folder(repository, at)
        return log.commits(
            repository.git, at.oid, path=at.path, limit=PAGE_SIZE, cursor=cursor, follows=follows, search=search
        )

    if search:
        return read()
    return remembered(repository, "history", at.oid, at.path, cursor or "", make=read)


def _is_folder(repository: Repository, at: Resolved) -> bool:
    """Whether the path is a folder now. What is no more is followed like a file, which does a folder no harm."""
    try:
        return tree.entry(repository.git, at.oid, at.path).kind == "tree"
    except NotFound:
        return False


def _search_fields(form: CommitSearchForm) -> SafeString:
    """The form's fields as a page has them."""
    return render_to_string("repos/_search_fields.html", {"form": form})


@cache
def _no_search() -> SafeString:
    """The same of a form in which nothing is looked for, which is alike on almost all pages."""
    return _search_fields(CommitSearchForm())


def _by_day(entries: Iterable[log.Entry]) -> list[tuple[Any, list[log.Entry]]]:
    """Neighbours with the same UTC day of committing; None for those without a date."""
    days = groupby(entries, key=lambda one: one.commit.committer.when_at and one.commit.committer.when_at.date())
    return [(day, list(group)) for day, group in days]
