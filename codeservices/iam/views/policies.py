"""Managed policies: the list, a new one, one with its document, versions and whom it is attached to."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.core.paginator import Paginator
from django.db import transaction
from django.db.models import Q
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from codeservices.errors import InvalidInput, ServiceError
from codeservices.http import ConsoleRequest, confirmed
from codeservices.iam import arn, attachments, policies
from codeservices.iam.authorize import is_allowed
from codeservices.iam.forms.policies import PolicyDocumentForm, PolicyForm
from codeservices.iam.models import Group, Policy, Role, User
from codeservices.iam.views import documents
from codeservices.iam.views.editor import editor, faults, start
from codeservices.iam.views.permissions import KINDS
from codeservices.iam.views.shared import (
    PAGE_ROWS,
    answers,
    chosen,
    may_open,
    policy_arn_of,
    save_tags,
    tell,
    ticked,
)

SCOPES = {"": "All", "customer": "Of this account", "aws": "Managed by AWS", "attached": "Only attached"}
_ACTIONS = (
    "GetPolicyVersion",
    "ListPolicyVersions",
    "ListEntitiesForPolicy",
    "CreatePolicyVersion",
    "SetDefaultPolicyVersion",
    "DeletePolicyVersion",
    "DeletePolicy",
    "TagPolicy",
    "UntagPolicy",
)


@require_GET
def policy_list(request: ConsoleRequest) -> HttpResponse:
    """Policies of this account first, then AWS's; all, or a part of them."""
    query, scope = request.GET.get("q", "").strip(), request.GET.get("scope", "")
    rows = policies.list_policies(request.principal)
    if query:
        rows = rows.filter(name__icontains=query)
    if scope in ("customer", "aws"):
        rows = rows.filter(is_aws_managed=scope == "aws")
    if scope == "attached":
        rows = rows.filter(Q(users__isnull=False) | Q(groups__isnull=False) | Q(roles__isnull=False)).distinct()
    rows = policies.with_usage(rows)
    context = {
        "page": Paginator(rows, PAGE_ROWS).get_page(request.GET.get("page")),
        "filter": query,
        "scope": scope,
        "scopes": SCOPES.items(),
        "may_create": is_allowed(request.principal, "iam:CreatePolicy", "*"),
    }
    return render(request, "codeservices/policy_list.html", context)


@require_http_methods(["GET", "POST"])
def policy_create(request: ConsoleRequest) -> HttpResponse:
    """A new policy of this account, in the editor."""
    form = PolicyForm(request.POST or None, initial=start(request))
    if not form.is_valid():
        may_open(request, "iam:CreatePolicy", arn.policy_arn(settings.ACCOUNT_ID, "/", "*"))
    else:
        values = form.cleaned_data
        try:
            made = policies.create_policy(
                request.principal,
                values["name"],
                values["document"],
                path=values["path"],
                description=values["description"],
            )
        except ServiceError as error:
            tell(form, error)
        else:
            messages.success(request, f"Policy {made.name} is ready to be attached.")
            return redirect("iam:policy_customer", made.name)
    context = {"form": form, **editor("managed")}
    return render(request, "codeservices/policy_create.html", context, status=400 if form.errors else 200)


@require_GET
def policy(request: ConsoleRequest, owner: str, name: str) -> HttpResponse:
    """One policy: a version of its document, the versions there are, whom it is attached to."""
    found = policies.policy_for(request.principal, "iam:GetPolicy", policy_arn_of(owner, name))
    may = answers(request, found.arn, _ACTIONS)
    if found.is_aws_managed:
        may |= {each: False for each in _ACTIONS if not each.startswith(("Get", "List"))}
    version = None
    if may["GetPolicyVersion"]:
        wanted = request.GET.get("version")
        version = policies.version_for(request.principal, found.arn, wanted) if wanted else found.default_version
    context: dict[str, Any] = {
        "policy": found,
        "owner": owner,
        "may": may,
        "version": version,
        "lines": documents.lines(version.document) if version else None,
        "faults": faults(version.document) if version else (),
        "versions": list(found.versions.all()) if may["ListPolicyVersions"] else None,
        "max_versions": policies.MAX_VERSIONS,
        "tags": sorted(found.tags.items()),
        **(_entities(request, found) if may["ListEntitiesForPolicy"] else {"attached_to": None}),
    }
    return render(request, "codeservices/policy.html", context)


@require_http_methods(["GET", "POST"])
def policy_edit(request: ConsoleRequest, name: str) -> HttpResponse:
    """The editor; a POST makes a new version, in force at once."""
    policy_arn = policy_arn_of("customer", name)
    form = PolicyDocumentForm(request.POST or None)
    if form.is_valid():
        try:
            made = policies.replace_document(request.principal, policy_arn, form.cleaned_data["document"])
        except ServiceError as error:
            tell(form, error)
        else:
            messages.success(request, f"Version {made.version_id} of {name} is in force from now on.")
            return redirect("iam:policy_customer", name)
    found = policies.policy_for(request.principal, "iam:GetPolicy", policy_arn)
    may_open(request, "iam:CreatePolicyVersion", found.arn)
    if not form.is_bound:
        form = PolicyDocumentForm(initial={"document": documents.pretty(found.document)})
    context = {
        "policy": found,
        "form": form,
        "oldest": found.versions.filter(is_default=False).last(),
        "is_full": found.versions.count() >= policies.MAX_VERSIONS,
        **editor("managed"),
    }
    return render(request, "codeservices/policy_edit.html", context, status=400 if form.errors else 200)


@require_GET
def policy_compare(request: ConsoleRequest, name: str) -> HttpResponse:
    """Two versions of a policy as one text, with what came and what went."""
    policy_arn = policy_arn_of("customer", name)
    old, new = (
        policies.version_for(request.principal, policy_arn, request.GET.get(side, "")) for side in ("from", "to")
    )
    context = {"policy": old.policy, "old": old, "new": new, "rows": documents.compare(old.document, new.document)}
    return render(request, "codeservices/policy_compare.html", context)


@require_POST
def policy_versions(request: ConsoleRequest, name: str) -> HttpResponse:
    """Bring a version into force, or delete one whose id was typed to confirm it."""
    policy_arn, version_id = policy_arn_of("customer", name), request.POST.get("version", "")
    change = chosen(request, {"default": policies.set_default_version, "delete": policies.delete_version})
    if change is policies.delete_version:
        confirmed(request, version_id)
    change(request.principal, policy_arn, version_id)
    done = "deleted" if change is policies.delete_version else "in force from now on"
    messages.success(request, f"Version {version_id} of {name} is {done}.")
    return redirect("iam:policy_customer", name)


@require_POST
def policy_entities(request: ConsoleRequest, owner: str, name: str) -> HttpResponse:
    """Attach a policy to the users, groups and roles that were ticked, or detach it from one."""
    policy_arn = policy_arn_of(owner, name)
    change = chosen(request, {"attach": attachments.attach, "detach": attachments.detach})
    with transaction.atomic():
        for entity in ticked(request, "entity", "user, group or role"):
            kind, _, entity_name = entity.partition("/")
            if kind not in KINDS:
                raise InvalidInput(f"“{entity}” is no user, group or role: write user/NAME, group/NAME or role/NAME.")
            change(request.principal, KINDS[kind], entity_name, policy_arn)
    return redirect(f"iam:policy_{owner}", name)


@require_POST
def policy_tags(request: ConsoleRequest, name: str) -> HttpResponse:
    """Save a policy's tags."""
    policy_arn = policy_arn_of("customer", name)
    current = policies.policy_for(request.principal, "iam:TagPolicy", policy_arn).tags
    save_tags(
        request,
        current,
        partial(policies.tag_policy, request.principal, policy_arn),
        partial(policies.untag_policy, request.principal, policy_arn),
    )
    return redirect("iam:policy_customer", name)


@require_POST
def policy_delete(request: ConsoleRequest, name: str) -> HttpResponse:
    """Delete an unattached policy whose name was typed to confirm it."""
    confirmed(request, name)
    policies.delete_policy_with_versions(request.principal, policy_arn_of("customer", name))
    messages.success(request, f"Policy {name} is deleted.")
    return redirect("iam:policy_list")


def _entities(request: ConsoleRequest, found: Policy) -> dict[str, Any]:
    """Whom a policy is attached to, and whom this person could attach it to."""
    extra = {"iam:PolicyARN": found.arn}
    attached: list[dict[str, Any]] = []
    open_to: list[tuple[str, str]] = []
    models: tuple[tuple[str, Any, Any], ...] = (
        ("user", User, found.users),
        ("group", Group, found.groups),
        ("role", Role, found.roles),
    )
    for kind, model, rows in models:
        title = KINDS[kind].name
        attached += [
            {
                "kind": kind,
                "name": row.name,
                "may_detach": is_allowed(request.principal, f"iam:Detach{title}Policy", row.arn, extra),
            }
            for row in rows.order_by("name")
        ]
        if is_allowed(request.principal, f"iam:List{title}s", "*"):
            others = model.objects.exclude(pk__in=rows.values("pk")).order_by("name")
            open_to += [
                (kind, row.name)
                for row in others
                if is_allowed(request.principal, f"iam:Attach{title}Policy", row.arn, extra)
            ]
    return {"attached_to": attached, "open_to": open_to}
