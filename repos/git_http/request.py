"""One git request: what it says, how it is answered, and its audit event."""

from __future__ import annotations

import contextlib
import logging
import re
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar
from urllib.parse import parse_qs

from django.conf import settings

from codeservices import logs, zero_copy
from codeservices.audit import record
from codeservices.audit.acts import Act, RequestInfo
from codeservices.errors import InvalidInput, NotFound, ServiceError
from repos.git import exchange, program, refs, wire
from repos.git.exchange import ClientLeft, RequestBody
from repos.git.fetch_stretch import Stretch
from repos.git.wire_process import WireProcess, spawn
from repos.git_http import threads
from repos.git_http.answers import NO_CACHE, Answer
from repos.git_http.slots import slot
from repos.models import Repository

logger = logging.getLogger(__name__)
access_logger = logging.getLogger("codeservices.access")

# How git complains of what a client sent; all else it dies of is ours.
CLIENT_FAULT = re.compile(
    r"(?:fatal: |BUG: serve\.c:\d+: )"
    r"((?:git upload-pack: |protocol error|the remote end hung up|no command|invalid comm|unknown cap|unexpected ).*)"
)

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Result = TypeVar("Result")

# A fetch names what it wants and has: a hundred bytes each, of some hundred thousand at most.
MAX_FETCH_BYTES = 64 * 1024 * 1024
# What a push has beside its pack: commands and options.
PUSH_SLACK_BYTES = 16 * 1024 * 1024


class GitRequest:
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
        self.holder = ""  # whose place a git process takes
        self.act: Act | None = None
        self.status = 0
        self.sends_files = zero_copy.EXTENSION in (scope.get("extensions") or {})
        self._receive = receive
        self._send = send

    # ---- the frame around every request ------------------------------------------------------------------------------

    async def answer(self, route: Callable[[GitRequest], Awaitable[None]]) -> None:
        """Run `route`, turn what it raises into an answer, and write the request's event whatever happens."""
        token = logs.request_id.set(self.info.request_id)
        try:
            await self._guarded(route)
        finally:
            access_logger.info("%s %s %s", self.method, refs.shown(self.path), self.status or "gone")
            logs.request_id.reset(token)

    async def _guarded(self, route: Callable[[GitRequest], Awaitable[None]]) -> None:
        try:
            await route(self)
        except ClientLeft as error:
            self.note(ServiceError(f"The client left: {error}.", code="ClientLeft"))
            logger.info("git client left: %s", error)
        except ServiceError as error:
            self.note(error)
            if isinstance(error, program.GitError | exchange.GitStalled):
                logger.error("%s", error.message)
            await self._refuse(error)
        except Exception as error:  # a defect of ours: the client hears a request id, the log has the rest
            self.note(error)
            logger.exception("a git request failed")
            await self._refuse(ServiceError(f"Something went wrong. Request {self.info.request_id}", status=500))
        finally:
            await self._record()

    # ---- with the database -------------------------------------------------------------------------------------------

    async def in_thread(self, function: Callable[..., Result], *args: Any) -> Result:
        """Call what asks the database, away from the event loop."""
        return await threads.in_thread(function, *args)

    # ---- processes ---------------------------------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def process(
        self, repository: Repository, service: wire.Service, *options: str, is_raw: bool = False
    ) -> AsyncIterator[WireProcess]:
        """A git process for this request, within the places that its holder has; stopped at the end."""
        async with slot(self.holder):
            args = [service, "--stateless-rpc", *options]
            child = await spawn(repository.git, args, protocol=self.protocol, is_raw=is_raw)
            try:
                yield child
            finally:
                await child.stop()

    def check_exit(self, child: WireProcess, exit_code: int) -> None:
        """Raise what a git process died of, where its client has not been told yet."""
        if exit_code == 0:
            return
        error = program.GitError(child.command, exit_code, child.complaint())
        if not self.status:
            if match := CLIENT_FAULT.match(error.complaint):
                raise InvalidInput(f"Git can't make sense of this request: {match[1]}.") from error
            raise error
        # Git has told its client itself. What it told is an error of the push or of the fetch, seldom one of ours.
        logger.warning("%s", error.message)
        self.note(error)

    # ---- what comes --------------------------------------------------------------------------------------------------

    def body(self) -> RequestBody:
        """The body, bounded and unpacked; raises where it is too large or packed otherwise."""
        is_push = self.service == "receive-pack"
        # A push that is refused is read on, or its client would not see why; but not for ever.
        max_bytes = 2 * settings.GIT_MAX_PUSH_BYTES + PUSH_SLACK_BYTES if is_push else MAX_FETCH_BYTES
        encoding = self.headers.get("content-encoding", "")
        if encoding not in ("", "identity", "gzip", "x-gzip"):
            raise Answer(415, "The body may be compressed with gzip only.")
        length = self.headers.get("content-length", "")
        if length.isdigit() and int(length) > max_bytes:
            raise exchange.BodyTooLarge(f"A request of this kind has at most {max_bytes:,} bytes.")
        return RequestBody(self._receive, is_gzip=encoding.endswith("gzip"), max_bytes=max_bytes)

    # ---- what is sent ------------------------------------------------------------------------------------------------

    async def _start(self, status: int, content_type: str, headers: tuple[tuple[bytes, bytes], ...]) -> None:
        self.status = status
        every = [(b"content-type", content_type.encode()), (b"x-request-id", self.info.request_id.encode())]
        await self._send({"type": "http.response.start", "status": status, "headers": [*every, *NO_CACHE, *headers]})

    async def say(self, content_type: str, piece: bytes, *, length: int | None = None) -> None:
        """Send a piece of the answer; the first one begins it, with the length of the whole where that is known."""
        if not self.status:
            headers = () if length is None else ((b"content-length", str(length).encode()),)
            await self._start(200, content_type, headers)
        if piece:
            await self._send({"type": "http.response.body", "body": piece, "more_body": True})

    async def say_stretch(self, stretch: Stretch) -> None:
        """Have the kernel send a part of a file; only after `say`, and where `sends_files` is true."""
        where = {"file": stretch.descriptor, "offset": stretch.position, "count": stretch.length}
        await self._send({"type": zero_copy.EXTENSION, **where, "more_body": True})

    async def finish_answer(self, content_type: str, piece: bytes = b"") -> None:
        """Send the last piece of an answer."""
        # The event is written before the client sees the end: who looks right after a push finds it.
        await self._record()
        await self.say(content_type, piece)
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
        headers = (*error.headers, length) if isinstance(error, Answer) else (length,)
        await self._start(error.status, "text/plain; charset=utf-8", headers)
        await self._send({"type": "http.response.body", "body": text, "more_body": False})

    # ---- the audit ---------------------------------------------------------------------------------------------------

    def note(self, error: BaseException) -> None:
        """Tell the audit's act what went wrong."""
        if self.act is not None:
            self.act.fail(error)

    def write_event(self) -> None:
        """Write the request's event, once; in a thread."""
        act, self.act = self.act, None
        if act is None:
            return
        try:
            record.record(act)
        except Exception:  # the answer is on its way, so that the log alone is left to hear of it
            logger.exception("the event of a git request could not be written")

    async def _record(self) -> None:
        if self.act is not None and (self.act.event_name or self.act.action or self.act.is_begun):
            await self.in_thread(self.write_event)
        self.act = None
