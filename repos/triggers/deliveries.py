"""The outbox of triggers: one row for each push and trigger that it matches, told to the trigger's destination.

The rows are written in the transaction that marks their push as delivered. From there on a row is told at least once,
and once in effect: a destination writes what it does and `note` in one transaction, which fails where another worker
has taken the row over. Whoever works on a row has claimed it until `next_attempt_at`; then its worker counts as dead.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F, Max, QuerySet
from django.utils import timezone

from codeservices import work
from codeservices.errors import Conflict, NotFound, ServiceError
from codeservices.iam.principal import Principal
from repos.access import repository_for
from repos.git import refs
from repos.git.refs import RefCommand
from repos.models import (
    Push,
    Repository,
    Trigger,
    TriggerDelivery,
    TriggerDeliveryCause,
    TriggerDeliveryState,
)
from repos.triggers import destinations, events
from repos.triggers.events import Origin, Reference

logger = logging.getLogger(__name__)

RUN_TASK = "repos.tasks.run_trigger_delivery"
READ, FIRE = "codecommit:GetRepositoryTriggers", "codecommit:TestRepositoryTriggers"
# A claim is good for so long; what destinations do is a few rows in the database.
CLAIM = timedelta(minutes=2)
# How long after each failure that may pass it is tried again: a broker or database that restarts, or a night without.
RETRY_DELAYS = [timedelta(seconds=seconds) for seconds in (10, 30, 120, 600, 1800, 2 * 3600, 6 * 3600, 12 * 3600)]
MAX_ATTEMPTS = len(RETRY_DELAYS) + 1
# The worker that was woken for a row has this long before the sweep takes it.
GRACE = timedelta(seconds=10)
MAX_ERROR = 1000


class DeliveryLost(Exception):
    """Another worker has taken the row over: what this one was about to write is undone."""


# ---- write ---------------------------------------------------------------------------------------------------------


def record(push: Push, commands: Sequence[RefCommand]) -> list[TriggerDelivery]:
    """Write the rows of a push and wake a worker for each once they are committed; the caller holds a transaction."""
    repository = push.repository
    rows: list[TriggerDelivery] = []
    for trigger in repository.triggers.all():
        told = events.references(commands, trigger.events, trigger.branches)
        if told:
            rows += _rows(repository, trigger, told, push=push)
    _save(rows)
    return rows


def send_sample(principal: Principal, repository: Repository, trigger: Trigger) -> TriggerDelivery:
    """Tell a trigger's destination of the repository's newest commit, now and once; what came of it.

    Args:
        principal: Who asks; the caller has authorized it for the destination.
        trigger: May be one that is not stored.
    """
    [row] = _rows(repository, trigger, [_sample(repository, trigger)], requested_by=principal)
    row.save()
    return run(row.pk) or row


def redeliver(principal: Principal, repository_name: str, trigger_name: str, delivery_id: str) -> TriggerDelivery:
    """Send a delivery's event once more, under its old event id, to the same destination.

    Raises:
        AccessDenied: Of codecommit:TestRepositoryTriggers.
        NotFound: There is no such delivery of that trigger.
        Conflict: It is still being tried, or the trigger is gone or tells somebody else by now.
    """
    repository = repository_for(principal, FIRE, repository_name)
    old = _delivery(repository, trigger_name, delivery_id)
    if old.is_waiting:
        raise Conflict("This delivery is still being tried.", hint="Wait until it has ended.")
    if not repository.triggers.filter(name=trigger_name, destination_arn=old.destination_arn).exists():
        raise Conflict(
            f"{trigger_name} does not tell {old.destination_arn} any more, so nothing is sent there.",
            hint="The event stays readable here.",
        )
    with transaction.atomic():
        row = TriggerDelivery(
            repository=repository,
            trigger_name=trigger_name,
            cause=TriggerDeliveryCause.REDELIVERY,
            push=old.push,
            redelivery_of=old,
            requested_by=principal.arn,
            destination_arn=old.destination_arn,
            part=old.part,
            payload=old.payload,
        )
        _save([row])
    return row


def _rows(
    repository: Repository,
    trigger: Trigger,
    told: list[Reference],
    *,
    push: Push | None = None,
    requested_by: Principal | None = None,
) -> list[TriggerDelivery]:
    user_arn = push.principal_arn if push is not None else requested_by.arn if requested_by is not None else ""
    origin = Origin(
        region=settings.REGION,
        repository_arn=repository.arn,
        trigger_name=trigger.name,
        custom_data=trigger.custom_data,
        configuration_id=str(repository.trigger_configuration_id),
        user_arn=user_arn,
        at=(push.recorded_at if push is not None else None) or timezone.now(),
        event_name=events.REFERENCE_CHANGES if push is not None else events.TEST,
    )
    try:
        max_bytes = destinations.kind_of(trigger.destination_arn).max_event_bytes
    except NotFound:
        max_bytes = events.MAX_EVENT_BYTES
    return [
        TriggerDelivery(
            repository=repository,
            trigger_name=trigger.name,
            cause=TriggerDeliveryCause.PUSH if push is not None else TriggerDeliveryCause.TEST,
            push=push,
            requested_by=requested_by.arn if requested_by is not None else "",
            destination_arn=trigger.destination_arn,
            part=part,
            payload=payload,
        )
        for part, payload in enumerate(events.parts(origin, told, max_bytes=max_bytes), 1)
    ]


def _sample(repository: Repository, trigger: Trigger) -> Reference:
    """The newest commit of the first branch that the trigger watches and that exists, or of the default branch."""
    default = repository.default_branch
    for branch in [*trigger.branches, default]:
        oid = refs.tip(repository.git, refs.HEADS + branch) if branch else None
        if oid is not None:
            return events.sample(refs.HEADS + branch, oid)
    return events.sample(refs.HEADS + "main", refs.ZERO_OID)


def _save(rows: Sequence[TriggerDelivery]) -> None:
    for row in rows:
        row.save()
        transaction.on_commit(partial(work.wake, RUN_TASK, row.pk))


# ---- run -----------------------------------------------------------------------------------------------------------


def run(pk: int) -> TriggerDelivery | None:
    """Tell one row's destination; the row as it is then, or None where it is not to be told now."""
    delivery = _claim(pk)
    if delivery is None:
        return None
    try:
        destinations.kind_of(delivery.destination_arn).deliver(delivery)
    except DeliveryLost:
        logger.warning("trigger delivery %s was taken over from this worker", pk)
        return None
    except ServiceError as error:
        sentence = f"{error.message} {error.hint}".strip()
        _fail(delivery, sentence, may_pass=error.status >= 500 or error.status == 429)
    except Exception as error:  # the database, the broker or a defect of ours: all of them may pass
        logger.exception("trigger delivery %s", pk)
        _fail(delivery, f"An error of this server got in the way ({type(error).__name__}).", may_pass=True)
    else:
        errors = [one["error"] for one in delivery.results if "error" in one]
        _end(delivery, TriggerDeliveryState.FAILED if errors else TriggerDeliveryState.SUCCEEDED, " ".join(errors))
    delivery.refresh_from_db()
    return delivery


def note(delivery: TriggerDelivery, **result: Any) -> None:
    """Add to what has come of a delivery, once. Call it in the transaction of what it tells of.

    Raises:
        DeliveryLost: Another worker has taken the row over; let it through, so that the transaction is undone.
    """
    if result in delivery.results:
        return
    results = [*delivery.results, result]
    if not _mine(delivery).update(results=results):
        raise DeliveryLost
    delivery.results = results


def due() -> list[int]:
    """The keys of rows whose time has come and that no worker took, oldest first."""
    waiting = TriggerDelivery.objects.filter(
        state=TriggerDeliveryState.WAITING, next_attempt_at__lt=timezone.now() - GRACE
    )
    return list(waiting.order_by("next_attempt_at").values_list("pk", flat=True))


def prune(older_than: timedelta) -> int:
    """Remove the log of deliveries that have ended and are older; how many."""
    old = TriggerDelivery.objects.exclude(state=TriggerDeliveryState.WAITING)
    _, deleted = old.filter(created_at__lt=timezone.now() - older_than).delete()
    return deleted.get(TriggerDelivery._meta.label, 0)


def _claim(pk: int) -> TriggerDelivery | None:
    now = timezone.now()
    claimed = TriggerDelivery.objects.filter(
        pk=pk, state=TriggerDeliveryState.WAITING, next_attempt_at__lte=now
    ).update(attempt_count=F("attempt_count") + 1, next_attempt_at=now + CLAIM)
    if not claimed:
        return None
    delivery = TriggerDelivery.objects.select_related("push").get(pk=pk)
    # The foreign key's own manager, unlike Repository.objects, also knows deleted repositories.
    if delivery.attempt_count > MAX_ATTEMPTS:
        _end(delivery, TriggerDeliveryState.FAILED, "The server died whenever it tried this delivery.")
        return None
    return delivery


def _mine(delivery: TriggerDelivery) -> QuerySet[TriggerDelivery]:
    return TriggerDelivery.objects.filter(
        pk=delivery.pk, state=TriggerDeliveryState.WAITING, attempt_count=delivery.attempt_count
    )


def _fail(delivery: TriggerDelivery, sentence: str, *, may_pass: bool) -> None:
    if not may_pass or delivery.is_test:
        _end(delivery, TriggerDeliveryState.FAILED, sentence)
    elif delivery.attempt_count >= MAX_ATTEMPTS:
        _end(delivery, TriggerDeliveryState.FAILED, f"{sentence} It was tried {MAX_ATTEMPTS} times.")
    else:
        delay = RETRY_DELAYS[delivery.attempt_count - 1]
        _mine(delivery).update(error=sentence[:MAX_ERROR], next_attempt_at=timezone.now() + delay)


def _end(delivery: TriggerDelivery, state: str, sentence: str) -> None:
    _mine(delivery).update(state=state, error=sentence[:MAX_ERROR], ended_at=timezone.now())


# ---- look ----------------------------------------------------------------------------------------------------------


def deliveries_of(principal: Principal, repository_name: str, trigger_name: str) -> QuerySet[TriggerDelivery]:
    """What was sent under a trigger's name, newest first; of a trigger that is gone as well."""
    repository = repository_for(principal, READ, repository_name)
    return repository.trigger_deliveries.filter(trigger_name=trigger_name).select_related("push")


def delivery_of(principal: Principal, repository_name: str, trigger_name: str, delivery_id: str) -> TriggerDelivery:
    """One delivery of a trigger; raises NotFound."""
    return _delivery(repository_for(principal, READ, repository_name), trigger_name, delivery_id)


def latest(repository: Repository) -> dict[str, TriggerDelivery]:
    """The newest delivery of each trigger that has one, by the trigger's name; the caller has authorized."""
    newest = repository.trigger_deliveries.order_by().values("trigger_name").annotate(newest=Max("pk"))
    rows = TriggerDelivery.objects.filter(pk__in=[one["newest"] for one in newest])
    return {row.trigger_name: row for row in rows}


def find(delivery_id: str) -> TriggerDelivery | None:
    """The delivery with that id, in any repository; decides nothing."""
    try:
        known = uuid.UUID(delivery_id)
    except ValueError:
        return None
    rows = TriggerDelivery.objects.select_related("repository", "push", "redelivery_of")
    return rows.filter(delivery_id=known).first()


def _delivery(repository: Repository, trigger_name: str, delivery_id: str) -> TriggerDelivery:
    row = find(delivery_id)
    if row is None or (row.repository, row.trigger_name) != (repository, trigger_name):
        raise NotFound(f"{trigger_name} has no such delivery. Old ones are removed after a while.")
    return row
