"""What became of messages: a topic's deliveries, one of them, and sending it once more."""

from __future__ import annotations

import uuid
from datetime import timedelta

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from codeservices.errors import NotFound
from codeservices.iam.authorize import authorize
from codeservices.iam.principal import Principal
from codeservices.notifications import outbox
from codeservices.notifications.access import topic_for
from codeservices.notifications.message_attributes import invalid
from codeservices.notifications.models import Delivery, DeliveryState, Message, MessageType, Subscription

READ = "sns:ListSubscriptionsByTopic"
_ENDED = (DeliveryState.SUCCEEDED, DeliveryState.FAILED)
# So many rows go at once, that no other writer waits for long.
_BATCH = 500


def deliveries_of(principal: Principal, topic_arn: str) -> QuerySet[Delivery]:
    """A topic's deliveries, newest first, for those who may look at its subscriptions."""
    topic = topic_for(principal, READ, topic_arn)
    return Delivery.objects.filter(message__topic=topic).select_related("message__topic", "subscription")


def delivery_for(principal: Principal, topic_arn: str, delivery_id: uuid.UUID) -> Delivery:
    """One delivery of a topic; raises NotFound."""
    found = deliveries_of(principal, topic_arn).filter(delivery_id=delivery_id).first()
    if found is None:
        raise NotFound(f"The topic has no delivery {delivery_id}.")
    return found


def redeliver(principal: Principal, delivery_id: uuid.UUID) -> Delivery:
    """Send a delivery's message to its subscription once more, as a delivery of its own.

    Raises:
        AccessDenied: Of sns:Publish on the topic.
        NotFound: There is no such delivery.
        InvalidInput: The subscription is gone, or the message is a part of the handshake with the endpoint.
    """
    rows = Delivery.objects.select_related("message__topic", "subscription__receiver")
    found = rows.filter(delivery_id=delivery_id).first()
    authorize(principal, "sns:Publish", found.message.topic.arn if found is not None else "*")
    if found is None:
        raise NotFound(f"There is no delivery {delivery_id}.")
    if found.message.message_type != MessageType.NOTIFICATION:
        raise invalid("A confirmation is not sent again: its token counts once. Ask the endpoint anew.")
    if not found.subscription.is_confirmed:
        raise invalid(f"{found.subscription.endpoint} is not subscribed any more.")
    with transaction.atomic():
        [made] = outbox.add(found.message, [found.subscription], is_redelivery=True)
    return made


def prune(days: int) -> int:
    """Remove what is older than so many days: deliveries that have ended, then messages without any, then subscriptions
    that were ended. How many deliveries went."""
    before = timezone.now() - timedelta(days=days)
    count = 0
    while pks := list(
        Delivery.objects.filter(state__in=_ENDED, created_at__lt=before).values_list("pk", flat=True)[:_BATCH]
    ):
        with transaction.atomic():
            Delivery.objects.filter(pk__in=pks).delete()
        count += len(pks)
    while pks := list(
        Message.objects.filter(deliveries=None, published_at__lt=before).values_list("pk", flat=True)[:_BATCH]
    ):
        Message.objects.filter(pk__in=pks).delete()
    # Nobody can restore those any more, and nothing tells of them.
    over = Subscription.all_objects.filter(deleted_at__lt=before, token_expires_at__lt=timezone.now())
    over.filter(deliveries=None).delete()
    return count
