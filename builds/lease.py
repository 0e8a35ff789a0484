"""Whose work a build is. The worker whose token stands on the row, and nobody else, may write to the build.

Every change of a running build is a compare-and-set on that token: a worker that was thought dead and comes back finds
that nothing is its own any more.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from builds.models import Build, Status

REDIS_SECONDS = 2.0


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


def take(build_pk: int, *, owner: str, **conditions: Any) -> Build | None:
    """The build with a lease for `owner`, or None where the conditions do not hold (any more)."""
    rows = Build.objects.filter(pk=build_pk, status=Status.IN_PROGRESS, **conditions)
    if rows.update(lease_owner=owner, lease_expires_at=expiry()) != 1:
        return None
    return Build.objects.select_related("project").get(pk=build_pk)


def redis_client() -> Redis:
    """A client for a build's worker: short time-outs and no retries of its own, since its users have theirs."""
    return Redis.from_url(
        settings.REDIS_URL,
        socket_timeout=REDIS_SECONDS,
        socket_connect_timeout=REDIS_SECONDS,
        retry=Retry(NoBackoff(), 0),
    )


def stop_channel(build: Build) -> str:
    """The pub/sub channel that wakes a build's worker; what there is to do stands in the database."""
    return f"codeservices:wake:{build.uuid}"
