"""A repository's tags."""

from __future__ import annotations

from typing import Any

from codeservices.aws.dispatch import Call, operation
from repos import tags


@operation("codecommit", "ListTagsForResource")
def list_tags_for_resource(call: Call) -> dict[str, Any]:
    return {"tags": tags.tags_of(call.principal, call.params["resourceArn"])}


@operation("codecommit", "TagResource")
def tag_resource(call: Call) -> None:
    tags.tag(call.principal, call.params["resourceArn"], call.params["tags"])


@operation("codecommit", "UntagResource")
def untag_resource(call: Call) -> None:
    tags.untag(call.principal, call.params["resourceArn"], call.params["tagKeys"])
