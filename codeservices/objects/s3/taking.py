"""The body of an S3 request: a small one as bytes, an object's piece by piece into the store.

No byte of an object is read before its operation has agreed to take it, and so many uploads run at once.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

from django.conf import settings

from codeservices.errors import InvalidInput
from codeservices.objects.s3 import errors, integrity, xml
from codeservices.objects.s3.call import Answer, Call, Operation, Receiving
from codeservices.objects.s3.connection import Connection
from codeservices.objects.s3.payload import Payload
from codeservices.objects.s3.threads import database, files
from codeservices.places import RETRY_SECONDS, NoPlace, ProcessPlaces

# Calls a function within the request's act.
Entered = Callable[..., Any]

_places = ProcessPlaces(lambda: settings.OBJECT_CONCURRENCY)


async def small(connection: Connection, payload: Payload) -> bytes:
    """A whole body of bounded size; raises InvalidInput MaxMessageLengthExceeded, or what `payload` finds wrong."""
    content = bytearray()
    async for data in connection.bodies():
        for piece in payload.feed(data):
            content += piece
        if len(content) > xml.MAX_BYTES:
            raise InvalidInput(
                "Your request was too big.",
                code="MaxMessageLengthExceeded",
                hint=f"{xml.MAX_BYTES:,} bytes at most.",
            )
    payload.finish()
    return bytes(content)


async def take(connection: Connection, payload: Payload, operation: Operation, call: Call, entered: Entered) -> Answer:
    """Have the operation agree to the body, and only then read it, a piece written while the next one comes."""
    assert operation.receiver is not None
    async with place(call):
        receiving: Receiving = await database.run(entered, operation.receiver, call)
        return await _written(connection, payload, receiving, call, entered)


async def _written(
    connection: Connection, payload: Payload, receiving: Receiving, call: Call, entered: Entered
) -> Answer:
    writer = receiving.writer

    def write(data: memoryview) -> None:
        for piece in payload.feed(data):
            writer.write(piece)

    def finish() -> Answer:
        payload.finish()
        if writer.piece.size_bytes != call.size_bytes:
            raise InvalidInput(
                "You did not provide the number of bytes specified by the Content-Length HTTP header",
                code="IncompleteBody",
            )
        writer.digest()
        integrity.check_written(call, payload.trailers, writer.piece.md5, writer.piece.checksums)
        return receiving.finish(payload.trailers)

    pending: asyncio.Future[None] | None = None
    try:
        async for data in connection.bodies():
            if pending is not None:
                await pending
            pending = asyncio.ensure_future(files.run(write, data))
            pending.add_done_callback(_look_at)
        if pending is not None:
            await pending
        call.act.additional["bytesTransferredIn"] = writer.piece.size_bytes
        answer: Answer = await database.run(entered, finish)
        return answer
    except BaseException as error:
        if pending is not None:
            await asyncio.wait([pending])
        await database.run(writer.__exit__, type(error), error, None)
        raise


@contextlib.asynccontextmanager
async def place(call: Call) -> AsyncIterator[None]:
    """One of OBJECT_CONCURRENCY places of this process; raises Refusal SlowDown where none becomes free soon."""
    places = _places.here()
    # All sessions of a role are one holder: whoever may begin one may begin a thousand.
    holder = call.principal.role_arn or call.principal.arn
    try:
        await places.take(holder)
    except NoPlace:
        raise errors.Refusal(
            "Please reduce your request rate.",
            code="SlowDown",
            status=503,
            hint=f"Too many uploads run at once; try again in {RETRY_SECONDS} seconds.",
            headers={"retry-after": str(RETRY_SECONDS)},
        ) from None
    try:
        yield
    finally:
        places.put_back(holder)


def _look_at(done: asyncio.Future[None]) -> None:
    if not done.cancelled():
        done.exception()  # whoever leaves for another reason does not ask for it
