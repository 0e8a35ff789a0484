"""Sign-in passwords, which IAM calls login profiles."""

from __future__ import annotations

from typing import Any

from codeservices.aws.dispatch import Call, operation
from codeservices.errors import InvalidInput
from codeservices.iam import passwords
from codeservices.iam.aws.lists import user_name_of
from codeservices.iam.models import User


@operation("iam", "CreateLoginProfile")
def create_login_profile(call: Call) -> dict[str, Any]:
    if "Password" not in call.params:
        raise InvalidInput("Give a Password: a login profile is nothing without one.", code="ValidationError")
    user = passwords.create_login_profile(
        call.principal,
        user_name_of(call),
        call.params["Password"],
        reset_required=call.params.get("PasswordResetRequired", False),
    )
    return {"LoginProfile": _login_profile(user)}


@operation("iam", "GetLoginProfile")
def get_login_profile(call: Call) -> dict[str, Any]:
    user = passwords.login_profile_for(call.principal, "iam:GetLoginProfile", user_name_of(call))
    return {"LoginProfile": _login_profile(user)}


@operation("iam", "UpdateLoginProfile")
def update_login_profile(call: Call) -> None:
    passwords.update_login_profile(
        call.principal,
        call.params["UserName"],
        password=call.params.get("Password"),
        reset_required=call.params.get("PasswordResetRequired"),
    )


@operation("iam", "DeleteLoginProfile")
def delete_login_profile(call: Call) -> None:
    passwords.delete_login_profile(call.principal, user_name_of(call))


@operation("iam", "ChangePassword")
def change_password(call: Call) -> None:
    """The caller's own, which only a user has."""
    if call.principal.kind != "user" or call.principal.user_pk is None:
        raise InvalidInput("Only a user has a password to change; a role's session has none.", code="InvalidUserType")
    user = User.objects.get(pk=call.principal.user_pk)
    passwords.change_password(call.principal, user, call.params["OldPassword"], call.params["NewPassword"])


def _login_profile(user: User) -> dict[str, Any]:
    return {
        "UserName": user.name,
        "CreateDate": user.password_set_at or user.created_at,
        "PasswordResetRequired": user.password_reset_required,
    }
