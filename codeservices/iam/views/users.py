"""Users: the list, a new one, one user's permissions, groups and settings. Every rule stands in the services."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.core.paginator import Paginator
from django.db import transaction
from django.db.models import Count, Exists, OuterRef
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from codeservices.errors import ServiceError
from codeservices.http import ConsoleRequest, confirmed
from codeservices.iam import arn, groups, onboarding, users
from codeservices.iam.authorize import is_allowed
from codeservices.iam.forms.identities import UserForm, UserPlaceForm, joinable
from codeservices.iam.models import MfaDevice, User
from codeservices.iam.views.permissions import permissions
from codeservices.iam.views.shared import PAGE_ROWS, answers, chosen, may_open, save_tags, sent_tags, tell, ticked

_SETTINGS_ACTIONS = ("UpdateUser", "TagUser", "UntagUser", "DeleteUser")


@require_GET
def user_list(request: ConsoleRequest) -> HttpResponse:
    """All users, with when they last signed in and what they hold."""
    query = request.GET.get("q", "").strip()
    rows = users.list_users(request.principal)
    if query:
        rows = rows.filter(name__icontains=query)
    rows = rows.annotate(
        policy_count=Count("policies", distinct=True),
        key_count=Count("access_keys", distinct=True),
        git_count=Count("git_credentials", distinct=True),
        has_mfa=Exists(MfaDevice.objects.filter(user=OuterRef("pk"))),
    )
    page = Paginator(rows.prefetch_related("groups"), PAGE_ROWS).get_page(request.GET.get("page"))
    context = {"page": page, "filter": query, "may_create": is_allowed(request.principal, "iam:CreateUser", "*")}
    return render(request, "codeservices/user_list.html", context)


@sensitive_post_parameters("password")
@require_http_methods(["GET", "POST"])
def user_create(request: ConsoleRequest) -> HttpResponse:
    """A new user, if wanted with a password, groups, policies and tags from the start."""
    form = UserForm(request.POST or None)
    if not form.is_valid():  # the page lists all groups and policies
        may_open(request, "iam:CreateUser", arn.user_arn(settings.ACCOUNT_ID, "/", "*"))
    else:
        values = form.cleaned_data
        try:
            made = onboarding.create_user_with(
                request.principal,
                values["name"],
                path=values["path"],
                email=values["email"],
                password=values["password"],
                reset_required=values["reset_required"],
                group_names=[joined.name for joined in values["groups"]],
                policy_arns=[wanted.arn for wanted in values["policies"]],
                tags=sent_tags(request),
            )
        except ServiceError as error:
            tell(form, error)
        else:
            messages.success(request, f"User {made.name} is ready.")
            return redirect("iam:user", made.name)
    context = {"form": form, "tags": _typed_tags(request)}
    return render(request, "codeservices/user_create.html", context, status=400 if form.errors else 200)


def opened_user(request: ConsoleRequest, name: str, tab: str) -> tuple[User, dict[str, Any]]:
    """The user for those who may iam:GetUser it, and what the frame of its pages shows."""
    found = users.user_for(request.principal, "iam:GetUser", name)
    may_simulate = is_allowed(request.principal, "iam:SimulatePrincipalPolicy", found.arn)
    return found, {"shown": found, "tab": tab, "may_simulate": may_simulate}


@never_cache
@require_GET
def user(request: ConsoleRequest, name: str) -> HttpResponse:
    """One user's permissions: attached policies, inline ones, and those that come from groups."""
    found, context = opened_user(request, name, "permissions")
    may_see_groups = is_allowed(request.principal, "iam:ListGroupsForUser", found.arn)
    context |= {
        **permissions(request, "user", found),
        "groups": found.groups.prefetch_related("policies", "inline_policies") if may_see_groups else None,
    }
    return render(request, "codeservices/user.html", context)


@require_http_methods(["GET", "POST"])
def user_groups(request: ConsoleRequest, name: str) -> HttpResponse:
    """The groups that a user is in; a POST lets it into those that were ticked, or takes it out of one."""
    if request.method == "POST":
        change = chosen(request, {"add": groups.add_user_to_group, "remove": groups.remove_user_from_group})
        with transaction.atomic():
            for group_name in ticked(request, "group", "group"):
                change(request.principal, group_name, name)
        return redirect("iam:user_groups", name)
    found, context = opened_user(request, name, "groups")
    rows = list(groups.groups_of_user(request.principal, found).prefetch_related("policies", "inline_policies"))
    removable = {row.name for row in rows if is_allowed(request.principal, "iam:RemoveUserFromGroup", row.arn)}
    may_list = is_allowed(request.principal, "iam:ListGroups", "*")
    open_groups = [
        row
        for row in (joinable(found.groups) if may_list else ())
        if is_allowed(request.principal, "iam:AddUserToGroup", row.arn)
    ]
    context |= {
        "groups": rows,
        "removable": removable,
        "joinable": open_groups,
        "max_groups": groups.MAX_GROUPS_A_USER,
    }
    return render(request, "codeservices/user_groups.html", context)


@require_http_methods(["GET", "POST"])
def user_settings(request: ConsoleRequest, name: str) -> HttpResponse:
    """Name, path, e-mail, tags, lock and end of a user; a POST changes the first three."""
    form = UserPlaceForm(request.POST) if request.method == "POST" else None
    if form is not None and form.is_valid():
        values = form.cleaned_data
        try:
            changed = users.update_user(
                request.principal,
                name,
                new_name=values["name"],
                new_path=values["path"] or "/",
                new_email=values["email"],
            )
        except ServiceError as error:
            tell(form, error)
        else:
            messages.success(request, f"Saved. The user is {changed.arn}.")
            return redirect("iam:user_settings", changed.name)
    found, context = opened_user(request, name, "settings")
    context |= {
        "may": answers(request, found.arn, _SETTINGS_ACTIONS),
        "form": form or UserPlaceForm(initial={"name": found.name, "path": found.path, "email": found.email}),
        "tags": sorted(found.tags.items()),
        "goes_along": _goes_along(found),
    }
    return render(request, "codeservices/user_settings.html", context, status=400 if form and form.errors else 200)


@require_POST
def user_tags(request: ConsoleRequest, name: str) -> HttpResponse:
    """Save a user's tags."""
    current = users.user_for(request.principal, "iam:TagUser", name).tags
    save_tags(
        request,
        current,
        partial(users.tag_user, request.principal, name),
        partial(users.untag_user, request.principal, name),
    )
    return redirect("iam:user_settings", name)


@require_POST
def user_active(request: ConsoleRequest, name: str) -> HttpResponse:
    """Lock a user out, or let it in again."""
    found = users.set_active(request.principal, name, request.POST.get("active") == "yes")
    messages.success(request, f"{found.name} is {'active' if found.is_active else 'locked out, with all its keys'}.")
    return redirect("iam:user_settings", found.name)


@require_POST
def user_delete(request: ConsoleRequest, name: str) -> HttpResponse:
    """Delete a user whose name was typed to confirm it."""
    confirmed(request, name)
    users.delete_user_with_everything(request.principal, name)
    messages.success(request, f"User {name} is deleted.")
    return redirect("iam:user_list")


def _typed_tags(request: ConsoleRequest) -> list[tuple[str, str]]:
    """The tags of a form that came back."""
    return list(zip(request.POST.getlist("tag_key"), request.POST.getlist("tag_value"), strict=False))


def _goes_along(user: User) -> list[str]:
    """What is deleted together with a user, in words."""
    found = ["its sign-in password"] if user.has_usable_password() else []
    counted = {
        "access key": [key.access_key_id for key in user.access_keys.all()],
        "git credential": [credential.service_user_name for credential in user.git_credentials.all()],
        "SSH public key": [key.key_id for key in user.ssh_public_keys.all()],
        "inline policy": [inline.name for inline in user.inline_policies.all()],
    }
    found += [f"{what} {name}" for what, names in counted.items() for name in names]
    found += [f"its membership of group {group.name}" for group in user.groups.order_by("name")]
    attached = user.policies.count()
    if attached:
        found.append(f"{attached} attachment{'' if attached == 1 else 's'} (the policies themselves stay)")
    return found
