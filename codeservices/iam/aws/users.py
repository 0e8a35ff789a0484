"""Users and their tags."""

from __future__ import annotations

from typing import Any

from codeservices.aws.dispatch import Call, operation
from codeservices.errors import InvalidInput
from codeservices.iam import users
from codeservices.iam.aws.lists import listed, listed_tags, tag_list, tags_of, under_path, user_name_of
from codeservices.iam.models import User


@operation("iam", "CreateUser")
def create_user(call: Call) -> dict[str, Any]:
    if call.params.get("PermissionsBoundary"):
        raise InvalidInput("Permissions boundaries are not available on this server.", code="InvalidInput")
    user = users.create_user(
        call.principal, call.params["UserName"], path=call.params.get("Path", "/"), tags=tags_of(call)
    )
    return {"User": _with_tags(user)}


@operation("iam", "GetUser")
def get_user(call: Call) -> dict[str, Any]:
    return {"User": _with_tags(users.user_for(call.principal, "iam:GetUser", user_name_of(call)))}


@operation("iam", "ListUsers")
def list_users(call: Call) -> dict[str, Any]:
    return listed(call, "Users", under_path(call, users.list_users(call.principal)), by_name, user_shape)


@operation("iam", "UpdateUser")
def update_user(call: Call) -> None:
    users.update_user(
        call.principal,
        call.params["UserName"],
        new_name=call.params.get("NewUserName"),
        new_path=call.params.get("NewPath"),
    )


@operation("iam", "DeleteUser")
def delete_user(call: Call) -> None:
    users.delete_user(call.principal, call.params["UserName"])


@operation("iam", "TagUser")
def tag_user(call: Call) -> None:
    users.tag_user(call.principal, call.params["UserName"], tags_of(call))


@operation("iam", "UntagUser")
def untag_user(call: Call) -> None:
    users.untag_user(call.principal, call.params["UserName"], call.params["TagKeys"])


@operation("iam", "ListUserTags")
def list_user_tags(call: Call) -> dict[str, Any]:
    return listed_tags(call, users.user_for(call.principal, "iam:ListUserTags", call.params["UserName"]).tags)


def by_name(user: User) -> str:
    """What lists of users are ordered by, and their markers stand for."""
    return user.name


def user_shape(user: User) -> dict[str, Any]:
    """A user as lists have it, without its tags."""
    return {
        "Path": user.path,
        "UserName": user.name,
        "UserId": user.user_id,
        "Arn": user.arn,
        "CreateDate": user.created_at,
        "PasswordLastUsed": user.last_login,
    }


def _with_tags(user: User) -> dict[str, Any]:
    return {**user_shape(user), "Tags": tag_list(user.tags) or None}
