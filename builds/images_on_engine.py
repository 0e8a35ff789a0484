"""The images that this installation brought to an engine, and their removal when nobody uses them any more.

Recorded is what a build pulled or had made because it was not there; what a person pulled or built is in no row here,
and nothing that isn't in a row is ever removed. Without force: the engine keeps an image that a container was made of.
"""

from __future__ import annotations

import contextlib
import logging
from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from builds import host
from builds.images import catalogue, making
from builds.models import EngineImage, Project
from builds.runner import engine, engine_images

logger = logging.getLogger(__name__)

# A build that looked at an image makes its container of it within this time.
IN_USE = timedelta(hours=1)


def used(engine_id: str, reference: str, *, is_ours: bool) -> None:
    """A build is about to use an image.

    Args:
        is_ours: It was not there, so that this build pulled it or had it made.
    """
    now = timezone.now()
    if is_ours:
        EngineImage.objects.update_or_create(
            engine_id=engine_id, reference=reference, defaults={"obtained_at": now, "used_at": now}
        )
    else:
        EngineImage.objects.filter(engine_id=engine_id, reference=reference).update(used_at=now)


def collect() -> list[str]:
    """Remove images of this host's engine, least recently used first; their references.

    Removed is what was not used for BUILD_IMAGE_DAYS and no project names, and further images while all together have
    more than BUILD_IMAGE_BYTES or the disk is short of room for builds: those that projects name come last.
    Also what curated images were before they were made anew.
    """
    try:
        with contextlib.closing(engine.connect(settings.DOCKER_HOST)) as client:
            for definition in catalogue.curated():
                making.remove_former(client, definition)
            return _collect(client)
    except engine.ENGINE_ERRORS as error:
        logger.warning("images could not be collected: %s", error)
        return []


def _collect(client: engine_images.Client) -> list[str]:
    now = timezone.now()
    sizes = engine_images.sizes(client)
    named = _named_by_projects()
    rows = sorted(
        EngineImage.objects.filter(engine_id=engine_images.engine_id(client)),
        key=lambda row: (engine_images.with_tag(row.reference) in named, row.used_at),
    )
    weights = {row.pk: sizes.get(engine_images.with_tag(row.reference), 0) for row in rows}
    total = sum(weights.values())
    removed: list[str] = []
    for row in rows:
        if row.used_at > now - IN_USE:
            continue
        is_named = engine_images.with_tag(row.reference) in named
        is_old = not is_named and row.used_at < now - timedelta(days=settings.BUILD_IMAGE_DAYS)
        is_too_much = total > settings.BUILD_IMAGE_BYTES or host.free_bytes() < 2 * settings.BUILD_MIN_FREE_BYTES
        if not (is_old or is_too_much):
            continue
        # A build that takes it at this moment keeps it: it says so before it makes its container.
        if not EngineImage.objects.filter(pk=row.pk, used_at=row.used_at).delete()[0]:
            continue
        if engine_images.remove(client, row.reference):
            total -= weights[row.pk]
            removed.append(row.reference)
        else:  # needed by a container or by another image: it is looked at again at the next collection
            EngineImage.objects.create(
                engine_id=row.engine_id, reference=row.reference, obtained_at=row.obtained_at, used_at=row.used_at
            )
    return removed


def _named_by_projects() -> set[str]:
    images = Project.objects.values_list("environment__image", flat=True).distinct().order_by()
    return {engine_images.with_tag(catalogue.resolve(image)) for image in images if image}
