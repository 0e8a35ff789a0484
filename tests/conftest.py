"""Shared fixtures. Every run has a var/ of its own that dies with it."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator

import pytest
from asgiref.sync import sync_to_async

pytest_plugins = [
    "tests.fixtures.redis",
    "tests.fixtures.people",
    "tests.fixtures.installation",
    "tests.fixtures.web",
]


@pytest.fixture(scope="session", autouse=True)
def _temporary_var() -> Iterator[None]:
    from django.conf import settings

    yield
    shutil.rmtree(settings.VAR, ignore_errors=True)


@pytest.fixture(autouse=True)
def _empty_spool() -> Iterator[None]:
    """Each test begins without audit events in files: those in the database are rolled back or flushed with it."""
    from django.conf import settings

    from codeservices.audit import writer

    yield
    writer.forget()
    shutil.rmtree(settings.AUDIT_ROOT, ignore_errors=True)


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None) -> Iterator[None]:
    """pytest-django's, with the connections closed that threads keep: asgiref's own, those of pages, those of git."""
    from django.db import connections

    from codeservices.asgi import pages
    from repos.git_http import threads

    yield
    asyncio.run(sync_to_async(connections.close_all)())
    threads.close_connections()
    pages.close()
