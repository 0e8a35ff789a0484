"""Managed policies attached to users, groups and roles, and inline policies that stand in them.

Each kind of identity has the same operations under names of its own: AttachUserPolicy, AttachGroupPolicy,
AttachRolePolicy, and so on with DetachUserPolicy, ListAttachedUserPolicies, PutUserPolicy, GetUserPolicy,
ListUserPolicies and DeleteUserPolicy.
"""

from __future__ import annotations

from typing import Any

from codeservices.aws.dispatch import Call, operation
from codeservices.iam import attachments
from codeservices.iam.attachments import Kind
from codeservices.iam.aws.lists import encoded, listed, paged, under_path
from codeservices.iam.aws.policies import by_name_and_id
from codeservices.iam.models import Group, InlinePolicy, Policy, Role, User


def serve(kind: Kind) -> None:
    """Register the seven operations of one kind of identity."""
    name = f"{kind.name}Name"

    @operation("iam", f"Attach{kind.name}Policy")
    def attach(call: Call) -> None:
        attachments.attach(call.principal, kind, call.params[name], call.params["PolicyArn"])

    @operation("iam", f"Detach{kind.name}Policy")
    def detach(call: Call) -> None:
        attachments.detach(call.principal, kind, call.params[name], call.params["PolicyArn"])

    @operation("iam", f"ListAttached{kind.name}Policies")
    def list_attached(call: Call) -> dict[str, Any]:
        found = under_path(call, attachments.attached(call.principal, kind, call.params[name]))
        return listed(call, "AttachedPolicies", found, by_name_and_id, attached_shape)

    @operation("iam", f"Put{kind.name}Policy")
    def put_inline(call: Call) -> None:
        attachments.put_inline(
            call.principal, kind, call.params[name], call.params["PolicyName"], call.params["PolicyDocument"]
        )

    @operation("iam", f"Get{kind.name}Policy")
    def get_inline(call: Call) -> dict[str, Any]:
        found = attachments.inline_for(call.principal, kind, call.params[name], call.params["PolicyName"])
        return {name: found.owner.name, **inline_shape(found)}

    @operation("iam", f"List{kind.name}Policies")
    def list_inline(call: Call) -> dict[str, Any]:
        found = attachments.inlines(call.principal, kind, call.params[name])
        return listed(call, "PolicyNames", found.values_list("name", flat=True), str, str)

    @operation("iam", f"Delete{kind.name}Policy")
    def delete_inline(call: Call) -> None:
        attachments.delete_inline(call.principal, kind, call.params[name], call.params["PolicyName"])


for each in (attachments.USER, attachments.GROUP, attachments.ROLE):
    serve(each)


def attached_shape(policy: Policy) -> dict[str, str]:
    """A managed policy as the lists of what is attached have it."""
    return {"PolicyName": policy.name, "PolicyArn": policy.arn}


def inline_shape(policy: InlinePolicy) -> dict[str, str]:
    """An inline policy's name and document."""
    return {"PolicyName": policy.name, "PolicyDocument": encoded(policy.document)}


# ---- the other way round ---------------------------------------------------------------------------------------------

_LISTS = {"Group": "PolicyGroups", "User": "PolicyUsers", "Role": "PolicyRoles"}


@operation("iam", "ListEntitiesForPolicy")
def list_entities_for_policy(call: Call) -> dict[str, Any]:
    """Groups, then roles, then users: one list in pages, told as three."""
    policy = attachments.entities_of(call.principal, call.params["PolicyArn"])
    related: dict[str, Any] = {"Group": policy.groups, "User": policy.users, "Role": policy.roles}
    if call.params.get("PolicyUsageFilter") == "PermissionsBoundary":  # none is used as one here
        related = {}
    wanted = call.params.get("EntityFilter")
    entities = [
        (_LISTS[kind], row)
        for kind in related
        if wanted in (None, kind)
        for row in under_path(call, related[kind].all())
    ]
    shown, marks = paged(call, "Entities", entities, lambda pair: f"{pair[0]} {pair[1].name}")
    lists = {member: [_entity(row) for of, row in shown if of == member] for member in _LISTS.values()}
    return {**lists, **marks}


def _entity(row: Group | User | Role) -> dict[str, str]:
    if isinstance(row, Group):
        return {"GroupName": row.name, "GroupId": row.group_id}
    if isinstance(row, User):
        return {"UserName": row.name, "UserId": row.user_id}
    return {"RoleName": row.name, "RoleId": row.role_id}
