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
    with transaction.atomic():
        new.save(force_insert=True)
        confirmed = topic.subscriptions.filter(state=SubscriptionState.CONFIRMED).select_related("receiver")
        outbox.add(new, [one for one in confirmed if _wants(one, new)])
    return new


def _wants(subscription: Subscription, message: Message) -> bool:
    """Whether a subscription's filter lets the message through."""
    if not subscription.filter_policy:
        return True
    wanted = filter_policy.parse(subscription.filter_policy)
    if subscription.filter_policy_scope == filter_policy.BODY:
        return wanted.matches_body(message.body(subscription.protocol))
    return wanted.matches_attributes(message.attributes)
