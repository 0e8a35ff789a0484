"""Git credentials, access keys and passwords: one's own page, and the forms that a user's page shares with it."""

from __future__ import annotations

import base64
import csv
import io
from functools import partial

from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_POST

from codeservices.http import ConsoleRequest, confirmed
from codeservices.iam import credentials, once, passwords, ssh_keys, user_credentials, users
from codeservices.iam.authorize import is_allowed
from codeservices.iam.forms.sign_in import PasswordForm
from codeservices.iam.models import GitCredential, User
from codeservices.iam.views.sessions import sign_in_context
from codeservices.iam.views.shared import CREDENTIAL_ACTIONS
from codeservices.iam.views.sign_in import change_own


@never_cache
@require_GET
def my_credentials(request: ConsoleRequest) -> HttpResponse:
    """One's own git credentials, access keys and password."""
    return _credentials_page(request, PasswordForm(), once.take(request))


@never_cache
@sensitive_post_parameters("old_password", "new_password")
@require_POST
def change_password(request: ConsoleRequest) -> HttpResponse:
    """Change one's own password; other sessions end, this one goes on."""
    form = PasswordForm(request.POST)
    if form.is_valid():
        user, values = _own(request), form.cleaned_data
        change = partial(passwords.change_password, request.principal, user)
        if change_own(form, change, values["old_password"], values["new_password"]):
            update_session_auth_hash(request, user)
            messages.success(request, "Your password is changed. Your other sessions have ended.")
            return redirect("iam:my_credentials")
    return _credentials_page(request, form, None, status=400)


@sensitive_post_parameters()
@require_POST
def git_credential_create(request: ConsoleRequest, name: str) -> HttpResponse:
    """Generate git credentials; the next page shows them, once."""
    made, password = user_credentials.create_git_credential(request.principal, name)
    _keep_git(request, made, password)
    return back(request, name)


@require_POST
def git_credential(request: ConsoleRequest, name: str, credential_id: str) -> HttpResponse:
    """Reset, activate, deactivate or delete one git credential."""
    change = request.POST.get("change", "")
    if change == "reset":
        made, password = user_credentials.reset_git_credential(request.principal, name, credential_id)
        _keep(
            request, {"User Name": made.service_user_name, "Password": password}, f"{name}_codecommit_credentials.csv"
        )
    elif change == "delete":
        owner = users.user_for(request.principal, "iam:DeleteServiceSpecificCredential", name)
        found = owner.git_credentials.filter(credential_id=credential_id).first()
        confirmed(request, found.service_user_name if found else credential_id)
        user_credentials.delete_git_credential(request.principal, name, credential_id)
        messages.success(request, "The git credential is deleted; it stopped working at once.")
    else:
        user_credentials.update_git_credential(request.principal, name, credential_id, change)
    return back(request, name)


@sensitive_post_parameters()
@require_POST
def access_key_create(request: ConsoleRequest, name: str) -> HttpResponse:
    """Create an access key; the next page shows its secret, once."""
    made, secret = user_credentials.create_access_key(request.principal, name)
    _keep(request, {"Access key ID": made.access_key_id, "Secret access key": secret}, f"{name}_accessKeys.csv")
    return back(request, name)


@require_POST
def access_key(request: ConsoleRequest, name: str, key_id: str) -> HttpResponse:
    """Activate, deactivate or delete one access key."""
    change = request.POST.get("change", "")
    if change == "delete":
        confirmed(request, key_id)
        user_credentials.delete_access_key(request.principal, name, key_id)
        messages.success(request, f"Access key {key_id} is deleted; it stopped working at once.")
    else:
        user_credentials.update_access_key(request.principal, name, key_id, change)
    return back(request, name)


def _credentials_page(
    request: ConsoleRequest, form: PasswordForm, secret: once.Secret | None, status: int = 200
) -> HttpResponse:
    user = _own(request)
    may = {name: is_allowed(request.principal, f"iam:{name}", user.arn) for name in CREDENTIAL_ACTIONS}
    context = {
        "shown": user,
        "may": {**may, "ChangePassword": passwords.may_change(request.principal, user)},
        "git_credentials": user_credentials.list_git_credentials(request.principal, user.name)
        if may["ListServiceSpecificCredentials"]
        else None,
        "access_keys": user_credentials.list_access_keys(request.principal, user.name)
        if may["ListAccessKeys"]
        else None,
        "ssh_keys": ssh_keys.list_ssh_keys(request.principal, user.name) if may["ListSSHPublicKeys"] else None,
        "max_git_credentials": credentials.MAX_GIT_CREDENTIALS,
        "max_access_keys": credentials.MAX_ACCESS_KEYS,
        "password_form": form,
        **sign_in_context(request, user),
        "secret": secret,
        "origin": f"{request.scheme}://{request.get_host()}",
    }
    return render(request, "codeservices/my_credentials.html", context, status=status)


def _keep_git(request: ConsoleRequest, made: GitCredential, password: str) -> None:
    values = {"User Name": made.service_user_name, "Password": password}
    _keep(request, values, f"{made.user.name}_codecommit_credentials.csv")


def _keep(request: ConsoleRequest, values: dict[str, str], filename: str) -> None:
    """Put the values and a CSV of them aside for the next page."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\r\n")
    rows.writerow(values)
    rows.writerow(values.values())
    encoded = base64.b64encode(text.getvalue().encode()).decode()
    once.keep(request, {"rows": list(values.items()), "filename": filename, "csv": encoded})


def _own(request: ConsoleRequest) -> User:
    user = request.user
    assert isinstance(user, User)
    return user


def back(request: ConsoleRequest, name: str) -> HttpResponse:
    """To one's own page, or to that of the user whose credentials they are."""
    if name.lower() == _own(request).name.lower():
        return redirect("iam:my_credentials")
    return redirect("iam:user_credentials", name)
