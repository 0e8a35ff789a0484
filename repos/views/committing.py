"""What the pages that make commits share: the branch in the address, who may, preview, conflict, and the way back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect

from codeservices.errors import InvalidInput, ServiceError
from codeservices.http import ConsoleRequest
from codeservices.iam.authorize import authorize, is_allowed
from codeservices.iam.views.shared import tell
from repos.access import check_writable, on_ref
from repos.editing import edits, preview
from repos.editing.forms import CommitForm
from repos.editing.rules import Wording
from repos.editing.tips import EditConflict
from repos.git import paths, refs, revspec
from repos.git.revspec import Resolved
from repos.git.tree_change import Change
from repos.models import Repository
from repos.templatetags.repository import code_address
from repos.views.shared import note_parameters, place, spec_of

Page = Callable[..., HttpResponse]


def on_branch(request: ConsoleRequest, repository: Repository) -> Resolved:
    """What the address names, which must be on a branch; before the first one, the branch that will be made.

    Raises:
        InvalidInput: It is a tag or a commit, which stay as they are.
    """
    spec = spec_of(request)
    if not refs.branches(repository.git):
        branch = refs.head(repository.git).removeprefix(refs.HEADS)
        return Resolved(refs.HEADS + branch, branch, "", spec.strip("/").removeprefix(branch).strip("/"))
    at = revspec.resolve(repository.git, spec)
    if at.refname is None or not at.refname.startswith(refs.HEADS):
        raise InvalidInput(
            f"“{refs.shown(at.name)}” is no branch, so nothing can be committed to it.",
            code="BranchNameIsTagNameException",
            hint="Choose a branch, or begin one there on the page of branches.",
        )
    return at


def branch_of(at: Resolved) -> str:
    """The short name of the branch that `on_branch` has found."""
    return (at.refname or "").removeprefix(refs.HEADS)


def place_of(request: ConsoleRequest, repository: Repository, at: Resolved) -> dict[str, Any]:
    """The context of a page's place; before the first commit there is nothing to link to."""
    context = place(request, repository, at) | {"branch": branch_of(at)}
    return context if at.oid else {**context, "at": None, "trail": [], "is_first": True}


def check_may(request: ConsoleRequest, repository: Repository, action: str, refname: str) -> None:
    """Refuse a form to those who could not send it; opening one is no act of its own."""
    if not is_allowed(request.principal, action, repository.arn, on_ref(refname)):
        authorize(request.principal, action, repository.arn, on_ref(refname))
    check_writable(repository)


def wording(request: ConsoleRequest, form: CommitForm) -> Wording:
    """What the commit says: by whom who is signed in."""
    email = getattr(request.user, "email", "")
    return Wording(request.principal.name, email, form.cleaned_data.get("message", ""))


def check_name(form: CommitForm, path: str) -> None:
    """A new name by the rules of paths; one that reads otherwise than it is must be ticked.

    Raises:
        InvalidPath: It breaks a rule, or is misleading and was not ticked.
    """
    paths.check(path)
    if not paths.misleading_characters(path):
        return
    form.asks_name = True
    if not form.cleaned_data.get("odd_name"):
        raise paths.InvalidPath(
            f"The name holds characters that can't be seen or that reorder others: “{refs.shown(path)}”.",
            hint="Change it, or tick that you mean it.",
        )


def submit(
    request: ConsoleRequest,
    repository: Repository,
    form: CommitForm,
    page: Page,
    changes: Sequence[Change],
    action: str,
    show_path: str,
) -> HttpResponse:
    """Commit what a valid form asks for, show it first where "preview" was pressed, or show what is in the way.

    Args:
        page: Renders the form again, `page(form, status=…, base=…, preview=…, theirs=…, yours=…)`.
        show_path: What to look at after the commit.
    """
    base = request.POST.get("base", "")
    base_oid = base or (None if not refs.branches(repository.git) else "")
    target = form.target
    note_parameters(branchName=refs.escaped(target.name), parentCommitId=base)
    try:
        if "preview" in request.POST:
            if base_oid is not None:
                edits.check_base(repository, base_oid)
            return page(form, preview=preview.of_changes(repository.git, base_oid, changes))
        made = edits.edit(
            request.principal, repository.name, target, changes,
            base_oid=base_oid, wording=wording(request, form), action=action,
        )  # fmt: skip
    except EditConflict as conflict:
        tell(form, conflict)
        return page(form, status=409, base=conflict.tip_oid, **_conflict(repository, conflict, base, changes))
    except ServiceError as error:
        tell(form, error)
        return page(form, status=error.status)
    messages.success(request, f"Commit {made.oid[:8]} is on {refs.shown(target.name)}.")
    return HttpResponseRedirect(code_address(repository.name, "browse", target.name, show_path))


def _conflict(repository: Repository, conflict: EditConflict, base: str, changes: Sequence[Change]) -> dict[str, Any]:
    """What they changed since, and how the person's version differs from theirs."""
    found: dict[str, Any] = {
        "theirs": preview.between(repository.git, base, conflict.tip_oid, conflict.paths),
        "tip": conflict.tip_oid,
    }
    try:
        found["yours"] = preview.of_changes(repository.git, conflict.tip_oid, changes)
    except ServiceError as error:  # a file to move or to delete is gone
        found["yours_error"] = error.message
    return found
