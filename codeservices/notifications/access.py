"""Fetch and authorize topics and subscriptions, or raise. Every act on a subscription is decided on its topic's ARN."""

from __future__ import annotations

import re
import uuid

from django.conf import settings

from codeservices.errors import NotFound
from codeservices.iam import arn, resource_tags
from codeservices.iam.authorize import Context, authorize
from codeservices.iam.principal import Principal
from codeservices.notifications.message_attributes import invalid
from codeservices.notifications.models import Subscription, Topic

TOPIC_NAME = re.compile(r"[A-Za-z0-9_-]{1,256}")
PENDING = ("pending confirmation", "PendingConfirmation")


def arn_of(name: str) -> str:
    """The ARN of the topic of that name."""
    return arn.topic_arn(settings.REGION, settings.ACCOUNT_ID, name)


def topic_name(topic_arn: str) -> str:
    """The name in the ARN of a topic of this account, whatever its region; empty where the text is none."""
    parts = topic_arn.split(":")
    is_ours = len(parts) == 6 and parts[:3] == ["arn", "aws", "sns"] and parts[4] == settings.ACCOUNT_ID
    return parts[5] if is_ours and TOPIC_NAME.fullmatch(parts[5]) else ""


def topic_for(principal: Principal, action: str, topic_arn: str, context: Context | None = None) -> Topic:
    """Authorize the action on the topic's ARN, then fetch.

    Raises:
        InvalidInput: The text is no ARN of a topic here.
        AccessDenied: Also for a topic that does not exist.
        NotFound: There is no such topic; told only to those who may ask.
    """
    name = topic_name(topic_arn)
    if not name:
        raise invalid(f"TopicArn: “{topic_arn[:200]}” is not the ARN of a topic here, such as {arn_of('NAME')}.")
    topic = Topic.objects.filter(name=name).first()
    if topic is not None:
        resource_tags.remember(topic.arn, topic.tags)
    authorize(principal, action, arn_of(name), context)
    if topic is None:
        raise NotFound("Topic does not exist", code="NotFoundException", hint=f"None is called {name}.")
    return topic


def subscription_for(principal: Principal, action: str, subscription_arn: str) -> Subscription:
    """Authorize the action on the ARN of the subscription's topic, then fetch.

    Raises:
        InvalidInput: The text is no ARN of a subscription here.
        AccessDenied: Also for one that does not exist.
        NotFound: There is no such subscription; told only to those who may ask.
    """
    name, subscription_id = split(subscription_arn)
    authorize(principal, action, arn_of(name))
    found = find_subscription(name, subscription_id)
    if found is None:
        raise NotFound("Subscription does not exist", code="NotFoundException")
    return found


def find_subscription(name: str, subscription_id: uuid.UUID) -> Subscription | None:
    """The live subscription of a topic with that id; decides nothing."""
    rows = Subscription.objects.select_related("topic", "receiver")
    return rows.filter(topic__name=name, subscription_id=subscription_id).first()


def split(subscription_arn: str) -> tuple[str, uuid.UUID]:
    """The topic's name and the subscription's id in an ARN; raises InvalidInput."""
    topic_arn, _, text = subscription_arn.rpartition(":")
    name = topic_name(topic_arn)
    try:
        subscription_id = uuid.UUID(text) if len(text) == 36 else None
    except ValueError:
        subscription_id = None
    if not name or subscription_id is None:
        hint = "The endpoint has to confirm it first." if subscription_arn in PENDING else ""
        raise invalid(f"SubscriptionArn: “{subscription_arn[:200]}” is not the ARN of a subscription here.", hint)
    return name, subscription_id
