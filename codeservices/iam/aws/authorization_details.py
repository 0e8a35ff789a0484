"""GetAccountAuthorizationDetails: who has which policies, the whole account in one list of pages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db.models import Model, prefetch_related_objects

from codeservices.aws.dispatch import Call, operation
from codeservices.iam import policies
from codeservices.iam.authorize import authorize
from codeservices.iam.aws.attachments import attached_shape, inline_shape
from codeservices.iam.aws.groups import group_shape
from codeservices.iam.aws.lists import encoded, paged, tag_list
from codeservices.iam.aws.policies import policy_shape, version_shape
from codeservices.iam.aws.roles import role_shape
from codeservices.iam.aws.users import user_shape
from codeservices.iam.models import Group, Policy, Role, User

_EVERYTHING = ("User", "Group", "Role", "LocalManagedPolicy", "AWSManagedPolicy")


@operation("iam", "GetAccountAuthorizationDetails")
def get_account_authorization_details(call: Call) -> dict[str, Any]:
    """Users, groups, roles and managed policies, in this order; a page may hold some of each."""
    authorize(call.principal, "iam:GetAccountAuthorizationDetails", "*")
    wanted = call.params.get("Filter") or _EVERYTHING
    managed = policies.with_usage(Policy.objects.all())
    rows: dict[str, Any] = {
        "User": User.objects.all(),
        "Group": Group.objects.all(),
        "Role": Role.objects.all(),
        "LocalManagedPolicy": managed.filter(is_aws_managed=False),
        "AWSManagedPolicy": managed.filter(is_aws_managed=True),
    }
    listed = [
        (f"{place} {row.name}", row) for place, kind in enumerate(_EVERYTHING) if kind in wanted for row in rows[kind]
    ]
    shown, marks = paged(call, "Details", listed, lambda pair: pair[0])
    answer: dict[str, Any] = {}
    for kind, (member, related, shape) in _LISTS.items():
        found = [row for _, row in shown if isinstance(row, kind)]
        prefetch_related_objects(found, *related)
        answer[member] = [shape(row) for row in found]
    return {**answer, **marks}


def _user(user: User) -> dict[str, Any]:
    told = {key: value for key, value in user_shape(user).items() if key != "PasswordLastUsed"}
    groups = sorted(group.name for group in user.groups.all())
    return {**told, "UserPolicyList": _inline(user), "GroupList": groups, **_attached(user), **_tags(user)}


def _group(group: Group) -> dict[str, Any]:
    return {**group_shape(group), "GroupPolicyList": _inline(group), **_attached(group)}


def _role(role: Role) -> dict[str, Any]:
    told = {key: value for key, value in role_shape(role).items() if key not in ("Description", "MaxSessionDuration")}
    return {
        **told,
        "InstanceProfileList": [],
        "RolePolicyList": _inline(role),
        **_attached(role),
        **_tags(role),
    }


def _policy(policy: Policy) -> dict[str, Any]:
    versions = [
        {**version_shape(version), "Document": encoded(version.document)}
        for version in sorted(policy.versions.all(), key=lambda version: -version.number)
    ]
    return {**policy_shape(policy), "Description": policy.description, "PolicyVersionList": versions}


def _inline(identity: User | Group | Role) -> list[dict[str, str]]:
    return [inline_shape(policy) for policy in identity.inline_policies.all()]


def _attached(identity: User | Group | Role) -> dict[str, Any]:
    return {"AttachedManagedPolicies": [attached_shape(policy) for policy in identity.policies.all()]}


def _tags(row: User | Role) -> dict[str, Any]:
    return {"Tags": tag_list(row.tags)}


# What one kind is told under, what must be read with it, and how it is written.
_LISTS: dict[type[Model], tuple[str, tuple[str, ...], Callable[[Any], dict[str, Any]]]] = {
    User: ("UserDetailList", ("groups", "policies", "inline_policies"), _user),
    Group: ("GroupDetailList", ("policies", "inline_policies"), _group),
    Role: ("RoleDetailList", ("policies", "inline_policies"), _role),
    Policy: ("Policies", ("versions",), _policy),
}
