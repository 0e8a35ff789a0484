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
# Workers hold a message that is for later in memory; what is far off is left to the sweep.
MAX_COUNTDOWN_SECONDS = 60


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
    transaction.on_commit(partial(_wake_all, [delivery.pk for delivery in made]))
    return made


def wake(delivery_pk: int, *, after_seconds: float = 0) -> bool:
    """Tell a worker of a delivery, unless the sweep will be as quick; False where the broker does not answer."""
    if after_seconds > MAX_COUNTDOWN_SECONDS:
        return True
    # By name: the task is an edge, and edges are above us.
    try:
        current_app.send_task(DELIVER_TASK, [delivery_pk], queue=QUEUE, countdown=after_seconds or None)
    except (OperationalError, OSError) as error:
        logger.warning("delivery %s waits for the sweep, as the broker does not answer: %s", delivery_pk, error)
        return False
    return True


def _wake_all(delivery_pks: list[int]) -> None:
    """One after the other, until the broker does not answer: each try would hold up who publishes."""
    for delivery_pk in delivery_pks:
        if not wake(delivery_pk):
            return
