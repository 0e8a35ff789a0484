"""What may be done to groups and their members. Console and API call these same functions."""

from __future__ import annotations

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

from codeservices.errors import Conflict, LimitExceeded, NotFound
from codeservices.iam import arn, rules
from codeservices.iam.authorize import Context, authorize
from codeservices.iam.models import Group, User
from codeservices.iam.principal import Principal
from codeservices.iam.users import find_user, user_for

# IAM and AWS STS quotas.
MAX_GROUPS = 300
MAX_GROUPS_A_USER = 10


def list_groups(principal: Principal) -> QuerySet[Group]:
    """Every group, by name, for whoever may iam:ListGroups."""
    authorize(principal, "iam:ListGroups", "*")
    return Group.objects.order_by("name")


def group_for(principal: Principal, action: str, name: str, context: Context | None = None) -> Group:
    """Authorize `action` on the group's ARN, then fetch; a missing group is told only to those who may ask."""
    group = Group.objects.filter(name__iexact=name).first()
    rules.authorize_row(principal, action, group, arn.group_arn(settings.ACCOUNT_ID, "/", name), context)
    if group is None:
        raise NotFound(f"The group with name {name} cannot be found.", code="NoSuchEntity")
    return group


def create_group(principal: Principal, name: str, *, path: str = "/") -> Group:
    """Make an empty group.

    Raises:
        Conflict: There is one of that name.
        LimitExceeded: The account has MAX_GROUPS.
    """
    authorize(principal, "iam:CreateGroup", arn.group_arn(settings.ACCOUNT_ID, path, name))
    group = Group(name=name, path=path)
    rules.save_one_more(group, Group.objects.all(), MAX_GROUPS, f"Group with name {name} already exists.")
    return group


def update_group(principal: Principal, name: str, *, new_name: str | None = None, new_path: str | None = None) -> Group:
    """Rename or move a group; both its old and its new ARN must be allowed."""
    found = group_for(principal, "iam:UpdateGroup", name)
    with transaction.atomic():
        group = rules.lock(found)
        group.name, group.path = new_name or group.name, new_path or group.path
        authorize(principal, "iam:UpdateGroup", group.arn)
        rules.save_changed(group, f"Group with name {group.name} already exists.", ("name", "path"))
    return group


def delete_group(principal: Principal, name: str) -> None:
    """Remove a group that has no members or policies left, as IAM wants it."""
    found = group_for(principal, "iam:DeleteGroup", name)
    with transaction.atomic():
        group = rules.lock(found)
        if group.users.exists() or group.policies.exists() or group.inline_policies.exists():
            raise Conflict(
                f"Cannot delete group {group.name}: remove its members and policies first.", code="DeleteConflict"
            )
        group.delete()


def add_user_to_group(principal: Principal, group_name: str, user_name: str) -> None:
    """Adding twice is no error."""
    group = group_for(principal, "iam:AddUserToGroup", group_name)
    user = find_user(user_name)
    with transaction.atomic():
        locked = rules.lock(user)
        if not locked.groups.filter(pk=group.pk).exists() and locked.groups.count() >= MAX_GROUPS_A_USER:
            raise LimitExceeded(f"User {user.name} is in {MAX_GROUPS_A_USER} groups already.", code="LimitExceeded")
        locked.groups.add(rules.lock(group))


def remove_user_from_group(principal: Principal, group_name: str, user_name: str) -> None:
    """Raises NotFound where the user is not in the group."""
    group = group_for(principal, "iam:RemoveUserFromGroup", group_name)
    user = find_user(user_name)
    if not user.groups.filter(pk=group.pk).exists():
        raise NotFound(f"User {user.name} is not in group {group.name}.", code="NoSuchEntity")
    user.groups.remove(group)


def groups_of_user(principal: Principal, user: User) -> QuerySet[Group]:
    """The groups that a user is in, for those who may iam:ListGroupsForUser on it."""
    return groups_of_user_named(principal, user.name)


def groups_of_user_named(principal: Principal, name: str) -> QuerySet[Group]:
    """The same by the user's name; a missing user is told only to those who may ask."""
    return user_for(principal, "iam:ListGroupsForUser", name).groups.order_by("name")
