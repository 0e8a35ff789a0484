"""POST git-upload-pack: one round of a clone or fetch, answered by git, or with what git answered an equal one."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine
from contextlib import AbstractAsyncContextManager
from typing import Any

from repos.git import exchange, fetch_request, wire
from repos.git.exchange import CLIENT_SECONDS, ClientLeft, RequestBody
from repos.git.fetch_answer import FetchAnswers
from repos.git.fetch_request import FetchRequest
from repos.git.fetch_stretch import Piece
from repos.git.wire_process import WireProcess
from repos.git_http import kept
from repos.git_http.kept import Admitted
from repos.git_http.request import GitRequest

CONTENT_TYPE = "application/x-git-upload-pack-result"
FEATURES_BYTES = 16 * 1024
# What a client that has nothing wants: fifty bytes a ref. Longer requests go to git as they come.
WHOLE_REQUEST_BYTES = 1024 * 1024
# Less is copied sooner than the kernel is asked.
SENT_BY_KERNEL_BYTES = 64 * 1024


async def upload(request: GitRequest, admitted: Admitted) -> None:
    """Answer with what upload-pack says; the act is one only where a pack is sent."""
    body = request.body()
    begun, is_whole = await _read(body)
    fetch = _Fetch(request, admitted, body, begun)
    asked = fetch_request.read(begun, request.protocol) if is_whole else None
    if asked is not None:
        if asked.kind == "refs":
            await fetch.answer_about_refs(asked)
            return
        packs = kept.packs()
        # What no ref names may be gone tomorrow, while the refs stay as they are.
        if packs is not None and admitted.state.names_all(asked.wants) and await fetch.answer_shared(packs, asked):
            return
    await fetch.answer()
    await request.finish_answer(CONTENT_TYPE)


async def _read(body: RequestBody) -> tuple[bytes, bool]:
    """(the request's beginning, whether that is all of it)."""
    begun = bytearray()
    while len(begun) <= WHOLE_REQUEST_BYTES:
        piece = await body.read()
        if not piece:
            return bytes(begun), True
        begun += piece
    return bytes(begun), False


class _Fetch:
    """One request of upload-pack, and what was seen of its answer."""

    def __init__(self, request: GitRequest, admitted: Admitted, body: RequestBody, begun: bytes) -> None:
        self._request = request
        self._admitted = admitted
        self._body = body
        self._begun = begun
        self._tail = b""
        self._sends_pack = False
        self._length: int | None = None

    async def answer_about_refs(self, asked: FetchRequest) -> None:
        """Answer protocol 2's ls-refs, from memory where the refs have not moved since git said it."""
        key = self._admitted.request_key(asked, self._request.protocol)
        known = kept.about_refs.get(key)
        if known is None:
            said = await self.answer(keep=True)
            if said is not None and await self._request.in_thread(self._admitted.is_current):
                kept.about_refs.put(key, said)
        else:
            self._note(is_good=True)
        await self._request.finish_answer(CONTENT_TYPE, known or b"")

    async def answer(self, *, keep: bool = False) -> bytes | None:
        """Have git answer, and pass it on; gives it where it is to be kept and git was content."""
        said = bytearray()

        async def pieces() -> AsyncIterator[bytes]:
            yield self._begun
            while piece := await self._body.read():
                yield piece

        async def pass_on(piece: bytes) -> None:
            if keep:
                said.extend(piece)
            await self._pass_on(piece)

        async with self._request.process(self._admitted.repository, "upload-pack", "--strict") as child:
            exit_code = await exchange.run(child, pieces(), pass_on, gone=self._body.gone)
            self._note(is_good=exit_code == 0)
            self._request.check_exit(child, exit_code)
        return bytes(said) if keep and exit_code == 0 else None

    async def answer_shared(self, packs: FetchAnswers, asked: FetchRequest) -> bool:
        """Answer together with all equal requests; False where that can't be, and nothing was said."""
        request, repository = self._request, self._admitted.repository

        def start() -> AbstractAsyncContextManager[WireProcess]:
            return request.process(repository, "upload-pack", "--strict", is_raw=True)

        key = self._admitted.request_key(asked, request.protocol).hex()
        is_answered = False
        try:
            pieces = packs.pieces(key, start, self._begun, self._admitted.is_current, self._know_length)
            await _until_gone(self._take(pieces), self._body)
            is_answered = True
        except OSError:  # the cache's folder can't be written
            if request.status:
                raise
            return False
        finally:
            self._note(is_good=is_answered)
        await request.finish_answer(CONTENT_TYPE)
        return True

    async def _take(self, pieces: AsyncGenerator[Piece, None]) -> None:
        async with contextlib.aclosing(pieces):
            async for piece in pieces:
                try:
                    async with asyncio.timeout(CLIENT_SECONDS):
                        if isinstance(piece, bytes):
                            await self._pass_on(piece)
                        elif self._sends_pack and piece.length >= SENT_BY_KERNEL_BYTES and self._request.sends_files:
                            await self._request.say_stretch(piece)
                        else:
                            await self._pass_on(await piece.read())
                except TimeoutError:
                    raise ClientLeft(f"the client took nothing for {CLIENT_SECONDS:g} seconds") from None

    def _know_length(self, length: int | None) -> None:
        self._length = length

    async def _pass_on(self, piece: bytes) -> None:
        if not self._sends_pack:
            self._sends_pack = wire.is_pack_begun(self._tail + piece)
            self._tail = bytes(piece[-16:])
        await self._request.say(CONTENT_TYPE, piece, length=self._length)

    def _note(self, *, is_good: bool) -> None:
        act = self._request.act
        assert act is not None
        if not self._sends_pack and is_good:
            act.event_name = act.action = ""  # a round of talk before the pack: no act of its own
        capabilities, is_shallow = wire.fetch_features(self._begun[:FEATURES_BYTES])
        act.additional.update(dataTransferred=self._sends_pack, capabilities=capabilities, shallow=is_shallow)


async def _until_gone(work: Coroutine[Any, Any, None], body: RequestBody) -> None:
    """Do the work, unless the client leaves before; raises ClientLeft then."""
    working = asyncio.create_task(work)
    watching = asyncio.create_task(body.gone())
    try:
        await asyncio.wait({working, watching}, return_when=asyncio.FIRST_COMPLETED)
        if watching.done():  # then the work may be done as well: what is sent to nobody is sent at once
            raise ClientLeft("the connection was closed before the answer ended")
        await working
    finally:
        for task in (working, watching):
            task.cancel()
        await asyncio.gather(working, watching, return_exceptions=True)
