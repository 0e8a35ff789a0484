"""GET info/refs: the refs of a repository, as the program itself tells them."""

from __future__ import annotations

from collections.abc import AsyncIterator

from repos.git import exchange, wire
from repos.git_http.request import GitRequest
from repos.models import Repository


async def advertise(request: GitRequest, repository: Repository) -> None:
    """Answer with the program's own advertisement, behind the line that smart HTTP puts before it."""
    content_type = f"application/x-git-{request.service}-advertisement"
    head = wire.preamble(request.service, request.protocol)
    strict = ["--strict"] if request.service == "upload-pack" else []

    async def pass_on(piece: bytes) -> None:
        nonlocal head
        await request.say(content_type, head + piece)
        head = b""

    async with request.process(repository, request.service, *strict, "--http-backend-info-refs") as child:
        request.check_exit(child, await exchange.run(child, _nothing(), pass_on, gone=request.body().gone))
    await request.finish_answer(content_type, head)


async def _nothing() -> AsyncIterator[bytes]:
    return
    yield b""
