"""Searching a build's log: a page that works without scripts, and the same as JSON for one that has them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.http import HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from builds.access import build_for
from builds.logs import access as log_access
from builds.logs import patterns, search, turns
from builds.logs.patterns import Pattern, PatternError
from builds.logs.search import Found, Match
from builds.models import Build
from builds.views.shared import line_number
from codeservices.errors import InvalidInput
from codeservices.http import ConsoleRequest

DEFAULT_LIMIT = 100
MAX_LIMIT = 500
DEFAULT_CONTEXT = 2
MAX_CONTEXT = 10


@dataclass(frozen=True)
class Row:
    """A line on the page of results: its number from 1, its text in pieces (text, whether it matches)."""

    number: int
    pieces: list[tuple[str, bool]]
    is_match: bool

    @property
    def from_line(self) -> int:
        """Where the build's page shall begin to show it among its neighbours."""
        return max(0, self.number - 20)


@require_GET
def build_log_search(request: ConsoleRequest, name: str, number: int) -> HttpResponse:
    """Lines of a log that match `q`: `?q=TEXT&regex=1&case=1&from=N&limit=M&context=C`, and `format=json`.

    `regex=1` takes `q` as a regular expression (RE2), `case=1` heeds its case. Lines are numbered from 0 in `from` and
    in JSON, as in the log's other addresses, and from 1 on the page.
    """
    build = build_for(request.principal, "codebuild:BatchGetBuilds", name, number)
    log_access.authorize_log(request.principal, build)
    first = line_number("from", request.GET.get("from", "0"))
    limit = _count(request, "limit", DEFAULT_LIMIT, 1, MAX_LIMIT)
    context = _count(request, "context", DEFAULT_CONTEXT, 0, MAX_CONTEXT)
    is_json = request.GET.get("format") == "json"
    try:
        pattern = _pattern(request) if request.GET.get("q") or is_json else None
    except PatternError as error:
        if is_json:
            raise InvalidInput(str(error)) from error
        return _page(request, build, None, str(error), status=400)
    if pattern is None:
        return _page(request, build, None)
    found = _search(build, pattern, first, limit, context)
    if is_json:
        response: HttpResponse = JsonResponse(_as_json(request, build, found))
    else:
        response = _page(request, build, found)
    response["Cache-Control"] = "private, no-store"
    return response


def _pattern(request: ConsoleRequest) -> Pattern:
    make = patterns.compile_expression if request.GET.get("regex") else patterns.compile_text
    return make(request.GET.get("q", ""), is_case_ignored=not request.GET.get("case"))


def _search(build: Build, pattern: Pattern, first: int, limit: int, context: int) -> Found:
    with turns.turn():
        reader = log_access.reader_of(build.pk, str(build.uuid))
        return search.search(reader, pattern, first=first, limit=limit, context=context)


def _count(request: ConsoleRequest, name: str, default: int, least: int, most: int) -> int:
    text = request.GET.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) < 6 and least <= int(text) <= most):
        raise InvalidInput(f"{name} must be from {least} to {most}, not “{text[:40]}”.")
    return int(text)


def _as_json(request: ConsoleRequest, build: Build, found: Found) -> dict[str, Any]:
    return {
        "query": request.GET.get("q", ""),
        "total": found.total,
        "before": found.before_count,
        "is_complete": found.is_complete,
        "is_log_complete": build.is_log_complete,
        "next": found.next_line,
        "matches": [
            {
                "line": one.number,
                "time": one.time_ms,
                "text": one.text,
                # As scripts count: in UTF-16 code units.
                "spans": [[_units(one.text[:begin]), _units(one.text[:end])] for begin, end in one.spans],
                "before": one.before,
                "after": one.after,
            }
            for one in found.matches
        ],
    }


def _units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def _page(
    request: ConsoleRequest, build: Build, found: Found | None, problem: str = "", status: int = 200
) -> HttpResponse:
    asked = {name: request.GET[name] for name in ("q", "regex", "case", "context") if request.GET.get(name)}
    context = {
        "build": build,
        "asked": asked,
        "found": found,
        "problem": problem,
        "sentence": _sentence(found) if found is not None else "",
        "groups": _groups(found.matches) if found is not None else [],
        "next_query": urlencode(asked | {"from": found.next_line}) if found and found.next_line is not None else "",
        "first_query": urlencode(asked) if found and request.GET.get("from", "0") != "0" else "",
    }
    return render(request, "builds/log_search.html", context, status=status)


def _sentence(found: Found) -> str:
    """How many lines match, and which of them the page shows."""
    if not found.total:
        return "No line matches." if found.is_complete else "No line matches in what there was time for."
    count = f"{found.total:,} line matches" if found.total == 1 else f"{found.total:,} lines match"
    if not found.is_complete:
        count = f"At least {count}"
    if not found.matches or len(found.matches) == found.total:
        return f"{count}."
    return f"{count}. Shown here: {found.before_count + 1:,} to {found.before_count + len(found.matches):,}."


def _groups(matches: list[Match]) -> list[list[Row]]:
    """The lines to show, each of them once; those that follow each other are one group."""
    rows: dict[int, Row] = {}
    for match in matches:
        before = enumerate(match.before, match.number - len(match.before))
        for number, text in (*before, *enumerate(match.after, match.number + 1)):
            rows.setdefault(number, Row(number + 1, [(text, False)], is_match=False))
        rows[match.number] = Row(match.number + 1, _pieces(match), is_match=True)
    groups: list[list[Row]] = []
    for number in sorted(rows):
        if number - 1 not in rows:
            groups.append([])
        groups[-1].append(rows[number])
    return groups


def _pieces(match: Match) -> list[tuple[str, bool]]:
    """The text in pieces, which match and don't by turns."""
    pieces: list[tuple[str, bool]] = []
    position = 0
    for begin, end in match.spans:
        pieces += [(match.text[position:begin], False), (match.text[begin:end], True)]
        position = end
    pieces.append((match.text[position:], False))
    return [piece for piece in pieces if piece[0]]
