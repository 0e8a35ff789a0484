"""Roles: who may assume them and for how long. Their policies: see attachments.py."""

from __future__ import annotations

from typing import Any

from django.conf import settings

from codeservices.aws.dispatch import Call, operation
from codeservices.errors import InvalidInput
from codeservices.iam import roles
from codeservices.iam.aws.lists import encoded, listed, listed_tags, tag_list, tags_of, under_path
from codeservices.iam.models import Role


@operation("iam", "CreateRole")
def create_role(call: Call) -> dict[str, Any]:
    if call.params.get("PermissionsBoundary"):
        raise InvalidInput("Permissions boundaries are not available on this server.", code="InvalidInput")
    role = roles.create_role(
        call.principal,
        call.params["RoleName"],
        call.params["AssumeRolePolicyDocument"],
        path=call.params.get("Path", "/"),
        description=call.params.get("Description", ""),
        max_session_seconds=call.params.get("MaxSessionDuration", roles.SESSION_SECONDS[0]),
        tags=tags_of(call),
    )
    return {"Role": _role(role)}


@operation("iam", "GetRole")
def get_role(call: Call) -> dict[str, Any]:
    return {"Role": _role(roles.role_for(call.principal, "iam:GetRole", call.params["RoleName"]))}


@operation("iam", "ListRoles")
def list_roles(call: Call) -> dict[str, Any]:
    found = under_path(call, roles.list_roles(call.principal))
    return listed(call, "Roles", found, lambda role: role.name, role_shape)


@operation("iam", "UpdateRole")
def update_role(call: Call) -> dict[str, Any]:
    roles.update_role(
        call.principal,
        call.params["RoleName"],
        description=call.params.get("Description"),
        max_session_seconds=call.params.get("MaxSessionDuration"),
    )
    return {}


@operation("iam", "UpdateRoleDescription")
def update_role_description(call: Call) -> dict[str, Any]:
    role = roles.describe_role(call.principal, call.params["RoleName"], call.params["Description"])
    return {"Role": _role(role)}


@operation("iam", "UpdateAssumeRolePolicy")
def update_assume_role_policy(call: Call) -> None:
    roles.update_trust_policy(call.principal, call.params["RoleName"], call.params["PolicyDocument"])


@operation("iam", "DeleteRole")
def delete_role(call: Call) -> None:
    roles.delete_role(call.principal, call.params["RoleName"])


@operation("iam", "ListInstanceProfilesForRole")
def list_instance_profiles_for_role(call: Call) -> dict[str, Any]:
    """There are no instances here; Terraform asks before it deletes a role."""
    roles.role_for(call.principal, "iam:ListInstanceProfilesForRole", call.params["RoleName"])
    return {"InstanceProfiles": [], "IsTruncated": False}


# ---- tags ------------------------------------------------------------------------------------------------------------


@operation("iam", "TagRole")
def tag_role(call: Call) -> None:
    roles.tag_role(call.principal, call.params["RoleName"], tags_of(call))


@operation("iam", "UntagRole")
def untag_role(call: Call) -> None:
    roles.untag_role(call.principal, call.params["RoleName"], call.params["TagKeys"])


@operation("iam", "ListRoleTags")
def list_role_tags(call: Call) -> dict[str, Any]:
    role = roles.role_for(call.principal, "iam:ListRoleTags", call.params["RoleName"])
    return listed_tags(call, role.tags)


# ---- shapes ----------------------------------------------------------------------------------------------------------


def role_shape(role: Role) -> dict[str, Any]:
    """What lists tell of a role: no tags and no last use, as IAM."""
    return {
        "Path": role.path,
        "RoleName": role.name,
        "RoleId": role.role_id,
        "Arn": role.arn,
        "CreateDate": role.created_at,
        "AssumeRolePolicyDocument": encoded(role.trust_policy),
        "Description": role.description or None,
        "MaxSessionDuration": role.max_session_seconds,
    }


def _role(role: Role) -> dict[str, Any]:
    used = role.last_used_at
    return {
        **role_shape(role),
        "Tags": tag_list(role.tags) or None,
        "RoleLastUsed": {"LastUsedDate": used, "Region": settings.REGION} if used else {},
    }
