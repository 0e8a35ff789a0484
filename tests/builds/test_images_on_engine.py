"""The removal of images that builds brought: never another's, least recently used first, on a real engine."""

from __future__ import annotations

import contextlib
import io
import tarfile
import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from builds import host, images_on_engine
from builds.images import catalogue, making
from builds.models import EngineImage
from builds.runner import engine, engine_images
from tests import factories

pytestmark = [pytest.mark.django_db, pytest.mark.docker]


@pytest.fixture
def image() -> Iterator[Callable[[str], str]]:
    """Makes small images, each with a file of its own; none outlives the test."""
    made: list[str] = []
    run = uuid.uuid4().hex[:8]
    with contextlib.closing(engine.connect()) as client:

        def make(name: str) -> str:
            packed = io.BytesIO()
            with tarfile.open(fileobj=packed, mode="w") as tar:
                info = tarfile.TarInfo(f"{run}-{name}")
                info.size = 1000
                tar.addfile(info, io.BytesIO(bytes(1000)))
            client.api.import_image_from_data(packed.getvalue(), repository=f"codeservices-test/{run}", tag=name)
            made.append(f"codeservices-test/{run}:{name}")
            return made[-1]

        yield make
        for reference in made:
            engine_images.remove(client, reference)


def record(reference: str, *, unused_days: float) -> None:
    with contextlib.closing(engine.connect()) as client:
        images_on_engine.used(engine_images.engine_id(client), reference, is_ours=True)
    used_at = timezone.now() - timedelta(days=unused_days)
    EngineImage.objects.filter(reference=reference).update(used_at=used_at)


def names() -> set[str]:
    with contextlib.closing(engine.connect()) as client:
        return set(engine_images.sizes(client))


def test_an_image_that_nobody_used_for_long_goes_and_a_person_s_own_stays(image, settings):
    settings.BUILD_MIN_FREE_BYTES = 0
    old, recent, own = image("old"), image("recent"), image("own")
    record(old, unused_days=31)
    record(recent, unused_days=29)
    assert images_on_engine.collect() == [old]
    assert names() & {old, recent, own} == {recent, own}
    assert [one.reference for one in EngineImage.objects.all()] == [recent]


def test_too_much_goes_least_recently_used_first_and_what_is_in_use_stays(image, settings, monkeypatch):
    first, second, now = image("first"), image("second"), image("now")
    for reference, days in ((first, 3), (second, 2), (now, 0)):
        record(reference, unused_days=days)
    with contextlib.closing(engine.connect()) as client:
        size = engine_images.sizes(client)[first]
    settings.BUILD_IMAGE_BYTES = 2 * size
    settings.BUILD_MIN_FREE_BYTES = 0
    assert images_on_engine.collect() == [first]
    settings.BUILD_MIN_FREE_BYTES = 1000  # and on a disk that is short of room all that can go
    monkeypatch.setattr(host, "free_bytes", lambda: 1999)
    assert images_on_engine.collect() == [second]
    assert now in names()


def test_an_image_that_a_project_names_goes_only_for_want_of_room_and_last(image, settings, alice):
    settings.BUILD_MIN_FREE_BYTES = 0
    named, unnamed = image("named"), image("unnamed")
    factories.project(repository_name=None, image=named)
    record(named, unused_days=400)
    record(unnamed, unused_days=2)
    assert images_on_engine.collect() == []
    with contextlib.closing(engine.connect()) as client:
        settings.BUILD_IMAGE_BYTES = engine_images.sizes(client)[named]
    assert images_on_engine.collect() == [unnamed]
    settings.BUILD_IMAGE_BYTES = 0
    assert images_on_engine.collect() == [named]


def test_what_a_curated_image_was_before_goes_when_no_container_is_made_of_it(image, monkeypatch):
    former = image(f"{making.FORMER_TAG}1")
    definition = catalogue.Definition(former.partition("/")[2].partition(":")[0], Path("unused"))
    monkeypatch.setattr(catalogue, "NAMESPACE", "codeservices-test/")
    monkeypatch.setattr(catalogue, "curated", lambda: [definition])
    with contextlib.closing(engine.connect()) as client:
        container = client.containers.create(former, ["true"])
        try:
            images_on_engine.collect()
            assert former in names()
        finally:
            container.remove(force=True)
    images_on_engine.collect()
    assert former not in names()


def test_what_a_container_is_made_of_stays(image, settings):
    settings.BUILD_MIN_FREE_BYTES = settings.BUILD_IMAGE_BYTES = 0
    used = image("used")
    record(used, unused_days=40)
    with contextlib.closing(engine.connect()) as client:
        container = client.containers.create(used, ["true"])
        try:
            assert images_on_engine.collect() == []
            assert used in names() and EngineImage.objects.filter(reference=used).exists()
        finally:
            container.remove(force=True)
    assert images_on_engine.collect() == [used]


def test_an_image_that_was_there_is_not_recorded(db):
    images_on_engine.used("engine", "somebody/else:1", is_ours=False)
    assert not EngineImage.objects.exists()
    images_on_engine.used("engine", "ours:1", is_ours=True)
    EngineImage.objects.update(used_at=timezone.now() - timedelta(days=9))
    images_on_engine.used("engine", "ours:1", is_ours=False)
    assert EngineImage.objects.get().used_at > timezone.now() - timedelta(minutes=5)
