"""The second factor: enrolment with a picture and two codes, recovery codes, removal."""

from __future__ import annotations

import base64
from typing import Any

from cryptography.fernet import InvalidToken
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.forms import Form
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from codeservices.audit.acts import current_act
from codeservices.errors import ServiceError
from codeservices.http import ConsoleRequest
from codeservices.iam import mfa, once, secrets, sessions, totp, users
from codeservices.iam.forms.sign_in import EnrolmentForm, ProofForm
from codeservices.iam.models import User
from codeservices.iam.throttle import TooManyAttempts
from codeservices.iam.views.shared import tell

_ENROLMENT = "mfa_enrolment"


@never_cache
@sensitive_post_parameters("first_code", "second_code")
@require_http_methods(["GET", "POST"])
def enrol(request: ConsoleRequest) -> HttpResponse:
    """Show a new secret as a picture and in letters; two codes in a row prove that the app has it."""
    user = _own(request)
    form = EnrolmentForm(request.POST or None)
    secret = None if request.method == "GET" else _shown_secret(request)
    if secret is None:
        secret = totp.new_secret()
        request.session[_ENROLMENT] = secrets.seal(secret)
    elif form.is_valid():
        values = form.cleaned_data
        try:
            codes = mfa.enrol(request.principal, user, secret, values["first_code"], values["second_code"])
        except (mfa.WrongCode, TooManyAttempts) as error:
            tell(form, error)
        else:
            del request.session[_ENROLMENT]
            sessions.note(request.session, is_mfa_authenticated=True)
            update_session_auth_hash(request, user)
            if codes:
                _keep_codes(request, user, codes)
            messages.success(request, "Sign-in asks for a code from now on. Your other sessions have ended.")
            return redirect("iam:my_credentials")
    context = {
        "form": form,
        "picture": totp.picture_svg(totp.uri(secret, user.name, f"Code Services {settings.ACCOUNT_ID}")),
        "secret": " ".join(secret[start : start + 4] for start in range(0, len(secret), 4)),
    }
    return render(request, "codeservices/mfa_enrol.html", context, status=400 if form.errors else 200)


def _shown_secret(request: ConsoleRequest) -> str | None:
    """The secret that the page has shown; None where there is none, or the key that it was sealed with is retired."""
    try:
        return secrets.unseal(request.session.get(_ENROLMENT, ""))
    except InvalidToken:
        return None


@sensitive_post_parameters("mfa_password", "mfa_code")
@require_POST
def remove(request: ConsoleRequest) -> HttpResponse:
    """Do without a device, with password and code."""
    user = _own(request)

    def change(password: str, code: str) -> None:
        mfa.deactivate_own(request.principal, user, request.POST.get("serial_number", ""), password, code)
        update_session_auth_hash(request, user)
        messages.success(request, "The device is removed. Your other sessions have ended.")

    return _after_proof(request, change)


@sensitive_post_parameters("mfa_password", "mfa_code")
@require_POST
def recovery_codes(request: ConsoleRequest) -> HttpResponse:
    """New recovery codes in place of the old ones, with password and code."""
    user = _own(request)

    def change(password: str, code: str) -> None:
        _keep_codes(request, user, mfa.renew_recovery_codes(request.principal, user, password, code))

    return _after_proof(request, change)


@require_POST
def user_mfa(request: ConsoleRequest, name: str) -> HttpResponse:
    """Remove a device that a user has lost."""
    user = users.user_for(request.principal, "iam:DeactivateMFADevice", name)
    mfa.deactivate_device(request.principal, user, request.POST.get("serial_number", ""))
    messages.success(request, f"The device is removed; sessions of {user.name} have ended.")
    return redirect("iam:user_credentials", user.name)


def _after_proof(request: ConsoleRequest, change: Any) -> HttpResponse:
    """Run the change where password and code were given and are right; the page says why where they are not."""
    form: Form = ProofForm(request.POST)
    if not form.is_valid():
        messages.error(request, "Nothing was changed: enter your password and a code.")
    else:
        try:
            change(form.cleaned_data["mfa_password"], form.cleaned_data["mfa_code"])
        except (mfa.WrongCode, TooManyAttempts) as error:
            _note(error)
            messages.error(request, f"Nothing was changed. {error.message}")
    return redirect(f"{reverse('iam:my_credentials')}#mfa")


def _note(error: ServiceError) -> None:
    act = current_act()
    if act is not None:
        act.fail(error)


def _keep_codes(request: ConsoleRequest, user: User, codes: list[str]) -> None:
    """Put recovery codes aside for the next page, which shows them once."""
    text = "".join(f"{code}\r\n" for code in codes)
    once.keep(
        request,
        {
            "rows": [(f"Recovery code {number}", code) for number, code in enumerate(codes, 1)],
            "filename": f"{user.name}_recovery_codes.csv",
            "csv": base64.b64encode(f"Recovery code\r\n{text}".encode()).decode(),
        },
    )


def _own(request: ConsoleRequest) -> User:
    user = request.user
    assert isinstance(user, User)
    return user
