"""What a trigger tells its destination: the event that CodeCommit sends, as JSON text.

Source: AWS CodeCommit User Guide, "Manage triggers for a repository" and "Example: Create an AWS CodeCommit trigger for
an AWS Lambda function"; key order and time format as in events that consumers have published.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from repos.git import refs
from repos.git.refs import RefCommand
from repos.triggers.matching import matches

REFERENCE_CHANGES, TEST = "ReferenceChanges", "TriggerEventTest"
# What one message of a topic, or one call of a function, holds. Source: Amazon SNS and AWS Lambda quotas, 256 KB.
MAX_EVENT_BYTES = 256 * 1024
MAX_SUBJECT = 100

Reference = dict[str, Any]


@dataclass(frozen=True)
class Origin:
    """Whose event it is and what made it.

    Attributes:
        region, repository_arn: Of the repository.
        trigger_name, custom_data: Of the trigger.
        configuration_id: Of the repository's list of triggers.
        user_arn: Who pushed, or who tests.
        at: When the refs had moved; aware.
        event_name: REFERENCE_CHANGES or TEST.
    """

    region: str
    repository_arn: str
    trigger_name: str
    custom_data: str
    configuration_id: str
    user_arn: str
    at: datetime
    event_name: str = REFERENCE_CHANGES


def references(commands: Iterable[RefCommand], events: Collection[str], branches: Collection[str]) -> list[Reference]:
    """The refs of a push that a trigger with these events and branches is told about, in the push's order.

    `commit` is what the ref points at now, or pointed at before it was deleted.
    """
    return [
        _reference(command)
        for command in commands
        if matches(events, branches, command.refname, command.old_oid, command.new_oid)
    ]


def sample(refname: str, oid: str) -> Reference:
    """The one reference of a test."""
    return {"commit": oid, "ref": refs.escaped(refname)}


def parts(origin: Origin, told: Sequence[Reference], *, max_bytes: int | None = MAX_EVENT_BYTES) -> list[str]:
    """The event as JSON without spaces: one text, or several with one id where it would be larger than `max_bytes`."""
    event_id = str(uuid.uuid4())
    overhead = len(_text(origin, [], event_id, 9999, 9999).encode())
    groups: list[list[Reference]] = [[]]
    size = overhead
    for reference in told:
        length = len(_json(reference).encode()) + 1
        if groups[-1] and max_bytes is not None and size + length > max_bytes:
            groups.append([])
            size = overhead
        groups[-1].append(reference)
        size += length
    return [_text(origin, group, event_id, number, len(groups)) for number, group in enumerate(groups, 1)]


def subject(region: str, repository_name: str) -> str:
    """The subject of a topic's message."""
    return f"UPDATE: AWS CodeCommit {region} push: {repository_name}"[:MAX_SUBJECT]


def references_of(text: str) -> list[Reference]:
    """The references in an event that `parts` made."""
    found: list[Reference] = json.loads(text)["Records"][0]["codecommit"]["references"]
    return found


def _reference(command: RefCommand) -> Reference:
    told: Reference = {"commit": command.old_oid if command.is_delete else command.new_oid}
    if command.is_create:
        told["created"] = True
    if command.is_delete:
        told["deleted"] = True
    return told | {"ref": refs.escaped(command.refname)}


def _text(origin: Origin, told: list[Reference], event_id: str, number: int, total: int) -> str:
    at = origin.at.astimezone(UTC)
    record = {
        "awsRegion": origin.region,
        "codecommit": {"references": told},
        "customData": origin.custom_data or None,
        "eventId": event_id,
        "eventName": origin.event_name,
        "eventPartNumber": number,
        "eventSource": "aws:codecommit",
        "eventSourceARN": origin.repository_arn,
        "eventTime": f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}+0000",
        "eventTotalParts": total,
        "eventTriggerConfigId": origin.configuration_id,
        "eventTriggerName": origin.trigger_name,
        "eventVersion": "1.0",
        "userIdentityARN": origin.user_arn,
    }
    return _json({"Records": [record]})


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
