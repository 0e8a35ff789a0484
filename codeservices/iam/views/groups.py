"""Groups: the list, one group's permissions, members and settings."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.db import transaction
from django.db.models import Count
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from codeservices.errors import ServiceError
from codeservices.http import ConsoleRequest, confirmed
from codeservices.iam import groups
from codeservices.iam.authorize import is_allowed
from codeservices.iam.forms.identities import GroupForm, PlaceForm
from codeservices.iam.models import Group, User
from codeservices.iam.views.permissions import permissions
from codeservices.iam.views.shared import PAGE_ROWS, answers, chosen, tell, ticked


@require_http_methods(["GET", "POST"])
def group_list(request: ConsoleRequest) -> HttpResponse:
    """All groups; a name creates one."""
    form = GroupForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        values = form.cleaned_data
        try:
            made = groups.create_group(request.principal, values["name"], path=values["path"])
        except ServiceError as error:
            tell(form, error)
        else:
            messages.success(request, f"Group {made.name} is there. Attach policies to it, then add members.")
            return redirect("iam:group", made.name)
    query = request.GET.get("q", "").strip()
    rows = groups.list_groups(request.principal)
    if query:
        rows = rows.filter(name__icontains=query)
    rows = rows.annotate(
        user_count=Count("users", distinct=True),
        policy_count=Count("policies", distinct=True),
        inline_count=Count("inline_policies", distinct=True),
    )
    context = {
        "page": Paginator(rows, PAGE_ROWS).get_page(request.GET.get("page")),
        "filter": query,
        "form": form,
        "may_create": is_allowed(request.principal, "iam:CreateGroup", "*"),
    }
    return render(request, "codeservices/group_list.html", context, status=400 if form.errors else 200)


def _opened(request: ConsoleRequest, name: str, tab: str) -> tuple[Group, dict[str, Any]]:
    """The group for those who may iam:GetGroup it, and what the frame of its pages shows."""
    found = groups.group_for(request.principal, "iam:GetGroup", name)
    return found, {"group": found, "tab": tab}


@require_GET
def group(request: ConsoleRequest, name: str) -> HttpResponse:
    """One group's permissions, and its members in a list beside."""
    found, context = _opened(request, name, "permissions")
    return render(request, "codeservices/group.html", context | permissions(request, "group", found))


@require_http_methods(["GET", "POST"])
def group_members(request: ConsoleRequest, name: str) -> HttpResponse:
    """The members of a group; a POST adds those that were ticked, or removes one."""
    if request.method == "POST":
        change = chosen(request, {"add": groups.add_user_to_group, "remove": groups.remove_user_from_group})
        with transaction.atomic():
            for user_name in ticked(request, "user", "user"):
                change(request.principal, name, user_name)
        return redirect("iam:group_members", name)
    found, context = _opened(request, name, "members")
    members = found.users.order_by("name")
    may = answers(request, found.arn, ("AddUserToGroup", "RemoveUserFromGroup"))
    may_list = may["AddUserToGroup"] and is_allowed(request.principal, "iam:ListUsers", "*")
    context |= {
        "may": may,
        "page": Paginator(members, PAGE_ROWS).get_page(request.GET.get("page")),
        "others": User.objects.exclude(pk__in=members.values("pk")).order_by("name") if may_list else None,
    }
    return render(request, "codeservices/group_members.html", context)


@require_http_methods(["GET", "POST"])
def group_settings(request: ConsoleRequest, name: str) -> HttpResponse:
    """Name, path and end of a group; a POST renames or moves it."""
    form = PlaceForm(request.POST) if request.method == "POST" else None
    if form is not None and form.is_valid():
        values = form.cleaned_data
        try:
            changed = groups.update_group(
                request.principal, name, new_name=values["name"], new_path=values["path"] or "/"
            )
        except ServiceError as error:
            tell(form, error)
        else:
            messages.success(request, f"The group is now {changed.arn}.")
            return redirect("iam:group_settings", changed.name)
    found, context = _opened(request, name, "settings")
    context |= {
        "may": answers(request, found.arn, ("UpdateGroup", "DeleteGroup")),
        "form": form or PlaceForm(initial={"name": found.name, "path": found.path}),
    }
    return render(request, "codeservices/group_settings.html", context, status=400 if form and form.errors else 200)


@require_POST
def group_delete(request: ConsoleRequest, name: str) -> HttpResponse:
    """Delete an empty group whose name was typed to confirm it."""
    confirmed(request, name)
    groups.delete_group(request.principal, name)
    messages.success(request, f"Group {name} is deleted.")
    return redirect("iam:group_list")
