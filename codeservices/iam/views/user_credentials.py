"""One user's security credentials, as an administrator sees and changes them. Secrets are shown once."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_POST

from codeservices.http import ConsoleRequest, confirmed
from codeservices.iam import once, passwords
from codeservices.iam.forms.sign_in import NewPasswordForm
from codeservices.iam.views.sessions import sign_in_context
from codeservices.iam.views.shared import CREDENTIAL_ACTIONS, answers, chosen
from codeservices.iam.views.users import opened_user

_ACTIONS = ("UpdateLoginProfile", "DeleteLoginProfile", *CREDENTIAL_ACTIONS)


@never_cache
@require_GET
def user_credentials(request: ConsoleRequest, name: str) -> HttpResponse:
    """Sign-in password, access keys, git credentials and SSH public keys of one user."""
    found, context = opened_user(request, name, "credentials")
    may = answers(request, found.arn, _ACTIONS)
    context |= {
        "may": may,
        "access_keys": found.access_keys.all() if may["ListAccessKeys"] else None,
        "git_credentials": found.git_credentials.all() if may["ListServiceSpecificCredentials"] else None,
        "ssh_keys": found.ssh_public_keys.all() if may["ListSSHPublicKeys"] else None,
        "password_form": NewPasswordForm(),
        "secret": once.take(request),
        **sign_in_context(request, found),
    }
    return render(request, "codeservices/user_credentials.html", context)


@sensitive_post_parameters("password")
@require_POST
def user_password(request: ConsoleRequest, name: str) -> HttpResponse:
    """Give a user a sign-in password, or only say whether it must be changed at the next sign-in."""
    reset_required = request.POST.get("reset_required") is not None
    if chosen(request, {"set": "set", "require": "require"}) == "require":
        found = passwords.update_login_profile(request.principal, name, reset_required=reset_required)
        told = "has to choose a new password at the next sign-in" if reset_required else "may keep the password"
        messages.success(request, f"{found.name} {told}.")
    else:
        password = request.POST.get("password", "")
        found = passwords.set_password(request.principal, name, password, reset_required=reset_required)
        if found.pk == request.user.pk:
            update_session_auth_hash(request, found)
        messages.success(request, f"{found.name} has a new password.")
    return redirect("iam:user_credentials", found.name)


@require_POST
def user_password_delete(request: ConsoleRequest, name: str) -> HttpResponse:
    """Take a user's sign-in password away, after the name was typed to confirm it."""
    confirmed(request, name)
    found = passwords.delete_login_profile(request.principal, name)
    messages.success(request, f"{found.name} can no longer sign in by password; its keys work as before.")
    return redirect("iam:user_credentials", found.name)
