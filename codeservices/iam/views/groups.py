"""Groups: the list, one group, its members and policies."""

from __future__ import annotations

from django.contrib import messages
from django.db.models import Count
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from codeservices.errors import ServiceError
from codeservices.http import ConsoleRequest, confirmed
from codeservices.iam import attachments, groups
from codeservices.iam.authorize import is_allowed
from codeservices.iam.forms.identities import GroupForm
from codeservices.iam.forms.policies import attachable
from codeservices.iam.models import User
from codeservices.iam.views.shared import answers, chosen, tell

_GROUP_ACTIONS = (
    "AttachGroupPolicy",
    "DetachGroupPolicy",
    "AddUserToGroup",
    "RemoveUserFromGroup",
    "DeleteGroup",
)


@require_http_methods(["GET", "POST"])
def group_list(request: ConsoleRequest) -> HttpResponse:
    """All groups; a name creates one."""
    form = GroupForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            made = groups.create_group(request.principal, form.cleaned_data["name"])
        except ServiceError as error:
            tell(form, error)
        else:
            return redirect("iam:group", made.name)
    rows = groups.list_groups(request.principal).annotate(
        user_count=Count("users", distinct=True), policy_count=Count("policies", distinct=True)
    )
    context = {"groups": rows, "form": form, "may_create": is_allowed(request.principal, "iam:CreateGroup", "*")}
    return render(request, "codeservices/group_list.html", context, status=400 if form.errors else 200)


@require_GET
def group(request: ConsoleRequest, name: str) -> HttpResponse:
    """One group: members and policies."""
    found = groups.group_for(request.principal, "iam:GetGroup", name)
    members = found.users.order_by("name")
    context = {
        "group": found,
        "may": answers(request, found.arn, _GROUP_ACTIONS),
        "members": members,
        "others": User.objects.exclude(pk__in=members.values("pk")).order_by("name"),
        "attached": found.policies.order_by("name"),
        "attachable": attachable(found.policies),
    }
    return render(request, "codeservices/group.html", context)


@require_POST
def group_policies(request: ConsoleRequest, name: str) -> HttpResponse:
    """Attach or detach one policy."""
    change = {"attach": attachments.attach, "detach": attachments.detach}
    chosen(request, change)(request.principal, attachments.GROUP, name, request.POST.get("policy_arn", ""))
    return redirect("iam:group", name)


@require_POST
def group_members(request: ConsoleRequest, name: str) -> HttpResponse:
    """Add or remove one member."""
    change = {"add": groups.add_user_to_group, "remove": groups.remove_user_from_group}
    chosen(request, change)(request.principal, name, request.POST.get("user", ""))
    return redirect("iam:group", name)


@require_POST
def group_delete(request: ConsoleRequest, name: str) -> HttpResponse:
    """Delete an empty group whose name was typed to confirm it."""
    confirmed(request, name)
    groups.delete_group(request.principal, name)
    messages.success(request, f"Group {name} is deleted.")
    return redirect("iam:group_list")
