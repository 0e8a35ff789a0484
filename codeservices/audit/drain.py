"""From the spool into the database, in batches: rows, chain and the place in the file move in one transaction.

Whoever drains holds the chain's head, so there is one at a time on one database. Where a process dies, the transaction
is there or it is not, and the next one goes on from the place that the database knows.
"""

from __future__ import annotations

import json
import logging
import threading
import uuid
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import DatabaseError, DataError, IntegrityError, connections, transaction
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from codeservices.audit import spool, trail
from codeservices.audit.models import ChainHead, OpenAct, Outcome, SpoolOffset
from codeservices.audit.spool import Segment

logger = logging.getLogger(__name__)

# About a thousand events a transaction: it lasts some ten milliseconds, during which nobody else writes to SQLite.
BATCH_BYTES = 1024 * 1024
# So long a drainer gathers after the first event, that a busy server has fewer transactions.
GATHER_SECONDS = 0.05
# And so long it rests after a round, which costs as much as a page. Whoever reads the trail drains before.
REST_SECONDS = 1.0
RETRY_SECONDS = 1.0
# An act whose end nobody has told for so long has none: neither pushes nor requests last as long.
OPEN_ACT_AGE = timedelta(days=2)
PROCESS_ENDED = "ProcessEnded"
# What a line raises that is at fault itself. A database that is away, locked or not migrated yet is another matter.
UNSTORABLE = (DataError, IntegrityError, ValidationError, ValueError, TypeError, KeyError)


def drain() -> int:
    """Store every whole line of every spool under this installation's var/; how many events came of it."""
    root = spool_root()
    dead = spool.dead_tokens(root)
    found = spool.segments(root)
    if not found and not dead:
        return 0
    offsets = dict(SpoolOffset.objects.values_list("name", "offset_bytes"))
    count = 0
    for segment in found:
        count += _drain_segment(segment, offsets.get(segment.name, 0))
    for token in dead:
        count += _end_open_acts(token)
    if not transaction.get_connection().in_atomic_block:
        _remove_drained(root, found, dead)
    return count


def backlog_bytes() -> int:
    """How much of the spool is not in the database yet."""
    offsets = dict(SpoolOffset.objects.values_list("name", "offset_bytes"))
    return sum(max(0, one.size_bytes() - offsets.get(one.name, 0)) for one in spool.segments(spool_root()))


def end_forgotten_acts() -> int:
    """End the begun acts of which nobody knows the end any more; how many. For the clock."""
    with transaction.atomic():
        head = trail.locked_head()
        forgotten = OpenAct.objects.filter(begun_at__lt=timezone.now() - OPEN_ACT_AGE)
        return _end(head, list(forgotten.order_by("pk")))


def spool_root() -> Path:
    """The folder of this installation's spools."""
    return Path(settings.AUDIT_ROOT) / "spool"


# ---- one batch -------------------------------------------------------------------------------------------------------


def _drain_segment(segment: Segment, offset: int) -> int:
    count = 0
    max_bytes = BATCH_BYTES
    while segment.size_bytes() > offset:
        try:
            moved, offset = _move(segment, max_bytes)
        except UNSTORABLE as error:
            if max_bytes == 1:
                offset = _set_aside(segment, error)
            max_bytes = 1  # one line at a time finds the one that no database takes
            continue
        if moved is None:
            break
        count += moved
    return count


def _move(segment: Segment, max_bytes: int) -> tuple[int | None, int]:
    """One batch: (how many events, or None where no whole line is left; the new offset)."""
    with transaction.atomic():
        head = trail.locked_head()
        place, _ = SpoolOffset.objects.get_or_create(name=segment.name)
        lines = segment.lines(place.offset_bytes, max_bytes)
        if max_bytes == 1:
            lines = lines[:1]
        if not lines:
            return None, place.offset_bytes
        count = _store(head, segment.token, lines)
        place.offset_bytes += sum(map(len, lines))
        place.save(update_fields=["offset_bytes"])
    return count, place.offset_bytes


def _store(head: ChainHead, token: str, lines: Sequence[bytes]) -> int:
    begun: dict[str, dict[str, Any]] = {}
    ended: dict[str, dict[str, Any]] = {}
    over: list[str] = []
    for line in lines:
        body = json.loads(line)
        members = body["event"]
        event_id = members["event_id"]
        if body["kind"] in ("begun", "deferred"):
            begun[event_id] = body
            continue
        if begun.pop(event_id, None) is None:
            over.append(event_id)
        if body["kind"] == "ended":
            ended[event_id] = members
    if over:
        OpenAct.objects.filter(event_id__in=over).delete()
    OpenAct.objects.bulk_create(
        OpenAct(
            event_id=uuid.UUID(event_id),
            token=token,
            members=body["event"],
            is_deferred=body["kind"] == "deferred",
            begun_at=parse_datetime(body["event"]["event_time"]) or timezone.now(),
        )
        for event_id, body in begun.items()
    )
    return trail.add(head, ended.values())


def _set_aside(segment: Segment, error: Exception) -> int:
    """Keep a line that no database takes in a file of its own, and go on behind it."""
    with transaction.atomic():
        trail.locked_head()
        place, _ = SpoolOffset.objects.get_or_create(name=segment.name)
        line = segment.lines(place.offset_bytes, 1)[0]
        with (Path(settings.AUDIT_ROOT) / "rejected.jsonl").open("ab") as file:
            file.write(line)
        place.offset_bytes += len(line)
        place.save(update_fields=["offset_bytes"])
    logger.error("an event that can't be stored was put into rejected.jsonl: %s", error)
    return place.offset_bytes


def _end_open_acts(token: str) -> int:
    """Turn what a dead process had begun into events; deferred acts are left to those who know how they ended."""
    left = OpenAct.objects.filter(token=token, is_deferred=False)
    if not left.exists():
        return 0
    with transaction.atomic():
        head = trail.locked_head()
        return _end(head, list(left.order_by("pk")))


def _end(head: ChainHead, acts: list[OpenAct]) -> int:
    count = trail.add(head, [process_ended(one.members) for one in acts])
    OpenAct.objects.filter(pk__in=[one.pk for one in acts]).delete()
    return count


def process_ended(members: dict[str, Any]) -> dict[str, Any]:
    """The event of an act whose end was not told."""
    sentence = "The server process that did this ended in the middle: how it ended is not known, its effects may stand."
    return members | {
        "outcome": Outcome.FAILED,
        "is_notable": True,
        "error_code": PROCESS_ENDED,
        "error_message": sentence,
        "response_elements": None,
    }


def _remove_drained(root: Path, found: Sequence[Segment], dead: set[str]) -> None:
    """Remove what is in the database whole: segments that nobody appends to any more, then their owner's trace."""
    last = {one.token: one.number for one in found}
    offsets = dict(SpoolOffset.objects.filter(name__in=[one.name for one in found]).values_list("name", "offset_bytes"))
    removed, kept = [], set()
    for segment in found:
        is_final = segment.token in dead or segment.number < last[segment.token]
        # Of a dead owner's last segment the end may be a line that was never written whole, and so never promised.
        whole = sum(map(len, segment.lines(offsets.get(segment.name, 0), BATCH_BYTES))) if is_final else 1
        if is_final and not whole:
            spool.remove_segment(segment)
            removed.append(segment.name)
        else:
            kept.add(segment.token)
    if removed:
        SpoolOffset.objects.filter(name__in=removed).delete()
    for token in dead - kept:
        spool.remove_owner(root, token)


# ---- in the background -----------------------------------------------------------------------------------------------


class Drainer:
    """A thread that drains soon after each event. Processes that live long start one; others drain at once."""

    def __init__(self) -> None:
        self.last_failure = ""
        self._wanted = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="audit-drainer", daemon=True)

    def start(self) -> None:
        """Begin, with what processes before us left."""
        self._wanted.set()  # what processes before us left
        self._thread.start()

    def wake(self) -> None:
        """There is something to drain."""
        self._wanted.set()

    def stop(self) -> None:
        """Drain what there is and end."""
        self._stopping.set()
        self._wanted.set()
        self._thread.join()

    def is_alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                self._wanted.wait()
                self._stopping.wait(GATHER_SECONDS)
                self._wanted.clear()
                if self._drain():
                    self._stopping.wait(REST_SECONDS)
                else:
                    self._stopping.wait(RETRY_SECONDS)
                    self._wanted.set()
            self._drain()
        finally:
            connections.close_all()

    def _drain(self) -> bool:
        try:
            drain()
        except Exception as error:
            # Whatever it is, the events are safe in the spool; a thread that dies would leave them there.
            self.last_failure = f"{type(error).__name__}: {error}"
            logger.exception("the audit spool could not be drained")
            connections.close_all()
            return False
        self.last_failure = ""
        return True


_drainer: Drainer | None = None


def start() -> None:
    """Drain in the background from now on, in this process."""
    global _drainer
    if _drainer is None or not _drainer.is_alive():
        _drainer = Drainer()
        _drainer.start()


def stop() -> None:
    """End the background thread once it has drained what there is."""
    global _drainer
    drainer, _drainer = _drainer, None
    if drainer is not None:
        drainer.stop()


def running() -> Drainer | None:
    """The background thread of this process, if it has one."""
    return _drainer


def soon() -> None:
    """There is something to drain: in the background where that runs, else now."""
    if _drainer is not None and _drainer.is_alive():
        _drainer.wake()
        return
    try:
        drain()
    except (DatabaseError, OSError) as error:
        logger.warning("an audit event waits in the spool: %s", error)
