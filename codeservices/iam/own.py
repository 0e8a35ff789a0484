"""What everybody may do to their own sign-in without any policy, unless a statement denies it."""

from __future__ import annotations

from codeservices.iam.authorize import authorize, begin, decide, is_allowed, note
from codeservices.iam.models import User
from codeservices.iam.principal import Principal


def authorize_own(principal: Principal, action: str, user: User) -> None:
    """Let people look after their own sign-in; for anybody else's, a policy must allow the action.

    Whoever has a password must be able to end a session they do not know and to add a second factor, whatever an
    administrator thought of; a policy may still deny it by name.

    Raises:
        AccessDenied: It is somebody else's and no policy allows it, or a statement denies it.
    """
    if not may_own(principal, action, user):
        authorize(principal, action, user.arn)
        return
    note(action, user.arn)
    begin(action)


def may_own(principal: Principal, action: str, user: User) -> bool:
    """The same answer for one's own, without raising or recording."""
    is_own = principal.kind == "user" and principal.user_pk == user.pk
    return is_own and not decide(principal, action, user.arn).is_explicit_deny


def may_look_after(principal: Principal, action: str, user: User) -> bool:
    """Whether `authorize_own` lets it be done, without raising or recording."""
    return may_own(principal, action, user) or is_allowed(principal, action, user.arn)
