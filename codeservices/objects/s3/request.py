"""One S3 request from its first byte to its audit event: who asks, what it brings, what it is answered.

The database is asked in threads, never while bytes are on their way; a slow client holds no thread and no connection.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from django.conf import settings

from codeservices import logs
from codeservices.audit import record
from codeservices.audit.acts import Act, RequestInfo, entered
from codeservices.aws import sigv2, sigv4
from codeservices.aws.authentication import authenticate, authenticate_url
from codeservices.errors import InvalidInput, ServiceError
from codeservices.middleware import is_loopback
from codeservices.objects.s3 import errors, integrity, query, routing, taking
from codeservices.objects.s3.call import XML, Answer, Call, Operation, find
from codeservices.objects.s3.connection import ClientLeft, Connection, Receive, Scope, Send
from codeservices.objects.s3.payload import STREAMING, ChainKey, Payload
from codeservices.objects.s3.threads import database, files

logger = logging.getLogger(__name__)
access_logger = logging.getLogger("codeservices.access")

Result = TypeVar("Result")

EVENT_SOURCE = "s3.amazonaws.com"


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
        self.connection = Connection(
            scope, receive, send, request_id=self.info.request_id, waits="expect" in self.headers
        )
        self.is_presigned = "authorization" not in self.headers
        self.act: Act | None = None
        self._chain = ChainKey(b"", "", "", "")

    # ---- the frame ---------------------------------------------------------------------------------------------------

    async def answer(self) -> None:
        """Answer it, and write its event whatever happens."""
        token = logs.request_id.set(self.info.request_id)
        try:
            await self._guarded()
        finally:
            access_logger.info("%s %s %s", self.method, self.raw_path[:2000], self.connection.status or "gone")
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
        except Exception as error:  # a defect of ours: the client hears a request id, the log has the rest
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
        address, asked = routing.address_of(self.raw_path), query.parameters(self.raw_query)
        if self.is_presigned:
            self.headers = {**self.headers, **query.headers(self.raw_query)}
        name = routing.operation_of(self.method, address, asked, self.headers)
        act = await database.run(self._admit, name)
        self.act = act
        operation = find(name)
        act.event_name = operation.event_name
        call = Call(
            principal=act.principal,
            method=self.method,
            bucket=address.bucket,
            key=address.key,
            query=asked,
            headers=self.headers,
            act=act,
            size_bytes=self._content_length(),
            stated_hash=self.headers.get("x-amz-content-sha256", sigv4.UNSIGNED_PAYLOAD),
            resource=self.raw_path,
        )
        integrity.check_request(call)
        if operation.receiver is not None:
            payload = Payload(call.stated_hash, self._chain)
            answer = await taking.take(self.connection, payload, operation, call, self._entered)
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
            content = await taking.small(self.connection, Payload(call.stated_hash, self._chain))
            integrity.check_body(call, content)
            call = replace(call, body=content)
        threads = files if operation.is_slow else database
        return await threads.run(self._entered, operation.handler, call)

    def _content_length(self) -> int:
        is_streaming = self.headers.get("x-amz-content-sha256") in STREAMING
        given = self.headers.get("x-amz-decoded-content-length" if is_streaming else "content-length", "")
        if given.isascii() and given.isdigit() and len(given) < 19:
            return int(given)
        if self.method != "PUT" or ("content-length" not in self.headers and "transfer-encoding" not in self.headers):
            return 0
        raise errors.Refusal(
            "You must provide the Content-Length HTTP header.", code="MissingContentLength", status=411
        )

    def _entered(self, function: Callable[..., Result], *args: object) -> Result:
        assert self.act is not None
        with entered(self.act):
            return function(*args)

    # ---- what is sent, and the audit ---------------------------------------------------------------------------------

    async def _give(self, answer: Answer) -> None:
        if answer.reader is None:
            await self._record()
            await self.connection.give(answer)
            await self.connection.end()
            return
        try:
            if self.act is not None:
                self.act.additional["bytesTransferredOut"] = answer.length
            await self.connection.give(answer)
            await self._record()
            await self.connection.end()
        finally:
            await files.run(answer.reader.close)

    async def _refuse(self, error: ServiceError) -> None:
        await self._record()
        if self.connection.status:
            return
        code, status = errors.code_of(error, is_presigned=self.is_presigned)
        headers = dict(error.headers) if isinstance(error, errors.Refusal) else {}
        content = b"" if status == 304 else errors.body_of(error, code, self.raw_path, self.info.request_id)
        if self.method == "HEAD":
            content = b""
        await self.connection.give(Answer(status, content, XML, headers))
        await self.connection.end()

    def _note(self, error: BaseException) -> None:
        if self.act is not None:
            self.act.fail(error)

    async def _record(self) -> None:
        act, self.act = self.act, None
        if act is not None:
            await database.run(_write_event, act)


def _write_event(act: Act) -> None:
    try:
        if act.error_code:
            act.error_code, _ = errors.code_of(ServiceError("", code=act.error_code), is_presigned=False)
        record.record(act)
    except Exception:  # the answer is on its way, so that the log alone is left to hear of it
        logger.exception("the event of an s3 request could not be written")
