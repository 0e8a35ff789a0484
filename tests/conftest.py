"""Shared fixtures. Every run has a var/ of its own that dies with it."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from asgiref.sync import sync_to_async

pytest_plugins = [
    "tests.fixtures.engine",
    "tests.fixtures.redis",
    "tests.fixtures.people",
    "tests.fixtures.own_engine",
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
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """pytest-django's; what the database holds is kept for tests that commit.

    Connections that threads keep are closed: asgiref's own, those of pages, git and S3.
    """
    from django.db import connections

    from codeservices.asgi import pages
    from codeservices.objects.s3 import threads as s3
    from repos.git_http import threads
    from tests import emptying

    with django_db_blocker.unblock():
        emptying.remember()
    yield
    asyncio.run(sync_to_async(connections.close_all)())
    threads.close_connections()
    s3.close_connections()
    pages.close()
    with django_db_blocker.unblock():
        _end_other_sessions()


def _end_other_sessions() -> None:
    """PostgreSQL drops no database that somebody is connected to, be it a thread that outlived its server."""
    from django.db import connection

    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        connection.close()
