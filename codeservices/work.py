"""Work that is left to workers: a message that wakes one, and the token by which it holds what it took.

Whose work something is stands in the database (a row with a lease, an outbox); a message only tells a worker to look.
"""

from __future__ import annotations

import logging
import os
import secrets
import socket

from celery import current_app
from kombu.exceptions import OperationalError

logger = logging.getLogger(__name__)


def wake(task: str, pk: int, *, after_seconds: float = 0) -> bool:
    """Send a message that names a row; False where the broker does not answer, and the task's sweep finds the row.

    Args:
        task: The task's full name, since tasks are edges and edges are above us. Its queue stands in celery.py.
        after_seconds: The worker begins no earlier.
    """
    try:
        current_app.send_task(task, [pk], countdown=after_seconds or None)
    except (OperationalError, OSError) as error:
        logger.warning("%s of %s waits for the sweep, as the broker does not answer: %s", task, pk, error)
        return False
    return True


def new_owner() -> str:
    """A token that no other holder of a lease has, 105 characters at most; it begins with where this runs."""
    return f"{host()}:{os.getpid()}:{secrets.token_hex(16)}"


def host() -> str:
    """This machine as tokens begin with it."""
    return socket.gethostname()[:64]


def host_of(owner: str) -> str:
    """The machine of a lease's holder."""
    return owner.partition(":")[0]
