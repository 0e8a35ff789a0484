"""What goes over the wire to an http or https subscriber: headers, body, and the text that is signed.

Source: Amazon SNS Developer Guide, "Parsing message formats", "HTTP/HTTPS headers" and "Verifying the signatures of
Amazon SNS messages".
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

USER_AGENT = "Amazon Simple Notification Service Agent"
NOTIFICATION = "Notification"
# The order of the members in a body; those that a message does not have are left out.
_ORDER = (
    "Type",
    "MessageId",
    "Token",
    "TopicArn",
    "Subject",
    "Message",
    "SubscribeURL",
    "Timestamp",
    "SignatureVersion",
    "Signature",
    "SigningCertURL",
    "UnsubscribeURL",
    "MessageAttributes",
)
_SIGNED = {
    True: ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    False: ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
}


def timestamp(moment: datetime) -> str:
    """A time as messages carry it: ISO 8601 in UTC, to the millisecond."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def string_to_sign(members: Mapping[str, Any]) -> bytes:
    """The signed members of a body, each as its name and its value on lines of their own, by name."""
    names = _SIGNED[members["Type"] == NOTIFICATION]
    return "".join(f"{name}\n{members[name]}\n" for name in names if name in members).encode()


def body(members: Mapping[str, Any]) -> str:
    """The members as JSON, laid out as Amazon SNS lays it out."""
    lines = []
    for name in _ORDER:
        if name not in members:
            continue
        value = members[name]
        text = _attributes(value) if isinstance(value, Mapping) else _json(value)
        lines.append(f'  "{name}" : {text}')
    return "{\n" + ",\n".join(lines) + "\n}"


def headers(
    message_type: str, message_id: str, topic_arn: str, subscription_arn: str, content_type: str, *, is_raw: bool
) -> dict[str, str]:
    """The headers of a request, but Host and Content-Length, which whoever sends it adds."""
    found = {
        "x-amz-sns-message-type": message_type,
        "x-amz-sns-message-id": message_id,
        "x-amz-sns-topic-arn": topic_arn,
    }
    if message_type != "SubscriptionConfirmation":
        found["x-amz-sns-subscription-arn"] = subscription_arn
    if is_raw:
        found["x-amz-sns-rawdelivery"] = "true"
    found |= {
        "Content-Type": content_type,
        "User-Agent": USER_AGENT,
        "Accept-Encoding": "gzip,deflate",
        "Connection": "close",
    }
    return found


def subscribe_url(origin: str, topic_arn: str, token: str) -> str:
    """The link (SubscribeURL) that confirms a subscription."""
    return f"{origin}/?" + _query(Action="ConfirmSubscription", TopicArn=topic_arn, Token=token)


def unsubscribe_url(origin: str, subscription_arn: str) -> str:
    """The link (UnsubscribeURL) that ends one."""
    return f"{origin}/?" + _query(Action="Unsubscribe", SubscriptionArn=subscription_arn)


def certificate_url(origin: str, name: str) -> str:
    """Where a signature's certificate (SigningCertURL) is fetched."""
    return f"{origin}/SimpleNotificationService-{name}.pem"


def _query(**values: str) -> str:
    return urlencode(values, safe=":")


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _attributes(attributes: Mapping[str, Mapping[str, str]]) -> str:
    lines = [
        f'    {_json(name)} : {{"Type":{_json(value["Type"])},"Value":{_json(value["Value"])}}}'
        for name, value in attributes.items()
    ]
    return "{\n" + ",\n".join(lines) + "\n  }"
