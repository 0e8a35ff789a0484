"""Groups and their members."""

from __future__ import annotations

from typing import Any

from codeservices.aws.dispatch import Call, operation
from codeservices.iam import groups
from codeservices.iam.aws.lists import listed, under_path
from codeservices.iam.aws.users import by_name, user_shape
from codeservices.iam.models import Group


@operation("iam", "CreateGroup")
def create_group(call: Call) -> dict[str, Any]:
    group = groups.create_group(call.principal, call.params["GroupName"], path=call.params.get("Path", "/"))
    return {"Group": group_shape(group)}


@operation("iam", "GetGroup")
def get_group(call: Call) -> dict[str, Any]:
    """The group and a page of its members."""
    group = groups.group_for(call.principal, "iam:GetGroup", call.params["GroupName"])
    return {"Group": group_shape(group), **listed(call, "Users", group.users.all(), by_name, user_shape)}


@operation("iam", "ListGroups")
def list_groups(call: Call) -> dict[str, Any]:
    return _listed(call, under_path(call, groups.list_groups(call.principal)))


@operation("iam", "ListGroupsForUser")
def list_groups_for_user(call: Call) -> dict[str, Any]:
    return _listed(call, groups.groups_of_user_named(call.principal, call.params["UserName"]))


@operation("iam", "UpdateGroup")
def update_group(call: Call) -> None:
    groups.update_group(
        call.principal,
        call.params["GroupName"],
        new_name=call.params.get("NewGroupName"),
        new_path=call.params.get("NewPath"),
    )


@operation("iam", "DeleteGroup")
def delete_group(call: Call) -> None:
    groups.delete_group(call.principal, call.params["GroupName"])


@operation("iam", "AddUserToGroup")
def add_user_to_group(call: Call) -> None:
    groups.add_user_to_group(call.principal, call.params["GroupName"], call.params["UserName"])


@operation("iam", "RemoveUserFromGroup")
def remove_user_from_group(call: Call) -> None:
    groups.remove_user_from_group(call.principal, call.params["GroupName"], call.params["UserName"])


def _listed(call: Call, found: Any) -> dict[str, Any]:
    return listed(call, "Groups", found, lambda group: group.name, group_shape)


def group_shape(group: Group) -> dict[str, Any]:
    """A group as every answer has it."""
    return {
        "Path": group.path,
        "GroupName": group.name,
        "GroupId": group.group_id,
        "Arn": group.arn,
        "CreateDate": group.created_at,
    }
