"""Git's three URLs, an ASGI program beside Django: authenticate, authorize, then pushes/receive.py or the git program.

Django's own ASGI handler spools a whole body before a view sees a byte; here packs stream both ways. The ORM is asked
in threads of its own (threads.py), and never while a pack is on its way.

    GET  /v1/repos/NAME/info/refs?service=git-upload-pack | git-receive-pack
    POST /v1/repos/NAME/git-upload-pack
    POST /v1/repos/NAME/git-receive-pack
"""

from __future__ import annotations

import asyncio
import re

from repos.git import wire
from repos.git_http import kept
from repos.git_http.admission import admit, check_transport
from repos.git_http.advertisement import advertise
from repos.git_http.answers import Answer
from repos.git_http.fetch import upload
from repos.git_http.push import receive_push
from repos.git_http.request import GitRequest, Receive, Scope, Send

PREFIX = "/v1/repos/"
# Git passwords have 256 random bits, so nobody finds one by trying and no client is ever locked out. A wrong one is
# answered late, which costs us a timer and spares us most of the work of those who try all the same.
WRONG_CREDENTIALS_SECONDS = 0.5

_PATH = re.compile(r"/v1/repos/([A-Za-z0-9_.-]{1,104})/*/(info/refs|git-upload-pack|git-receive-pack)")


def handles(path: str) -> bool:
    """Whether a path belongs to git."""
    return path.startswith(PREFIX)


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer one HTTP request under PREFIX."""
    await GitRequest(scope, receive, send).answer(_route)


async def _route(request: GitRequest) -> None:
    match = _PATH.fullmatch(request.path)
    if match is None:
        raise Answer(404, "This address is for git: clone it with “git clone”.")
    request.name, what = match[1].removesuffix(".git"), match[2]
    if request.method != ("GET" if what == "info/refs" else "POST"):
        allowed = b"GET" if what == "info/refs" else b"POST"
        raise Answer(405, f"Git does not use {request.method} here.", (b"allow", allowed))
    check_transport(request)
    service_name = request.query.get("service", [""])[0] if what == "info/refs" else what
    try:
        request.service = wire.service_named(service_name)
    except wire.ProtocolError as error:
        raise Answer(403, error.message) from None
    if what != "info/refs" and request.headers.get("content-type") != f"application/x-{what}-request":
        raise Answer(415, f"The content type must be application/x-{what}-request.")
    try:
        admitted = await request.in_thread(_admit, request, what == "info/refs")
    except Answer as refusal:
        if refusal.status == 401 and "authorization" in request.headers:
            await asyncio.sleep(WRONG_CREDENTIALS_SECONDS)
        raise
    if what == "info/refs":
        await advertise(request, admitted)
    elif request.service == "upload-pack":
        await upload(request, admitted)
    else:
        await receive_push(request, admitted.repository)


def _admit(request: GitRequest, is_advertisement: bool) -> kept.Admitted:
    """`admit`, and in the same thread what is needed next: a change of threads costs more than any of it."""
    admitted = kept.Admitted(admit(request))
    if is_advertisement:
        admitted.look_up_advertisement(request)
    return admitted
