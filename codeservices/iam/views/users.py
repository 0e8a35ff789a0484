"""Users: the list, one user, and what is changed on its page. Every rule stands in the services."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.core.paginator import Paginator
from django.db.models import Count
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from codeservices.errors import ServiceError
from codeservices.http import ConsoleRequest, confirmed
from codeservices.iam import arn, attachments, groups, onboarding, once, passwords, users
from codeservices.iam.authorize import is_allowed
from codeservices.iam.forms.identities import UserForm, joinable
from codeservices.iam.forms.policies import attachable
from codeservices.iam.forms.sign_in import NewPasswordForm
from codeservices.iam.views.sessions import sign_in_context
from codeservices.iam.views.shared import answers, chosen, may_open, tell

PAGE_ROWS = 50
_USER_ACTIONS = (
    "AttachUserPolicy",
    "DetachUserPolicy",
    "AddUserToGroup",
    "UpdateUser",
    "UpdateLoginProfile",
    "DeleteUser",
    "ListAccessKeys",
    "CreateAccessKey",
    "UpdateAccessKey",
    "DeleteAccessKey",
    "ListServiceSpecificCredentials",
    "CreateServiceSpecificCredential",
    "ResetServiceSpecificCredential",
    "UpdateServiceSpecificCredential",
    "DeleteServiceSpecificCredential",
)


@require_GET
def user_list(request: ConsoleRequest) -> HttpResponse:
    """All users, with when they last signed in and what they hold."""
    query = request.GET.get("q", "").strip()
    rows = users.list_users(request.principal)
    if query:
        rows = rows.filter(name__icontains=query)
    rows = rows.annotate(policy_count=Count("policies", distinct=True), key_count=Count("access_keys", distinct=True))
    page = Paginator(rows.prefetch_related("groups"), PAGE_ROWS).get_page(request.GET.get("page"))
    context = {"page": page, "filter": query, "may_create": is_allowed(request.principal, "iam:CreateUser", "*")}
    return render(request, "codeservices/user_list.html", context)


@sensitive_post_parameters("password")
@require_http_methods(["GET", "POST"])
def user_create(request: ConsoleRequest) -> HttpResponse:
    """A new user, if wanted with a password and policies from the start."""
    form = UserForm(request.POST or None)
    if not form.is_valid():  # the page lists all policies
        may_open(request, "iam:CreateUser", arn.user_arn(settings.ACCOUNT_ID, "/", "*"))
    else:
        values = form.cleaned_data
        try:
            made = onboarding.create_user_with(
                request.principal,
                values["name"],
                email=values["email"],
                password=values["password"],
                policy_arns=[chosen.arn for chosen in values["policies"]],
            )
        except ServiceError as error:
            tell(form, error)
        else:
            messages.success(request, f"User {made.name} is ready.")
            return redirect("iam:user", made.name)
    return render(request, "codeservices/user_create.html", {"form": form}, status=400 if form.errors else 200)


@never_cache
@require_GET
def user(request: ConsoleRequest, name: str) -> HttpResponse:
    """One user: policies, groups, credentials, last use."""
    found = users.user_for(request.principal, "iam:GetUser", name)
    may = answers(request, found.arn, _USER_ACTIONS)
    context = {
        "shown": found,
        "may": may,
        "attached": found.policies.order_by("name"),
        "attachable": attachable(found.policies) if may["AttachUserPolicy"] else None,
        "groups": found.groups.prefetch_related("policies"),
        "joinable": joinable(found.groups) if is_allowed(request.principal, "iam:ListGroups", "*") else None,
        "access_keys": found.access_keys.all() if may["ListAccessKeys"] else None,
        "git_credentials": found.git_credentials.all() if may["ListServiceSpecificCredentials"] else None,
        "password_form": NewPasswordForm(),
        "secret": once.take(request),
        **sign_in_context(request, found),
    }
    return render(request, "codeservices/user.html", context)


@require_POST
def user_policies(request: ConsoleRequest, name: str) -> HttpResponse:
    """Attach or detach one policy."""
    change = {"attach": attachments.attach, "detach": attachments.detach}
    chosen(request, change)(request.principal, attachments.USER, name, request.POST.get("policy_arn", ""))
    return redirect("iam:user", name)


@require_POST
def user_groups(request: ConsoleRequest, name: str) -> HttpResponse:
    """Let a user into a group, or take it out."""
    change = {"add": groups.add_user_to_group, "remove": groups.remove_user_from_group}
    chosen(request, change)(request.principal, request.POST.get("group", ""), name)
    return redirect("iam:user", name)


@require_POST
def user_active(request: ConsoleRequest, name: str) -> HttpResponse:
    """Lock a user out, or let it in again."""
    found = users.set_active(request.principal, name, request.POST.get("active") == "yes")
    messages.success(request, f"{found.name} is {'active' if found.is_active else 'locked out, with all its keys'}.")
    return redirect("iam:user", found.name)


@sensitive_post_parameters("password")
@require_POST
def user_password(request: ConsoleRequest, name: str) -> HttpResponse:
    """Give a user a new sign-in password."""
    found = passwords.set_password(request.principal, name, request.POST.get("password", ""))
    if found.pk == request.user.pk:
        update_session_auth_hash(request, found)
    messages.success(request, f"{found.name} has a new password.")
    return redirect("iam:user", found.name)


@require_POST
def user_delete(request: ConsoleRequest, name: str) -> HttpResponse:
    """Delete a user whose name was typed to confirm it."""
    confirmed(request, name)
    users.delete_user_with_everything(request.principal, name)
    messages.success(request, f"User {name} is deleted.")
    return redirect("iam:user_list")
