"""One S3 request from its first byte to its audit event: who asks, what it brings, what it is answered.

The database is asked in threads, never while bytes are on their way; a slow client holds no thread and no connection.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, TypeVar
from urllib.parse import parse_qsl

from django.conf import settings

from codeservices import logs, zero_copy
from codeservices.audit import record
from codeservices.audit.record import Act, RequestInfo
from codeservices.aws import sigv2, sigv4
from codeservices.aws.authentication import authenticate, authenticate_url
from codeservices.errors import InvalidInput, ServiceError
from codeservices.middleware import is_loopback
from codeservices.objects.pieces import PieceReader
from codeservices.objects.s3 import errors, integrity, routing, xml
from codeservices.objects.s3.call import XML, Answer, Call, Operation, Receiving, find
from codeservices.objects.s3.payload import STREAMING, ChainKey, Payload
from codeservices.request_threads import RequestThreads

logger = logging.getLogger(__name__)
access_logger = logging.getLogger("codeservices.access")

Scope = dict[str, Any]
Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Result = TypeVar("Result")

EVENT_SOURCE = "s3.amazonaws.com"
# So much is hashed and written at a time, and read where the kernel does not send files: enough to keep the number of
# thread hand-overs low.
WRITTEN_BYTES = 4 * 1024 * 1024
READ_BYTES = 1024 * 1024
# The kernel is given a file in stretches of so much, each of which a client has to take within a time.
STRETCH_BYTES = 8 * 1024 * 1024
CLIENT_SECONDS = 120
# Nothing of an object is ever run by a browser in our origin.
_SAFE = {
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; sandbox",
    "cross-origin-resource-policy": "same-origin",
}

_OF_SIGNATURE = frozenset(
    f"x-amz-{name}" for name in ("algorithm", "credential", "date", "expires", "signedheaders", "signature")
)

_database = RequestThreads(8, "s3-request")
# What reads, writes and copies bytes; a disk that hangs must leave the others free.
_files = RequestThreads(16, "s3-bytes")


class ClientLeft(Exception):
    """The connection ended before the request did."""


class S3Request:
    """One request."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.method: str = scope["method"]
        self.raw_path: str = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1")
        self.raw_query: str = scope["query_string"].decode("latin-1")
        self.pairs = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"])
        self.headers: dict[str, str] = {name.lower(): value.strip() for name, value in self.pairs}
        forwarded_https = settings.TRUST_PROXY_TLS and self.headers.get("x-forwarded-proto") == "https"
        self.info = RequestInfo(
            request_id=str(uuid.uuid4()),
            source_ip=(scope.get("client") or ("127.0.0.1", 0))[0],
            user_agent=self.headers.get("user-agent", ""),
            via="api",
            is_secure=scope.get("scheme") == "https" or forwarded_https,
        )
        self.is_presigned = "authorization" not in self.headers
        self.act: Act | None = None
        self.status = 0
        self._chain = ChainKey(b"", "", "", "")
        self._sends_files = zero_copy.EXTENSION in (scope.get("extensions") or {})
        self._receive = receive
        self._send = send
        # A client that waits to be told to go on, and is told something else, sends no body: what it sends next is no
        # part of this request.
        self._waits = "expect" in self.headers

    # ---- the frame ---------------------------------------------------------------------------------------------------

    async def answer(self) -> None:
        """Answer it, and write its event whatever happens."""
        token = logs.request_id.set(self.info.request_id)
        try:
            await self._guarded()
        finally:
            access_logger.info("%s %s %s", self.method, self.raw_path[:2000], self.status or "gone")
            logs.request_id.reset(token)

    async def _guarded(self) -> None:
        try:
            await self._answer()
        except (ClientLeft, TimeoutError, ConnectionError) as error:
            self._note(ServiceError("The client left before the end.", code="ClientLeft"))
            logger.info("an s3 client left: %s", error)
        except ServiceError as error:
            self._note(error)
            await self._refuse(error)
        except Exception as error:
            self._note(error)
            logger.exception("an s3 request failed")
            sentence = "We encountered an internal error. Please try again."
            await self._refuse(ServiceError(sentence, code="InternalError", status=500))
        finally:
            await self._record()

    async def _answer(self) -> None:
        if not self.info.is_secure and not is_loopback(self.info.source_ip):
            raise ServiceError(
                f"Signed requests are not taken over plain HTTP from another machine. Use https on port"
                f" {settings.HTTPS_PORT}.",
                code="AccessDenied",
                status=403,
            )
        address, query = routing.address_of(self.raw_path), self._query()
        if self.is_presigned:
            self.headers = {**self.headers, **self._headers_in_query()}
        name = routing.operation_of(self.method, address, query, self.headers)
        act = await _database.run(self._admit, name)
        self.act = act
        operation = find(name)
        act.event_name = operation.event_name
        call = Call(
            principal=act.principal,
            method=self.method,
            bucket=address.bucket,
            key=address.key,
            query=query,
            headers=self.headers,
            act=act,
            size_bytes=self._content_length(),
            resource=self.raw_path,
        )
        integrity.check_request(call)
        if operation.receiver is not None:
            answer = await self._take(operation, call)
        else:
            answer = await self._run(operation, call)
        await self._give(answer)

    def _admit(self, name: str) -> Act:
        """Who asks; in a thread."""
        signed = sigv4.SignedRequest(self.method, self.raw_path, self.raw_query, self.pairs, None)
        event = {"event_name": name, "event_source": EVENT_SOURCE}
        address = routing.address_of(self.raw_path)
        version = "SigV4"
        if self.is_presigned and sigv2.is_presigned(self.raw_query):
            if not address.key:
                raise InvalidInput("Sign requests for buckets with AWS4-HMAC-SHA256.", code="InvalidRequest")
            key, url = authenticate_url(signed, self.info, **event)
            self.headers = {**self.headers, **url.headers}
            version = "SigV2"
        else:
            key, claim = authenticate(signed, self.info, service="s3", **event)
            if self.headers.get("x-amz-content-sha256") in STREAMING:
                signing_key = sigv4.signing_key(key.secret, claim.scope_date, claim.region, claim.service)
                self._chain = ChainKey(signing_key, claim.timestamp, claim.scope, claim.signature)
        act = Act(key.principal, self.info, event_name=name, event_source=EVENT_SOURCE)
        act.is_read_only = self.method in ("GET", "HEAD")
        told = {"bucketName": address.bucket, "key": address.key}
        act.parameters = {name: value for name, value in told.items() if value}
        act.additional.update(
            SignatureVersion=version, AuthenticationMethod="QueryString" if self.is_presigned else "AuthHeader"
        )
        return act

    async def _run(self, operation: Operation, call: Call) -> Answer:
        assert operation.handler is not None
        if self.method in ("POST", "PUT"):
            content = await self._small_body()
            integrity.check_body(call, content)
            call = Call(**{**call.__dict__, "body": content})
        threads = _files if operation.is_slow else _database
        return await threads.run(self._entered, operation.handler, call)

    # ---- what comes --------------------------------------------------------------------------------------------------

    def _query(self) -> dict[str, str]:
        try:
            pairs = parse_qsl(self.raw_query, keep_blank_values=True, errors="strict", max_num_fields=200)
        except ValueError:
            raise InvalidInput("Couldn't parse the specified URI.", code="InvalidURI") from None
        return {name: value for name, value in pairs if not name.lower().startswith("x-amz-")}

    def _headers_in_query(self) -> dict[str, str]:
        """Headers that whoever signed the URL put into its query: they count as if they were sent.

        Raises:
            InvalidInput: InvalidArgument for what could not have been sent.
        """
        found: dict[str, str] = {}
        for name, value in parse_qsl(self.raw_query, keep_blank_values=True):
            header = name.lower()
            if not header.startswith("x-amz-") or header in _OF_SIGNATURE:
                continue
            if header in found or not sigv2.HEADER_NAME.fullmatch(header) or sigv2.CONTROL.search(value):
                raise InvalidInput(
                    f"The parameter {name[:100]!r} stands for a header: one value, no control characters.",
                    code="InvalidArgument",
                )
            found[header] = value
        return found

    def _content_length(self) -> int:
        name = "x-amz-decoded-content-length" if self._stated_hash() in STREAMING else "content-length"
        given = self.headers.get(name, "")
        if given.isascii() and given.isdigit() and len(given) < 19:
            return int(given)
        if self.method != "PUT" or ("content-length" not in self.headers and "transfer-encoding" not in self.headers):
            return 0
        raise errors.Refusal(
            "You must provide the Content-Length HTTP header.", code="MissingContentLength", status=411
        )

    def _stated_hash(self) -> str:
        return self.headers.get("x-amz-content-sha256", sigv4.UNSIGNED_PAYLOAD)

    async def _bodies(self) -> AsyncIterator[bytes]:
        """The body as it comes, in pieces that are worth a thread."""
        gathered: list[bytes] = []
        size_bytes, more = 0, True
        self._waits = False
        while more:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientLeft("in the middle of the body")
            data: bytes = message.get("body", b"")
            more = message.get("more_body", False)
            gathered.append(data)
            size_bytes += len(data)
            if size_bytes and (size_bytes >= WRITTEN_BYTES or not more):
                yield b"".join(gathered)
                gathered.clear()
                size_bytes = 0

    async def _small_body(self) -> bytes:
        payload, content = Payload(self._stated_hash(), self._chain), bytearray()
        async for data in self._bodies():
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

    async def _take(self, operation: Operation, call: Call) -> Answer:
        """Have the operation agree to the body, and only then read it, a piece written while the next one comes."""
        assert operation.receiver is not None
        payload = Payload(self._stated_hash(), self._chain)
        receiving: Receiving = await _database.run(self._entered, operation.receiver, call)
        writer = receiving.writer

        def write(data: bytes) -> None:
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
            async for data in self._bodies():
                if pending is not None:
                    await pending
                pending = asyncio.ensure_future(_files.run(write, data))
                pending.add_done_callback(_look_at)
            if pending is not None:
                await pending
            call.act.additional["bytesTransferredIn"] = writer.piece.size_bytes
            return await _database.run(self._entered, finish)
        except BaseException as error:
            if pending is not None:
                await asyncio.wait([pending])
            await _database.run(writer.__exit__, type(error), error, None)
            raise

    def _entered(self, function: Callable[..., Result], *args: object) -> Result:
        assert self.act is not None
        with record.entered(self.act):
            return function(*args)

    # ---- what is sent ------------------------------------------------------------------------------------------------

    async def _give(self, answer: Answer) -> None:
        reader = answer.reader
        if reader is None:
            await self._record()
            await self._start(answer.status, answer.content_type, answer.headers, len(answer.content))
            await self._send({"type": "http.response.body", "body": answer.content if self.method != "HEAD" else b""})
            return
        try:
            if self.act is not None:
                self.act.additional["bytesTransferredOut"] = answer.length
            await self._start(answer.status, answer.content_type, answer.headers, answer.length)
            await self._send_object(reader, answer.offset, answer.length)
            await self._record()
            await self._send({"type": "http.response.body", "body": b""})
        finally:
            await _files.run(reader.close)

    async def _send_object(self, reader: PieceReader, offset: int, length: int) -> None:
        reader.seek(offset)
        end = offset + length
        while reader.tell() < end:
            descriptor, place, count = await _files.run(self._next, reader, end)
            async with asyncio.timeout(CLIENT_SECONDS):
                if descriptor is None:
                    await self._send({"type": "http.response.body", "body": place, "more_body": True})
                else:
                    told = {"file": descriptor, "offset": place, "count": count, "more_body": True}
                    await self._send({"type": zero_copy.EXTENSION, **told})
            reader.seek(reader.tell() + count)

    def _next(self, reader: PieceReader, end: int) -> tuple[int | None, Any, int]:
        """What is sent next: (descriptor, where in the file, how much) for the kernel, or (None, bytes, how many)."""
        place = reader.place(min(STRETCH_BYTES, end - reader.tell()))
        assert place is not None
        file, count = place
        if self._sends_files and (descriptor := _descriptor(file)) is not None:
            return descriptor, file.tell(), count
        data = file.read(min(count, READ_BYTES))
        if not data:
            raise OSError("the bytes of an object are shorter than they were")
        return None, data, len(data)

    async def _start(self, status: int, content_type: str, headers: Mapping[str, str], length: int) -> None:
        self.status = status
        every = {
            "x-amz-request-id": self.info.request_id,
            "x-amz-id-2": self.info.request_id,
            **_SAFE,
            **({"cache-control": "no-store"} if content_type == XML else {}),
            **({"content-type": content_type} if content_type and status not in (204, 304) else {}),
            **({"content-length": str(length)} if status not in (204, 304) else {}),
            **({"connection": "close"} if self._waits else {}),
            **headers,
        }
        # Whatever lies in the database, a value never ends the line that it stands in.
        encoded = [
            (name.encode("latin-1"), sigv2.CONTROL.sub(" ", value).encode("latin-1", "replace"))
            for name, value in every.items()
        ]
        await self._send({"type": "http.response.start", "status": status, "headers": encoded})

    async def _refuse(self, error: ServiceError) -> None:
        await self._record()
        if self.status:
            return
        code, status = errors.code_of(error, is_presigned=self.is_presigned)
        headers = dict(error.headers) if isinstance(error, errors.Refusal) else {}
        content = b"" if status == 304 else errors.body_of(error, code, self.raw_path, self.info.request_id)
        await self._start(status, XML, headers, 0 if self.method == "HEAD" else len(content))
        await self._send({"type": "http.response.body", "body": b"" if self.method == "HEAD" else content})

    # ---- the audit ---------------------------------------------------------------------------------------------------

    def _note(self, error: BaseException) -> None:
        if self.act is not None:
            self.act.fail(error)

    async def _record(self) -> None:
        act, self.act = self.act, None
        if act is not None:
            await _database.run(_write_event, act)


def close_connections() -> None:
    """Close the database connections of the door's threads, when nobody asks any more."""
    _database.close_connections()
    _files.close_connections()


def _look_at(done: asyncio.Future[None]) -> None:
    if not done.cancelled():
        done.exception()  # whoever leaves for another reason does not ask for it


def _write_event(act: Act) -> None:
    try:
        if act.error_code:
            act.error_code, _ = errors.code_of(ServiceError("", code=act.error_code), is_presigned=False)
        record.record(act)
    except Exception:
        logger.exception("the event of an s3 request could not be written")


def _descriptor(file: Any) -> int | None:
    try:
        found: int = file.fileno()
    except (AttributeError, OSError):
        return None
    return found
