"""Deliveries on their way: rows made with what causes them, and messages that only wake a worker."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from functools import partial

from celery import current_app
from django.db import transaction
from django.utils import timezone
from kombu.exceptions import OperationalError

from codeservices.notifications.models import Delivery, Message, Subscription

logger = logging.getLogger(__name__)

DELIVER_TASK = "codeservices.notifications.tasks.deliver"
QUEUE = "notifications"


def add(message: Message, subscriptions: Iterable[Subscription], *, is_redelivery: bool = False) -> list[Delivery]:
    """A delivery of the message to each subscription; workers are woken when the transaction has committed."""
    now = timezone.now()
    made = Delivery.objects.bulk_create(
        Delivery(
            message=message,
            subscription=one,
            receiver=one.receiver,
            is_redelivery=is_redelivery,
            created_at=now,
            next_attempt_at=now,
        )
        for one in subscriptions
    )
    for delivery in made:
        transaction.on_commit(partial(wake, delivery.pk))
    return made


def wake(delivery_pk: int, *, after_seconds: float = 0) -> None:
    """Tell a worker of a delivery. By name: the task is an edge, and edges are above us."""
    try:
        current_app.send_task(DELIVER_TASK, [delivery_pk], queue=QUEUE, countdown=after_seconds or None)
    except (OperationalError, OSError) as error:
        logger.warning("delivery %s waits for the sweep, as the broker does not answer: %s", delivery_pk, error)
