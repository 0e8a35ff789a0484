"""POST git-upload-pack: one round of a clone or fetch."""

from __future__ import annotations

from collections.abc import AsyncIterator

from repos.git import exchange, wire
from repos.git_http.request import GitRequest
from repos.models import Repository

FEATURES_BYTES = 16 * 1024


async def upload(request: GitRequest, repository: Repository) -> None:
    """Answer with what upload-pack says; the act is one only where a pack is sent."""
    content_type = "application/x-git-upload-pack-result"
    body = request.body()
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
        await request.say(content_type, piece)

    async with request.process(repository, "upload-pack", "--strict") as child:
        exit_code = await exchange.run(child, pieces(), pass_on, gone=body.gone)
        assert request.act is not None
        if not sends_pack and exit_code == 0:
            request.act.event_name = request.act.action = ""  # a round of talk before the pack: no act of its own
        capabilities, is_shallow = wire.fetch_features(bytes(asked))
        request.act.additional.update(dataTransferred=sends_pack, capabilities=capabilities, shallow=is_shallow)
        request.check_exit(child, exit_code)
    await request.finish_answer(content_type)
