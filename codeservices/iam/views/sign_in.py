"""Sign in and out."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.auth import authenticate, login, logout
from django.contrib.auth.decorators import login_not_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from codeservices.audit.record import current_act
from codeservices.http import ConsoleRequest, is_partial
from codeservices.iam.forms.sign_in import SignInForm
from codeservices.iam.models import User
from codeservices.iam.views.shared import may_open

# One text for an unknown user, a wrong password and a locked-out user: none of them tells which names exist.
NOT_SIGNED_IN = "The user name or the password is not right."


@login_not_required
@never_cache
@sensitive_post_parameters("password")
@require_http_methods(["GET", "POST"])
def sign_in(request: ConsoleRequest) -> HttpResponse:
    """Sign in by name and password, then go on to where one wanted to go."""
    target = _safe_next(request)
    if request.method == "GET" and request.user.is_authenticated:
        return redirect(target)
    if is_partial(request):
        # The session ended while a page was open: the whole page goes to sign in, not the fragment's place.
        response = HttpResponse()
        response["HX-Redirect"] = settings.LOGIN_URL
        return response
    form = SignInForm(request.POST or None)
    if request.method == "POST" and form.is_valid() and _begin_session(request, form):
        return redirect(target)
    status = 401 if request.method == "POST" else 200
    return render(request, "codeservices/sign_in.html", {"form": form, "next": target}, status=status)


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
    _name_act("ConsoleLogout")
    logout(request)
    return redirect("iam:sign_in")


def _begin_session(request: ConsoleRequest, form: SignInForm) -> bool:
    """Check the name and password, begin a session or put the one refusal on the form, and tell the audit trail."""
    name = form.cleaned_data["username"]
    found = authenticate(request, username=name, password=form.cleaned_data["password"])
    act = _name_act("ConsoleLogin")
    if act is not None:
        act.additional["LoginTo"] = request.build_absolute_uri(settings.LOGIN_URL)
    if isinstance(found, User):
        login(request, found)
        if act is not None:
            act.principal = found.principal
            act.resource = found.arn
        return True
    form.add_error(None, NOT_SIGNED_IN)
    if act is not None:
        act.error_code, act.error_message = "Failed authentication", NOT_SIGNED_IN
        # People type passwords into the wrong field: a name that is nobody's is not written down.
        is_known = User.objects.filter(name__iexact=name).exists()
        act.parameters["userName"] = name if is_known else "HIDDEN_DUE_TO_SECURITY_REASONS"
    return False


def _name_act(event_name: str) -> Any:
    act = current_act()
    if act is not None:
        act.event_name = event_name
        act.event_source = "signin.amazonaws.com"
        act.event_type = "AwsConsoleSignIn"
        act.is_read_only = False
    return act


def _safe_next(request: ConsoleRequest) -> str:
    target = request.POST.get("next") or request.GET.get("next") or ""
    is_safe = url_has_allowed_host_and_scheme(
        target, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return target if is_safe else settings.LOGIN_REDIRECT_URL
