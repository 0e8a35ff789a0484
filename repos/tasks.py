"""The workers' part in pushes: deliver what is recorded, tell triggers, recover what is half-done."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

from celery import shared_task
from celery.signals import worker_ready
from django.conf import settings

from repos import receive, trigger_deliveries

logger = logging.getLogger(__name__)


@shared_task(acks_late=True, ignore_result=True)
def deliver_push(push_pk: int) -> None:
    """Tell listeners what one push moved; a second delivery of the message does nothing."""
    if not receive.deliver(push_pk):
        logger.info("push %s is delivered already", push_pk)


@shared_task(ignore_result=True)
def deliver_recorded_pushes() -> None:
    """Deliver pushes whose message was lost or whose delivery failed; one that fails does not stop the others."""
    for push_pk in receive.undelivered():
        try:
            receive.deliver(push_pk)
        except Exception:
            logger.exception("push %s could not be delivered and is tried again", push_pk)


@shared_task(acks_late=True, ignore_result=True)
def run_trigger_delivery(delivery_pk: int) -> None:
    """Tell a trigger's destination of one event; a second delivery of the message does nothing."""
    if trigger_deliveries.run(delivery_pk) is None:
        logger.info("trigger delivery %s is not to be sent now", delivery_pk)


@shared_task(ignore_result=True)
def run_due_trigger_deliveries() -> None:
    """Send what is to be tried again, and what waits because its message was lost or its worker died."""
    for delivery_pk in trigger_deliveries.due():
        try:
            trigger_deliveries.run(delivery_pk)
        except Exception:
            logger.exception("trigger delivery %s could not be tried and is tried again", delivery_pk)


@shared_task(ignore_result=True)
def prune_trigger_deliveries() -> None:
    """Remove the log of old deliveries of triggers."""
    trigger_deliveries.prune(timedelta(days=settings.DELIVERY_RETENTION_DAYS))


@shared_task(ignore_result=True)
def recover_pushes() -> None:
    """Finish or drop pushes that a crash left half-done."""
    count = receive.recover()
    if count:
        logger.warning("recovered %s half-done pushes", count)


@worker_ready.connect
def recover_at_start(**_: Any) -> None:
    """A worker that starts recovers at once, without waiting for the clock."""
    recover_pushes.delay()
