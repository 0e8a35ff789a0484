"""POST git-receive-pack: a push, from its commands to its report."""

from __future__ import annotations

from collections.abc import AsyncIterator

from django.conf import settings

from codeservices.audit import record
from codeservices.errors import ServiceError
from repos import quota, receive
from repos.git import exchange, program, refs, wire
from repos.git_http.request import GitRequest
from repos.git_http.slots import slot
from repos.models import Repository

CONTENT_TYPE = "application/x-git-receive-pack-result"


async def receive_push(request: GitRequest, repository: Repository) -> None:
    """Read the commands, judge them, and only then let git have the pack."""
    body = request.body()
    source = wire.Source(body.read)
    try:
        asked = await wire.read_commands(source)
    except wire.ProtocolError as error:
        if error.request is None:
            raise
        request.note(error)
        await body.discard()
        told = wire.refusal(error.request, {}, f"{error.message}\n{error.hint}", unpack=error.message)
        await request.finish_answer(CONTENT_TYPE, told)
        return
    assert request.act is not None
    if not asked.commands:  # git asks so whether it may send a large body
        await body.discard()
        request.act.event_name = request.act.action = ""
        await request.finish_answer(CONTENT_TYPE)
        return
    _describe(request, asked)
    try:
        async with slot():
            begun = await request.in_thread(_begin, request, repository, asked)
            try:
                await _run(request, repository, asked, source, begun)
            finally:
                begun.lock.release()
    except receive.PushRefused as error:
        request.note(error.denial or error)
        request.act.additional["rejectedReferences"] = {
            refs.shown(refname): reason for refname, reason in error.reasons.items()
        }
        await body.discard()
        await request.finish_answer(CONTENT_TYPE, wire.refusal(asked, error.reasons, error.message))
        return
    await request.finish_answer(CONTENT_TYPE)


def _begin(request: GitRequest, repository: Repository, asked: wire.PushRequest) -> receive.BegunPush:
    assert request.act is not None
    with record.entered(request.act):
        return receive.begin(
            request.act.principal, repository, asked.commands, is_atomic="atomic" in asked.capabilities
        )


async def _run(
    request: GitRequest,
    repository: Repository,
    asked: wire.PushRequest,
    source: wire.Source,
    begun: receive.BegunPush,
) -> None:
    reader = wire.ReportReader(asked.capabilities)

    async def pieces() -> AsyncIterator[bytes]:
        yield asked.head
        async for piece in source.pieces():
            yield piece

    async def pass_on(piece: bytes) -> None:
        reader.feed(piece)
        await request.say(CONTENT_TYPE, piece)

    assert request.act is not None
    request.act.additional["dataTransferred"] = True
    child = await program.spawn(
        repository.git,
        ["receive-pack", "--stateless-rpc"],
        protocol=request.protocol,
        configuration={"receive.maxInputSize": str(_max_bytes(repository))},
        pass_fds=begun.lock.filenos(),
    )
    try:
        request.check_exit(child, await exchange.run(child, pieces(), pass_on))
    finally:
        await child.stop()
        report = reader.result()
        if report is None:
            begun.lock.release_moving()
        await request.in_thread(receive.finish, begun.push, report.accepted if report else None)
    if report is not None and report.rejected:
        rejected = {refs.shown(refname): reason for refname, reason in report.rejected.items()}
        request.act.additional["rejectedReferences"] = rejected
        if not report.accepted:
            first = next(iter(rejected.items()))
            request.note(ServiceError(f"Git refused {first[0]}: {first[1]}.", code="PushRejectedException"))


def _max_bytes(repository: Repository) -> int:
    """What the pack may have: no more than the repository's quota leaves."""
    remaining = quota.remaining_bytes(repository)
    return settings.GIT_MAX_PUSH_BYTES if remaining is None else min(settings.GIT_MAX_PUSH_BYTES, remaining)


def _describe(request: GitRequest, asked: wire.PushRequest) -> None:
    assert request.act is not None
    request.act.is_read_only = False
    request.act.is_deferred = True  # receive.begin writes it down, beside the push
    request.act.parameters["references"] = [
        {"commit": command.new_oid, "ref": refs.escaped(command.refname)} for command in asked.commands
    ]
    request.act.additional["capabilities"] = [one for one in asked.capabilities if "=" not in one]
