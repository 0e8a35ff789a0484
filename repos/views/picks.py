"""Reverting a commit, and applying it to another branch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from codeservices.errors import ServiceError
from codeservices.http import ConsoleRequest
from codeservices.iam.views.shared import tell
from repos import oids
from repos.editing import picks
from repos.editing.forms import PickForm
from repos.editing.tips import Committed
from repos.git import log, refs
from repos.views.committing import check_may, wording
from repos.views.shared import note_parameters, opened


@require_http_methods(["GET", "HEAD", "POST"])
def commit_revert(request: ConsoleRequest, name: str, oid: str) -> HttpResponse:
    """Undo on a branch what a commit changed."""
    return _pick(request, name, oid, picks.revert, picks.revert_message, "revert")


@require_http_methods(["GET", "HEAD", "POST"])
def commit_cherry_pick(request: ConsoleRequest, name: str, oid: str) -> HttpResponse:
    """Apply to a branch what a commit changed."""
    return _pick(request, name, oid, picks.cherry_pick, picks.pick_message, "cherry-pick")


def _pick(
    request: ConsoleRequest,
    name: str,
    oid: str,
    pick: Callable[..., Committed],
    message_of: Callable[[log.Commit], str],
    what: str,
) -> HttpResponse:
    with opened(request, "codecommit:GetCommit", name, commitId=oid) as repository:
        found = log.commit(repository.git, oids.check(oid.lower()))
        default = repository.default_branch or next((one for one, _ in refs.branches(repository.git)), "")
        onto = request.POST.get("onto") or request.GET.get("onto") or default

        def page(form: PickForm, status: int = 200, **more: Any) -> HttpResponse:
            context = {"repository": repository, "tab": "commits", "commit": found, "form": form, "what": what}
            return render(request, "repos/commit_pick.html", context | more, status=status)

        check_may(request, repository, picks.CREATE_COMMIT, refs.HEADS + onto)
        if request.method != "POST":
            return page(PickForm(initial={"onto": onto, "message": message_of(found)}, branch=onto))
        form = PickForm(request.POST, branch=onto)
        if not form.is_valid():
            return page(form, status=400)
        target = form.target
        note_parameters(branchName=refs.escaped(target.name))
        try:
            made = pick(request.principal, name, target, found.oid, wording=wording(request, form))
        except picks.PickConflict as conflict:
            tell(form, conflict)
            return page(form, status=409, conflicts=conflict.conflicts)
        except ServiceError as error:
            tell(form, error)
            return page(form, status=error.status)
        messages.success(request, f"Commit {made.oid[:8]} is on {refs.shown(target.name)}.")
        return redirect("repos:commit", name, made.oid)
