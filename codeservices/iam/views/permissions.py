"""What users, groups and roles carry alike: managed policies attached to them, and inline policies in them."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from codeservices.errors import ServiceError
from codeservices.http import ConsoleRequest, confirmed
from codeservices.iam import attachments, policies
from codeservices.iam.authorize import is_allowed
from codeservices.iam.forms.policies import InlinePolicyForm, attachable
from codeservices.iam.views import documents
from codeservices.iam.views.editor import editor, start
from codeservices.iam.views.shared import chosen, may_open, tell, ticked

KINDS = {"user": attachments.USER, "group": attachments.GROUP, "role": attachments.ROLE}


def permissions(request: ConsoleRequest, kind: str, identity: Any) -> dict[str, Any]:
    """What the section of policies shows: attached ones, inline ones, those that could be attached.

    Lists that the person may not see are None.
    """
    title = KINDS[kind].name

    def may(action: str) -> bool:
        return is_allowed(request.principal, f"iam:{action}", identity.arn)

    may_attach = may(f"Attach{title}Policy") and is_allowed(request.principal, "iam:ListPolicies", "*")
    return {
        "kind": kind,
        "identity": identity,
        "attached": identity.policies.order_by("name") if may(f"ListAttached{title}Policies") else None,
        "inline": identity.inline_policies.order_by("name") if may(f"List{title}Policies") else None,
        "attachable": attachable(identity.policies) if may_attach else None,
        "may_detach": may(f"Detach{title}Policy"),
        "may_put": may(f"Put{title}Policy"),
        "policies_url": reverse(f"iam:{kind}_policies", args=[identity.name]),
        "inline_new_url": reverse(f"iam:{kind}_inline_create", args=[identity.name]),
        "inline_list_action": f"iam:List{title}Policies",
        "attached_list_action": f"iam:ListAttached{title}Policies",
        "max_attached": attachments.MAX_ATTACHED_POLICIES,
    }


@require_POST
def change_policies(request: ConsoleRequest, kind: str, name: str) -> HttpResponse:
    """Attach or detach the policies that were ticked: all of them, or none where one is refused."""
    change = chosen(request, {"attach": attachments.attach, "detach": attachments.detach})
    arns = ticked(request, "policy_arn", "policy")
    with transaction.atomic():
        for policy_arn in arns:
            change(request.principal, KINDS[kind], name, policy_arn)
    done = "attached to" if change is attachments.attach else "detached from"
    what = arns[0].rpartition("/")[2] if len(arns) == 1 else f"{len(arns)} policies"
    messages.success(request, f"{what} {'is' if len(arns) == 1 else 'are'} {done} {name}, in force from now on.")
    return redirect(f"iam:{kind}", name)


@require_http_methods(["GET", "POST"])
def inline_create(request: ConsoleRequest, kind: str, name: str) -> HttpResponse:
    """A new inline policy, in the editor."""
    form = InlinePolicyForm(request.POST or None, initial=start(request))
    if form.is_valid():
        taken = KINDS[kind].fetch(request.principal, f"iam:Put{KINDS[kind].name}Policy", name).inline_policies
        if taken.filter(name=form.cleaned_data["name"]).exists():
            form.add_error("name", "There is one of that name already; open it to change it.")
        elif _put(request, kind, name, form):
            return redirect(f"iam:{kind}", name)
    return _inline_page(request, kind, name, form)


@require_http_methods(["GET", "POST"])
def inline_policy(request: ConsoleRequest, kind: str, name: str, policy_name: str) -> HttpResponse:
    """One inline policy: its document for those who may see it, in the editor for those who may change it."""
    if request.method == "POST":
        form = InlinePolicyForm({**request.POST.dict(), "name": policy_name})
        if form.is_valid() and _put(request, kind, name, form):
            return redirect(f"iam:{kind}", name)
        return _inline_page(request, kind, name, form, policy_name)
    found = attachments.inline_for(request.principal, KINDS[kind], name, policy_name)
    form = InlinePolicyForm(initial={"name": found.name, "document": documents.pretty(found.document)})
    return _inline_page(request, kind, name, form, found.name)


@require_POST
def inline_delete(request: ConsoleRequest, kind: str, name: str, policy_name: str) -> HttpResponse:
    """Delete an inline policy whose name was typed to confirm it."""
    KINDS[kind].fetch(request.principal, f"iam:Delete{KINDS[kind].name}Policy", name)
    confirmed(request, policy_name)
    attachments.delete_inline(request.principal, KINDS[kind], name, policy_name)
    messages.success(request, f"The inline policy {policy_name} is deleted; it no longer counts from now on.")
    return redirect(f"iam:{kind}", name)


def _put(request: ConsoleRequest, kind: str, name: str, form: InlinePolicyForm) -> bool:
    values = form.cleaned_data
    try:
        attachments.put_inline(request.principal, KINDS[kind], name, values["name"], values["document"])
    except ServiceError as error:
        tell(form, error)
        return False
    messages.success(request, f"The inline policy {values['name']} is saved, in force from now on.")
    return True


def _inline_page(
    request: ConsoleRequest, kind: str, name: str, form: InlinePolicyForm, policy_name: str = ""
) -> HttpResponse:
    """The editor, or the document alone for those who may not change it."""
    carrier = KINDS[kind]
    identity = carrier.fetch(request.principal, f"iam:Get{carrier.name}", name)
    may_put = is_allowed(request.principal, f"iam:Put{carrier.name}Policy", identity.arn)
    if not policy_name or request.method == "POST":
        may_open(request, f"iam:Put{carrier.name}Policy", identity.arn)
    others = identity.inline_policies.exclude(name=policy_name).values_list("document", flat=True)
    context = {
        **editor(f"{kind}-inline", sum(map(policies.policy_characters, others))),
        "kind": kind,
        "identity": identity,
        "form": form,
        "policy_name": policy_name,
        "may_put": may_put,
        "may_delete": is_allowed(request.principal, f"iam:Delete{carrier.name}Policy", identity.arn),
        "lines": documents.lines(form["document"].value()) if policy_name and not may_put else None,
    }
    if policy_name:
        context["delete_url"] = reverse(f"iam:{kind}_inline_delete", args=[identity.name, policy_name])
    return render(request, "codeservices/inline_policy.html", context, status=400 if form.errors else 200)
