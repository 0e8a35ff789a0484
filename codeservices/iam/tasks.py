"""What happens to sign-in on a clock."""

from __future__ import annotations

from celery import shared_task

from codeservices.iam import sessions, throttle


@shared_task(ignore_result=True)
def remove_old_sign_in_rows() -> None:
    """Remove sessions that have ended and counters of tries that say nothing any more; running it twice is harmless."""
    sessions.remove_ended()
    throttle.remove_old()
