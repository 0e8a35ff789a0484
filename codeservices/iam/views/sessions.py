"""Sessions of the console: one's own, and, for administrators, another user's with what keeps it from signing in."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from codeservices.http import ConsoleRequest
from codeservices.iam import mfa, sessions, throttle, users
from codeservices.iam.authorize import is_allowed
from codeservices.iam.forms.sign_in import ProofForm
from codeservices.iam.models import User
from codeservices.iam.own import may_look_after, may_own
from codeservices.iam.views.shared import chosen


@require_POST
def own_sessions(request: ConsoleRequest) -> HttpResponse:
    """End one of one's own sessions, all others, or all."""
    user = request.user
    assert isinstance(user, User)
    key = request.session.session_key
    end = chosen(request, {"end": _end_one, "others": _end_others, "all": _end_every})
    end(request, user, key)
    if request.POST["change"] == "all":
        request.session.flush()
        return redirect("iam:sign_in")
    return redirect(f"{reverse('iam:my_credentials')}#sessions")


@require_POST
def user_sessions(request: ConsoleRequest, name: str) -> HttpResponse:
    """End all sessions of a user."""
    user = users.user_for(request.principal, "iam:UpdateLoginProfile", name)
    count = sessions.end_sessions(request.principal, user)
    messages.success(request, f"{count} sessions of {user.name} have ended.")
    return redirect("iam:user_credentials", user.name)


@require_POST
def user_sign_in_lock(request: ConsoleRequest, name: str) -> HttpResponse:
    """Let a user whose name has to wait after wrong tries sign in again."""
    user = users.user_for(request.principal, "iam:UpdateLoginProfile", name)
    throttle.lift(name=user.name)
    messages.success(request, f"{user.name} can sign in again.")
    return redirect("iam:user_credentials", user.name)


def sign_in_context(request: ConsoleRequest, user: User) -> dict[str, Any]:
    """What the sections of sign-in on a user's page and on one's own need."""
    principal, is_own = request.principal, request.user.pk == user.pk
    return {
        "sessions": sessions.live_sessions(user) if may_look_after(principal, "iam:GetLoginProfile", user) else None,
        "current_key": request.session.session_key if is_own else None,
        "may_end_sessions": may_look_after(principal, "iam:UpdateLoginProfile", user),
        "mfa_devices": user.mfa_devices.all() if may_look_after(principal, "iam:ListMFADevices", user) else None,
        "may_enrol": may_own(principal, "iam:EnableMFADevice", user),
        "may_remove_mfa": is_allowed(principal, "iam:DeactivateMFADevice", user.arn),
        "recovery_codes_left": user.recovery_codes.count(),
        "max_mfa_devices": mfa.MAX_DEVICES,
        "proof_form": ProofForm(),
        "sign_in_locked_until": throttle.lock_of(user),
    }


def _end_one(request: ConsoleRequest, user: User, key: str | None) -> None:
    sessions.end_session(request.principal, user, request.POST.get("session_id", ""))
    messages.success(request, "The session has ended.")


def _end_others(request: ConsoleRequest, user: User, key: str | None) -> None:
    count = sessions.end_sessions(request.principal, user, except_key=key)
    messages.success(request, f"{count} other {'session has' if count == 1 else 'sessions have'} ended.")


def _end_every(request: ConsoleRequest, user: User, key: str | None) -> None:
    sessions.end_sessions(request.principal, user)
