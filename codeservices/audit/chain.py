"""The hash chain over the trail's events: what makes a change, a gap or an addition visible.

Each event's `chain_hash` is HMAC-SHA256 over the hash before it and the event's own members. The key comes from the
key of hashes, which lies outside the database: whoever can write to the database alone can't make a chain that holds.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from codeservices import master_key

# What stands before the first event.
GENESIS = "0" * 64

# Every member that the hash covers. A member that is empty is left out, so that one that is added later changes no
# hash of an event that is older.
MEMBERS = (
    "event_id",
    "event_time",
    "event_source",
    "event_name",
    "event_type",
    "api_version",
    "is_read_only",
    "is_notable",
    "principal_kind",
    "principal_arn",
    "principal_id",
    "principal_name",
    "access_key_id",
    "user_identity",
    "aws_region",
    "source_ip",
    "user_agent",
    "via",
    "request_id",
    "action",
    "resource_arn",
    "resource_type",
    "resource_name",
    "outcome",
    "error_code",
    "error_message",
    "request_parameters",
    "response_elements",
    "additional_event_data",
    "sequence",
)


def next_hash(previous: str, members: Mapping[str, Any]) -> str:
    """The hash of an event that follows `previous`, as 64 hex digits."""
    return hmac.new(_key(master_key.hash_key()), previous.encode() + canonical(members), hashlib.sha256).hexdigest()


def checkpoint_mac(sequence: int, chain_hash: str) -> str:
    """What shows that it was us who let the events up to `sequence` go."""
    text = f"checkpoint {sequence} {chain_hash}"
    return hmac.new(_key(master_key.hash_key()), text.encode(), hashlib.sha256).hexdigest()


def canonical(members: Mapping[str, Any]) -> bytes:
    """An event's members as JSON that is the same before and after any database has kept them."""
    kept = {name: _plain(members.get(name)) for name in MEMBERS if members.get(name) not in (None, "", False)}
    return json.dumps(kept, sort_keys=True, separators=(",", ":")).encode()


def of_row(row: Any) -> dict[str, Any]:
    """The members of a model instance."""
    return {name: getattr(row, name) for name in MEMBERS}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)  # PostgreSQL's jsonb gives 1e22 back as a whole number
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value


@lru_cache(maxsize=4)
def _key(hash_key: str) -> bytes:
    return hmac.new(hash_key.encode("ascii"), b"audit chain", hashlib.sha256).digest()
