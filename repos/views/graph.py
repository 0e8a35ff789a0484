"""The commit graph of all or of chosen branches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET

from codeservices.errors import InvalidInput
from codeservices.http import ConsoleRequest, is_partial
from repos.git import refs
from repos.graph import choice as choices
from repos.graph import pages
from repos.models import Repository
from repos.templatetags.graph import choice_query
from repos.views.shared import opened

ACTION = "codecommit:GetCommitHistory"
PAGE_SIZE = 100


@require_GET
def graph(request: ConsoleRequest, name: str) -> HttpResponse:
    """A page of the graph; `from` is its first row. `commit`, `child` and `find` lead to the page that has it."""
    with opened(request, ACTION, name) as repository:
        known = choices.refs_of(repository)
        choice = _choice(request, known)
        if is_partial(request):
            return render(request, "repos/_graph_branches.html", _chooser(request, repository, known, choice))
        if "show" in request.GET:  # the chooser's form also sends what was typed to find a branch
            return redirect(_address(name, choice, 0))
        if not choice.tips:
            return render(request, "repos/graph_empty.html", {"repository": repository, "tab": "graph"})
        row = _row_asked_for(request, repository, known, choice)
        if row is not None:
            oid = pages.window(repository, known, choice, row, 1).rows[0].row.oid
            return redirect(_address(name, choice, row // PAGE_SIZE * PAGE_SIZE) + f"#c-{oid}")
        window = pages.window(repository, known, choice, _first(request), PAGE_SIZE, may_wait=False)
        context = {
            **_chooser(request, repository, known, choice),
            "tab": "graph",
            "window": window,
            "previous": max(0, window.first - PAGE_SIZE) if window.first else None,
            "next": window.first + PAGE_SIZE if window.has_more else None,
        }
        return render(request, "repos/graph.html", context)


@require_GET
def graph_rows(request: ConsoleRequest, name: str) -> HttpResponse:
    """Rows of the graph as a fragment, for the script that keeps what is in view: `count` of them from `from` on, or
    the page's worth of them in which `commit`, `child` or `find` lies, told as `data-target`."""
    with opened(request, ACTION, name) as repository:
        known = choices.refs_of(repository)
        choice = _choice(request, known)
        if not choice.tips:
            raise InvalidInput("There is no branch to show a graph of.")
        row = _row_asked_for(request, repository, known, choice)
        first = _first(request) if row is None else row // PAGE_SIZE * PAGE_SIZE
        window = pages.window(repository, known, choice, first, PAGE_SIZE)
        context = {"repository": repository, "choice": choice, "window": window, "target": row}
        return render(request, "repos/_graph_rows.html", context)


def _choice(request: ConsoleRequest, known: choices.Refs) -> choices.Choice:
    names = [refs.unescaped(name) for name in request.GET.getlist("branch")]
    if len(names) > choices.MAX_CHOSEN:
        raise InvalidInput(
            f"{len(names)} branches are chosen; an address holds at most {choices.MAX_CHOSEN}.",
            hint="Choose fewer of them, or all.",
        )
    return choices.chosen(known, names, is_all="all" in request.GET)


def _first(request: ConsoleRequest) -> int:
    text = request.GET.get("from", "0")
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise InvalidInput(f"“{refs.shown(text)[:40]}” is no row of the graph: rows have numbers from 0.")
    return int(text)


def _row_asked_for(
    request: ConsoleRequest, repository: Repository, known: choices.Refs, choice: choices.Choice
) -> int | None:
    """The row that a parameter names otherwise than by its number."""
    ways: dict[str, Callable[[str], int]] = {
        "commit": lambda oid: pages.row_of(repository, choice, oid),
        "child": lambda oid: pages.row_of_child(repository, choice, oid),
        "find": lambda text: pages.search(repository, known, choice, text),
    }
    return next((way(request.GET[key]) for key, way in ways.items() if request.GET.get(key)), None)


def _address(name: str, choice: choices.Choice, first: int) -> str:
    query = choice_query(choice.names, choice.is_all) if choice.is_made else ""
    parts = [part for part in (query, f"from={first}" if first else "") if part]
    return reverse("repos:graph", args=[name]) + (f"?{'&'.join(parts)}" if parts else "")


def _chooser(
    request: ConsoleRequest, repository: Repository, known: choices.Refs, choice: choices.Choice
) -> dict[str, Any]:
    """The context of the branches to choose from, 35 a page; the default one first."""
    query = request.GET.get("q", "").strip()
    found = [name for name in known.branches if query.lower() in name.lower()]
    found.sort(key=lambda name: name != known.default)
    page = Paginator(found, choices.CHOICES_A_PAGE).get_page(request.GET.get("page"))
    picked = set() if choice.is_all else set(choice.names)
    return {
        "repository": repository,
        "choice": choice,
        "query_typed": query,
        "page": page,
        "branches": [(name, name in picked, known.branches[name] is not None) for name in page],
        "kept": [name for name in choice.names if name in picked and name not in set(page)],
        "branch_count": len(known.branches),
        "default_branch": known.default,
        "is_choosing": "q" in request.GET or "page" in request.GET,
    }
