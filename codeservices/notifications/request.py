"""A delivery as the request that is sent: its message's members, signed; the same bytes at every attempt."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings

from codeservices import tls
from codeservices.iam import secrets
from codeservices.notifications import delivery_policy, envelope, signing
from codeservices.notifications.models import Delivery, Message, MessageType, Subscription

HIDDEN = "HIDDEN"


@dataclass(frozen=True)
class Request:
    """What is sent. `shown_body` is the body as people may read it, with a confirmation's token blanked."""

    headers: dict[str, str]
    body: str
    shown_body: str


def of(delivery: Delivery) -> Request:
    """The request of a delivery."""
    message, subscription = delivery.message, delivery.subscription
    is_notification = message.message_type == MessageType.NOTIFICATION
    is_raw = is_notification and subscription.is_raw
    policy = delivery_policy.effective(subscription.topic.delivery_policy, subscription.delivery_policy)
    headers = envelope.headers(
        message.message_type,
        str(message.message_id),
        subscription.topic.arn,
        subscription.arn,
        policy.content_type,
        is_raw=is_raw,
    )
    if is_raw:
        body = message.body(subscription.protocol)
        return Request(headers, body, body)
    members = _members(message, subscription)
    body = envelope.body(members)
    if is_notification:
        return Request(headers, body, body)
    token = members["Token"]
    hidden = {**members, "Token": HIDDEN, "Signature": HIDDEN}
    hidden["SubscribeURL"] = members["SubscribeURL"].replace(token, HIDDEN)
    return Request(headers, body, envelope.body(hidden))


def origin() -> str:
    """Where subscribers find this server: what is set, else the machine itself."""
    return settings.BASE_URL or f"https://{tls.reachable_name()}:{settings.HTTPS_PORT}"


def _members(message: Message, subscription: Subscription) -> dict[str, str]:
    topic, here = subscription.topic, origin()
    members = {
        "Type": str(message.message_type),
        "MessageId": str(message.message_id),
        "TopicArn": topic.arn,
        "Message": message.body(subscription.protocol),
        "Timestamp": envelope.timestamp(message.published_at),
        "SignatureVersion": topic.signature_version,
    }
    if message.message_type == MessageType.NOTIFICATION:
        if message.subject:
            members["Subject"] = message.subject
        if message.attributes:
            members["MessageAttributes"] = message.attributes
        members["UnsubscribeURL"] = envelope.unsubscribe_url(here, subscription.arn)
    else:
        members["Token"] = secrets.unseal(message.sealed_token)
        members["SubscribeURL"] = envelope.subscribe_url(here, topic.arn, members["Token"])
    certificate = signing.current()
    members["Signature"] = signing.sign(certificate, envelope.string_to_sign(members), topic.signature_version)
    members["SigningCertURL"] = envelope.certificate_url(here, certificate.name)
    return members
