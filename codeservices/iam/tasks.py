"""The workers' part in identity: forget what has expired."""

from __future__ import annotations

from celery import shared_task

from codeservices.iam import sts


@shared_task(ignore_result=True)
def remove_expired_credentials() -> None:
    """Temporary credentials that nobody can use any more."""
    sts.remove_expired()
