"""Publish: one message and a delivery for each confirmed subscriber, in one transaction, which is the outbox.

Source: Amazon SNS API Reference, Publish.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import transaction

from codeservices.iam.principal import Principal
from codeservices.notifications import filter_policy, message_attributes, outbox
from codeservices.notifications.access import topic_for
from codeservices.notifications.models import Message, Subscription, SubscriptionState, Topic


def publish(
    principal: Principal,
    topic_arn: str,
    message: str,
    subject: str = "",
    attributes: Mapping[str, Mapping[str, Any]] | None = None,
    structure: str = "",
) -> Message:
    """Send a message to every confirmed subscriber of a topic, soon after the transaction has committed.

    Args:
        message: The text; with the structure "json" an object of texts by protocol, with a "default".
        attributes: By name, {"DataType", "StringValue" or "BinaryValue" (base64 text)}.

    Raises:
        AccessDenied: Of sns:Publish.
        NotFound: There is no such topic.
        InvalidInput: A value breaks a rule; nothing is sent.
    """
    topic = topic_for(principal, "sns:Publish", topic_arn)
    return publish_as_service(
        topic, message, subject=subject, attributes=attributes, structure=structure, published_by=principal.arn
    )


def publish_as_service(
    topic: Topic,
    message: str,
    *,
    published_by: str,
    subject: str = "",
    attributes: Mapping[str, Mapping[str, Any]] | None = None,
    structure: str = "",
) -> Message:
    """The same without asking anybody: for triggers and whatever else has authorized when it was set up.

    Args:
        published_by: Whose act it is, told in the message's log: an ARN, or what did it.

    Raises:
        InvalidInput: A value breaks a rule; nothing is sent.
    """
    found = message_attributes.check_attributes(attributes)
    message_attributes.check_size(message, found)
    new = Message(
        topic=topic,
        subject=message_attributes.check_subject(subject),
        bodies=message_attributes.bodies_of(message, structure),
        attributes=found,
        published_by=published_by[:600],
    )
    # Before the transaction: filters may have much to compare, and SQLite has one writer.
    subscribers = _subscribers(topic, new)
    with transaction.atomic():
        new.save(force_insert=True)
        outbox.add(new, subscribers)
    return new


def _subscribers(topic: Topic, message: Message) -> list[Subscription]:
    """The confirmed subscriptions whose filters let the message through."""
    confirmed = topic.subscriptions.filter(state=SubscriptionState.CONFIRMED).select_related("receiver")
    bodies: dict[str, dict[str, Any] | None] = {}
    found = []
    for one in confirmed:
        if one.filter_policy and one.filter_policy_scope == filter_policy.BODY and one.protocol not in bodies:
            bodies[one.protocol] = filter_policy.read_body(message.body(one.protocol))
        if _wants(one, message, bodies):
            found.append(one)
    return found


def _wants(subscription: Subscription, message: Message, bodies: Mapping[str, dict[str, Any] | None]) -> bool:
    """Whether a subscription's filter lets the message through, whose bodies have been read by protocol."""
    if not subscription.filter_policy:
        return True
    wanted = filter_policy.parse(subscription.filter_policy)
    if subscription.filter_policy_scope == filter_policy.BODY:
        return wanted.matches_body(bodies[subscription.protocol])
    return wanted.matches_attributes(message.attributes)
