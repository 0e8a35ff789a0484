"""Trails' files: gzip of {"Records": […]} in the object store, each event in exactly one file of each trail.

Where a file ends is fixed in the trail's row first; then the file is written, under a name and with bytes that follow
from its bounds alone; then the trail moves on by compare-and-set. Whatever dies in between, and however many write, the
next attempt writes the same file over itself.

Source: AWS CloudTrail User Guide, "CloudTrail log file names" and "CloudTrail log file examples".
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import logging

from django.conf import settings
from django.db.models import F, Q
from django.utils import timezone

from codeservices.audit import cloudtrail, drain, trail
from codeservices.audit.cloudtrail import is_data_event
from codeservices.audit.models import ChainHead, Event, Trail
from codeservices.objects import services

logger = logging.getLogger(__name__)

# A file of some megabytes before compression.
MAX_RECORDS = 5000
GLOBAL_SOURCES = ("iam.amazonaws.com", "sts.amazonaws.com")


def deliver_all() -> int:
    """Deliver every trail that has something to deliver; how many files. One that fails holds up no other."""
    drain.drain()
    waiting = Trail.objects.filter(Q(is_logging=True) | Q(until_sequence__gt=F("delivered_sequence")))
    return sum(deliver(one) for one in waiting)


def deliver(one: Trail) -> int:
    """Write the files that a trail lacks; how many. What goes wrong is told in its status."""
    count = 0
    try:
        while (last := _bound(one)) is not None:
            count += _write(one, last)
            _move_on(one, last)
    except Exception as error:
        # The store is a disk, or somebody's S3: whatever it raises is the trail's status, and tried again.
        logger.exception("the trail %s can't deliver", one.name)
        told = f"{type(error).__name__}: {error}"[:512]
        Trail.objects.filter(pk=one.pk).update(latest_attempt_at=timezone.now(), latest_error=told)
    return count


def _bound(one: Trail) -> int | None:
    """The last event of the next file, fixed in the row; None where there is nothing to deliver."""
    one.refresh_from_db()
    if one.writing_sequence is not None:
        return one.writing_sequence
    head = ChainHead.objects.filter(pk=1).first()
    last = head.sequence if head is not None else 0
    if not one.is_logging:
        last = min(last, one.until_sequence or 0)
    if last <= one.delivered_sequence:
        return None
    last = min(last, one.delivered_sequence + MAX_RECORDS)
    Trail.objects.filter(
        pk=one.pk, delivered_sequence=one.delivered_sequence, writing_sequence=None, is_logging=one.is_logging
    ).update(writing_sequence=last)
    one.refresh_from_db()
    return one.writing_sequence


def _write(one: Trail, last: int) -> int:
    events = list(trail.rows().filter(sequence__gt=one.delivered_sequence, sequence__lte=last).order_by("sequence"))
    chosen = [event for event in events if _is_chosen(one, event)]
    if not chosen:
        return 0
    body = json.dumps(
        {"Records": [cloudtrail.record(event) for event in chosen]}, separators=(",", ":"), ensure_ascii=False
    )
    services.store(
        services.ensure_bucket(one.s3_bucket_name),
        _key(one, chosen[0]),
        io.BytesIO(gzip.compress(body.encode(), mtime=0)),
        services.About("application/json", {"content-encoding": "gzip"}),
    )
    return 1


def _is_chosen(one: Trail, event: Event) -> bool:
    if not one.include_management_events or event.event_source in one.excluded_sources:
        return False
    if is_data_event(event):
        return False
    if not one.include_global_service_events and event.event_source in GLOBAL_SOURCES:
        return False
    return one.read_write_type == "All" or (one.read_write_type == "ReadOnly") == event.is_read_only


def _key(one: Trail, first: Event) -> str:
    """The file's key in the bucket, which its first event decides."""
    unique = hashlib.sha256(f"{one.pk} {one.name} {first.sequence} {first.chain_hash}".encode()).hexdigest()[:16]
    at = first.event_time
    stamp = f"{settings.ACCOUNT_ID}_CloudTrail_{settings.REGION}_{at:%Y%m%dT%H%MZ}_{unique}"
    return f"{one.key_prefix}/{at:%Y/%m/%d}/{stamp}.json.gz"


def _move_on(one: Trail, last: int) -> None:
    now = timezone.now()
    Trail.objects.filter(pk=one.pk, delivered_sequence=one.delivered_sequence, writing_sequence=last).update(
        delivered_sequence=last, writing_sequence=None, latest_delivery_at=now, latest_attempt_at=now, latest_error=""
    )
