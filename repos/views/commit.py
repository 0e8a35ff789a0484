"""One commit with its changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.utils.datastructures import MultiValueDictKeyError
from django.views.decorators.http import require_GET

from codeservices.errors import NotFound
from codeservices.http import ConsoleRequest, is_partial
from repos import diff
from repos.git import log, objects, refs
from repos.models import Repository
from repos.views.kept import kept
from repos.views.shared import also, may, opened

# So many files come with the page, while they are small together; the others come when they are scrolled to.
INLINE_FILES = 10
INLINE_ROWS = 1000
# Larger ones wait for a click.
EAGER_ROWS = 1500
VIEWS = ("unified", "split")
VIEW_COOKIE = "diff_view"
COOKIE_SECONDS = 365 * 24 * 3600


@dataclass(frozen=True)
class ShownFile:
    """One file of a commit page: its place in git's list, and its rows where they come with the page."""

    index: int
    change: diff.FileChange
    rows: diff.FileDiff | None
    is_eager: bool


@require_GET
@kept
def commit(request: ConsoleRequest, name: str, oid: str) -> HttpResponse:
    """One commit: message, people, and what it changed against its first parent.

    `file` is the place of a file in the list: that file's rows are shown whatever their number, to htmx alone.
    """
    with opened(request, "codecommit:GetCommit", name, commitId=oid) as repository:
        wanted = oid.lower()
        if not refs.OID.fullmatch(wanted):
            raise NotFound(
                f"“{oid}” is no commit id. An id has 40 hexadecimal digits.",
                code="InvalidCommitIdException",
                hint="Copy the whole id from the list of commits.",
            )
        found = log.commit(repository.git, wanted)
        view = _view(request)
        context: dict[str, Any] = {
            "repository": repository,
            "tab": "commits",
            "commit": found,
            "view": view,
            "ignore_whitespace": request.GET.get("w") == "1",
        }
        if is_partial(request):
            also(request, repository, "codecommit:GetBlob")
            also(request, repository, "codecommit:GetDifferences")
            return _one_file(request, repository, found, context)
        if may(request, repository, "codecommit:GetDifferences", "codecommit:GetBlob"):
            context |= _changes(request, repository, found)
        response = render(request, "repos/commit.html", context)
    if request.GET.get("view") in VIEWS:
        response.set_cookie(VIEW_COOKIE, view, max_age=COOKIE_SECONDS, httponly=True, samesite="Lax")
    return response


def _view(request: ConsoleRequest) -> str:
    """Unified or split: as asked now, else as chosen last."""
    wishes = (request.GET.get("view", ""), request.COOKIES.get(VIEW_COOKIE, ""))
    return next((wish for wish in wishes if wish in VIEWS), VIEWS[0])


def _changes_of(repository: Repository, found: log.Commit) -> diff.Changes:
    parent = found.parent_oids[0] if found.parent_oids else None
    parent_tree = objects.tree_oid(repository.git, parent) if parent else None
    return diff.of_commit(repository.git, found.tree_oid, parent_tree)


def _rows(request: ConsoleRequest, repository: Repository, change: diff.FileChange, max_rows: int) -> diff.FileDiff:
    return diff.hunks(repository.git, change, ignore_whitespace=request.GET.get("w") == "1", max_rows=max_rows)


def _changes(request: ConsoleRequest, repository: Repository, found: log.Commit) -> dict[str, Any]:
    """The list of files, with the rows of the first ones and of one that was asked for by its number."""
    changes = _changes_of(repository, found)
    asked = request.GET.get("file", "")
    files: list[ShownFile] = []
    rows_left = INLINE_ROWS
    for index, change in enumerate(changes.files):
        lines = (change.additions or 0) + (change.deletions or 0)
        rows = None
        if asked == str(index):
            rows = _rows(request, repository, change, diff.WHOLE_ROWS)
        elif index < INLINE_FILES and lines <= rows_left:
            rows = _rows(request, repository, change, diff.MAX_ROWS)
            rows_left -= lines
        files.append(ShownFile(index, change, rows, lines <= EAGER_ROWS))
    return {
        "changes": changes,
        "files": files,
        "additions": sum(one.additions or 0 for one in changes.files),
        "deletions": sum(one.deletions or 0 for one in changes.files),
    }


def _one_file(
    request: ConsoleRequest, repository: Repository, found: log.Commit, context: dict[str, Any]
) -> HttpResponse:
    """The rows of one file for htmx; `all` asks for more of them than are shown at first."""
    try:
        index = int(request.GET["file"])
        change = _changes_of(repository, found).files[index] if index >= 0 else None
    except (MultiValueDictKeyError, ValueError, IndexError):
        change = None
    if change is None:
        raise NotFound("This commit has no file of that number.", code="PathDoesNotExistException")
    rows = _rows(request, repository, change, diff.WHOLE_ROWS if "all" in request.GET else diff.MAX_ROWS)
    return render(request, "repos/_diff_file.html", context | {"file": ShownFile(index, change, rows, True)})
