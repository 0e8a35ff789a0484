"""Search in the text of all files of a revision.

It shows lines of any file, so it needs both codecommit:GetFolder, to name files, and codecommit:GetFile, to read them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from codeservices.errors import InvalidInput
from codeservices.http import ConsoleRequest
from repos import searches
from repos.git import grep, refs, revspec
from repos.views.shared import also, note_parameters, opened, place, spec_of

# Why a search shows no more.
_CUT = {
    "time": f"The search was stopped after {grep.TIMEOUT_SECONDS:g} seconds. There may be more.",
    "matches": f"Only the first {grep.MAX_MATCHES} matches are shown.",
    "files": f"Only the first {grep.MAX_FILES} files are shown.",
    "size": "Only the first matches are shown, since their lines are very long.",
}


@dataclass(frozen=True)
class Shown:
    """Matches for the page: `reason` says why there are no more, or is empty."""

    matches: grep.Matches
    reason: str


@require_GET
def search(request: ConsoleRequest, name: str, spec: str) -> HttpResponse:
    """The search form, and with `q` what it finds."""
    with opened(request, "codecommit:GetFolder", name) as repository:
        at = revspec.resolve(repository.git, spec_of(request))
        also(request, repository, "codecommit:GetFile")
        query = grep.Query(
            pattern=request.GET.get("q", ""),
            path=refs.unescaped(request.GET.get("path", "")),
            is_regex="regex" in request.GET,
            is_case_sensitive="case" in request.GET,
            is_whole_word="word" in request.GET,
        )
        context: dict[str, Any] = place(request, repository, at) | {
            "wanted": query,
            "switch_page": "search",
            "max_matches_of_file": grep.MAX_MATCHES_OF_FILE,
        }
        status = 200
        if query.pattern:
            note_parameters(query=query.pattern)
            try:
                with searches.place(request.principal.arn):
                    found = grep.search(repository.git, at.oid, query)
                context["shown"] = Shown(found, _CUT.get(found.cut, ""))
            except InvalidInput as error:
                context["problem"], status = error, error.status
        return render(request, "repos/search.html", context, status=status)
