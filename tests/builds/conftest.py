"""A real engine with the base image, a real Redis, a real repository; builds run in this process."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable, Iterator

import pytest

from builds.images import catalogue
from builds.runner import docker


@pytest.fixture(scope="session")
def base_image() -> str:
    """`codeservices/base`, made where the engine does not have it."""
    definition = catalogue.definitions()["base"]
    with contextlib.closing(docker.connect(timeout_seconds=600)) as client:
        catalogue.build(client, definition, lambda line: None)
    return definition.image


@pytest.fixture
def install(settings) -> str:
    """An account id of its own, so that what a test reaps is only what it made."""
    settings.ACCOUNT_ID = "9" + "".join(secrets.choice("0123456789") for _ in range(11))
    return settings.ACCOUNT_ID


@pytest.fixture
def leftovers(install: str) -> Iterator[Callable[[], list[str]]]:
    """What of this test's containers and networks is still on the engine; nothing of it outlives the test."""
    filters = {"label": f"{docker.INSTALL_LABEL}={install}"}
    with contextlib.closing(docker.connect()) as client:

        def names() -> list[str]:
            containers = [one.name for one in client.containers.list(all=True, filters=filters, ignore_removed=True)]
            return containers + [one.name for one in client.networks.list(filters=filters)]

        yield names
        docker.reap(client, install, lambda: ())
