"""A file at a revision."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import render

from codeservices.http import ConsoleRequest
from repos.git import blob
from repos.git.revspec import Resolved
from repos.models import Repository
from repos.views.shared import place

# A file page is about three times as large as the text in it, and 512 KiB are some 15,000 lines of code.
MAX_SHOWN_BYTES = 512 * 1024


def show(request: ConsoleRequest, repository: Repository, at: Resolved) -> HttpResponse:
    """The page of a file; the caller has authorized codecommit:GetFile."""
    found = blob.read(repository.git, at.oid, at.path, max_bytes=MAX_SHOWN_BYTES)
    return render(request, "repos/blob.html", place(request, repository, at) | {"blob": found})
