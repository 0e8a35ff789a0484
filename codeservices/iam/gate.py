"""What stands between signing in and the console: a password that must be changed first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from codeservices.http import is_partial
from codeservices.iam import sessions
from codeservices.iam.models import User

_OPEN = ("iam:new_password", "iam:sign_out")


def must_change_password(request: HttpRequest) -> bool:
    """Whether this session, begun with a password, may do nothing before that password is changed."""
    user = request.user
    if not isinstance(user, User) or sessions.fact(request.session, "method") != "password":
        return False
    return user.password_reset_required or bool(sessions.fact(request.session, "must_change_password"))


class SignInGateMiddleware:
    """Leaves open nothing but the page for a new password while one is due, and notes when a session was used."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> HttpResponse | None:
        if not getattr(view, "login_required", True) or not request.user.is_authenticated:
            return None
        # A page that keeps itself fresh does not keep a session alive that nobody sits in front of.
        if not is_partial(request) and "text/event-stream" not in request.headers.get("Accept", ""):
            sessions.touch(request.session)
        match = request.resolver_match
        if (match is not None and match.view_name in _OPEN) or not must_change_password(request):
            return None
        if is_partial(request):
            response = HttpResponse()
            response["HX-Redirect"] = reverse("iam:new_password")
            return response
        return redirect("iam:new_password")
