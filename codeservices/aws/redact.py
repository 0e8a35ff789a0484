"""A request or an answer as the audit trail keeps it: no secrets, no contents, times and names as CloudTrail has them.

Source: AWS CloudTrail User Guide, "CloudTrail record contents", requestParameters and responseElements.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from botocore.model import Shape

HIDDEN = "HIDDEN_DUE_TO_SECURITY_REASONS"
# With these types a variable's value is the name under which the secret is kept; with all others, right or wrong, it
# may be the secret itself.
_NAMES_A_SECRET = ("PARAMETER_STORE", "SECRETS_MANAGER")
# Members that are as good as a password, though the models don't call them sensitive everywhere.
_SECRET_MEMBERS = ("SecretAccessKey", "SessionToken", "TokenCode", "Token")
# What people send each other through us: its length tells enough.
_CONTENT_MEMBERS = ("Message", "MessageAttributes", "content")
MAX_TEXT = 2000  # characters kept of one value: enough to recognise a buildspec or a policy by


def for_trail(shape: Shape | None, value: Any) -> Any:
    """The value as JSON: what the model calls sensitive is hidden, and plain environment variables are too."""
    if shape is None or value is None:
        return None
    return _kept(shape, value)


def _kept(shape: Any, value: Any) -> Any:
    kind = shape.type_name
    if shape.metadata.get("sensitive"):
        return HIDDEN
    if kind == "structure":
        kept = {
            name[0].lower() + name[1:]: _member(name, member, value[name])
            for name, member in shape.members.items()
            if value.get(name) is not None
        }
        if shape.name == "EnvironmentVariable" and value.get("type") not in _NAMES_A_SECRET and "value" in kept:
            kept["value"] = HIDDEN
        return kept
    if kind == "list":
        return [_kept(shape.member, item) for item in value]
    if kind == "map":
        return {key: _kept(shape.value, item) for key, item in value.items()}
    if kind == "timestamp":
        return _date(value)
    if kind == "blob":
        return f"({len(value)} bytes)"
    if isinstance(value, str) and len(value) > MAX_TEXT:
        return value[:MAX_TEXT] + "…"
    return value


def _member(name: str, shape: Any, value: Any) -> Any:
    if name in _SECRET_MEMBERS:
        return HIDDEN
    if name in _CONTENT_MEMBERS and not isinstance(value, bytes):
        return f"({len(value)} {'characters' if isinstance(value, str) else 'entries'})"
    return _kept(shape, value)


def _date(moment: datetime) -> str:
    utc = moment.astimezone(UTC)
    return f"{utc:%b} {utc.day}, {utc.year} {utc.hour % 12 or 12}:{utc:%M:%S} {'AM' if utc.hour < 12 else 'PM'}"
