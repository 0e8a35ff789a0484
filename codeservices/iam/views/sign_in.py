"""Sign in and out: the password, the second factor, and a password that must be changed first."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import authenticate, login, logout, update_session_auth_hash
from django.contrib.auth.decorators import login_not_required
from django.forms import Form
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from codeservices.audit import record
from codeservices.audit.acts import current_act
from codeservices.errors import InvalidInput
from codeservices.http import ConsoleRequest, is_partial
from codeservices.iam import gate, mfa, oidc, password_policy, passwords, sessions, throttle
from codeservices.iam.forms.sign_in import PasswordForm, SecondFactorForm, SignInForm
from codeservices.iam.models import User
from codeservices.iam.throttle import Attempt, TooManyAttempts
from codeservices.iam.views.shared import may_open

# One text for an unknown user, a wrong password and a locked-out user: none of them tells which names exist.
NOT_SIGNED_IN = "The user name or the password is not right."
EXPIRED = "Your password has expired. An administrator must give you a new one."
WRONG_CODE = "The code is not right, or it was used already."
# Whoever has proved the password has so long for the second factor.
_SECOND_FACTOR_TIME = timedelta(minutes=5)
_PENDING = "second_factor"


@login_not_required
@never_cache
@sensitive_post_parameters("password")
@require_http_methods(["GET", "POST"])
def sign_in(request: ConsoleRequest) -> HttpResponse:
    """Sign in by name and password, then go on to the second factor or to where one wanted to go."""
    target = safe_next(request)
    if request.method == "GET" and request.user.is_authenticated:
        return redirect(target)
    if is_partial(request):
        # The session ended while a page was open: the whole page goes to sign in, not the fragment's place.
        response = HttpResponse()
        response["HX-Redirect"] = settings.LOGIN_URL
        return response
    form = SignInForm(request.POST or None)
    refusal: TooManyAttempts | None = None
    if request.method == "POST" and form.is_valid():
        try:
            answer = _check_password(request, form, target)
        except TooManyAttempts as error:
            refusal = error
            refuse(request, form, form.cleaned_data["username"], error)
        else:
            if answer is not None:
                return answer
    context = {"form": form, "next": target, "has_oidc": oidc.is_configured()}
    status = 401 if request.method == "POST" else 200
    return answer_after(render(request, "codeservices/sign_in.html", context, status=status), refusal)


@login_not_required
@never_cache
@sensitive_post_parameters("code")
@require_http_methods(["GET", "POST"])
def second_factor(request: ConsoleRequest) -> HttpResponse:
    """The code after the password; until it is right, nobody is signed in."""
    user = _pending_user(request)
    if user is None:
        request.session.pop(_PENDING, None)
        return redirect("iam:sign_in")
    form = SecondFactorForm(request.POST or None)
    refusal: TooManyAttempts | None = None
    if request.method == "POST" and form.is_valid():
        try:
            attempt = throttle.begin(user.name, request.info.source_ip)
        except TooManyAttempts as error:
            refusal = error
            refuse(request, form, user.name, error, mfa_used=True)
        else:
            if mfa.is_right(user, form.cleaned_data["code"]):
                pending = request.session.pop(_PENDING)
                begin_session(request, user, attempt, mfa_used=True, method=pending["method"])
                return redirect(pending["next"])
            fail(request, form, user.name, WRONG_CODE, mfa_used=True)
    status = 401 if request.method == "POST" else 200
    return answer_after(render(request, "codeservices/second_factor.html", {"form": form}, status=status), refusal)


@never_cache
@sensitive_post_parameters("old_password", "new_password")
@require_http_methods(["GET", "POST"])
def new_password(request: ConsoleRequest) -> HttpResponse:
    """A new password before anything else, where an administrator or the password policy wants it."""
    user = request.user
    assert isinstance(user, User)
    if not gate.must_change_password(request):
        return redirect(settings.LOGIN_REDIRECT_URL)
    form = PasswordForm(request.POST or None)
    status = 200
    if request.method == "POST":
        status = 400
        if form.is_valid() and change_own(
            form, passwords.replace_required, user, form.cleaned_data["old_password"], form.cleaned_data["new_password"]
        ):
            sessions.note(request.session, must_change_password=False)
            update_session_auth_hash(request, user)
            messages.success(request, "Your password is changed.")
            return redirect(settings.LOGIN_REDIRECT_URL)
    return render(request, "codeservices/new_password.html", {"form": form}, status=status)


@login_not_required
@never_cache
@require_GET
def admin_sign_in(request: ConsoleRequest) -> HttpResponse:
    """Where the admin panel sends those whom it keeps out: to sign in, or, signed in already, to the reason."""
    if request.user.is_authenticated:
        may_open(request, "codeservices:UseAdminPanel", "*")
    return redirect(f"{settings.LOGIN_URL}?{request.GET.urlencode()}")


@require_POST
def sign_out(request: ConsoleRequest) -> HttpResponse:
    """End the session."""
    name_act(request, "ConsoleLogout")
    logout(request)
    return redirect("iam:sign_in")


def change_own(form: Form, change: Any, *values: Any) -> bool:
    """Change one's password by the function given; a refusal stands on the field that it speaks of."""
    try:
        change(*values)
    except (InvalidInput, TooManyAttempts) as error:
        act = current_act()
        if act is not None:
            act.fail(error)
        form.add_error("new_password" if error.code == "PasswordPolicyViolation" else "old_password", error.message)
        return False
    return True


def begin_session(
    request: ConsoleRequest,
    user: User,
    attempt: Attempt | None = None,
    *,
    mfa_used: bool = False,
    method: str = "password",
) -> None:
    """Sign somebody in who has proved all that is asked, under a new session key, once the audit trail is told."""
    if attempt is not None:
        attempt.forget_name()
    act = name_act(request, "ConsoleLogin")
    if act is not None:
        act.principal, act.resource = user.principal, user.arn
        act.response["ConsoleLogin"] = "Success"
        act.additional.update(MFAUsed="Yes" if mfa_used else "No", signInMethod=method)
        record.begin(act)
    login(request, user, backend="codeservices.iam.backends.SessionBackend")
    is_due = method == "password" and password_policy.is_expired(user)
    sessions.note(request.session, is_mfa_authenticated=mfa_used, method=method, must_change_password=is_due)


def ask_second_factor(request: ConsoleRequest, user: User, target: str, *, method: str) -> HttpResponse:
    """Remember who owes a code, in a new session in which nobody is signed in, and ask for it."""
    request.session.flush()
    request.session[_PENDING] = {
        "user": user.pk,
        "hash": user.get_session_auth_hash(),
        "until": (timezone.now() + _SECOND_FACTOR_TIME).timestamp(),
        "next": target,
        "method": method,
    }
    return redirect("iam:second_factor")


def fail(request: ConsoleRequest, form: Form, name: str, sentence: str, *, mfa_used: bool = False) -> None:
    """Put the refusal on the form and tell the audit trail."""
    form.add_error(None, sentence)
    note_failure(request, name, "Failed authentication", sentence, mfa_used=mfa_used)


def refuse(request: ConsoleRequest, form: Form, name: str, error: TooManyAttempts, *, mfa_used: bool = False) -> None:
    """Tell that one has to wait; the trail has one event for a wait, however many knock during it."""
    form.add_error(None, error.message)
    if error.is_first:
        note_failure(request, name, error.code, error.message, mfa_used=mfa_used)


def note_failure(
    request: ConsoleRequest, name: str, code: str, sentence: str, *, mfa_used: bool = False, method: str = "password"
) -> None:
    """The event of a sign-in that failed. A name that is nobody's is not written down: it may be a password."""
    act = name_act(request, "ConsoleLogin")
    if act is not None:
        act.error_code, act.error_message = code, sentence
        is_known = User.objects.filter(name__iexact=name).exists()
        act.parameters["userName"] = name if is_known else "HIDDEN_DUE_TO_SECURITY_REASONS"
        act.additional.update(MFAUsed="Yes" if mfa_used else "No", signInMethod=method)


def answer_after(response: HttpResponse, refusal: TooManyAttempts | None) -> HttpResponse:
    """The page, or, where one has to wait, the page with the status and header that say so."""
    if refusal is not None:
        response.status_code = refusal.status
        response["Retry-After"] = str(refusal.wait_seconds)
    return response


def name_act(request: ConsoleRequest, event_name: str) -> Any:
    """Name the act as CloudTrail names sign-ins."""
    act = current_act()
    if act is not None:
        act.event_name = event_name
        act.event_source = "signin.amazonaws.com"
        act.event_type = "AwsConsoleSignIn"
        act.is_read_only = False
        if event_name == "ConsoleLogin":
            act.additional["LoginTo"] = request.build_absolute_uri(settings.LOGIN_URL)
    return act


def safe_next(request: ConsoleRequest) -> str:
    """Where to go after sign-in: an address of this server that was asked for, or the dashboard."""
    target = request.POST.get("next") or request.GET.get("next") or ""
    is_safe = url_has_allowed_host_and_scheme(
        target, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return target if is_safe else settings.LOGIN_REDIRECT_URL


def _check_password(request: ConsoleRequest, form: SignInForm, target: str) -> HttpResponse | None:
    """Where to go on, or None with the one refusal on the form."""
    name = form.cleaned_data["username"]
    attempt = throttle.begin(name, request.info.source_ip)
    found = authenticate(request, username=name, password=form.cleaned_data["password"])
    if not isinstance(found, User):
        fail(request, form, name, NOT_SIGNED_IN)
        return None
    if password_policy.current().hard_expiry and password_policy.is_expired(found):
        attempt.take_back()
        fail(request, form, name, EXPIRED)
        return None
    if not mfa.has_device(found):
        begin_session(request, found, attempt)
        return redirect(target)
    # The tries before this one stay counted, or each right password would buy new guesses at the code.
    attempt.take_back()
    return ask_second_factor(request, found, target, method="password")


def _pending_user(request: ConsoleRequest) -> User | None:
    """Who has proved their password in this session and owes the code; None where that is too long ago."""
    pending = request.session.get(_PENDING)
    if pending is None or pending["until"] < timezone.now().timestamp():
        return None
    user = User.objects.filter(pk=pending["user"], is_active=True).first()
    if user is None or not constant_time_compare(pending["hash"], user.get_session_auth_hash()):
        return None
    return user
