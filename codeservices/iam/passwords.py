"""Sign-in passwords (IAM's login profiles). Console and API call these same functions.

A password that is changed or taken away ends the user's sessions; the caller's own goes on only where the page that
changed it says so.
"""

from __future__ import annotations

from django.contrib.auth import password_validation
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from codeservices.errors import Conflict, InvalidInput, NotFound
from codeservices.iam import password_policy, sessions, throttle
from codeservices.iam.authorize import authorize, begin, is_allowed, note
from codeservices.iam.models import User
from codeservices.iam.own import may_own
from codeservices.iam.principal import Principal
from codeservices.iam.users import user_for

_CHANGE = "iam:ChangePassword"


def create_login_profile(principal: Principal, name: str, password: str, *, reset_required: bool = False) -> User:
    """Let a user sign in by password; raises Conflict (EntityAlreadyExists) where it can already."""
    user = user_for(principal, "iam:CreateLoginProfile", name)
    if user.has_usable_password():
        raise Conflict(f"Login Profile for user {user.name} already exists.", code="EntityAlreadyExists")
    _give(user, password, reset_required=reset_required)
    return user


def login_profile_for(principal: Principal, action: str, name: str) -> User:
    """The user, where it can sign in by password; raises NotFound (NoSuchEntity) where it can't."""
    user = user_for(principal, action, name)
    if not user.has_usable_password():
        raise NotFound(f"Login Profile for User {user.name} cannot be found.", code="NoSuchEntity")
    return user


def update_login_profile(
    principal: Principal, name: str, *, password: str | None = None, reset_required: bool | None = None
) -> User:
    """Change the password or whether it must be changed at the next sign-in; sessions of the old password end."""
    user = login_profile_for(principal, "iam:UpdateLoginProfile", name)
    required = user.password_reset_required if reset_required is None else reset_required
    if password is None:
        user.password_reset_required = required
        user.save(update_fields=["password_reset_required"])
    else:
        _give(user, password, reset_required=required)
    return user


def delete_login_profile(principal: Principal, name: str) -> User:
    """Take a user's password away, so that it can no longer sign in by one; its sessions end."""
    user = login_profile_for(principal, "iam:DeleteLoginProfile", name)
    with transaction.atomic():
        user.set_unusable_password()
        user.password_set_at, user.password_reset_required = None, False
        user.save(update_fields=["password", "password_set_at", "password_reset_required"])
        user.previous_passwords.all().delete()
        sessions.end_all(user)
    return user


def set_password(principal: Principal, name: str, password: str, *, reset_required: bool = False) -> User:
    """Give a user a sign-in password, the first or another one, as an administrator does."""
    user = user_for(principal, "iam:UpdateLoginProfile", name)
    _give(user, password, reset_required=reset_required)
    return user


def change_password(principal: Principal, user: User, old_password: str, new_password: str) -> None:
    """A person changes their own password, by a policy's leave or by the account's (AllowUsersToChangePassword).

    Raises:
        InvalidInput: The old password is not right (AccessDenied), or the new one breaks a rule
            (PasswordPolicyViolation).
        TooManyAttempts: The old password was guessed at too often.
    """
    if not _may_change_by_account(principal, user):
        authorize(principal, _CHANGE, user.arn)
    _begin_change(user)
    _replace(user, old_password, new_password)


def may_change(principal: Principal, user: User) -> bool:
    """Whether the person may change their own password."""
    return _may_change_by_account(principal, user) or is_allowed(principal, _CHANGE, user.arn)


def replace_required(user: User, old_password: str, new_password: str) -> None:
    """Change a password that the account wants changed, which needs no policy: nothing else is open until then.

    Raises as `change_password` does.
    """
    _begin_change(user)
    if new_password == old_password:
        raise InvalidInput("The new password must be another one.", code="PasswordPolicyViolation")
    _replace(user, old_password, new_password)


def check_password_strength(password: str, user: User) -> None:
    """Raises InvalidInput with every rule that the password breaks."""
    try:
        password_validation.validate_password(password, user)
    except ValidationError as error:
        raise InvalidInput(" ".join(error.messages), code="PasswordPolicyViolation") from None
    if password_policy.was_used_before(user, password):
        raise InvalidInput("This password was used before. Choose another one.", code="PasswordPolicyViolation")


def _may_change_by_account(principal: Principal, user: User) -> bool:
    return password_policy.current().allow_users_to_change_password and may_own(principal, _CHANGE, user)


def _begin_change(user: User) -> None:
    note(_CHANGE, user.arn)
    begin(_CHANGE)


def _replace(user: User, old_password: str, new_password: str) -> None:
    with throttle.counted(user):
        if not user.check_password(old_password):
            raise InvalidInput("The old password is not right.", code="AccessDenied", status=403)
    _give(user, new_password, reset_required=False)


def _give(user: User, password: str, *, reset_required: bool) -> None:
    check_password_strength(password, user)
    with transaction.atomic():
        password_policy.remember(user)
        user.set_password(password)
        user.password_set_at, user.password_reset_required = timezone.now(), reset_required
        user.save(update_fields=["password", "password_set_at", "password_reset_required"])
        sessions.end_all(user)
