"""Roles: the list, a new one, one role's permissions, trust policy and settings."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Count
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from codeservices import registry
from codeservices.errors import ServiceError
from codeservices.http import ConsoleRequest, confirmed
from codeservices.iam import arn, roles
from codeservices.iam.authorize import is_allowed
from codeservices.iam.forms.roles import RoleForm, RoleSettingsForm, TrustPolicyForm
from codeservices.iam.models import Role
from codeservices.iam.views import documents
from codeservices.iam.views.editor import editor
from codeservices.iam.views.permissions import permissions
from codeservices.iam.views.shared import PAGE_ROWS, answers, may_open, save_tags, tell

_SETTINGS_ACTIONS = ("UpdateRole", "TagRole", "UntagRole", "DeleteRole")


@require_GET
def role_list(request: ConsoleRequest) -> HttpResponse:
    """All roles, with when each was last used."""
    query = request.GET.get("q", "").strip()
    rows = roles.list_roles(request.principal)
    if query:
        rows = rows.filter(name__icontains=query)
    rows = rows.annotate(
        policy_count=Count("policies", distinct=True), inline_count=Count("inline_policies", distinct=True)
    )
    context = {
        "page": Paginator(rows, PAGE_ROWS).get_page(request.GET.get("page")),
        "filter": query,
        "may_create": is_allowed(request.principal, "iam:CreateRole", "*"),
    }
    return render(request, "codeservices/role_list.html", context)


@require_http_methods(["GET", "POST"])
def role_create(request: ConsoleRequest) -> HttpResponse:
    """A new role, and who may take it on."""
    form = RoleForm(request.POST or None)
    if not form.is_valid():
        may_open(request, "iam:CreateRole", arn.role_arn(settings.ACCOUNT_ID, "/", "*"))
    else:
        values = form.cleaned_data
        try:
            made = roles.create_role(
                request.principal,
                values["name"],
                _trust_policy(values),
                path=values["path"],
                description=values["description"],
            )
        except ServiceError as error:
            tell(form, error)
        else:
            messages.success(request, f"Role {made.name} is there. Without policies it may do nothing yet.")
            return redirect("iam:role", made.name)
    context = {"form": form, **editor("trust")}
    return render(request, "codeservices/role_create.html", context, status=400 if form.errors else 200)


def _trust_policy(values: dict[str, Any]) -> str:
    """The trust policy that the form's choice means."""
    trusted = {
        "builds": {"Service": "codebuild.amazonaws.com"},
        "account": {"AWS": f"arn:aws:iam::{settings.ACCOUNT_ID}:root"},
        "principal": {"AWS": values["principal"]},
    }
    if values["trusted"] == "custom":
        written: str = values["trust_policy"]
        return written
    statement = {"Effect": "Allow", "Principal": trusted[values["trusted"]], "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]}, indent=2)


def _opened(request: ConsoleRequest, name: str, tab: str) -> tuple[Role, dict[str, Any]]:
    """The role for those who may iam:GetRole it, and what the frame of its pages shows."""
    found = roles.role_for(request.principal, "iam:GetRole", name)
    may_simulate = is_allowed(request.principal, "iam:SimulatePrincipalPolicy", found.arn)
    return found, {"role": found, "tab": tab, "may_simulate": may_simulate}


@require_GET
def role(request: ConsoleRequest, name: str) -> HttpResponse:
    """One role's permissions, and what uses it."""
    found, context = _opened(request, name, "permissions")
    context |= {
        **permissions(request, "role", found),
        "uses": [use for find in registry.role_uses for use in find(request.principal, found.arn)],
    }
    return render(request, "codeservices/role.html", context)


@require_http_methods(["GET", "POST"])
def role_trust(request: ConsoleRequest, name: str) -> HttpResponse:
    """Who may take the role on; a POST replaces the trust policy."""
    form = TrustPolicyForm(request.POST) if request.method == "POST" else None
    if form is not None and form.is_valid():
        try:
            roles.update_trust_policy(request.principal, name, form.cleaned_data["document"])
        except ServiceError as error:
            tell(form, error)
        else:
            messages.success(request, "The trust policy is saved, in force from now on.")
            return redirect("iam:role_trust", name)
    found, context = _opened(request, name, "trust")
    context |= {
        "may_update": is_allowed(request.principal, "iam:UpdateAssumeRolePolicy", found.arn),
        "form": form or TrustPolicyForm(initial={"document": documents.pretty(found.trust_policy)}),
        "lines": documents.lines(found.trust_policy),
        **editor("trust"),
    }
    return render(request, "codeservices/role_trust.html", context, status=400 if form and form.errors else 200)


@require_http_methods(["GET", "POST"])
def role_settings(request: ConsoleRequest, name: str) -> HttpResponse:
    """Description, session duration, tags and end of a role; a POST saves the first two."""
    form = RoleSettingsForm(request.POST) if request.method == "POST" else None
    if form is not None and form.is_valid():
        values = form.cleaned_data
        try:
            roles.update_role(
                request.principal,
                name,
                description=values["description"],
                max_session_seconds=values["hours"] * 3600,
            )
        except ServiceError as error:
            tell(form, error)
        else:
            messages.success(request, "The role is saved.")
            return redirect("iam:role_settings", name)
    found, context = _opened(request, name, "settings")
    hours = found.max_session_seconds // 3600
    context |= {
        "may": answers(request, found.arn, _SETTINGS_ACTIONS),
        "form": form or RoleSettingsForm(initial={"description": found.description, "hours": hours}),
        "tags": sorted(found.tags.items()),
    }
    return render(request, "codeservices/role_settings.html", context, status=400 if form and form.errors else 200)


@require_POST
def role_tags(request: ConsoleRequest, name: str) -> HttpResponse:
    """Save a role's tags."""
    current = roles.role_for(request.principal, "iam:TagRole", name).tags
    save_tags(
        request,
        current,
        partial(roles.tag_role, request.principal, name),
        partial(roles.untag_role, request.principal, name),
    )
    return redirect("iam:role_settings", name)


@require_POST
def role_delete(request: ConsoleRequest, name: str) -> HttpResponse:
    """Delete a role whose name was typed to confirm it."""
    confirmed(request, name)
    roles.delete_role_with_policies(request.principal, name)
    messages.success(request, f"Role {name} is deleted, and its sessions have ended.")
    return redirect("iam:role_list")
