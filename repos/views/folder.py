"""A folder at a revision, and a repository before its first push."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from django.core.paginator import Page, Paginator
from django.http import HttpResponse
from django.shortcuts import render

from codeservices.http import ConsoleRequest, is_partial
from repos.git import languages, log, objects, program, refs, tree
from repos.git.last_commits import Known, last_commits
from repos.git.revspec import Resolved
from repos.git.wire import MAX_COMMANDS
from repos.lasting import lasting
from repos.models import Repository
from repos.remembered import recalled, remember, remembered
from repos.views import readme
from repos.views.shared import may, place

# A page of a folder; a folder of 100,000 entries exists, and no browser wants them at once.
PAGE_SIZE = 1000
# A link's target is read from its blob.
MAX_TARGETS: Final = 100
MAX_TARGET_CHARACTERS: Final = 200
# Looked into for what they hold.
MAX_SOLE_CANDIDATES: Final = 200
COUNT_SECONDS: Final = 3.0


class LastCommit(NamedTuple):
    """The commit that gave an entry its content."""

    oid: str
    subject: str
    when_at: datetime | None


@dataclass(frozen=True)
class Row:
    """An entry as the page shows it.

    Attributes:
        name: Its own, and those of the folders below where each is all that is in the one above: "src/main/java".
        path: Where it leads.
        target: Of a symbolic link, as far as it is shown.
    """

    entry: tree.Entry
    name: str
    path: str
    target: str
    commit: LastCommit | None


def show_empty(request: ConsoleRequest, repository: Repository) -> HttpResponse:
    """The commands that lead to a first push."""
    clone_url = repository.clone_url(f"{request.scheme}://{request.get_host()}")
    context = {
        "repository": repository,
        "tab": "code",
        "clone_url": clone_url,
        "max_refs": f"{MAX_COMMANDS:,}",
        "branch": refs.head(repository.git).removeprefix(refs.HEADS),
        "tags": refs.tags(repository.git)[:1],
    }
    return render(request, "repos/repository_empty.html", context)


def show(request: ConsoleRequest, repository: Repository, at: Resolved, *, is_overview: bool = False) -> HttpResponse:
    """A folder at once; the last commit of each entry comes with a second request, or without scripts by a link."""
    if is_partial(request) and "languages" in request.GET:
        return _show_languages(request, repository, at)
    git = repository.git
    entries = tree.entries(git, at.oid, at.path)
    if len(entries) <= PAGE_SIZE:
        entries = list(entries)  # the page and its README look at each of them
    page = Paginator(entries, PAGE_SIZE).get_page(request.GET.get("page"))
    with_commits = "last_commits" in request.GET
    commits: dict[str, LastCommit] = {}
    latest = log.commit(git, at.oid) if not at.path else None
    if with_commits:
        commits = _last_commits(repository, at, page)
        if latest is None:
            latest = log.latest(git, at.oid, at.path)
    context = place(request, repository, at) | {
        "is_overview": is_overview,
        "page": page,
        "rows": _rows(repository, at, list(page), commits),
        "with_commits": with_commits,
        "latest": latest,
        "commit_count": _commit_count(repository, at.oid) if with_commits and not at.path else None,
    }
    if is_partial(request):
        return render(request, "repos/_tree.html", context)
    if may(request, repository, "codecommit:GetFile"):
        context |= readme.context(request, repository, at, entries)
    return render(request, "repos/tree.html", context)


def _rows(
    repository: Repository, at: Resolved, entries: Sequence[tree.Entry], commits: dict[str, LastCommit]
) -> list[Row]:
    folders = [one for one in entries if one.kind == "tree"][:MAX_SOLE_CANDIDATES]
    links = [one for one in entries if one.kind == "symlink"][:MAX_TARGETS]
    below = {one.path: _below(repository, one) for one in folders}
    targets = {one.path: _target(repository, one) for one in links}
    rows = []
    for one in entries:
        more = below.get(one.path, "")
        rows.append(Row(one, one.name + more, one.path + more, targets.get(one.path, ""), commits.get(one.name)))
    return rows


def _below(repository: Repository, folder: tree.Entry) -> str:
    """What of the path follows on a folder's own where each has but the next in it; most are as they were before."""
    path = folder.path
    return remembered(
        repository, "below", folder.oid, make=lambda: tree.sole_path(repository.git, folder).removeprefix(path)
    )


def _target(repository: Repository, link: tree.Entry) -> str:
    def read() -> str:
        kind, data = objects.read(repository.git, link.oid)
        return refs.decode(data[:MAX_TARGET_CHARACTERS]) if kind == "blob" else ""

    return remembered(repository, "target", link.oid, make=read)


def _last_commits(repository: Repository, at: Resolved, page: Page[tree.Entry]) -> dict[str, LastCommit]:
    names = [one.name for one in page]

    # Under the name of the branch, so that after a push only its commits are looked at.
    latest = ("latest-last-commits", at.name, at.path, f"{page.number} {PAGE_SIZE}")

    def found() -> dict[str, LastCommit]:
        oids = last_commits(repository.git, at.oid, at.path, names, known=recalled(repository, *latest))
        commits = log.several(repository.git, set(oids.values()))
        return {
            name: LastCommit(oid, commits[oid].subject, commits[oid].committer.when_at) for name, oid in oids.items()
        }

    # One that was cut short is kept too, but in memory: asked for again and again, it would cost as much each time.
    parts = ("last-commits", at.oid, at.path, f"{page.number} {PAGE_SIZE}")
    value = lasting(
        repository,
        *parts,
        make=lambda: remembered(repository, *parts, make=found),
        is_whole=lambda value: len(value) == len(names),
    )
    if len(value) == len(names) and at.name != at.oid:
        oids = {name: commit.oid for name, commit in value.items()}
        remember(repository, *latest, value=Known(at.oid, oids))
    return value


def _commit_count(repository: Repository, oid: str) -> int | None:
    """How many commits lead to this one; None where counting takes too long."""

    def counted() -> int | None:
        args = ["rev-list", "--count", "--use-bitmap-index", "--end-of-options", oid]
        try:
            return int(program.run(repository.git, args, timeout_seconds=COUNT_SECONDS))
        except program.GitTimeout:
            return None

    return lasting(repository, "commit-count", oid, make=counted, is_whole=lambda value: value is not None)


def _show_languages(request: ConsoleRequest, repository: Repository, at: Resolved) -> HttpResponse:
    try:
        shares = lasting(repository, "languages", at.oid, make=lambda: languages.shares(repository.git, at.oid))
    except program.GitTimeout:
        shares = None
    return render(request, "repos/_languages.html", {"shares": shares})
