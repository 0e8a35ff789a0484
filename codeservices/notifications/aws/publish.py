"""Publish, one message or a batch."""

from __future__ import annotations

import re
from typing import Any

from codeservices.aws.dispatch import Call, operation
from codeservices.errors import InvalidInput, LimitExceeded, ServiceError
from codeservices.notifications import publish
from codeservices.notifications.access import topic_for
from codeservices.notifications.aws.shapes import message_attributes
from codeservices.notifications.message_attributes import MAX_MESSAGE_BYTES, invalid

# Source: Amazon SNS API Reference, PublishBatch.
MAX_ENTRIES = 10
_ENTRY_ID = re.compile(r"[A-Za-z0-9_-]{1,80}")


@operation("sns", "Publish")
def publish_message(call: Call) -> dict[str, Any]:
    if call.params.get("PhoneNumber"):
        raise invalid("PhoneNumber Reason: Text messages are not available on this server.")
    arns = [arn for arn in (call.params.get("TopicArn"), call.params.get("TargetArn")) if arn]
    if len(arns) != 1:
        raise invalid("TopicArn or TargetArn Reason: Name one topic.")
    message = publish.publish(
        call.principal,
        arns[0],
        call.params["Message"],
        call.params.get("Subject", ""),
        message_attributes(call.params.get("MessageAttributes")),
        call.params.get("MessageStructure", ""),
    )
    return {"MessageId": str(message.message_id)}


@operation("sns", "PublishBatch")
def publish_batch(call: Call) -> dict[str, Any]:
    """Each message by itself: one that breaks a rule is told as failed, and the others are sent."""
    entries = call.params["PublishBatchRequestEntries"]
    _check(entries)
    topic = topic_for(call.principal, "sns:Publish", call.params["TopicArn"])
    sent, failed = [], []
    for entry in entries:
        try:
            message = publish.publish_as_service(
                topic,
                entry["Message"],
                published_by=call.principal.arn,
                subject=entry.get("Subject", ""),
                attributes=message_attributes(entry.get("MessageAttributes")),
                structure=entry.get("MessageStructure", ""),
            )
        except ServiceError as error:
            told = f"{error.message} {error.hint}".strip()
            failed.append({"Id": entry["Id"], "Code": "InvalidParameter", "Message": told, "SenderFault": True})
        else:
            sent.append({"Id": entry["Id"], "MessageId": str(message.message_id)})
    return {"Successful": sent, "Failed": failed}


def _check(entries: list[dict[str, Any]]) -> None:
    if not entries:
        raise InvalidInput("The batch request doesn't contain any entries.", code="EmptyBatchRequestException")
    if len(entries) > MAX_ENTRIES:
        raise LimitExceeded(
            f"The batch request contains {len(entries)} entries; it may have {MAX_ENTRIES}.",
            code="TooManyEntriesInBatchRequestException",
        )
    ids = [entry["Id"] for entry in entries]
    if len(set(ids)) < len(ids):
        raise InvalidInput("Two entries have the same Id.", code="BatchEntryIdsNotDistinctException")
    for one in ids:
        if not _ENTRY_ID.fullmatch(one):
            raise InvalidInput(
                f"“{one[:80]}” can't be an entry's Id: it has 1 to 80 letters, digits, dashes and underscores.",
                code="InvalidBatchEntryIdException",
            )
    if sum(len(entry["Message"].encode()) for entry in entries) > MAX_MESSAGE_BYTES:
        raise InvalidInput(
            f"The messages of a batch together have {MAX_MESSAGE_BYTES} bytes at most.",
            code="BatchRequestTooLongException",
        )
