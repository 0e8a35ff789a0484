"""Sign-in through an OpenID Connect provider: on the way there and on the way back."""

from __future__ import annotations

import logging

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from codeservices.audit.record import act, begin
from codeservices.http import ConsoleRequest
from codeservices.iam import mfa, oidc
from codeservices.iam.models import User
from codeservices.iam.oidc import OidcError
from codeservices.iam.principal import Principal
from codeservices.iam.views.sign_in import ask_second_factor, begin_session, note_failure, safe_next

logger = logging.getLogger(__name__)

LINKED = "LinkFederatedIdentity"
_NEXT = "oidc_next"


@login_not_required
@never_cache
@require_GET
def oidc_begin(request: ConsoleRequest) -> HttpResponse:
    """Send the browser to the provider."""
    if not oidc.is_configured():
        return _back(request, "Sign-in through an identity provider is not set up here.")
    if request.user.is_authenticated:
        return redirect(safe_next(request))
    base = settings.BASE_URL or f"{request.scheme}://{request.get_host()}"
    request.session[_NEXT] = safe_next(request)
    try:
        return oidc.begin(request, base + reverse("iam:oidc_callback"))
    except OidcError as error:
        return _refuse(request, error)


@login_not_required
@never_cache
@require_GET
def oidc_callback(request: ConsoleRequest) -> HttpResponse:
    """Take the browser back, and sign in whom the provider names."""
    if not oidc.is_configured():
        return _back(request, "Sign-in through an identity provider is not set up here.")
    if request.user.is_authenticated:
        return redirect(settings.LOGIN_REDIRECT_URL)
    target = request.session.pop(_NEXT, settings.LOGIN_REDIRECT_URL)
    try:
        identity = oidc.finish(request)
        user = _user(request, identity)
        if not user.is_active:
            raise OidcError("This user is locked out.")
    except OidcError as error:
        return _refuse(request, error)
    if mfa.has_device(user) and not identity.is_mfa_authenticated:
        return ask_second_factor(request, user, target, method="oidc")
    begin_session(request, user, mfa_used=identity.is_mfa_authenticated, method="oidc")
    return redirect(target)


def _user(request: ConsoleRequest, identity: oidc.Identity) -> User:
    found = oidc.find_user(identity)
    if found is not None:
        return found
    server = Principal("service", "signin.amazonaws.com", settings.ACCOUNT_ID, "", "signin")
    found = oidc.namesake(identity)
    if found is not None:
        with act(server, request.info, event_name=LINKED, event_source="signin.amazonaws.com") as current:
            current.parameters = {"userName": found.name, "issuer": identity.issuer, "subject": identity.subject}
            begin(current)
            oidc.bind(found, identity.issuer, identity.subject)
        return found
    with act(server, request.info):
        return oidc.create_user(server, identity)


def _refuse(request: ConsoleRequest, error: OidcError) -> HttpResponse:
    logger.warning("sign-in through the identity provider failed: %s (%r)", error.message, error.__cause__)
    note_failure(request, "", error.code, error.message, method="oidc")
    return _back(request, error.message)


def _back(request: ConsoleRequest, sentence: str) -> HttpResponse:
    messages.error(request, sentence)
    return redirect("iam:sign_in")
