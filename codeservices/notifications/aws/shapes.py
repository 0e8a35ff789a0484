"""What several operations share: broken constraints, lists in pages, tags and message attributes."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from botocore.model import OperationModel

from codeservices.aws import validate
from codeservices.aws.dispatch import Call, constraint_error
from codeservices.aws.paging import page
from codeservices.errors import InvalidInput, ServiceError
from codeservices.notifications.message_attributes import INVALID, invalid
from codeservices.notifications.models import Subscription

PAGE = 100  # Amazon SNS API Reference: lists come 100 a page

Row = TypeVar("Row")


@constraint_error("sns")
def _broken_constraint(_operation: OperationModel, problems: list[validate.Problem]) -> ServiceError:
    """SNS has one code for what its model forbids."""
    return InvalidInput(f"Invalid parameter: {validate.sentences(problems)}", code=INVALID)


def listed(
    call: Call, member: str, rows: Iterable[Row], key: Callable[[Row], str], shape: Callable[[Row], Any]
) -> dict[str, Any]:
    """A page of a list, with the token of the next one."""
    shown, token = page(
        rows,
        key=key,
        kind=member,
        token=call.params.get("NextToken") or None,
        limit=PAGE,
        refusal=invalid("NextToken", "This server gave no such token."),
    )
    return {member: [shape(row) for row in shown], "NextToken": token}


def subscription(row: Subscription) -> dict[str, str]:
    """A subscription as lists tell of it: one that is pending has no ARN there."""
    return {
        "SubscriptionArn": "PendingConfirmation" if row.is_pending else row.arn,
        "Owner": row.topic.arn.split(":")[4],
        "Protocol": row.protocol,
        "Endpoint": row.endpoint,
        "TopicArn": row.topic.arn,
    }


def tags_of(call: Call) -> dict[str, str]:
    """The tags of a request; one key twice is refused."""
    given = call.params.get("Tags", [])
    tags = {tag["Key"]: tag["Value"] for tag in given}
    if len(tags) < len(given):
        raise invalid("Tags Reason: Duplicate keys are not allowed.")
    return tags


def message_attributes(given: Mapping[str, Mapping[str, Any]] | None) -> dict[str, dict[str, Any]]:
    """A request's message attributes, binary values as base64 text."""
    return {
        name: {
            part: base64.b64encode(value).decode("ascii") if isinstance(value, bytes) else value
            for part, value in attribute.items()
        }
        for name, attribute in (given or {}).items()
    }
