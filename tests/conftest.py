"""Shared fixtures. Every run has a var/ of its own that dies with it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

pytest_plugins = ["tests.fixtures.redis", "tests.fixtures.people", "tests.fixtures.installation", "tests.fixtures.web"]


@pytest.fixture(scope="session", autouse=True)
def _temporary_var() -> Iterator[None]:
    from django.conf import settings

    yield
    shutil.rmtree(settings.VAR, ignore_errors=True)
