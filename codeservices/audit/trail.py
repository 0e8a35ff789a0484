"""The one writer of the trail's rows: it gives each event its place in the chain, and keeps the head twice.

The head is a row in the database and a file beside it, `var/audit/head.json`. The file is written after the row, so it
is never ahead of it: a trail whose end was cut off is behind its file.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import models, transaction
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from codeservices.audit import chain
from codeservices.audit.models import ChainHead, Event

logger = logging.getLogger(__name__)

# While an upgrade restarts one process after the other, code from before the chain still writes rows of its own.
ADOPTION = timedelta(minutes=10)


@dataclass(frozen=True)
class Head:
    """The last event of a chain: its sequence, 0 for none, and its hash."""

    sequence: int
    chain_hash: str


def rows() -> models.QuerySet[Event]:
    """The events as a plain query set, which can write. For this package alone: `Event.objects` refuses."""
    return models.QuerySet(Event)


def locked_head() -> ChainHead:
    """The chain's head, locked until the transaction ends. SQLite's transactions lock as they begin."""
    head = ChainHead.objects.select_for_update().filter(pk=1).first()
    if head is None:
        ChainHead.objects.get_or_create(pk=1, defaults={"chain_hash": chain.GENESIS})
        head = ChainHead.objects.select_for_update().get(pk=1)
    return head


def add(head: ChainHead, events: Iterable[dict[str, Any]]) -> int:
    """Store events behind the locked head, and move it; how many. One that is stored already is left out."""
    events = list(events)
    if head.created_at > timezone.now() - ADOPTION:
        adopt(head, rows())
    if not events:
        return 0
    known = {
        str(one)
        for one in rows().filter(event_id__in=[one["event_id"] for one in events]).values_list("event_id", flat=True)
    }
    made = []
    for members in events:
        if members["event_id"] in known:
            continue
        head.sequence += 1
        members = members | {"sequence": head.sequence}
        head.chain_hash = chain.next_hash(head.chain_hash, members)
        values = members | {
            "event_time": parse_datetime(members["event_time"]),
            "event_id": uuid.UUID(members["event_id"]),
        }
        made.append(Event(**values, chain_hash=head.chain_hash))
    if made:
        rows().bulk_create(made)
        _save(head)
    return len(made)


def adopt(head: Any, events: Any, batch: int = 2000) -> int:
    """Chain the rows that were written without a place, in their order; how many. Migrations call it with theirs."""
    count = 0
    table = events.model
    while waiting := list(events.filter(sequence__isnull=True).order_by("pk")[:batch]):
        for row in waiting:
            head.sequence += 1
            row.sequence = head.sequence
            head.chain_hash = row.chain_hash = chain.next_hash(head.chain_hash, chain.of_row(row))
        changes = [(row.sequence, row.chain_hash, row.pk) for row in waiting]
        with transaction.get_connection().cursor() as cursor:
            cursor.executemany(
                f"UPDATE {table._meta.db_table} SET sequence = %s, chain_hash = %s WHERE id = %s",  # noqa: S608
                changes,
            )
        count += len(waiting)
    if count:
        head.save(update_fields=["sequence", "chain_hash"])
    return count


def _save(head: ChainHead) -> None:
    head.save(update_fields=["sequence", "chain_hash"])
    transaction.on_commit(partial(write_head_file, Head(head.sequence, head.chain_hash)))


# ---- the head's file -------------------------------------------------------------------------------------------------


def head_path() -> Path:
    """The file that holds the chain's head a second time."""
    return Path(settings.AUDIT_ROOT) / "head.json"


def read_head_file() -> Head | None:
    """What the file says, or None where it is missing; raises ValueError where it holds something else."""
    try:
        body = json.loads(head_path().read_text())
        return Head(int(body["sequence"]), str(body["chain_hash"]))
    except FileNotFoundError:
        return None
    except (KeyError, TypeError) as error:
        raise ValueError(f"{head_path()} holds no head.") from error


def write_head_file(head: Head, *, is_forced: bool = False) -> None:
    """Write the file where `head` is ahead of it; the file of a trail that was cut off is left as the proof it is."""
    path = head_path()
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = os.open(path.with_name(".head.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not is_forced and not _follows(head):
            return
        draft = path.with_name(".head.new")
        draft.write_text(json.dumps({"sequence": head.sequence, "chain_hash": head.chain_hash}) + "\n")
        draft.chmod(0o600)
        draft.replace(path)
    finally:
        os.close(lock)


def accept_head() -> Head:
    """Take the database's head for the true one, whatever the file says; gives that head."""
    with transaction.atomic():
        row = locked_head()
        head = Head(row.sequence, row.chain_hash)
        write_head_file(head, is_forced=True)
    return head


def _follows(head: Head) -> bool:
    try:
        known = read_head_file()
    except ValueError:
        return False
    if known is None:
        return True
    if known.sequence >= head.sequence:
        return False
    if known.sequence == 0:
        return True
    kept = rows().filter(sequence=known.sequence).values_list("chain_hash", flat=True).first()
    # An event that retention has removed meanwhile can't be compared; the chain behind it can.
    if kept is None and rows().filter(sequence__lt=known.sequence).exists():
        return False
    if kept is not None and kept != known.chain_hash:
        logger.error("the audit trail does not hold event %s as head.json has it", known.sequence)
        return False
    return True
