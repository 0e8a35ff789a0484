"""The workers' part in builds: run one, and set right what died."""

from __future__ import annotations

import logging
from typing import Any

from celery import shared_task
from celery.signals import worker_ready
from django.db import connections

from builds import images_on_engine, isolation, lifecycle, retention

logger = logging.getLogger(__name__)


@shared_task(acks_late=True, ignore_result=True)
def run_build(build_pk: int) -> None:
    """Run the build that is next to its end; which one that is stands in the database, not in the message."""
    build = lifecycle.claim_next()
    if build is None:
        logger.info("no build may begin, neither %s nor another", build_pk)
        return
    try:
        lifecycle.run(build)
    finally:
        lifecycle.wake_next()


@shared_task(ignore_result=True)
def end_stopped_build(build_pk: int) -> None:
    """Take a build that was told to stop from a worker that does not end it."""
    if lifecycle.end_stopped(build_pk):
        lifecycle.reap()
        lifecycle.wake_next()


@shared_task(ignore_result=True)
def end_expired_leases() -> None:
    """End builds whose worker died and builds that waited too long."""
    count = lifecycle.end_expired_leases()
    if count:
        logger.warning("ended %s builds that nobody runs", count)


@shared_task(ignore_result=True)
def keep_network_closed() -> None:
    """Make the firewall rules of builds again where a restart of the engine or of a firewall has taken them away."""
    problem = isolation.network_problem(is_made=True)
    if problem is not None:
        logger.warning("builds can reach this machine's services: %s", problem)


@shared_task(ignore_result=True)
def requeue_builds() -> None:
    """Send queued builds again whose message died with a worker or the broker; remove orphaned containers."""
    count = lifecycle.requeue_builds()
    if count:
        logger.warning("sent %s queued builds again", count)
    lifecycle.reap()


@shared_task(ignore_result=True)
def remove_leftovers() -> None:
    """Remove artifacts and caches of what is gone, and caches that nobody uses or that take too much room."""
    count = retention.sweep()
    if count:
        logger.info("removed %s artifacts and caches", count)


@shared_task(ignore_result=True)
def collect_images() -> None:
    """Remove images that this installation brought to the engine and that nobody has used for long."""
    removed = images_on_engine.collect()
    if removed:
        logger.info("removed the images %s", ", ".join(removed))


@worker_ready.connect
def reap_at_start(sender: Any, **_: Any) -> None:
    """A worker of builds begins by removing what its predecessor left on the engine."""
    if lifecycle.QUEUE not in sender.app.amqp.queues.consume_from:
        return
    try:
        lifecycle.reap()
    finally:
        connections.close_all()
