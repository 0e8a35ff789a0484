"""What IAM's operations share: whose user a call means, and lists in pages."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from codeservices.aws.dispatch import Call
from codeservices.aws.paging import page
from codeservices.errors import ServiceError
from codeservices.iam.models import AccessKey, GitCredential

DEFAULT_PAGE = 100  # IAM API Reference: MaxItems defaults to 100

Row = TypeVar("Row")


def user_name_of(call: Call) -> str:
    """The user named, or the caller's own."""
    name: str | None = call.params.get("UserName")
    if name is not None:
        return name
    if call.principal.kind != "user":
        raise ServiceError("Must specify userName when calling with non-User credentials", code="ValidationError")
    return call.principal.name


def listed(
    call: Call, member: str, rows: Iterable[Row], key: Callable[[Row], str], shape: Callable[[Row], dict[str, Any]]
) -> dict[str, Any]:
    """A page of IAM's lists: Marker in and out, IsTruncated always."""
    shown, marker = page(
        rows,
        key=key,
        kind=member,
        token=call.params.get("Marker"),
        limit=call.params.get("MaxItems", DEFAULT_PAGE),
        refusal=ServiceError("Invalid Marker.", code="ValidationError"),
    )
    return {member: [shape(row) for row in shown], "IsTruncated": marker is not None, "Marker": marker}


def by_age(credential: AccessKey | GitCredential) -> str:
    return f"{credential.created_at.isoformat()} {credential.pk}"
