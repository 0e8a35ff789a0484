"""Is the trail as it was written? A walk along the chain finds the first event that was changed, removed or added."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.conf import settings
from django.db.models import Max, Subquery

from codeservices.audit import chain, drain, trail
from codeservices.audit.models import ChainHead, Checkpoint, Event
from codeservices.audit.trail import Head

BATCH = 1000


@dataclass(frozen=True)
class Fault:
    """Where the chain does not hold.

    Attributes:
        sequence: The first event that is concerned.
        kind: "changed", "missing", "added" or "head".
        sentence: What is wrong.
    """

    sequence: int
    kind: str
    sentence: str


@dataclass(frozen=True)
class Verdict:
    """What a walk found.

    Attributes:
        first, last: The sequences that were walked; last is below first where there was nothing to walk.
        count: Events found sound.
        fault: The first fault, or None.
    """

    first: int
    last: int
    count: int
    fault: Fault | None

    @property
    def sentence(self) -> str:
        """The verdict in one sentence, for a page and for the shell."""
        if self.fault is not None:
            return f"The audit trail is broken at event {self.fault.sequence}: {self.fault.sentence}"
        if not self.count:
            return "0 events: the audit trail is empty."
        return f"{self.count} events are sound, from {self.first} to {self.last}."


class Unknown(ValueError):
    """There is no such place in the trail to begin at."""


def verify(*, first: int | None = None, newest: int | None = None) -> Verdict:
    """Walk the chain to its head.

    Args:
        first: The sequence to begin with; by default the first event that is kept. The event before it is believed.
        newest: Walk only so many of the newest events.

    Raises:
        Unknown: `first` lies outside of the trail.
    """
    drain.drain()
    head = _head()
    start, fault = _start()
    if fault is not None:
        return Verdict(fault.sequence, fault.sequence - 1, 0, fault)
    if newest is not None:
        first = max(start.sequence + 1, head.sequence - newest + 1)
    if first is not None and first != start.sequence + 1:
        start = _believed(first, start, head)
    count, place = 0, start
    for row in _walk(start.sequence, head.sequence):
        fault = _check(row, place)
        if fault is not None:
            return Verdict(start.sequence + 1, place.sequence, count, fault)
        count += 1
        place = Head(place.sequence + 1, row.chain_hash)
    fault = _check_end(place, head) or _check_file(start) or _check_strangers()
    return Verdict(start.sequence + 1, place.sequence, count, fault)


def _head() -> Head:
    row = ChainHead.objects.filter(pk=1).first()
    return Head(row.sequence, row.chain_hash) if row is not None else Head(0, chain.GENESIS)


def _start() -> tuple[Head, Fault | None]:
    """Where the chain begins: nowhere, or behind the last event that retention has removed."""
    last = Checkpoint.objects.order_by("-sequence").first()
    if last is None:
        return Head(0, chain.GENESIS), None
    if last.mac != chain.checkpoint_mac(last.sequence, last.chain_hash):
        sentence = "the checkpoint that says what retention has removed is not ours."
        return Head(0, chain.GENESIS), Fault(last.sequence, "changed", sentence)
    return Head(last.sequence, last.chain_hash), None


def _believed(first: int, start: Head, head: Head) -> Head:
    before = trail.rows().filter(sequence=first - 1).values_list("chain_hash", flat=True).first()
    if before is None or not start.sequence < first <= head.sequence:
        raise Unknown(
            f"The trail holds the events {start.sequence + 1} to {head.sequence}; {first} is none to begin with."
        )
    return Head(first - 1, before)


def _walk(after: int, last: int) -> Iterator[Event]:
    while after < last:
        batch = list(trail.rows().filter(sequence__gt=after, sequence__lte=last).order_by("sequence")[:BATCH])
        if not batch:
            return
        yield from batch
        after = batch[-1].sequence or last


def _check(row: Event, place: Head) -> Fault | None:
    expected = place.sequence + 1
    if row.sequence != expected:
        return Fault(expected, "missing", f"it is missing; the next one there is {row.sequence}.")
    if row.chain_hash != chain.next_hash(place.chain_hash, chain.of_row(row)):
        return Fault(expected, "changed", "it was changed, or put there by somebody else.")
    return None


def _check_end(place: Head, head: Head) -> Fault | None:
    if place.sequence < head.sequence:
        return Fault(place.sequence + 1, "missing", f"it is missing; the trail's head is event {head.sequence}.")
    if place.sequence == head.sequence and place.chain_hash != head.chain_hash:
        return Fault(head.sequence, "head", "the trail's head has another hash than the last event.")
    return None


def _check_file(start: Head) -> Fault | None:
    """The head's file may be behind the database for a moment, and never ahead of it."""
    path = trail.head_path().relative_to(settings.VAR)
    try:
        known = trail.read_head_file()
    except ValueError:
        return Fault(0, "head", f"{path} can't be read.")
    if known is None or known.sequence <= start.sequence:
        return None
    kept = trail.rows().filter(sequence=known.sequence).values_list("chain_hash", flat=True).first()
    if kept is None:
        last = trail.rows().aggregate(last=Max("sequence"))["last"] or start.sequence
        return Fault(last + 1, "missing", f"it is missing; {path} knows events up to {known.sequence}.")
    if kept != known.chain_hash:
        return Fault(known.sequence, "head", f"it is another one than {path} remembers.")
    return None


def _check_strangers() -> Fault | None:
    """Rows that are no part of the chain: behind its head, before its beginning, or without a place."""
    head = ChainHead.objects.filter(pk=1).values("sequence")[:1]
    stranger = trail.rows().filter(sequence__gt=Subquery(head)).order_by("sequence").first()
    if stranger is None:
        stranger = trail.rows().filter(sequence__lt=1).order_by("sequence").first()
    if stranger is None:
        stranger = trail.rows().filter(sequence__isnull=True).order_by("pk").first()
    if stranger is None:
        return None
    return Fault(
        stranger.sequence or 0, "added", f"{stranger.event_name} ({stranger.event_id}) was added by somebody else."
    )
