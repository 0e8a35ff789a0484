"""A message's attributes, subject and size: their rules.

Source: Amazon SNS API Reference, Publish and MessageAttributeValue; Developer Guide, "Amazon SNS message attributes".
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any

from codeservices.errors import InvalidInput

MAX_MESSAGE_BYTES = 256 * 1024
MAX_SUBJECT_CHARACTERS = 100
INVALID = "InvalidParameterException"

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,256}")
_DATA_TYPE = re.compile(r"(String\.Array|String|Number|Binary)(\.[A-Za-z0-9_.-]{1,240})?")
# What Amazon SNS's Number holds: up to 38 digits, between -10**9 and 10**9.
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?")
_SUBJECT = re.compile(r"[!-~][ -~]*")
# No database keeps a NUL, and half of a surrogate pair is no character that could be sent.
_NOT_KEPT = re.compile("[\0\ud800-\udfff]")


def invalid(sentence: str, hint: str = "") -> InvalidInput:
    """The one error that SNS has for a parameter that breaks a rule."""
    return InvalidInput(f"Invalid parameter: {sentence}", code=INVALID, hint=hint)


def check_subject(subject: str) -> str:
    """The subject itself; raises InvalidInput."""
    if subject and (len(subject) > MAX_SUBJECT_CHARACTERS or not _SUBJECT.fullmatch(subject)):
        raise invalid(
            f"A subject has at most {MAX_SUBJECT_CHARACTERS} ASCII characters, begins with a letter, number or "
            "punctuation mark, and has no line breaks or control characters."
        )
    return subject


def bodies_of(message: str, structure: str) -> dict[str, str]:
    """The text for each protocol; "default" is always there.

    Args:
        message: The text, or with the structure "json" an object of texts by protocol.
        structure: Empty or "json".

    Raises:
        InvalidInput: The message is empty, or no such object.
    """
    if not message:
        raise invalid("Empty message")
    if not structure:
        return {"default": message}
    if structure != "json":
        raise invalid(f"“{structure[:60]}” is no MessageStructure: it is json, or left out.")
    try:
        bodies = json.loads(message)
    except (ValueError, RecursionError):
        raise invalid("Message Structure - JSON message body failed to parse") from None
    if not isinstance(bodies, dict) or not isinstance(bodies.get("default"), str):
        raise invalid("Message Structure - No default entry in JSON message body")
    found = {protocol: text for protocol, text in bodies.items() if isinstance(text, str)}
    if any(_NOT_KEPT.search(text) for pair in found.items() for text in pair):
        raise invalid("Message Structure - JSON message body holds a NUL character or a lone surrogate")
    return found


def check_attributes(given: Mapping[str, Mapping[str, Any]] | None) -> dict[str, dict[str, str]]:
    """Attributes as they are kept and sent, {"Type", "Value"}, from {"DataType", "StringValue" or "BinaryValue"}.

    Binary values are base64 text already, as a subscriber gets them. Raises InvalidInput.
    """
    found = {}
    for name, value in (given or {}).items():
        if not _NAME.fullmatch(name) or name[0] == "." or name[-1] == "." or ".." in name:
            raise invalid(
                f"“{name[:60]}” can't name a message attribute.",
                "It has 1 to 256 letters, digits and the characters _ - . with no dot at an end or beside another.",
            )
        if name.lower().startswith(("aws.", "amazon.")):
            raise invalid(f"“{name[:60]}” can't name a message attribute: AWS. and Amazon. are reserved.")
        found[name] = {"Type": value.get("DataType") or "", "Value": _value(name, value)}
    return found


def check_size(message: str, attributes: Mapping[str, Mapping[str, str]]) -> None:
    """Raises InvalidInput where message and attributes together are over MAX_MESSAGE_BYTES."""
    size = len(message.encode()) + sum(
        len(name.encode()) + sum(len(part.encode()) for part in value.values()) for name, value in attributes.items()
    )
    if size > MAX_MESSAGE_BYTES:
        raise invalid(f"Message too long: {size} bytes; with its attributes it has {MAX_MESSAGE_BYTES} at most.")


def _value(name: str, given: Mapping[str, Any]) -> str:
    kind = _DATA_TYPE.fullmatch(given.get("DataType") or "")
    if kind is None:
        raise invalid(f"The message attribute “{name}” has no type: String, String.Array, Number or Binary.")
    value = given.get("BinaryValue" if kind[1] == "Binary" else "StringValue")
    if not value:
        raise invalid(f"The message attribute “{name}” must contain a non-empty value of its type.")
    if kind[1] == "Number" and not _is_number(value):
        raise invalid(f"Could not cast message attribute “{name}” value to number.")
    if kind[1] == "String.Array" and not _is_array(value):
        raise invalid(f"The message attribute “{name}” must be a JSON array of texts, numbers, true, false or null.")
    return str(value)


def _is_number(text: str) -> bool:
    return len(text) <= 64 and _NUMBER.fullmatch(text) is not None and math.isfinite(float(text))


def _is_array(text: str) -> bool:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(value, list) and not any(isinstance(item, list | dict) for item in value)
