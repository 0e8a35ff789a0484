"""The policy documents that apply to a user or role, in two statements; every request asks."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Coalesce

from codeservices.iam import arn, models
from codeservices.statements import Parameter, Statement

Documents = list[tuple[str, str]]


def of_user(user_pk: int) -> Documents:
    """(document, what decisions call it) of each policy of a user and its groups; none for an inactive user."""
    return _documents(_MANAGED_OF_USER, _INLINE_OF_USER, user_pk)


def of_role(role_pk: int) -> Documents:
    """(document, what decisions call it) of each policy of a role."""
    return _documents(_MANAGED_OF_ROLE, _INLINE_OF_ROLE, role_pk)


def _documents(managed: Statement[Any], inline: Statement[Any], owner_pk: int) -> Documents:
    found = [
        (document, arn.policy_arn("aws" if is_aws_managed else settings.ACCOUNT_ID, path, name))
        for document, is_aws_managed, path, name in managed.rows(owner_pk)
    ]
    for document, name, user_name, group_name, owner_name in inline.rows(owner_pk):
        kind = "user" if user_name is not None else "group" if group_name is not None else "role"
        found.append((document, models.InlinePolicy.source_of(kind, owner_name, name)))
    return found


def _managed(policies: Q) -> QuerySet[Any, Any]:
    found = models.PolicyVersion.objects.filter(policies, is_default=True).order_by("policy_id")
    return found.values_list("document", "policy__is_aws_managed", "policy__path", "policy__name")


def _inline(policies: Q) -> QuerySet[Any, Any]:
    found = models.InlinePolicy.objects.filter(policies).order_by("name")
    owner_name = Coalesce("user__name", "group__name", "role__name")
    return found.values_list("document", "name", F("user__name"), F("group__name"), owner_name)


def _user() -> QuerySet[models.User]:
    return models.User.objects.filter(pk=Parameter(), is_active=True)


def _groups() -> QuerySet[models.Group]:
    return models.Group.objects.filter(users__in=_user())


def _attached() -> QuerySet[models.Policy]:
    return models.Policy.objects.filter(Q(users__in=_user()) | Q(groups__in=_groups()))


_MANAGED_OF_USER = Statement(lambda: _managed(Q(policy__in=_attached())))
_INLINE_OF_USER = Statement(lambda: _inline(Q(user__in=_user()) | Q(group__in=_groups())))
_MANAGED_OF_ROLE = Statement(lambda: _managed(Q(policy__roles=Parameter())))
_INLINE_OF_ROLE = Statement(lambda: _inline(Q(role=Parameter())))
