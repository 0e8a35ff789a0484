"""The rows that tell what is cached: find, keep, forget, and make room."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet, Sum
from django.utils import timezone

from builds.access import project_for
from builds.caches import local
from builds.caches.scopes import Owner
from builds.models import CacheEntry, Project
from codeservices import work
from codeservices.iam.principal import Principal

logger = logging.getLogger(__name__)


def find(scopes: Sequence[str], version: str, key: str, fallback_keys: Sequence[str] = ()) -> CacheEntry | None:
    """The cache that a build begins with.

    Args:
        scopes: In the order in which they are looked at.
        key: The exact key goes before all others; "" is the cache without a key.
        fallback_keys: Beginnings of keys, in order; of several caches the newest.
    """
    for scope in scopes:
        exact = CacheEntry.objects.filter(scope=scope, version=version, cache_key=key).first()
        if exact is not None:
            return exact
    if not key:
        return None
    for beginning in filter(None, fallback_keys):
        for scope in scopes:
            rows = CacheEntry.objects.filter(scope=scope, version=version).order_by("-created_at", "-pk")
            # Not asked of the database, which may take large and small letters for the same.
            found = next((one for one in rows if one.cache_key.startswith(beginning)), None)
            if found is not None:
                return found
    return None


def keep(**fields: Any) -> bool:
    """Add a cache. One with a key never changes: False where another build was first, and nothing is added then."""
    where = {name: fields[name] for name in ("scope", "version", "cache_key")}
    try:
        with transaction.atomic():
            if not fields["cache_key"]:
                for old in CacheEntry.objects.select_for_update().filter(**where):
                    old.delete()
            CacheEntry.objects.create(**fields)
    except IntegrityError:
        return False
    return True


def touch(entry: CacheEntry) -> None:
    """A build has begun with it."""
    CacheEntry.objects.filter(pk=entry.pk).update(used_at=timezone.now())


def invalidate(principal: Principal, project_name: str) -> int:
    """Forget what is cached for a project, and what builds that run now would leave; how many caches.

    Caches of a namespace that it shares go too: what is wrong with them is wrong for all.

    Raises:
        AccessDenied: Of codebuild:InvalidateProjectCache on the project.
        NotFound: There is no such project.
    """
    project = project_for(principal, "codebuild:InvalidateProjectCache", project_name)
    with transaction.atomic():
        Project.objects.filter(pk=project.pk).update(cache_invalidated_at=timezone.now())
        rows = of_project(project)
        count = len(rows)
        for row in rows:
            row.delete()
    logger.info("%s caches of %s invalidated", count, project_name)
    return count


def of_project(project: Project) -> list[CacheEntry]:
    """What the project's builds have cached, and what they share with others, newest first."""
    wanted = Q(project=project)
    owner = Owner(project.pk, project.cache.get("cacheNamespace", ""), project.cache.get("location", "").strip("/"))
    if owner.namespace:
        wanted |= Q(namespace=owner.namespace, bucket=owner.place.partition("/")[0])
    # One of the same namespace under another prefix of the bucket is not shared, and so not this project's to forget.
    return [
        one
        for one in CacheEntry.objects.filter(wanted)
        if one.project_id == project.pk or one.scope == owner.scope(one.refname)
    ]


def make_room() -> int:
    """Remove caches that nobody used for long or that take too much room, those unused for longest first; how many."""
    horizon = timezone.now() - timedelta(days=settings.CACHE_DAYS)
    nobodys = Q(project=None, namespace="")
    count = _remove(CacheEntry.objects.filter(nobodys | Q(used_at__lt=horizon)))
    totals = CacheEntry.objects.exclude(bucket="").values("project").annotate(total=Sum("size_bytes")).order_by()
    for row in totals.filter(total__gt=settings.CACHE_PROJECT_BYTES):
        owned = CacheEntry.objects.exclude(bucket="").filter(project=row["project"])
        count += _shrink(owned, row["total"], settings.CACHE_PROJECT_BYTES)
    return count + make_room_here()


def make_room_here() -> int:
    """The same for this worker's disk; files that no row names go as well."""
    rows = CacheEntry.objects.filter(bucket="", host=work.host())
    total = rows.aggregate(total=Sum("size_bytes"))["total"] or 0
    count = _shrink(rows, total, settings.LOCAL_CACHE_BYTES)
    local.remove_orphans(set(rows.values_list("key", flat=True)))
    return count


def _shrink(rows: QuerySet[CacheEntry], total: int, limit: int) -> int:
    count = 0
    for row in rows.order_by("used_at", "pk"):
        if total <= limit:
            break
        total -= row.size_bytes
        row.delete()
        count += 1
    return count


def _remove(rows: QuerySet[CacheEntry]) -> int:
    found = list(rows)
    for row in found:
        row.delete()
    return len(found)
