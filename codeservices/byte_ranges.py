"""Answers to requests for a part of something that has a size and a tag.

Source: RFC 9110, section 14 (Range, Content-Range) and 13.1.5 (If-Range).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final

from django.http import HttpRequest, HttpResponse, HttpResponseBase

from codeservices.http import ChunkedResponse

# One range, since nobody asks for several of a file. Source: RFC 9110, section 14.1.2.
_RANGE: Final = re.compile(r"bytes=(\d{1,18})?-(\d{1,18})?")


def ranged(
    request: HttpRequest, read: Callable[[range], Iterator[bytes]], *, etag: str, size_bytes: int, content_type: str
) -> HttpResponseBase:
    """All of it, the range that is asked for, or that there is no such range (416).

    Args:
        read: Gives the bytes of a window; not called for a HEAD.
    """
    asked = asked_window(request, etag, size_bytes)
    if asked is not None and asked.start >= size_bytes:
        refusal = HttpResponse(f"The file has {size_bytes} bytes.\n", status=416, content_type="text/plain")
        refusal["Content-Range"] = f"bytes */{size_bytes}"
        return refusal
    window = range(size_bytes) if asked is None else asked
    response: HttpResponseBase
    if request.method == "HEAD":
        response = HttpResponse(content_type=content_type)
    else:
        response = ChunkedResponse(read(window), content_type=content_type)
    response["Content-Length"] = str(len(window))
    response["Accept-Ranges"] = "bytes"
    response["ETag"] = etag
    if asked is not None:
        response.status_code = 206
        response["Content-Range"] = f"bytes {window.start}-{window.stop - 1}/{size_bytes}"
    return response


def asked_window(request: HttpRequest, etag: str, size_bytes: int) -> range | None:
    """The bytes that are asked for; None for all, which a server may give whatever was asked for."""
    match = _RANGE.fullmatch(request.headers.get("Range", ""))
    if match is None or (request.headers.get("If-Range") or etag) != etag:
        return None
    first, last = match.groups()
    if first is None:
        if last is None:
            return None
        # The last so many bytes; of none of them there is no range.
        return range(max(0, size_bytes - int(last)) if int(last) else size_bytes, size_bytes)
    end = size_bytes if last is None else min(int(last) + 1, size_bytes)
    if last is not None and int(last) < int(first):
        return None
    return range(int(first), end)
