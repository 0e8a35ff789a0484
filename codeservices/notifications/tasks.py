"""The workers' part in notifications: deliver, find what was lost, remove what is old."""

from __future__ import annotations

import logging

from celery import shared_task
from django.conf import settings

from codeservices.notifications import confirmation, delivery_log, outbox
from codeservices.notifications import deliver as delivering

logger = logging.getLogger(__name__)


@shared_task(acks_late=True, ignore_result=True)
def deliver(delivery_pk: int) -> None:
    """Send one delivery; a second delivery of the message does nothing."""
    if not delivering.deliver(delivery_pk):
        logger.debug("delivery %s is not due, or taken", delivery_pk)


@shared_task(ignore_result=True)
def send_due() -> None:
    """Wake workers for deliveries that are due and whose message was lost, or whose worker died."""
    for delivery_pk in delivering.due():
        outbox.wake(delivery_pk)


@shared_task(ignore_result=True)
def prune() -> None:
    """Remove old deliveries, and end subscriptions that nobody has confirmed."""
    expired = confirmation.end_expired()
    removed = delivery_log.prune(settings.DELIVERY_RETENTION_DAYS)
    if expired or removed:
        logger.info("ended %s unconfirmed subscriptions, removed %s deliveries", expired, removed)
