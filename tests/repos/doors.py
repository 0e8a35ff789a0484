"""Requests with the undecoded path that an ASGI server puts beside the decoded one."""

from __future__ import annotations

from urllib.parse import unquote

from asgiref.sync import async_to_sync
from django.test import AsyncClient, Client


def over_asgi(client: Client, target: bytes) -> tuple[int, str]:
    """GET a target such as b"/x/caf%E9?q=1" with the client's cookies: the status and the decoded body."""
    raw_path, _, query = target.partition(b"?")
    door = AsyncClient()
    door.cookies = client.cookies
    answer = async_to_sync(door.request)(
        method="GET", path=unquote(raw_path.decode("ascii")), raw_path=raw_path, query_string=query
    )
    body = b"".join(answer.streaming_content) if answer.streaming else answer.content
    return answer.status_code, body.decode("utf-8", "replace")
