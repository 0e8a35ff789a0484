"""Tries to sign in are counted, so that passwords and codes can't be found by trying.

The counters lie in the database: every process sees the same ones, and they hold while Redis is away. A try is counted
before the password is looked at and taken back when it was right, so tries that run at the same time all count.

A name and an address are counted apart. After LIMITS tries in a row that proved nobody, each one more costs a wait that
doubles. During a wait nothing is checked, not even a right password, and nothing is counted, so nobody prolongs a wait
by knocking. Success forgets the tries for the name, not those from the address.
"""

from __future__ import annotations

import ipaddress
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from codeservices.audit.acts import current_act
from codeservices.errors import ServiceError
from codeservices.iam import secrets
from codeservices.iam.authorize import authorize
from codeservices.iam.models import SignInCounter, User
from codeservices.iam.principal import Principal

NAME, ADDRESS = SignInCounter.Kind.NAME, SignInCounter.Kind.ADDRESS
# Many people may share an address behind a company's router; nobody shares a name.
LIMITS = {NAME: 5, ADDRESS: 30}
# Tries belong to one row as long as no more than this lies between them.
WINDOW = timedelta(minutes=15)
FIRST_WAIT = timedelta(minutes=1)
# Longer waits would help those who want to lock others out more than they hinder those who guess: 100 tries a day.
LONGEST_WAIT = timedelta(minutes=15)


class TooManyAttempts(ServiceError):
    """A name or an address has to wait; the same words whether the name exists or not."""

    code = "TooManyAttempts"
    status = 429

    def __init__(self, wait: timedelta, *, is_first: bool) -> None:
        self.wait_seconds = max(1, math.ceil(wait.total_seconds()))
        self.is_first = is_first
        minutes = math.ceil(self.wait_seconds / 60)
        unit = "minute" if minutes == 1 else "minutes"
        super().__init__(f"Too many attempts for this name or from this address. Try again in {minutes} {unit}.")


@dataclass(frozen=True)
class _Counted:
    pk: int
    kind: str
    lock_before: datetime | None
    lock_after: datetime | None


@dataclass(frozen=True)
class Attempt:
    """One try that was counted; not yet known to be right."""

    counted: tuple[_Counted, ...]

    def take_back(self) -> None:
        """The try was right: it is as if it had not been, and earlier ones stay counted."""
        with transaction.atomic():
            for one in self.counted:
                row = SignInCounter.objects.filter(pk=one.pk, count__gt=0)
                row.filter(locked_until=one.lock_after).update(locked_until=one.lock_before)
                row.update(count=F("count") - 1)

    def forget_name(self) -> None:
        """Somebody has signed in: nothing is held against the name any more."""
        self.take_back()
        SignInCounter.objects.filter(pk__in=[one.pk for one in self.counted if one.kind == NAME]).delete()


def begin(name: str, source_ip: str) -> Attempt:
    """Count one try, before it is looked at whether it is right.

    Args:
        name: A user name as it was typed.
        source_ip: The client's address; IPv6 counts by /64, which is what one customer is given.

    Raises:
        TooManyAttempts: The name or the address has to wait; then nothing is counted.
    """
    now = timezone.now()
    # In one order, so that two requests never wait for each other's row.
    subjects = ((ADDRESS, network_of(source_ip)), (NAME, subject_of(name)))
    with transaction.atomic():
        rows = [_locked_row(kind, subject, now) for kind, subject in subjects]
        locked = [row for row in rows if row.locked_until is not None and row.locked_until > now]
        if not locked:
            return Attempt(tuple(_count(row, now) for row in rows))
        waits = [row.locked_until - now for row in locked if row.locked_until is not None]
        is_first = not all(row.is_lock_recorded for row in locked)
        SignInCounter.objects.filter(pk__in=[row.pk for row in locked]).update(is_lock_recorded=True)
    raise TooManyAttempts(max(waits), is_first=is_first)


@contextmanager
def counted(user: User) -> Iterator[None]:
    """Count a try to prove, inside a session, that one is `user`; it stays counted when an error leaves the block."""
    act = current_act()
    attempt = begin(user.name, act.info.source_ip if act is not None else "")
    yield
    attempt.take_back()


def subject_of(name: str) -> str:
    """What a name is counted under: a user's own name whatever the case, or what was typed, hashed."""
    known = User.objects.filter(name__iexact=name).values_list("name", flat=True).first()
    return secrets.keyed_hash((known or name).casefold())


def network_of(source_ip: str) -> str:
    """What an address is counted under: itself, or its /64 for IPv6."""
    try:
        address = ipaddress.ip_address(source_ip.partition("%")[0])
    except ValueError:
        return source_ip[:64]
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is None:
            return str(ipaddress.ip_network((address, 64), strict=False))
        address = address.ipv4_mapped
    return str(address)


def locks() -> QuerySet[SignInCounter]:
    """Every wait that has not ended."""
    return SignInCounter.objects.filter(locked_until__gt=timezone.now()).order_by("-locked_until")


def lock_of(user: User) -> datetime | None:
    """Until when the user's name has to wait, or None."""
    row = locks().filter(kind=NAME, subject=subject_of(user.name)).first()
    return row.locked_until if row is not None else None


def lift(*, name: str | None = None, address: str | None = None) -> int:
    """Forget all tries for a name, from an address, or both; how many counters that were."""
    gone = 0
    if name is not None:
        gone += SignInCounter.objects.filter(kind=NAME, subject=subject_of(name)).delete()[0]
    if address is not None:
        gone += SignInCounter.objects.filter(kind=ADDRESS, subject=network_of(address)).delete()[0]
    return gone


def users_by_subject() -> dict[str, User]:
    """Each user under what its name is counted under, so that a counter can be shown with a name."""
    return {secrets.keyed_hash(user.name.casefold()): user for user in User.objects.all()}


def user_of(counter: SignInCounter) -> User | None:
    """The user whose name a counter counts; None for an address and for a name that is nobody's."""
    return users_by_subject().get(counter.subject) if counter.kind == NAME else None


def lift_counter(principal: Principal, counter: SignInCounter) -> None:
    """Forget the tries of one counter, for those who may change how its user signs in.

    A name that is nobody's and an address are for those who may do that to everybody.
    """
    user = user_of(counter)
    authorize(principal, "iam:UpdateLoginProfile", user.arn if user is not None else "*")
    counter.delete()


def remove_old() -> int:
    """Remove the counters that say nothing any more."""
    now = timezone.now()
    old = SignInCounter.objects.filter(counted_at__lt=now - WINDOW).exclude(locked_until__gt=now - WINDOW)
    return old.delete()[0]


def _locked_row(kind: str, subject: str, now: datetime) -> SignInCounter:
    while True:
        row = SignInCounter.objects.select_for_update().filter(kind=kind, subject=subject).first()
        if row is not None:
            return row
        # Somebody else may make it at the same time, and their success may remove it again before we have it.
        new = SignInCounter(kind=kind, subject=subject, counted_at=now)
        SignInCounter.objects.bulk_create([new], ignore_conflicts=True)


def _count(row: SignInCounter, now: datetime) -> _Counted:
    last = max(row.counted_at, row.locked_until or row.counted_at)
    if now - last > WINDOW:
        row.count, row.locked_until = 0, None
    before = row.locked_until
    row.count += 1
    row.counted_at = now
    excess = row.count - LIMITS[SignInCounter.Kind(row.kind)]
    if excess >= 0:
        # The exponent is bounded, since a date can't hold what it would grow to.
        row.locked_until = now + min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(excess, 10))
        row.is_lock_recorded = False
    row.save()
    return _Counted(row.pk, row.kind, before, row.locked_until)
