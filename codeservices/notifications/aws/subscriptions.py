"""Subscriptions and their attributes; the two operations that an endpoint may call without signing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from codeservices.aws.dispatch import Call, open_operation, operation
from codeservices.notifications import confirmation, subscriptions
from codeservices.notifications.access import PENDING, subscription_for
from codeservices.notifications.aws.shapes import listed, subscription
from codeservices.notifications.message_attributes import invalid


@operation("sns", "Subscribe")
def subscribe(call: Call) -> dict[str, Any]:
    found = subscriptions.subscribe(
        call.principal,
        call.params["TopicArn"],
        call.params["Protocol"],
        call.params.get("Endpoint", ""),
        call.params.get("Attributes"),
    )
    is_told = not found.is_pending or call.params.get("ReturnSubscriptionArn", False)
    return {"SubscriptionArn": found.arn if is_told else PENDING[0]}


@operation("sns", "ConfirmSubscription")
def confirm_subscription(call: Call) -> dict[str, Any]:
    word = call.params.get("AuthenticateOnUnsubscribe", "false").lower()
    if word not in ("true", "false"):
        raise invalid("AuthenticateOnUnsubscribe", "It is true or false.")
    found = confirmation.confirm(
        call.principal, call.params["TopicArn"], call.params["Token"], needs_principal_to_unsubscribe=word == "true"
    )
    return {"SubscriptionArn": found.arn}


@open_operation("sns", "ConfirmSubscription")
def confirm_subscription_by_url(params: Mapping[str, Any]) -> dict[str, Any]:
    """What a SubscribeURL does: its token stands for a signature."""
    return {"SubscriptionArn": confirmation.confirm_by_url(params["TopicArn"], params["Token"]).arn}


@operation("sns", "Unsubscribe")
def unsubscribe(call: Call) -> None:
    subscriptions.unsubscribe(call.principal, call.params["SubscriptionArn"])


@open_operation("sns", "Unsubscribe")
def unsubscribe_by_url(params: Mapping[str, Any]) -> None:
    """What the UnsubscribeURL of a message does."""
    confirmation.unsubscribe_by_url(params["SubscriptionArn"])


@operation("sns", "ListSubscriptions")
def list_subscriptions(call: Call) -> dict[str, Any]:
    found = subscriptions.list_subscriptions(call.principal)
    return listed(call, "Subscriptions", found, lambda row: row.arn, subscription)


@operation("sns", "ListSubscriptionsByTopic")
def list_subscriptions_by_topic(call: Call) -> dict[str, Any]:
    found = subscriptions.list_subscriptions_of(call.principal, call.params["TopicArn"])
    return listed(call, "Subscriptions", found, lambda row: row.arn, subscription)


@operation("sns", "GetSubscriptionAttributes")
def get_subscription_attributes(call: Call) -> dict[str, Any]:
    found = subscription_for(call.principal, "sns:GetSubscriptionAttributes", call.params["SubscriptionArn"])
    return {"Attributes": subscriptions.attributes_of(found)}


@operation("sns", "SetSubscriptionAttributes")
def set_subscription_attributes(call: Call) -> None:
    subscriptions.set_subscription_attribute(
        call.principal,
        call.params["SubscriptionArn"],
        call.params["AttributeName"],
        call.params.get("AttributeValue", ""),
    )
