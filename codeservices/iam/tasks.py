"""The workers' part in identity: forget what has expired. Running a task twice is harmless."""

from __future__ import annotations

from celery import shared_task

from codeservices.iam import sessions, sts, throttle


@shared_task(ignore_result=True)
def remove_expired_credentials() -> None:
    """Temporary credentials that nobody can use any more."""
    sts.remove_expired()


@shared_task(ignore_result=True)
def remove_old_sign_in_rows() -> None:
    """Sessions that have ended, and counters of tries that say nothing any more."""
    sessions.remove_ended()
    throttle.remove_old()
