"""The workers' part in the store: secrets go when their way back has ended."""

from __future__ import annotations

import logging

from celery import shared_task
from django.utils import timezone

from codeservices.secretstore.secrets_manager.deletion import purge_deleted

logger = logging.getLogger(__name__)


@shared_task(ignore_result=True)
def purge_deleted_secrets() -> None:
    """Remove deleted secrets whose recovery window has passed."""
    removed = purge_deleted(timezone.now())
    if removed:
        logger.info("removed %s deleted secrets", removed)
