"""Protecting a branch: the policy statement to read and copy, and the button that writes and attaches it."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from codeservices.errors import ServiceError
from codeservices.http import ConsoleRequest, confirmed
from codeservices.iam.authorize import is_allowed
from codeservices.iam.models import Group
from codeservices.iam.views.shared import tell
from repos import protection
from repos.forms import ProtectionForm
from repos.git import refs
from repos.models import Repository
from repos.views.shared import note_parameters, opened


@require_http_methods(["GET", "POST"])
def branch_protect(request: ConsoleRequest, name: str) -> HttpResponse:
    """The statement that protects a branch; a POST writes it into the branch's policy and attaches that."""
    with opened(request, "codecommit:ListBranches", name) as repository:
        values = request.POST if request.method == "POST" else request.GET
        branch = refs.check_branch_name(refs.unescaped(values.get("branch", "")))
        note_parameters(branchName=refs.escaped(branch))
        if request.method == "GET":
            return _render(request, repository, branch)
        protection.authorize_policy(request.principal, name, branch)
        form = ProtectionForm(request.POST, group_names=_group_names(request))
        if form.is_valid():
            try:
                protection.protect(
                    request.principal,
                    repository,
                    branch,
                    groups=form.cleaned_data["groups"],
                    users=form.cleaned_data["users"],
                    allows_merges=form.cleaned_data["allows_merges"],
                    binds_oneself=form.cleaned_data["binds_oneself"],
                )
            except ServiceError as error:
                tell(form, error)
            else:
                messages.success(request, f"Branch {refs.shown(branch)} is protected.")
                return redirect("repos:branch_list", name)
        return _render(request, repository, branch, form)


@require_POST
def branch_unprotect(request: ConsoleRequest, name: str) -> HttpResponse:
    """Take a branch's protection away, once its name was typed."""
    with opened(request, "codecommit:ListBranches", name) as repository:
        branch = refs.unescaped(request.POST.get("branch", ""))
        note_parameters(branchName=refs.escaped(branch))
        confirmed(request, refs.shown(branch))
        protection.unprotect(request.principal, repository, branch)
        messages.success(request, f"Branch {refs.shown(branch)} is no longer protected.")
        return redirect("repos:branch_list", name)


def _group_names(request: ConsoleRequest) -> list[str]:
    """The groups to choose from; none for those who may not list them."""
    if not is_allowed(request.principal, "iam:ListGroups", "*"):
        return []
    return list(Group.objects.order_by("name").values_list("name", flat=True))


def _may_see_whom(request: ConsoleRequest, present: protection.Protection | None) -> bool:
    """Whether the page may tell whom the policy binds; where there is none yet, it binds nobody."""
    return present is None or is_allowed(request.principal, "iam:ListEntitiesForPolicy", present.policy.arn)


def _render(
    request: ConsoleRequest, repository: Repository, branch: str, form: ProtectionForm | None = None
) -> HttpResponse:
    present = protection.protections(repository, [branch]).get(branch)
    groups = _group_names(request)
    may_see_whom = _may_see_whom(request, present)
    initial = {}
    if present is not None and may_see_whom:
        bound = list(present.groups) if groups else ", ".join(present.groups)
        initial = {"groups": bound, "users": ", ".join(present.users), "allows_merges": present.allows_merges}
    allows_merges = (
        form.cleaned_data.get("allows_merges", False) if form is not None else bool(present and present.allows_merges)
    )
    context = {
        "repository": repository,
        "tab": "branches",
        "branch": branch,
        "protection": present,
        "document": protection.document(repository.arn, branch, allows_merges=allows_merges),
        "form": form or ProtectionForm(initial=initial, group_names=groups),
        # Saving binds exactly those who are named: whoever can't see whom it binds would let them go unawares.
        "may_protect": is_allowed(request.principal, "iam:CreatePolicy", "*") and may_see_whom,
        "may_see_whom": may_see_whom,
    }
    return render(request, "repos/branch_protect.html", context, status=400 if form is not None else 200)
