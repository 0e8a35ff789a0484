"""How long events are kept. The only way that an event leaves the trail, and it leaves a checkpoint behind."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from codeservices.audit import chain, trail
from codeservices.audit.acts import RequestInfo
from codeservices.audit.models import Checkpoint, Event, Trail
from codeservices.audit.record import act
from codeservices.iam.principal import Principal

SERVICE = "cloudtrail.amazonaws.com"
# One transaction's worth: nobody else writes to SQLite meanwhile.
BATCH = 2000


def prune(days: int) -> int:
    """Remove the events older than so many days, oldest first, as far as no trail waits for them; how many.

    The removal is an act of the server's own and in the trail like every other.
    """
    cutoff = timezone.now() - timedelta(days=days)
    count, last = 0, 0
    while (moved := _prune_batch(cutoff)) is not None:
        count, last = count + moved[0], moved[1]
    if count:
        principal = Principal("service", SERVICE, settings.ACCOUNT_ID, "", "retention")
        with act(principal, RequestInfo(str(uuid.uuid4()), SERVICE, SERVICE, "worker", is_secure=True)) as current:
            current.event_name, current.event_source, current.event_type = "PruneEvents", SERVICE, "AwsServiceEvent"
            current.parameters.update(days=days)
            current.additional.update(removedEvents=count, lastRemovedSequence=last)
    return count


def _prune_batch(cutoff: datetime) -> tuple[int, int] | None:
    with transaction.atomic():
        head = trail.locked_head()
        oldest = trail.rows().filter(sequence__isnull=False).order_by("sequence")
        batch = list(oldest.values_list("sequence", "event_time", "chain_hash")[:BATCH])
        limit = min(_delivered(), head.sequence)
        # A row goes only with all before it, so that what stays is one chain.
        gone, last, chain_hash = 0, 0, ""
        for sequence, moment, one_hash in batch:
            if sequence is None or sequence > limit or moment >= cutoff:
                break
            gone, last, chain_hash = gone + 1, sequence, one_hash
        if not gone:
            return None
        Checkpoint.objects.create(sequence=last, chain_hash=chain_hash, mac=chain.checkpoint_mac(last, chain_hash))
        Checkpoint.objects.filter(sequence__lt=last).delete()
        trail.rows().filter(sequence__lte=last)._raw_delete(Event.objects.db)
    return gone, last


def _delivered() -> int:
    """The last event for which no trail waits."""
    waiting = Trail.objects.filter(Q(is_logging=True) | Q(until_sequence__gt=F("delivered_sequence")))
    return min(waiting.values_list("delivered_sequence", flat=True), default=2**62)
