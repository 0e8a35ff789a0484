"""The workers' part in repositories: deliver pushes, tell triggers, recover, keep up, import, mirror, purge."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

from celery import shared_task
from celery.signals import worker_ready
from django.conf import settings

from repos import deletion
from repos.models import Push
from repos.pushes import receive
from repos.remote import imports, mirrors
from repos.triggers import deliveries as trigger_deliveries
from repos.upkeep import schedule, worker

logger = logging.getLogger(__name__)


@shared_task(acks_late=True, ignore_result=True)
def deliver_push(push_pk: int) -> None:
    """Tell listeners what one push moved; a second delivery of the message does nothing."""
    if not receive.deliver(push_pk):
        logger.info("push %s is delivered already", push_pk)
        return
    look_after_push(push_pk)


def look_after_push(push_pk: int) -> None:
    """Have done what the repository of a push calls for now; where that fails, the sweep looks again."""
    try:
        schedule.look_after_push(Push.objects.values_list("repository_id", flat=True).get(pk=push_pk))
    except Exception:  # the push is delivered, and a message that fails would deliver it again
        logger.exception("the repository of push %s could not be looked at", push_pk)


@shared_task(ignore_result=True)
def deliver_recorded_pushes() -> None:
    """Deliver pushes whose message was lost or whose delivery failed; one that fails does not stop the others."""
    for push_pk in receive.undelivered():
        try:
            deliver_push(push_pk)
        except Exception:  # whatever is the matter with one push, the others behind it do not wait
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
        except Exception:  # likewise
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


@shared_task(acks_late=True, ignore_result=True)
def keep_up(repository_pk: int) -> None:
    """Do what upkeep a repository is due; a second delivery of the message does nothing."""
    for run in worker.keep_up(repository_pk):
        logger.info("upkeep of repository %s: %s %s in %.1f s", repository_pk, run.job, run.outcome, run.seconds)


@shared_task(ignore_result=True)
def start_due_upkeep() -> None:
    """Wake workers for upkeep that is due; the messages are few at a time."""
    schedule.start_due()


@shared_task(acks_late=True, ignore_result=True)
def run_import(import_pk: int) -> None:
    """Run one queued import to its end; a second delivery of the message does nothing."""
    if not imports.run_import(import_pk):
        logger.info("import %s is taken or over", import_pk)


@shared_task(acks_late=True, ignore_result=True)
def run_mirror(run_pk: int) -> None:
    """Run one queued run of a mirror to its end; a second delivery of the message does nothing."""
    if not mirrors.run_mirror(run_pk):
        logger.info("mirror run %s is taken or over", run_pk)


@shared_task(ignore_result=True)
def sweep_remote_runs() -> None:
    """Queue the mirrors that are due, and what dead workers and lost messages left behind."""
    imports.sweep()
    count = mirrors.sweep()
    if count:
        logger.info("queued %s mirrors", count)


@shared_task(ignore_result=True)
def purge_deleted_repositories() -> None:
    """Remove deleted repositories whose time is over, with what deletions and creations that died left behind."""
    count = deletion.purge_expired()
    if count:
        logger.info("purged %s deleted repositories", count)


@worker_ready.connect
def recover_at_start(**_: Any) -> None:
    """A worker that starts recovers at once, without waiting for the clock."""
    recover_pushes.delay()
