"""What builds and caches left in the object store goes when they go.

A row that is deleted, by whom and by what cascade ever, writes a Leftover in the same transaction; the sweep removes
the bytes. So do objects that a build has stored and that no row names yet, should its worker be killed. An object that
took the place of the one that was stored is somebody else's, and stays.
"""

from __future__ import annotations

import contextlib
import logging
from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.db.models.signals import post_delete

from builds.artifacts import manifest
from builds.caches import entries, local
from builds.models import Artifact, CacheEntry, Leftover, Status
from codeservices import storage, work
from codeservices.errors import NotFound
from codeservices.objects import services
from codeservices.objects.models import Bucket

logger = logging.getLogger(__name__)

# An artifact of single files whose worker was killed leaves as many as it has stored.
SWEPT_AT_ONCE = 10_000


def register() -> None:
    """Have deletions noticed."""
    post_delete.connect(_artifact_deleted, sender=Artifact, dispatch_uid="builds.retention.artifact")
    post_delete.connect(_cache_deleted, sender=CacheEntry, dispatch_uid="builds.retention.cache")


def sweep() -> int:
    """Remove what is left over, and caches beyond their bounds; how many of both."""
    count = entries.make_room()
    for leftover in due()[:SWEPT_AT_ONCE]:
        try:
            _remove(leftover)
        except OSError:  # the store is away; the next sweep tries again
            logger.exception("%s could not be removed", leftover)
            continue
        leftover.delete()
        count += 1
    return count


def due() -> QuerySet[Leftover]:
    """What is left over: what a build that runs is just storing is not."""
    return Leftover.objects.exclude(build__status=Status.IN_PROGRESS)


def _remove(leftover: Leftover) -> None:
    bucket = Bucket.objects.filter(name=leftover.bucket).first()
    if bucket is not None:
        with contextlib.suppress(NotFound):  # the bucket goes in this very moment, and all that was in it went before
            for key, modified_at in _objects(leftover):
                services.remove(bucket, key, modified_at=modified_at)
    if leftover.manifest_key:
        storage.delete(leftover.manifest_key)


def _objects(leftover: Leftover) -> list[tuple[str, datetime]]:
    """The keys of the objects, each with the time at which it was stored."""
    if leftover.object_modified_at is not None:
        return [(leftover.key, leftover.object_modified_at)]
    if not leftover.manifest_key:
        return []
    try:
        files = manifest.read(leftover.manifest_key)
    except FileNotFoundError:
        return []
    folder = f"{leftover.key}/" if leftover.key else ""
    return [(folder + one.path, datetime.fromisoformat(one.modified_at)) for one in files]


def _artifact_deleted(sender: type[Artifact], instance: Artifact, **kwargs: Any) -> None:
    Leftover.objects.create(
        bucket=instance.bucket,
        key=instance.key,
        object_modified_at=instance.object_modified_at,
        manifest_key=instance.manifest_key,
    )


def _cache_deleted(sender: type[CacheEntry], instance: CacheEntry, **kwargs: Any) -> None:
    if instance.bucket:
        Leftover.objects.create(
            bucket=instance.bucket, key=instance.key, object_modified_at=instance.object_modified_at
        )
    elif instance.host == work.host():
        local.remove(instance.key)  # on other machines their own sweep finds that no row names it
