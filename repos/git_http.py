"""Git's three URLs, as an ASGI program beside Django: authenticate, authorize, then receive.py or the git program.

Django's own ASGI handler spools a whole body before a view sees a byte; here packs stream both ways. The ORM is asked
in a thread that belongs to the request, and never while a pack is on its way.

    GET  /v1/repos/NAME/info/refs?service=git-upload-pack | git-receive-pack
    POST /v1/repos/NAME/git-upload-pack
    POST /v1/repos/NAME/git-receive-pack
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import logging
import re
import uuid
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, TypeVar
from urllib.parse import parse_qs

from asgiref.sync import ThreadSensitiveContext, sync_to_async
from django.conf import settings
from django.db import connections

from codeservices import logs
from codeservices.audit import record
from codeservices.audit.record import Act, RequestInfo
from codeservices.errors import NotFound, ServiceError
from codeservices.iam import credentials
from codeservices.middleware import is_loopback
from repos import receive
from repos.access import repository_for
from repos.git import exchange, program, refs, wire
from repos.git.exchange import ClientLeft, RequestBody
from repos.models import Repository

logger = logging.getLogger(__name__)
access_logger = logging.getLogger("codeservices.access")

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Result = TypeVar("Result")

PREFIX = "/v1/repos/"
ACTIONS: Mapping[wire.Service, str] = {"upload-pack": "codecommit:GitPull", "receive-pack": "codecommit:GitPush"}
# A fetch names what it wants and has: a hundred bytes each, of some hundred thousand at most.
MAX_FETCH_BYTES = 64 * 1024 * 1024
# Beyond what git itself takes, so that an overlong pack is refused by git, in words that its client prints.
PUSH_SLACK_BYTES = 16 * 1024 * 1024
FEATURES_BYTES = 16 * 1024
# A request that finds every process busy waits this long before it is sent away for RETRY_SECONDS.
QUEUE_SECONDS = 15.0
RETRY_SECONDS = 10
# Git passwords have 256 random bits, so nobody finds one by trying and no client is ever locked out. A wrong one is
# answered late, which costs us a timer and spares us most of the work of those who try all the same.
WRONG_CREDENTIALS_SECONDS = 0.5
NO_CACHE = (
    (b"cache-control", b"no-cache, max-age=0, must-revalidate"),
    (b"expires", b"Fri, 01 Jan 1980 00:00:00 GMT"),
    (b"pragma", b"no-cache"),
)

_PATH = re.compile(r"/v1/repos/([A-Za-z0-9_.-]{1,104})/*/(info/refs|git-upload-pack|git-receive-pack)")
_slots: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = weakref.WeakKeyDictionary()


class _Answer(ServiceError):
    """An HTTP answer that is no service's error: its sentence, status and headers."""

    def __init__(self, status: int, message: str, *headers: tuple[bytes, bytes]) -> None:
        super().__init__(message, status=status)
        self.headers = headers


def handles(path: str) -> bool:
    """Whether a path belongs to git."""
    return path.startswith(PREFIX)


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer one HTTP request under PREFIX."""
    async with ThreadSensitiveContext():
        await _GitRequest(scope, receive, send).answer()


class _GitRequest:
    """One request from its first byte to its audit event."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.query = parse_qs(scope.get("query_string", b"").decode("latin-1"))
        self.headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        forwarded_https = settings.TRUST_PROXY_TLS and self.headers.get("x-forwarded-proto") == "https"
        self.info = RequestInfo(
            request_id=str(uuid.uuid4()),
            source_ip=(scope.get("client") or ("127.0.0.1", 0))[0],
            user_agent=self.headers.get("user-agent", ""),
            via="git",
            is_secure=scope.get("scheme") == "https" or forwarded_https,
        )
        self.protocol = wire.protocol_of(self.headers.get("git-protocol", ""))
        self.service: wire.Service = "upload-pack"
        self.name = ""
        self.act: Act | None = None
        self.status = 0
        self._receive = receive
        self._send = send

    # ---- the frame around every request ------------------------------------------------------------------------------

    async def answer(self) -> None:
        token = logs.request_id.set(self.info.request_id)
        try:
            await self._guarded()
        finally:
            access_logger.info("%s %s %s", self.method, refs.shown(self.path), self.status or "gone")
            logs.request_id.reset(token)

    async def _guarded(self) -> None:
        try:
            await self._route()
        except ClientLeft as error:
            self._note(ServiceError(f"The client left: {error}.", code="ClientLeft"))
            logger.info("git client left: %s", error)
        except ServiceError as error:
            self._note(error)
            if isinstance(error, program.GitError | exchange.GitStalled):
                logger.error("%s", error.message)
            await self._refuse(error)
        except Exception as error:
            self._note(error)
            logger.exception("a git request failed")
            await self._refuse(ServiceError(f"Something went wrong. Request {self.info.request_id}", status=500))
        finally:
            await self._record()

    async def _route(self) -> None:
        match = _PATH.fullmatch(self.path)
        if match is None:
            raise _Answer(404, "This address is for git: clone it with “git clone”.")
        self.name, what = match[1].removesuffix(".git"), match[2]
        if self.method != ("GET" if what == "info/refs" else "POST"):
            allowed = b"GET" if what == "info/refs" else b"POST"
            raise _Answer(405, f"Git does not use {self.method} here.", (b"allow", allowed))
        self._check_transport()
        service_name = self.query.get("service", [""])[0] if what == "info/refs" else what
        try:
            self.service = wire.service_named(service_name)
        except wire.ProtocolError as error:
            raise _Answer(403, error.message) from None
        if what != "info/refs" and self.headers.get("content-type") != f"application/x-{what}-request":
            raise _Answer(415, f"The content type must be application/x-{what}-request.")
        try:
            repository = await self._in_thread(self._admit)
        except _Answer as refusal:
            if refusal.status == 401 and "authorization" in self.headers:
                await asyncio.sleep(WRONG_CREDENTIALS_SECONDS)
            raise
        if what == "info/refs":
            await self._advertise(repository)
        elif self.service == "upload-pack":
            await self._upload(repository)
        else:
            await self._receive_push(repository)

    def _check_transport(self) -> None:
        if not self.info.is_secure and not is_loopback(self.info.source_ip):
            raise _Answer(
                403,
                "Credentials are not taken over plain HTTP from another machine. "
                f"Use https on port {settings.HTTPS_PORT}.",
            )

    def _admit(self) -> Repository:
        """Who asks, and for which repository; in a thread."""
        pair = _basic(self.headers.get("authorization", ""))
        principal = None
        if pair is not None:
            path = self.path.rpartition("/info/refs" if self.path.endswith("/info/refs") else "/")[0]
            hosts = _hosts(self.headers.get("host", ""))
            principal = credentials.authenticate_basic(*pair, path=path, hosts=hosts)
        if principal is None:
            if pair is not None:
                logger.warning("wrong git credentials from %s", self.info.source_ip)
            challenge = b'Basic realm="Code Services", charset="UTF-8"'
            words = "Wrong user name or password." if pair else "Sign in with a git user name and password."
            raise _Answer(401, words, (b"www-authenticate", challenge))
        event_name = ACTIONS[self.service].partition(":")[2]
        self.act = Act(principal, self.info, event_name=event_name, event_source="codecommit.amazonaws.com")
        self.act.is_read_only = True
        with record.entered(self.act):
            repository = repository_for(principal, ACTIONS[self.service], self.name)
        self.act.additional.update(
            protocol="HTTP",
            dataTransferred=False,
            repositoryName=repository.name,
            repositoryId=str(repository.repository_id),
        )
        _ = repository.git  # raises where the objects are missing
        return repository

    # ---- the three URLs ----------------------------------------------------------------------------------------------

    async def _advertise(self, repository: Repository) -> None:
        content_type = f"application/x-git-{self.service}-advertisement"
        head = wire.preamble(self.service, self.protocol)
        strict = ["--strict"] if self.service == "upload-pack" else []

        async def pass_on(piece: bytes) -> None:
            nonlocal head
            await self._say(content_type, head + piece)
            head = b""

        async with self._process(repository, self.service, *strict, "--http-backend-info-refs") as child:
            self._check_exit(child, await exchange.run(child, _nothing(), pass_on, gone=self._body().gone))
        await self._finish_answer(content_type, head)

    async def _upload(self, repository: Repository) -> None:
        content_type = "application/x-git-upload-pack-result"
        body = self._body()
        asked = bytearray()
        tail = b""
        sends_pack = False

        async def pieces() -> AsyncIterator[bytes]:
            while piece := await body.read():
                asked.extend(piece[: FEATURES_BYTES - len(asked)])
                yield piece

        async def pass_on(piece: bytes) -> None:
            nonlocal tail, sends_pack
            sends_pack = sends_pack or wire.is_pack_begun(tail + piece)
            tail = piece[-16:]
            await self._say(content_type, piece)

        async with self._process(repository, "upload-pack", "--strict") as child:
            exit_code = await exchange.run(child, pieces(), pass_on, gone=body.gone)
            assert self.act is not None
            if not sends_pack and exit_code == 0:
                self.act.event_name = self.act.action = ""  # a round of talk before the pack: no act of its own
            capabilities, is_shallow = wire.fetch_features(bytes(asked))
            self.act.additional.update(dataTransferred=sends_pack, capabilities=capabilities, shallow=is_shallow)
            self._check_exit(child, exit_code)
        await self._finish_answer(content_type)

    async def _receive_push(self, repository: Repository) -> None:
        content_type = "application/x-git-receive-pack-result"
        body = self._body()
        source = wire.Source(body.read)
        try:
            request = await wire.read_commands(source)
        except wire.ProtocolError as error:
            if error.request is None:
                raise
            self._note(error)
            await body.discard()
            sentences = f"{error.message}\n{error.hint}"
            told = wire.refusal(error.request, {}, sentences, unpack=error.message)
            await self._finish_answer(content_type, told)
            return
        assert self.act is not None
        if not request.commands:  # git asks so whether it may send a large body
            await body.discard()
            self.act.event_name = self.act.action = ""
            await self._finish_answer(content_type)
            return
        self._describe_push(request)
        try:
            async with self._slot():
                begun = await self._in_thread(self._begin, repository, request)
                try:
                    await self._run_push(repository, request, source, begun, content_type)
                finally:
                    begun.lock.release()
        except receive.PushRefused as error:
            self._note(error.denial or error)
            self.act.additional["rejectedReferences"] = {
                refs.shown(refname): reason for refname, reason in error.reasons.items()
            }
            await body.discard()
            await self._finish_answer(content_type, wire.refusal(request, error.reasons, error.message))
            return
        await self._finish_answer(content_type)

    async def _run_push(
        self,
        repository: Repository,
        request: wire.PushRequest,
        source: wire.Source,
        begun: receive.BegunPush,
        content_type: str,
    ) -> None:
        reader = wire.ReportReader(request.capabilities)

        async def pieces() -> AsyncIterator[bytes]:
            yield request.head
            async for piece in source.pieces():
                yield piece

        async def pass_on(piece: bytes) -> None:
            reader.feed(piece)
            await self._say(content_type, piece)

        assert self.act is not None
        self.act.additional["dataTransferred"] = True
        child = await program.spawn(
            repository.git,
            ["receive-pack", "--stateless-rpc"],
            protocol=self.protocol,
            configuration={"receive.maxInputSize": str(settings.GIT_MAX_PUSH_BYTES)},
            pass_fds=(begun.lock.fileno(),),
        )
        try:
            self._check_exit(child, await exchange.run(child, pieces(), pass_on))
        finally:
            await child.stop()
            report = reader.result()
            await self._in_thread(receive.finish, begun.push, report.accepted if report else None)
        if report is not None and report.rejected:
            rejected = {refs.shown(refname): reason for refname, reason in report.rejected.items()}
            self.act.additional["rejectedReferences"] = rejected
            if not report.accepted:
                first = next(iter(rejected.items()))
                self._note(ServiceError(f"Git refused {first[0]}: {first[1]}.", code="PushRejectedException"))

    # ---- in the request's thread -------------------------------------------------------------------------------------

    def _begin(self, repository: Repository, request: wire.PushRequest) -> receive.BegunPush:
        assert self.act is not None
        with record.entered(self.act):
            return receive.begin(self.act.principal, repository, request.commands)

    async def _in_thread(self, function: Callable[..., Result], *args: Any) -> Result:
        return await sync_to_async(_closing_connections, thread_sensitive=True)(function, *args)

    # ---- processes ---------------------------------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def _process(
        self, repository: Repository, service: wire.Service, *options: str
    ) -> AsyncIterator[program.WireProcess]:
        async with self._slot():
            child = await program.spawn(repository.git, [service, "--stateless-rpc", *options], protocol=self.protocol)
            try:
                yield child
            finally:
                await child.stop()

    @contextlib.asynccontextmanager
    async def _slot(self) -> AsyncIterator[None]:
        """One of GIT_CONCURRENCY places of this process; raises 503 where none becomes free soon."""
        loop = asyncio.get_running_loop()
        if loop not in _slots:
            _slots[loop] = asyncio.Semaphore(settings.GIT_CONCURRENCY)
        try:
            async with asyncio.timeout(QUEUE_SECONDS):
                await _slots[loop].acquire()
        except TimeoutError:
            raise _Answer(
                503,
                f"The server is busy with other git requests. Try again in {RETRY_SECONDS} seconds.",
                (b"retry-after", str(RETRY_SECONDS).encode()),
            ) from None
        try:
            yield
        finally:
            _slots[loop].release()

    def _check_exit(self, child: program.WireProcess, exit_code: int) -> None:
        if exit_code == 0:
            return
        error = program.GitError(child.command, exit_code, child.complaint())
        if not self.status:
            raise error
        # Git has told its client itself. What it told is an error of the push or of the fetch, seldom one of ours.
        logger.warning("%s", error.message)
        self._note(error)

    # ---- what is sent ------------------------------------------------------------------------------------------------

    def _body(self) -> RequestBody:
        is_push = self.service == "receive-pack"
        max_bytes = settings.GIT_MAX_PUSH_BYTES + PUSH_SLACK_BYTES if is_push else MAX_FETCH_BYTES
        encoding = self.headers.get("content-encoding", "")
        if encoding not in ("", "identity", "gzip", "x-gzip"):
            raise _Answer(415, "The body may be compressed with gzip only.")
        length = self.headers.get("content-length", "")
        if length.isdigit() and int(length) > max_bytes:
            raise exchange.BodyTooLarge(f"A request of this kind has at most {max_bytes:,} bytes.")
        return RequestBody(self._receive, is_gzip=encoding.endswith("gzip"), max_bytes=max_bytes)

    async def _start(self, status: int, content_type: str, headers: tuple[tuple[bytes, bytes], ...]) -> None:
        self.status = status
        every = [(b"content-type", content_type.encode()), (b"x-request-id", self.info.request_id.encode())]
        await self._send({"type": "http.response.start", "status": status, "headers": [*every, *NO_CACHE, *headers]})

    async def _say(self, content_type: str, piece: bytes) -> None:
        if not self.status:
            await self._start(200, content_type, ())
        if piece:
            await self._send({"type": "http.response.body", "body": piece, "more_body": True})

    async def _finish_answer(self, content_type: str, piece: bytes = b"") -> None:
        # The event is written before the client sees the end: who looks right after a push finds it.
        await self._record()
        await self._say(content_type, piece)
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _refuse(self, error: ServiceError) -> None:
        """A plain sentence, which git prints as `remote:` at info/refs; nothing where an answer has begun."""
        await self._record()
        if self.status:
            return
        lines = [error.message, error.hint]
        if isinstance(error, NotFound) and self.name:
            lines = [f"Repository {refs.shown(self.name)} does not exist.", "Look at the console for its exact name."]
        if isinstance(error, program.GitError):
            lines = [f"The repository can't be served right now. Request {self.info.request_id}"]
        text = "".join(f"{line}\n" for line in lines if line).encode("utf-8", "replace")
        length = (b"content-length", str(len(text)).encode())
        headers = (*error.headers, length) if isinstance(error, _Answer) else (length,)
        await self._start(error.status, "text/plain; charset=utf-8", headers)
        await self._send({"type": "http.response.body", "body": text, "more_body": False})

    # ---- the audit ---------------------------------------------------------------------------------------------------

    def _describe_push(self, request: wire.PushRequest) -> None:
        assert self.act is not None
        self.act.is_read_only = False
        self.act.is_deferred = True  # receive.begin writes it down, beside the push
        self.act.parameters["references"] = [
            {"commit": command.new_oid, "ref": refs.escaped(command.refname)} for command in request.commands
        ]
        chosen = [one for one in request.capabilities if "=" not in one]
        self.act.additional["capabilities"] = chosen

    def _note(self, error: BaseException) -> None:
        if self.act is not None:
            self.act.fail(error)

    async def _record(self) -> None:
        if self.act is None:
            return
        act, self.act = self.act, None
        try:
            await self._in_thread(record.record, act)
        except Exception:
            logger.exception("the event of a git request could not be written")


def _closing_connections(function: Callable[..., Result], *args: Any) -> Result:
    """Run in the request's own thread, which holds no database connection while a pack is on its way."""
    try:
        return function(*args)
    finally:
        connections.close_all()


def _basic(header: str) -> tuple[str, str] | None:
    """User name and password of a Basic header, or None where there is none."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        username, colon, password = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return (username, password) if colon else None


def _hosts(header: str) -> tuple[str, ...]:
    """What a helper may have signed as the host: with and without the port."""
    return (header, re.sub(r":\d+$", "", header))


async def _nothing() -> AsyncIterator[bytes]:
    return
    yield b""
