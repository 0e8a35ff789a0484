"""Every curated image is made, and holds the versions that its definition tells people."""

from __future__ import annotations

import contextlib

import pytest

from builds.images import catalogue, making
from builds.runner import engine

pytestmark = pytest.mark.faults

VERSION_OF = {
    "docker": "docker --version",
    "golang": "go version",
    "java": "javac -version && mvn --version",
    "nodejs": "node --version && npm --version",
    "php": "php --version && composer --version",
    "python": "python --version && pip --version",
    "ruby": "ruby --version && bundle --version",
}
MAKING_SECONDS = 3600


@pytest.mark.parametrize("name", sorted(set(catalogue.definitions()) - {catalogue.BASE}))
def test_an_image_holds_the_versions_that_it_is_said_to_hold(name: str):
    definition = catalogue.definitions()[name]
    with contextlib.closing(engine.connect(timeout_seconds=MAKING_SECONDS)) as client:
        making.build(client, definition, lambda line: None)
        for runtime, versions in definition.runtimes.items():
            written = client.containers.run(definition.image, ["sh", "-c", VERSION_OF[runtime]], remove=True).decode()
            assert versions[-1] in written.splitlines()[0], runtime
