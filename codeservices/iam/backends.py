"""Which principal is asking, for requests of a browser's session.

The AWS endpoint (`aws/views.py`) and the git program (`repos/git_http/`) authenticate their own requests through
`credentials.py`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django.conf import settings
from django.contrib.auth.backends import BaseBackend
from django.http import HttpRequest

from codeservices.iam import sessions
from codeservices.iam.authorize import is_allowed
from codeservices.iam.models import User
from codeservices.iam.principal import Principal
from codeservices.statements import Parameter, Statement

_ACTIVE_USER = Statement(lambda: User.objects.filter(pk=Parameter(), is_active=True))


class SessionBackend(BaseBackend):
    """Django's authentication by name and sign-in password."""

    def authenticate(
        self, request: HttpRequest | None, username: str | None = None, password: str | None = None, **kwargs: Any
    ) -> User | None:
        if not username or password is None:
            return None
        user = User.objects.filter(name__iexact=username).first()
        if user is None:
            # The same work as for a wrong password, so that the time tells nothing; for a user who has no password,
            # Django itself does it.
            User().set_password(password)
            return None
        # In this order: the password of an inactive user costs its time too.
        return user if user.check_password(password) and user.is_active else None

    def get_user(self, user_id: int) -> User | None:
        return _ACTIVE_USER.first(user_id)

    def has_perm(self, user_obj: Any, perm: str, obj: Any = None) -> bool:
        """Whether the user may open the admin panel, whatever part; its pages ask for IAM actions (admin/base.py)."""
        return bool(user_obj.is_active) and is_allowed(user_obj.principal, "codeservices:UseAdminPanel", "*")


def principal_of(request: HttpRequest) -> Principal:
    """The principal of a browser's request."""
    user = request.user
    if isinstance(user, User):
        return replace(
            user.principal, is_mfa_authenticated=bool(sessions.fact(request.session, "is_mfa_authenticated"))
        )
    return Principal.anonymous(settings.ACCOUNT_ID)
