"""The workers' part in builds: run one, and set right what died."""

from __future__ import annotations

import logging

from celery import shared_task

from builds import isolation, lifecycle, retention

logger = logging.getLogger(__name__)


@shared_task(acks_late=True, ignore_result=True)
def run_build(build_pk: int) -> None:
    """Run one queued build to its end; a second delivery of the message does nothing."""
    build = lifecycle.claim(build_pk)
    if build is None:
        logger.info("build %s is taken or over", build_pk)
        return
    lifecycle.run(build)


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
