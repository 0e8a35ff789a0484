"""Managed policies attached to users, groups and roles, and inline policies that stand in them.

The three kinds of identity differ in names and quotas alone, so one table says them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from codeservices.errors import LimitExceeded, NotFound
from codeservices.iam import policies, policy, rules
from codeservices.iam.groups import group_for
from codeservices.iam.models import Group, InlinePolicy, Policy, Role, User
from codeservices.iam.principal import Principal
from codeservices.iam.roles import role_for
from codeservices.iam.users import user_for

# IAM and AWS STS quotas: managed policies attached to one identity.
MAX_ATTACHED_POLICIES = 10

Identity = User | Group | Role


@dataclass(frozen=True)
class Kind:
    """One kind of identity that carries policies.

    Attributes:
        name: As it stands in the operations' names: AttachUserPolicy, PutGroupPolicy.
        fetch: Authorizes an action on the identity of a name and gives it.
        max_inline_characters: IAM's quota of all its inline policies together, without white space.
    """

    name: str
    fetch: Callable[..., Any]
    max_inline_characters: int


USER = Kind("User", user_for, 2048)
GROUP = Kind("Group", group_for, 5120)
ROLE = Kind("Role", role_for, 10240)


# ---- managed ---------------------------------------------------------------------------------------------------------


def attach(principal: Principal, kind: Kind, name: str, policy_arn: str) -> None:
    """Attaching twice is no error."""
    identity, found = _pair(principal, f"iam:Attach{kind.name}Policy", kind, name, policy_arn)
    with transaction.atomic():
        locked = rules.lock(identity)
        if not locked.policies.filter(pk=found.pk).exists() and locked.policies.count() >= MAX_ATTACHED_POLICIES:
            raise LimitExceeded(
                f"Cannot exceed quota for PoliciesPer{kind.name}: {MAX_ATTACHED_POLICIES}. "
                f"Detach one from {identity.name} first.",
                code="LimitExceeded",
            )
        locked.policies.add(rules.lock(found))


def detach(principal: Principal, kind: Kind, name: str, policy_arn: str) -> None:
    """Raises NotFound where the policy is not attached."""
    identity, found = _pair(principal, f"iam:Detach{kind.name}Policy", kind, name, policy_arn)
    if not identity.policies.filter(pk=found.pk).exists():
        raise NotFound(
            f"Policy {policy_arn} is not attached to {kind.name.lower()} {identity.name}.", code="NoSuchEntity"
        )
    identity.policies.remove(found)


def attached(principal: Principal, kind: Kind, name: str) -> QuerySet[Policy]:
    """The managed policies of an identity."""
    identity = kind.fetch(principal, f"iam:ListAttached{kind.name}Policies", name)
    found: QuerySet[Policy] = identity.policies.order_by("name", "pk")
    return found


def _pair(principal: Principal, action: str, kind: Kind, name: str, policy_arn: str) -> tuple[Any, Policy]:
    """The identity and the policy, authorized with the policy's ARN as condition key iam:PolicyARN."""
    identity = kind.fetch(principal, action, name, {"iam:PolicyARN": policy_arn})
    return identity, policies.find_policy(policy_arn)


# ---- inline ----------------------------------------------------------------------------------------------------------


def put_inline(principal: Principal, kind: Kind, name: str, policy_name: str, document: str) -> InlinePolicy:
    """Write a policy into an identity; one of that name is replaced, in force at once.

    Raises:
        MalformedPolicy: With the place of the fault.
        LimitExceeded: All inline policies of the identity together would be over IAM's quota.
    """
    identity = kind.fetch(principal, f"iam:Put{kind.name}Policy", name)
    policy.parse(document)
    owner = {kind.name.lower(): identity}
    with transaction.atomic():
        rules.lock(identity)
        others = identity.inline_policies.exclude(name=policy_name).values_list("document", flat=True)
        total = sum(map(policies.policy_characters, [*others, document]))
        if total > kind.max_inline_characters:
            raise LimitExceeded(
                f"Maximum policy size of {kind.max_inline_characters} bytes exceeded for "
                f"{kind.name.lower()} {identity.name}",
                code="LimitExceeded",
            )
        row = identity.inline_policies.filter(name=policy_name).first() or InlinePolicy(name=policy_name, **owner)
        row.document = document
        rules.clean(row)
        row.save()
    return row


def inline_for(principal: Principal, kind: Kind, name: str, policy_name: str) -> InlinePolicy:
    """One inline policy of an identity; raises NotFound."""
    return _inline(kind.fetch(principal, f"iam:Get{kind.name}Policy", name), kind, policy_name)


def inlines(principal: Principal, kind: Kind, name: str) -> QuerySet[InlinePolicy]:
    """The inline policies of an identity."""
    identity = kind.fetch(principal, f"iam:List{kind.name}Policies", name)
    found: QuerySet[InlinePolicy] = identity.inline_policies.order_by("name")
    return found


def delete_inline(principal: Principal, kind: Kind, name: str, policy_name: str) -> None:
    """Raises NotFound where the identity has no such policy."""
    _inline(kind.fetch(principal, f"iam:Delete{kind.name}Policy", name), kind, policy_name).delete()


def _inline(identity: Any, kind: Kind, policy_name: str) -> InlinePolicy:
    row: InlinePolicy | None = identity.inline_policies.filter(name=policy_name).first()
    if row is None:
        raise NotFound(f"The {kind.name.lower()} policy with name {policy_name} cannot be found.", code="NoSuchEntity")
    return row


def entities_of(principal: Principal, policy_arn: str) -> Policy:
    """The policy, for those who may see whom it is attached to (iam:ListEntitiesForPolicy)."""
    return policies.policy_for(principal, "iam:ListEntitiesForPolicy", policy_arn)
