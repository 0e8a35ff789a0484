"""The policy documents that apply to a user or role, in two statements that Django writes once a process.

Every request asks. Django takes ten times as long to write the statements as the database takes to answer them, and
they differ in one key alone.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Coalesce

from codeservices.iam import arn, models

# Stands for the owner's key while a statement is written; no row has it.
_OWNER = -7_000_001

Documents = list[tuple[str, str]]


def of_user(user_pk: int) -> Documents:
    """(document, what decisions call it) of each policy of a user and its groups; none for an inactive user."""
    return _documents(_of_user, user_pk)


def of_role(role_pk: int) -> Documents:
    """(document, what decisions call it) of each policy of a role."""
    return _documents(_of_role, role_pk)


Rows = QuerySet[Any, Any]


def _documents(write: Callable[[], tuple[Rows, Rows]], owner_pk: int) -> Documents:
    managed, inline = (_rows(*statement, owner_pk) for statement in _statements(write, connection.vendor))
    found = [
        (document, arn.policy_arn("aws" if is_aws_managed else settings.ACCOUNT_ID, path, name))
        for document, is_aws_managed, path, name in managed
    ]
    for document, name, user_name, group_name, owner_name in inline:
        kind = "user" if user_name is not None else "group" if group_name is not None else "role"
        found.append((document, models.InlinePolicy.source_of(kind, owner_name, name)))
    return found


def _rows(sql: str, params: tuple[Any, ...], owner_pk: int) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, [owner_pk if one == _OWNER else one for one in params])
        return cursor.fetchall()


@cache
def _statements(write: Callable[[], tuple[Rows, Rows]], vendor: str) -> list[tuple[str, tuple[Any, ...]]]:
    managed, inline = write()
    return [
        managed.order_by("policy_id")
        .values_list("document", "policy__is_aws_managed", "policy__path", "policy__name")
        .query.sql_with_params(),
        inline.order_by("name")
        .annotate(owner_name=Coalesce("user__name", "group__name", "role__name"))
        .values_list("document", "name", F("user__name"), F("group__name"), "owner_name")
        .query.sql_with_params(),
    ]


def _of_user() -> tuple[Rows, Rows]:
    user = models.User.objects.filter(pk=_OWNER, is_active=True)
    groups = models.Group.objects.filter(users__in=user)
    attached = models.Policy.objects.filter(Q(users__in=user) | Q(groups__in=groups))
    return (
        models.PolicyVersion.objects.filter(is_default=True, policy__in=attached),
        models.InlinePolicy.objects.filter(Q(user__in=user) | Q(group__in=groups)),
    )


def _of_role() -> tuple[Rows, Rows]:
    return (
        models.PolicyVersion.objects.filter(is_default=True, policy__roles=_OWNER),
        models.InlinePolicy.objects.filter(role=_OWNER),
    )
