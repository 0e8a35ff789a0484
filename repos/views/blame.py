"""Which commit each line of a file is from, in windows of lines."""

from __future__ import annotations

from typing import Any, Final

from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from codeservices.errors import InvalidInput
from codeservices.http import ConsoleRequest, is_partial
from repos.git import blame as git_blame
from repos.git import blob, refs, revspec
from repos.git.revspec import Resolved
from repos.models import Repository
from repos.remembered import recalled, remember, remembered
from repos.views import kept
from repos.views.file import File
from repos.views.shared import also, opened, place, spec_of, switch

# Lines of a page; and the few that a long history can be asked about where so many take too long.
WINDOW: Final = 1000
SMALL_WINDOW: Final = 100
# What the page, which has taken its time for the history, still waits for colours.
COLOUR_SECONDS: Final = 0.3


@require_GET
@kept.kept
def blame(request: ConsoleRequest, name: str, spec: str) -> HttpResponse:
    """A file's lines, each with the commit that it is from; "?few" makes the windows smaller."""
    with opened(request, "codecommit:GetCommitHistory", name) as repository:
        also(request, repository, "codecommit:GetFile")
        at = revspec.resolve(repository.git, spec_of(request))
        if "q" in request.GET and is_partial(request):
            return render(request, "repos/_ref_options.html", switch(repository, at, "blame", request.GET["q"]))
        file = File(repository, blob.locate(repository.git, at.oid, at.path))
        if not file.facts.has_text or file.entry.kind != "blob":
            raise InvalidInput(f"“{refs.shown(at.path)}” is not text, so it has no lines to tell the commits of.")
        return render(request, "repos/blame.html", _context(request, repository, at, file))


def _context(request: ConsoleRequest, repository: Repository, at: Resolved, file: File) -> dict[str, Any]:
    size = SMALL_WINDOW if "few" in request.GET else WINDOW
    page = Paginator(range(1, file.facts.line_count + 1), size).get_page(request.GET.get("page"))
    groups: list[git_blame.Group] = []
    lines: list[str] = []
    if file.facts.line_count:
        first, last = page.start_index(), page.end_index()
        coloured = file.source(0.0)  # colours are made while git looks through the history
        groups = _groups(repository, at, first, last)
        if not coloured.is_final:
            coloured = file.source(COLOUR_SECONDS)
        if not coloured.is_final:
            kept.not_final(request)
        lines = coloured.lines[first - 1 : last]
    missing = sum(group.line_count for group in groups if group.origin is None)
    if missing:
        kept.not_final(request)
    return place(request, repository, at) | {
        "switch_page": "blame",
        "facts": file.facts,
        "page": page,
        "groups": groups,
        "lines": lines,
        "missing": missing,
        "is_few": size == SMALL_WINDOW,
        "ignores": bool(_ignored(repository, at)),
        "ignore_file": git_blame.IGNORE_FILE,
    }


def _groups(repository: Repository, at: Resolved, first: int, last: int) -> list[git_blame.Group]:
    parts = (at.oid, at.path, str(first), str(last))
    known: list[git_blame.Group] | None = recalled(repository, "blame", *parts)
    if known is not None:
        return known
    ignored = _ignored(repository, at)
    groups = git_blame.groups(repository.git, at.oid, at.path, first=first, last=last, ignored=ignored)
    if all(group.origin is not None for group in groups):  # what time cut off may be found the next time
        remember(repository, "blame", *parts, value=groups)
    return groups


def _ignored(repository: Repository, at: Resolved) -> tuple[str, ...]:
    return remembered(repository, "blame-ignored", at.oid, make=lambda: git_blame.ignored(repository.git, at.oid))
