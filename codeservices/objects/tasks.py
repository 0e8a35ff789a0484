"""The workers' part in objects: remove what nobody needs and nobody removed."""

from __future__ import annotations

import logging

from celery import shared_task

from codeservices.objects import multipart, pieces

logger = logging.getLogger(__name__)


@shared_task(ignore_result=True)
def sweep() -> None:
    """Abort uploads that nobody completed, and remove bytes that belong to nothing."""
    aborted, removed = multipart.abort_old(), pieces.sweep()
    if aborted or removed:
        logger.info("aborted %s old uploads, removed %s pieces of nothing", aborted, removed)
