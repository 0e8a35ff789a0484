"""POST git-receive-pack: a push, from its commands to its report."""

from __future__ import annotations

from collections.abc import AsyncIterator

from django.conf import settings

from codeservices.audit.acts import entered
from codeservices.errors import ServiceError
from repos import quota
from repos.git import exchange, refs, report, wire
from repos.git.configuration import HOOKS
from repos.git.wire_process import spawn
from repos.git_http.request import GitRequest
from repos.git_http.slots import slot
from repos.models import PushState, Repository
from repos.pushes import receive, rules

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
        reasons = {command.refname: error.message for command in error.request.commands}
        told = report.refusal(error.request, reasons, f"{error.message}\n{error.hint}", unpack=error.message)
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
        async with slot(request.holder):
            begun = await request.in_thread(_begin, request, repository, asked)
            try:
                await _run(request, repository, asked, source, begun)
            finally:
                begun.lock.release()
    except rules.PushRefused as error:
        request.note(error.cause or error)
        request.act.additional["rejectedReferences"] = {
            refs.shown(refname): reason for refname, reason in error.reasons.items()
        }
        await body.discard()
        await request.finish_answer(CONTENT_TYPE, report.refusal(asked, error.reasons, error.message))
        return
    await request.finish_answer(CONTENT_TYPE)


def _begin(request: GitRequest, repository: Repository, asked: wire.PushRequest) -> receive.BegunPush:
    assert request.act is not None
    with entered(request.act):
        return receive.begin(
            request.act.principal,
            repository,
            asked.commands,
            options=asked.options,
            is_atomic="atomic" in asked.capabilities,
        )


async def _run(
    request: GitRequest,
    repository: Repository,
    asked: wire.PushRequest,
    source: wire.Source,
    begun: receive.BegunPush,
) -> None:
    reader = report.ReportReader(asked.capabilities)
    max_bytes = _max_bytes(repository)

    async def pieces() -> AsyncIterator[bytes]:
        yield asked.head
        pack_bytes = 0
        async for piece in source.pieces():
            pack_bytes += len(piece)
            if pack_bytes <= max_bytes:
                yield piece
            elif not request.status:  # else git has found a fault already, and told it
                raise rules.refused(asked.commands, _pack_too_large(max_bytes))

    async def pass_on(piece: bytes) -> None:
        reader.feed(piece)
        await request.say(CONTENT_TYPE, piece)

    assert request.act is not None
    request.act.additional["dataTransferred"] = True
    child = await spawn(
        repository.git,
        ["receive-pack", "--stateless-rpc"],
        protocol=request.protocol,
        configuration={"receive.maxInputSize": str(max_bytes), "core.hooksPath": str(HOOKS)},
        pass_fds=begun.lock.filenos(),
    )
    refusal = None
    try:
        request.check_exit(child, await exchange.run(child, pieces(), pass_on))
    except rules.PushRefused as error:
        refusal = error
    finally:
        await child.stop()
        told = reader.result()
        if told is None:
            begun.lock.release_moving()
        push = await request.in_thread(receive.finish, begun.push, told.accepted if told else None)
        if told is None and push.state != PushState.DROPPED:  # git was done, and only its client was not
            request.act.additional["movedReferences"] = [command["refname"] for command in push.commands]
            refusal = None
    if refusal is not None:
        raise refusal
    if told is not None and told.rejected:
        rejected = {refs.shown(refname): reason for refname, reason in told.rejected.items()}
        request.act.additional["rejectedReferences"] = rejected
        if not told.accepted:
            first = next(iter(rejected.items()))
            sentence = told.refusal or f"Git refused {first[0]}: {first[1]}."
            request.note(ServiceError(sentence, code="PushRejectedException"))


def _pack_too_large(max_bytes: int) -> ServiceError:
    if max_bytes < settings.GIT_MAX_PUSH_BYTES:
        return quota.QuotaExceeded(
            f"The pack of this push has more than {max_bytes:,} bytes, which is what the repository's quota leaves.",
            hint="Ask an administrator for a larger quota.",
        )
    return ServiceError(
        f"The pack of this push has more than {max_bytes:,} bytes, the most that one push may bring.",
        code="PackTooLargeException",
        status=413,
        hint="Push in parts: an older commit first (git push REMOTE COMMIT:refs/heads/BRANCH), then the rest.",
    )


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
    if asked.options:
        request.act.additional["pushOptions"] = [refs.shown(option) for option in asked.options]
