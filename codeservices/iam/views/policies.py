"""Managed policies: the list, a new one, one with its document."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Count
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from codeservices.errors import ServiceError
from codeservices.http import ConsoleRequest, confirmed
from codeservices.iam import arn, policies
from codeservices.iam.authorize import is_allowed
from codeservices.iam.forms.policies import PolicyDocumentForm, PolicyForm
from codeservices.iam.views.shared import may_open, policy_arn_of, pretty, tell

PAGE_ROWS = 50


@require_GET
def policy_list(request: ConsoleRequest) -> HttpResponse:
    """Policies of this account first, then AWS's."""
    query = request.GET.get("q", "").strip()
    rows = policies.list_policies(request.principal)
    if query:
        rows = rows.filter(name__icontains=query)
    rows = rows.annotate(
        user_count=Count("users", distinct=True),
        group_count=Count("groups", distinct=True),
        role_count=Count("roles", distinct=True),
    )
    page = Paginator(rows, PAGE_ROWS).get_page(request.GET.get("page"))
    context = {"page": page, "filter": query, "may_create": is_allowed(request.principal, "iam:CreatePolicy", "*")}
    return render(request, "codeservices/policy_list.html", context)


@require_http_methods(["GET", "POST"])
def policy_create(request: ConsoleRequest) -> HttpResponse:
    """A new policy of this account, checked statement by statement."""
    form = PolicyForm(request.POST or None)
    if not form.is_valid():
        may_open(request, "iam:CreatePolicy", arn.policy_arn(settings.ACCOUNT_ID, "/", "*"))
    else:
        values = form.cleaned_data
        try:
            made = policies.create_policy(
                request.principal, values["name"], values["document"], description=values["description"]
            )
        except ServiceError as error:
            tell(form, error)
        else:
            messages.success(request, f"Policy {made.name} is ready to be attached.")
            return redirect("iam:policy_customer", made.name)
    return render(request, "codeservices/policy_create.html", {"form": form}, status=400 if form.errors else 200)


@require_http_methods(["GET", "POST"])
def policy(request: ConsoleRequest, owner: str, name: str) -> HttpResponse:
    """One policy: its document and what it is attached to; a POST gives it a new document."""
    policy_arn = policy_arn_of(owner, name)
    form = PolicyDocumentForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        policies.replace_document(request.principal, policy_arn, form.cleaned_data["document"])
        messages.success(request, f"Policy {name} has a new document, in force from now on.")
        return redirect(request.path)
    found = policies.policy_for(request.principal, "iam:GetPolicy", policy_arn)
    if request.method == "GET":
        form = PolicyDocumentForm(initial={"document": found.document})
    context = {
        "policy": found,
        "document": pretty(found.document),
        "form": form,
        "may_edit": not found.is_aws_managed and is_allowed(request.principal, "iam:CreatePolicyVersion", found.arn),
        "may_delete": not found.is_aws_managed and is_allowed(request.principal, "iam:DeletePolicy", found.arn),
        "users": found.users.order_by("name"),
        "groups": found.groups.order_by("name"),
        "roles": found.roles.order_by("name"),
    }
    return render(request, "codeservices/policy.html", context, status=400 if form.errors else 200)


@require_POST
def policy_delete(request: ConsoleRequest, name: str) -> HttpResponse:
    """Delete an unattached policy whose name was typed to confirm it."""
    confirmed(request, name)
    policies.delete_policy_with_versions(request.principal, policy_arn_of("customer", name))
    messages.success(request, f"Policy {name} is deleted.")
    return redirect("iam:policy_list")
