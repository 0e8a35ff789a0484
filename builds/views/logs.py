"""A build's log: the event stream, windows of lines, the whole text."""

from __future__ import annotations

import json
import random
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from django.http import HttpResponseBase, JsonResponse
from django.template.loader import render_to_string
from django.utils.cache import get_conditional_response
from django.views.decorators.http import require_GET, require_safe

from builds import lifecycle
from builds.access import build_for
from builds.logs import access as log_access
from builds.logs import download as whole_log
from builds.logs import watch
from builds.logs.format import Line
from builds.logs.hub import hub
from builds.models import Build
from builds.views.shared import in_steps, line_number, phase_rows
from codeservices.byte_ranges import ranged
from codeservices.errors import InvalidInput
from codeservices.http import (
    HEARTBEAT,
    ConsoleRequest,
    content_disposition,
    download,
    event,
    event_stream,
)

DEFAULT_COUNT = 1_000
MAX_COUNT = 5_000
# Of text in one window: of longer lines there are fewer, and `next` says where to go on.
MAX_BYTES = 32 * 1024 * 1024
# A browser that lost its stream comes back after a second, give or take: not all of them at once.
RETRY_MS = (800, 1600)
# A stream ends after such a time, and the browser asks for the rest: by then its person may have been signed out, or
# may not read the log any more.
RENEW_SECONDS = (600, 1200)
# The right to read a log may end, and a project that is made anew counts its builds from 1 again.
_ASK_FIRST = "private, no-cache"
_TEXT = "text/plain; charset=utf-8"


@require_GET
def build_events(request: ConsoleRequest, name: str, number: int) -> HttpResponseBase:
    """Server-sent events of a build: `status` (HTML), `log` (JSON, id = its last line's number), `end`.

    `from` names the first line wanted; after a lost connection Last-Event-ID does, and nothing is missed or repeated.
    Whoever may not read the log gets `status` and `end` alone.
    """
    last = request.headers.get("Last-Event-ID")
    first = line_number("from", request.GET.get("from", "0")) if not last else line_number("Last-Event-ID", last) + 1
    build = build_for(request.principal, "codebuild:BatchGetBuilds", name, number)
    return event_stream(_events(build.pk, str(build.uuid), first, log_access.may_read_log(request.principal, build)))


async def _events(pk: int, uuid: str, first: int, with_log: bool) -> AsyncGenerator[bytes, None]:
    ends_at = time.monotonic() + random.uniform(*RENEW_SECONDS)  # noqa: S311  spread, not secrecy
    yield f"retry: {random.randint(*RETRY_MS)}\n\n".encode()  # noqa: S311
    updates = hub(render_status, render_lines).follow(pk, uuid, first, with_log=with_log)
    async with aclosing(updates):
        async for update in updates:
            match update:
                case watch.Lines(data=data) | watch.Status(data):
                    yield data
                case watch.End(line_count):
                    yield event(json.dumps({"lines": line_count}), name="end")
                case watch.Pause():
                    yield HEARTBEAT
            if time.monotonic() > ends_at:
                return


@require_safe
def build_log(request: ConsoleRequest, name: str, number: int) -> HttpResponseBase:
    """A window of lines as JSON, `?from=N&count=M`, with the same numbers as the stream.

    `?download=raw` gives all of it as a text, `?download=plain` the same without colours and other escapes.
    """
    build = build_for(request.principal, "codebuild:BatchGetBuilds", name, number)
    log_access.authorize_log(request.principal, build)
    if "download" in request.GET:
        return _download(request, build, request.GET["download"])
    first = line_number("from", request.GET.get("from", "0"))
    count = line_number("count", request.GET.get("count", str(DEFAULT_COUNT)))
    if not 1 <= count <= MAX_COUNT:
        raise InvalidInput(f"count must be from 1 to {MAX_COUNT}, not {count}.")
    # What is in a finished log never changes.
    etag = f'"{build.uuid}-{first}-{count}"' if build.is_log_complete else None
    unchanged = get_conditional_response(request, etag=etag) if etag is not None else None
    response = unchanged or JsonResponse(_window(build, first, count))
    response["Cache-Control"] = "no-store"
    if etag is not None:
        response["Cache-Control"], response["ETag"] = _ASK_FIRST, etag
    return response


def _window(build: Build, first: int, count: int) -> dict[str, Any]:
    lines = log_access.reader_of(build.pk, str(build.uuid)).window(first, count, MAX_BYTES)
    behind = lines[-1].number + 1 if lines else first
    return {
        "first": first,
        "next": behind,
        "total": max(behind, log_access.line_count(build)),
        "is_complete": build.is_log_complete,
        "lines": [[line.time_ms, line.styled_text] for line in lines],
    }


def _download(request: ConsoleRequest, build: Build, form: str) -> HttpResponseBase:
    """The log as a file; of a finished one a browser may ask for a range, and whether its copy is still right."""
    if form not in ("raw", "plain"):
        raise InvalidInput(f"download must be “raw” or “plain”, not “{form[:40]}”.")
    known: whole_log.Form = "raw" if form == "raw" else "plain"
    filename = f"{build.project_name}-{build.number}.log"
    if not build.is_log_complete:
        return download(in_steps(whole_log.whole(build, known)), filename, content_type=_TEXT)
    etag = f'"{build.uuid}-{known}"'
    response = get_conditional_response(request, etag=etag) or ranged(
        request,
        lambda window: whole_log.part(build, known, window),
        etag=etag,
        size_bytes=whole_log.size_bytes(build, known),
        content_type=_TEXT,
    )
    response["ETag"] = etag
    response["Content-Disposition"] = content_disposition(filename)
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Security-Policy"] = "default-src 'none'; sandbox"
    response["Cache-Control"] = _ASK_FIRST
    return response


def render_status(build: Build) -> bytes:
    """The part of a build's page that changes while it runs, as an event of the stream."""
    context = {"build": build, "phases": phase_rows(build), "wait": lifecycle.wait_of(build)}
    return event(render_to_string("builds/_build_live.html", context), name="status")


def render_lines(lines: list[Line]) -> bytes:
    """Lines that follow each other as an event of the stream, whose id is the last one's number."""
    body = {"first": lines[0].number, "lines": [[line.time_ms, line.styled_text] for line in lines]}
    data = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return event(data, name="log", event_id=lines[-1].number)
