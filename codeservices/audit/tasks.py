"""What the trail does on a clock."""

from __future__ import annotations

import logging

from celery import shared_task
from django.conf import settings

from codeservices.audit import delivery, drain, retention

logger = logging.getLogger(__name__)


@shared_task(ignore_result=True)
def drain_spools() -> None:
    """Store what processes left behind that died, and end what they had begun."""
    count = drain.drain() + drain.end_forgotten_acts()
    if count:
        logger.info("stored %s audit events", count)


@shared_task(ignore_result=True)
def deliver_trails() -> None:
    """Write the files of every trail."""
    count = delivery.deliver_all()
    if count:
        logger.info("delivered %s audit files", count)


@shared_task(ignore_result=True)
def prune_events() -> None:
    """Remove what is older than the retention rule says, if there is one."""
    if settings.AUDIT_RETENTION_DAYS:
        count = retention.prune(settings.AUDIT_RETENTION_DAYS)
        logger.info("removed %s audit events", count)
