"""A build's log: the event stream, windows of lines, the whole text."""

from __future__ import annotations

import json
import random
from collections.abc import AsyncIterator

from asgiref.sync import sync_to_async
from django.db import connections
from django.http import HttpResponseBase, JsonResponse
from django.template.loader import render_to_string
from django.views.decorators.http import require_GET

from builds import lifecycle, log_access, loghub
from builds.access import build_for
from builds.logformat import Line
from builds.models import Build
from builds.views.shared import in_steps, phase_rows
from codeservices.errors import InvalidInput
from codeservices.http import HEARTBEAT, ConsoleRequest, download, event, event_stream

DEFAULT_COUNT = 1_000
MAX_COUNT = 5_000
# A browser that lost its stream comes back after a second, give or take: not all of them at once.
RETRY_MS = (800, 1600)


@require_GET
async def build_events(request: ConsoleRequest, name: str, number: int) -> HttpResponseBase:
    """Server-sent events of a build: `status` (HTML), `log` (JSON, id = its last line's number), `end`.

    `from` names the first line wanted; after a lost connection Last-Event-ID does, and nothing is missed or repeated.
    Whoever may not read the log gets `status` and `end` alone.
    """
    last = request.headers.get("Last-Event-ID")
    first = _number("from", request.GET.get("from", "0")) if not last else _number("Last-Event-ID", last) + 1
    build, with_log = await sync_to_async(_open)(request, name, number)
    return event_stream(_events(build, first, with_log))


def _open(request: ConsoleRequest, name: str, number: int) -> tuple[Build, bool]:
    build = build_for(request.principal, "codebuild:BatchGetBuilds", name, number)
    return build, log_access.may_read_log(request.principal, build)


async def _events(build: Build, first: int, with_log: bool) -> AsyncIterator[bytes]:
    # The request's own connection would stay open as long as somebody watches; the hub has its own.
    await sync_to_async(connections.close_all)()
    yield f"retry: {random.randint(*RETRY_MS)}\n\n".encode()  # noqa: S311  spread, not secrecy
    hub = loghub.hub(render_status)
    async for update in hub.follow(build.pk, str(build.uuid), first, with_log=with_log):
        match update:
            case loghub.Lines(lines):
                yield event(as_json(lines), name="log", event_id=lines[-1].number)
            case loghub.Status(html):
                yield event(html, name="status")
            case loghub.End(line_count):
                yield event(json.dumps({"lines": line_count}), name="end")
            case loghub.Pause():
                yield HEARTBEAT


@require_GET
def build_log(request: ConsoleRequest, name: str, number: int) -> HttpResponseBase:
    """A window of lines as JSON, `?from=N&count=M`, with the same numbers as the stream; `?download=1` gives it all."""
    build = build_for(request.principal, "codebuild:BatchGetBuilds", name, number)
    log_access.authorize_log(request.principal, build)
    if request.GET.get("download"):
        pieces = in_steps(log_access.text_pieces(build))
        return download(pieces, f"{build.project_name}-{build.number}.log", content_type="text/plain; charset=utf-8")
    first = _number("from", request.GET.get("from", "0"))
    count = _number("count", request.GET.get("count", str(DEFAULT_COUNT)))
    if not 1 <= count <= MAX_COUNT:
        raise InvalidInput(f"count must be from 1 to {MAX_COUNT}, not {count}.")
    reader = log_access.reader_of(build.pk, str(build.uuid))
    lines = reader.window(first, count)
    behind = lines[-1].number + 1 if lines else first
    body = {
        "first": first,
        "next": behind,
        "total": max(behind, log_access.line_count(build)),
        "is_complete": build.is_log_complete,
        "lines": [[line.time_ms, line.text] for line in lines],
    }
    response = JsonResponse(body)
    # What is in a finished log never changes.
    response["Cache-Control"] = "private, max-age=86400, immutable" if build.is_log_complete else "no-store"
    return response


def render_status(build: Build) -> str:
    """The part of a build's page that changes while it runs."""
    context = {"build": build, "phases": phase_rows(build), "wait": lifecycle.wait_of(build)}
    return render_to_string("builds/_build_live.html", context)


def as_json(lines: list[Line]) -> str:
    """Lines that follow each other, as the stream and the page carry them."""
    body = {"first": lines[0].number, "lines": [[line.time_ms, line.text] for line in lines]}
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"))


def _number(name: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise InvalidInput(f"{name} must be the number of a line, not “{text[:40]}”.")
    return int(text)
