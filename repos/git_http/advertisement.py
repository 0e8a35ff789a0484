"""GET info/refs: the refs of a repository, as the program itself tells them."""

from __future__ import annotations

from collections.abc import AsyncIterator

from repos.git import exchange, wire
from repos.git_http import kept
from repos.git_http.kept import Admitted
from repos.git_http.request import GitRequest


async def advertise(request: GitRequest, admitted: Admitted) -> None:
    """Answer with the program's own advertisement, behind the line that smart HTTP puts before it."""
    content_type = f"application/x-git-{request.service}-advertisement"
    if admitted.advertisement is not None:
        await request.finish_answer(content_type, admitted.advertisement)
        return
    head = wire.preamble(request.service, request.protocol)
    strict = ["--strict"] if request.service == "upload-pack" else []
    said = bytearray(head)

    async def pass_on(piece: bytes) -> None:
        nonlocal head
        said.extend(piece)
        await request.say(content_type, head + piece)
        head = b""

    async with request.process(admitted.repository, request.service, *strict, "--http-backend-info-refs") as child:
        exit_code = await exchange.run(child, _nothing(), pass_on, gone=request.body().gone)
        request.check_exit(child, exit_code)
    if exit_code == 0 and await request.in_thread(admitted.is_current):
        kept.about_refs.put(admitted.key, bytes(said))
    await request.finish_answer(content_type, head)


async def _nothing() -> AsyncIterator[bytes]:
    return
    yield b""
