"""Deliveries on their way: rows made with what causes them, and messages that only wake a worker."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from django.db import transaction
from django.utils import timezone

from codeservices import work
from codeservices.notifications.models import Delivery, Message, Subscription

DELIVER_TASK = "codeservices.notifications.tasks.deliver"
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
    return work.wake(DELIVER_TASK, delivery_pk, after_seconds=after_seconds)


def _wake_all(delivery_pks: list[int]) -> None:
    """One after the other, until the broker does not answer: each try would hold up who publishes."""
    for delivery_pk in delivery_pks:
        if not wake(delivery_pk):
            return
