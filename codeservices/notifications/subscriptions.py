"""Subscriptions: subscribe, list, change, unsubscribe. What their endpoints answer with: see confirmation.py.

Source: Amazon SNS API Reference, Subscribe, Unsubscribe, SetSubscriptionAttributes, GetSubscriptionAttributes.
"""

from __future__ import annotations

from collections.abc import Mapping

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

from codeservices import outbound
from codeservices.errors import LimitExceeded
from codeservices.iam.authorize import authorize
from codeservices.iam.principal import Principal
from codeservices.notifications import confirmation, delivery_policy, filter_policy
from codeservices.notifications.access import arn_of, find_subscription, split, subscription_for, topic_for
from codeservices.notifications.message_attributes import invalid
from codeservices.notifications.models import Receiver, Subscription, Topic

# Each message is a row for each subscriber, written in one transaction.
MAX_SUBSCRIPTIONS = 1000
PROTOCOLS = ("http", "https")
# Those of Amazon SNS that lead to services which are not here.
OTHER_PROTOCOLS = ("email", "email-json", "sms", "sqs", "application", "lambda", "firehose")
_FIELDS = {
    "RawMessageDelivery": "is_raw",
    "FilterPolicy": "filter_policy",
    "FilterPolicyScope": "filter_policy_scope",
    "DeliveryPolicy": "delivery_policy",
}
_NOT_HERE = ("RedrivePolicy", "ReplayPolicy", "SubscriptionRoleArn")


def subscribe(
    principal: Principal,
    topic_arn: str,
    protocol: str,
    endpoint: str,
    attributes: Mapping[str, str] | None = None,
) -> Subscription:
    """Ask an endpoint whether it wants a topic's messages. A subscription that is there is answered as it is; while it
    is pending, the endpoint is asked again.

    Raises:
        AccessDenied: Of sns:Subscribe.
        NotFound: There is no such topic.
        InvalidInput: The protocol is not served, the endpoint is no such URL or lies where this server does not
            connect, or an attribute breaks a rule.
        LimitExceeded: The topic has MAX_SUBSCRIPTIONS already.
    """
    check_protocol(protocol)
    context = {"sns:Protocol": protocol, "sns:Endpoint": endpoint}
    topic = topic_for(principal, "sns:Subscribe", topic_arn, context)
    return subscribe_as_service(topic, protocol, endpoint, attributes, owner_arn=principal.arn)


def subscribe_as_service(
    topic: Topic, protocol: str, endpoint: str, attributes: Mapping[str, str] | None = None, *, owner_arn: str
) -> Subscription:
    """The same without asking anybody, for what manages a topic and has authorized that itself."""
    check_protocol(protocol)
    origin = _origin(protocol, endpoint)
    attributes = dict(attributes or {})
    wanted = Subscription(topic=topic, protocol=protocol, endpoint=endpoint, owner_arn=owner_arn)
    # The scope first: it says how the policy is to be read.
    for name in sorted(attributes, key=lambda one: one != "FilterPolicyScope"):
        _set(wanted, name, attributes[name])
    with transaction.atomic():
        Topic.objects.select_for_update().get(pk=topic.pk)
        found = topic.subscriptions.filter(protocol=protocol, endpoint=endpoint).first()
        if found is None:
            if topic.subscriptions.count() >= MAX_SUBSCRIPTIONS:
                raise LimitExceeded(
                    f"The topic {topic.name} has {MAX_SUBSCRIPTIONS} subscriptions already.",
                    code="SubscriptionLimitExceededException",
                )
            wanted.receiver, _ = Receiver.objects.get_or_create(origin=origin)
            wanted.save(force_insert=True)
            found = wanted
        elif any(getattr(found, _FIELDS[name]) != getattr(wanted, _FIELDS[name]) for name in attributes):
            raise invalid("Attributes Reason: Subscription already exists with different attributes")
        if found.is_pending:
            confirmation.ask(found)
    return found


def resend_confirmation(principal: Principal, subscription_arn: str) -> Subscription:
    """Ask a pending endpoint again, with a new token; raises InvalidInput for one that has confirmed."""
    found = subscription_for(principal, "sns:Subscribe", subscription_arn)
    if not found.is_pending:
        raise invalid(f"The subscription of {found.endpoint} is confirmed already.")
    with transaction.atomic():
        confirmation.ask(found)
    return found


def unsubscribe(principal: Principal, subscription_arn: str) -> None:
    """End a subscription for good; one that isn't there is no error. An endpoint that had confirmed is told."""
    name, subscription_id = split(subscription_arn)
    authorize(principal, "sns:Unsubscribe", arn_of(name))
    found = find_subscription(name, subscription_id)
    if found is not None:
        confirmation.end(found, may_return=False)


def list_subscriptions(principal: Principal) -> QuerySet[Subscription]:
    """Every subscription of topics that are not managed, for those who may list."""
    authorize(principal, "sns:ListSubscriptions", "*")
    return Subscription.objects.filter(topic__managed_by="").select_related("topic")


def list_subscriptions_of(principal: Principal, topic_arn: str) -> QuerySet[Subscription]:
    """A topic's subscriptions."""
    topic = topic_for(principal, "sns:ListSubscriptionsByTopic", topic_arn)
    return Subscription.objects.filter(topic=topic).select_related("topic")


def set_subscription_attribute(principal: Principal, subscription_arn: str, name: str, value: str) -> Subscription:
    """Change one attribute; an empty value puts the default back."""
    found = subscription_for(principal, "sns:SetSubscriptionAttributes", subscription_arn)
    _set(found, name, value)
    if name in _FIELDS:
        found.save(update_fields=[_FIELDS[name]])
    return found


def attributes_of(subscription: Subscription) -> dict[str, str]:
    """The answer of GetSubscriptionAttributes; every value is text."""
    effective = delivery_policy.effective(subscription.topic.delivery_policy, subscription.delivery_policy)
    found = {
        "SubscriptionArn": subscription.arn,
        "TopicArn": subscription.topic.arn,
        "Owner": settings.ACCOUNT_ID,
        "Protocol": subscription.protocol,
        "Endpoint": subscription.endpoint,
        "ConfirmationWasAuthenticated": _word(subscription.was_confirmed_by_principal),
        "PendingConfirmation": _word(subscription.is_pending),
        "RawMessageDelivery": _word(subscription.is_raw),
        "SubscriptionPrincipal": subscription.owner_arn,
        "EffectiveDeliveryPolicy": effective.for_subscription(),
    }
    if subscription.filter_policy:
        found["FilterPolicy"] = subscription.filter_policy
        found["FilterPolicyScope"] = subscription.filter_policy_scope
    if subscription.delivery_policy:
        found["DeliveryPolicy"] = subscription.delivery_policy
    return found


# ---- rules -----------------------------------------------------------------------------------------------------------


def check_protocol(protocol: str) -> None:
    """Raises InvalidInput for a protocol that leads nowhere here."""
    if protocol in OTHER_PROTOCOLS:
        raise invalid(
            f"Protocol Reason: {protocol} subscriptions are not available on this server.",
            "It delivers to http, https.",
        )
    if protocol not in PROTOCOLS:
        raise invalid("Protocol Reason: It is http or https.")


def _origin(protocol: str, endpoint: str) -> str:
    """Which server an endpoint lies on; raises InvalidInput where this server would not connect to it.

    A name that can't be resolved now may be later; each attempt looks again.
    """
    try:
        found = outbound.resolve(endpoint, settings.OUTBOUND_RULES, schemes=(protocol,))
    except outbound.HostUnresolved:
        found = outbound.parse(endpoint, schemes=(protocol,))
    except outbound.OutboundRefused as refused:
        raise invalid(f"Endpoint Reason: {refused.message}", refused.hint) from None
    return f"{found.scheme}://{found.host.lower()}:{found.port}"


def _set(subscription: Subscription, name: str, value: str) -> None:
    if name in _NOT_HERE:
        if value:
            raise invalid(f"{name} Reason: It is not available on this server.")
        return
    if name not in _FIELDS:
        raise invalid("AttributeName", f"A subscription has no attribute “{name[:60]}” that can be set.")
    if name == "RawMessageDelivery":
        if value.lower() not in ("true", "false", ""):
            raise invalid("RawMessageDelivery Reason: It is true or false.")
        subscription.is_raw = value.lower() == "true"
    elif name == "FilterPolicyScope":
        if value not in ("", *filter_policy.SCOPES):
            raise invalid(f"FilterPolicyScope Reason: It is {' or '.join(filter_policy.SCOPES)}.")
        subscription.filter_policy_scope = value or filter_policy.ATTRIBUTES
        _check_filter(subscription)
    elif name == "FilterPolicy":
        subscription.filter_policy = "" if value.strip() in ("", "{}") else value
        _check_filter(subscription)
    else:
        subscription.delivery_policy = value
        try:
            delivery_policy.parse_subscription(value)
        except delivery_policy.PolicyError as error:
            raise invalid(f"DeliveryPolicy: {error}") from None


def _check_filter(subscription: Subscription) -> None:
    if not subscription.filter_policy:
        return
    try:
        found = filter_policy.parse(subscription.filter_policy)
        found.check_scope(subscription.filter_policy_scope)
    except filter_policy.PolicyError as error:
        raise invalid(f"FilterPolicy: {error}") from None


def _word(value: bool) -> str:
    return "true" if value else "false"
