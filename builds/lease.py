"""Whose work a build is. The worker whose token stands on the row, and nobody else, may write to the build.

Every change of a running build is a compare-and-set on that token: a worker that was thought dead and comes back finds
that nothing is its own any more.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Q, QuerySet
from django.utils import timezone
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from builds.models import Build, Status

REDIS_SECONDS = 2.0
# How much longer a lease that has run out is left to its holder: several looks of a keeper (see keeper.py).
DOUBT_SHARE = 0.5


class LeaseLost(Exception):
    """The build is no longer this worker's: it was ended by another."""


def expiry() -> datetime:
    """When a lease that is taken or renewed now runs out."""
    return timezone.now() + timedelta(seconds=settings.LEASE_SECONDS)


def held(build: Build) -> QuerySet[Build]:
    """The row, as long as it is running and this object's owner holds it."""
    return Build.objects.filter(pk=build.pk, status=Status.IN_PROGRESS, lease_owner=build.lease_owner)


def change(build: Build, **fields: Any) -> None:
    """Set fields of a build that is held, on the row and on the object.

    Raises:
        LeaseLost: It isn't held any more; nothing was written.
    """
    if held(build).update(**fields) != 1:
        raise LeaseLost(f"{build} is no longer held by {build.lease_owner}")
    for name, value in fields.items():
        setattr(build, name, value)


def take(build_pk: int, *, owner: str, fields: Mapping[str, Any] | None = None, **conditions: Any) -> Build | None:
    """The build with a lease for `owner`, or None where the conditions do not hold (any more).

    Args:
        fields: What is set with it.
    """
    rows = Build.objects.filter(pk=build_pk, status=Status.IN_PROGRESS, **conditions)
    if rows.update(lease_owner=owner, lease_expires_at=expiry(), lease_doubted_at=None, **(fields or {})) != 1:
        return None
    return Build.objects.select_related("project").get(pk=build_pk)


def renew(build: Build) -> bool:
    """Hold the build for another LEASE_SECONDS; whether it still was this object's owner's."""
    return held(build).update(lease_expires_at=expiry(), lease_doubted_at=None) == 1


def is_odd(build: Build) -> bool:
    """Whether the lease is doubted, or its end is none that a renewal in time gives: the machine's clock was set."""
    if build.lease_doubted_at is not None:
        return True
    left = build.lease_expires_at - timezone.now() if build.lease_expires_at is not None else timedelta()
    return not timedelta(seconds=settings.LEASE_SECONDS / 3) < left < timedelta(seconds=settings.LEASE_SECONDS + 1)


def run_out() -> QuerySet[Build]:
    """The builds whose lease has run out, or ends later than any lease can: a clock was set back."""
    now = timezone.now()
    beyond = now + timedelta(seconds=2 * settings.LEASE_SECONDS)
    taken = Build.objects.filter(status=Status.IN_PROGRESS).exclude(lease_owner="")
    return taken.filter(Q(lease_expires_at__lt=now) | Q(lease_expires_at__gt=beyond))


def doubt(build: Build) -> None:
    """Give the holder of a lease that has run out a last chance: it runs out once more, and then for good."""
    now = timezone.now()
    same = held(build).filter(lease_expires_at=build.lease_expires_at)
    last = now + timedelta(seconds=DOUBT_SHARE * settings.LEASE_SECONDS)
    same.update(lease_doubted_at=now, lease_expires_at=last)


def redis_client() -> Redis:
    """A client for a build's worker: short time-outs and no retries of its own, since its users have theirs."""
    return Redis.from_url(
        settings.REDIS_URL,
        socket_timeout=REDIS_SECONDS,
        socket_connect_timeout=REDIS_SECONDS,
        retry=Retry(NoBackoff(), 0),
        driver_info=None,  # to tell the server its own version, it reads its package's metadata for each connection
    )


def stop_channel(build: Build) -> str:
    """The pub/sub channel that wakes a build's worker; what there is to do stands in the database."""
    return f"codeservices:wake:{build.uuid}"
