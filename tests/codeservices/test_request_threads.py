"""The threads beside Django that ask the database: a connection is used again only where it is sound."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from django.db import DatabaseError, connection, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from codeservices.request_threads import RequestThreads

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def threads() -> Iterator[RequestThreads]:
    made = RequestThreads(1, "test-request")
    yield made
    made.close_connections()


def begin_of_a_transaction() -> str:
    """The first statement of a transaction of this thread's connection, as it was sent."""
    sent: list[str] = []

    def note(execute: object, sql: str, *rest: object) -> object:
        sent.append(sql)
        return execute(sql, *rest)  # type: ignore[operator]

    with connection.execute_wrapper(note), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return sent[0]


def the_connection() -> int:
    connection.ensure_connection()
    return id(connection.connection)


def fail_to_end_a_transaction() -> None:
    def refuse(*_: object) -> None:
        raise DatabaseError("gone")

    with pytest.MonkeyPatch.context() as patch, transaction.atomic():
        patch.setattr(BaseDatabaseWrapper, "set_autocommit", refuse)


def test_a_connection_is_used_again(threads: RequestThreads) -> None:
    first = asyncio.run(threads.run(the_connection))
    assert asyncio.run(threads.run(the_connection)) == first


def test_a_transaction_that_could_not_be_ended_does_not_last(threads: RequestThreads) -> None:
    whole = asyncio.run(threads.run(begin_of_a_transaction))
    with pytest.raises(DatabaseError, match="gone"):
        asyncio.run(threads.run(fail_to_end_a_transaction))
    assert asyncio.run(threads.run(begin_of_a_transaction)) == whole
