"""Users and the policies attached to them."""

from __future__ import annotations

from typing import Any

from codeservices.aws.dispatch import Call, operation
from codeservices.errors import InvalidInput
from codeservices.iam import attachments, users
from codeservices.iam.aws.lists import listed, user_name_of
from codeservices.iam.models import User


@operation("iam", "CreateUser")
def create_user(call: Call) -> dict[str, Any]:
    if call.params.get("PermissionsBoundary"):
        raise InvalidInput("Permissions boundaries are not available on this server.", code="InvalidInput")
    if call.params.get("Tags"):
        raise InvalidInput("Users carry no tags on this server.", code="InvalidInput")
    user = users.create_user(call.principal, call.params["UserName"], path=call.params.get("Path", "/"))
    return {"User": _user(user)}


@operation("iam", "GetUser")
def get_user(call: Call) -> dict[str, Any]:
    return {"User": _user(users.user_for(call.principal, "iam:GetUser", user_name_of(call)))}


@operation("iam", "ListUsers")
def list_users(call: Call) -> dict[str, Any]:
    found = users.list_users(call.principal)
    if "PathPrefix" in call.params:
        found = found.filter(path__startswith=call.params["PathPrefix"])
    return listed(call, "Users", found, lambda user: user.name, _user)


@operation("iam", "DeleteUser")
def delete_user(call: Call) -> None:
    users.delete_user(call.principal, call.params["UserName"])


@operation("iam", "AttachUserPolicy")
def attach_user_policy(call: Call) -> None:
    attachments.attach(call.principal, attachments.USER, call.params["UserName"], call.params["PolicyArn"])


@operation("iam", "DetachUserPolicy")
def detach_user_policy(call: Call) -> None:
    attachments.detach(call.principal, attachments.USER, call.params["UserName"], call.params["PolicyArn"])


@operation("iam", "ListAttachedUserPolicies")
def list_attached_user_policies(call: Call) -> dict[str, Any]:
    user = users.user_for(call.principal, "iam:ListAttachedUserPolicies", call.params["UserName"])
    found = user.policies.order_by("name", "pk")
    if "PathPrefix" in call.params:
        found = found.filter(path__startswith=call.params["PathPrefix"])
    return listed(
        call,
        "AttachedPolicies",
        found,
        lambda policy: f"{policy.name} {policy.policy_id}",
        lambda policy: {"PolicyName": policy.name, "PolicyArn": policy.arn},
    )


def _user(user: User) -> dict[str, Any]:
    return {
        "Path": user.path,
        "UserName": user.name,
        "UserId": user.user_id,
        "Arn": user.arn,
        "CreateDate": user.created_at,
        "PasswordLastUsed": user.last_login,
    }
