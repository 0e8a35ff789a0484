"""Pages are sent compressed to browsers that take it: a sixth of the bytes, for half a millisecond of a long page.

Where a page holds a secret and somebody else chooses a part of its address, lengths tell of the secret (the BREACH
attack). So what may not be stored, which is how the views mark pages with secrets, is sent as it is; the token of
forms is masked anew on each page by Django; and every answer is longer by a length of chance.

Sources: RFC 9110, section 12.5.3 (Accept-Encoding); RFC 1952, section 2.3 (the format of gzip).
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from typing import Final

from django.http import HttpRequest, HttpResponse
from django.utils.cache import patch_vary_headers
from isal import igzip

# Below this the answer fits into one packet all the same.
MIN_BYTES: Final = 1024
# Of ISA-L's four levels the largest that takes no longer than the smallest.
LEVEL: Final = 2
MAX_PADDING_BYTES: Final = 100
# What SDKs ask for is left as they get it from AWS.
TYPES: Final = ("text/html", "text/plain", "application/json")

_REFUSED: Final = re.compile(r"q=0(\.0*)?")
_HEADER_BYTES: Final = 10
_FLAGS_AT: Final = 3
_HAS_NAME: Final = 8


class CompressionMiddleware:
    """Compresses what views answer at once; streams and what is compressed already pass through."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if not _is_eligible(response):
            return response
        patch_vary_headers(response, ["Accept-Encoding"])
        if accepts_gzip(request):
            response.content = compressed(response.content)
            response["Content-Encoding"] = "gzip"
            response["Content-Length"] = str(len(response.content))
            if response.get("ETag", "").startswith('"'):  # which tells of the bytes as the view gave them
                response["ETag"] = f"W/{response['ETag']}"
        return response


def accepts_gzip(request: HttpRequest) -> bool:
    """Whether the client said that it takes gzip."""
    for one in request.headers.get("Accept-Encoding", "").lower().split(","):
        name, _, weight = one.replace(" ", "").partition(";")
        if name in ("gzip", "x-gzip"):
            return _REFUSED.fullmatch(weight) is None
    return False


def compressed(content: bytes) -> bytes:
    """The content as gzip, with a file's name of a random length in the header, which readers ignore."""
    whole = igzip.compress(content, LEVEL, mtime=0)
    padding = b"x" * secrets.randbelow(MAX_PADDING_BYTES)
    flags = bytes([whole[_FLAGS_AT] | _HAS_NAME])
    return b"".join(
        (whole[:_FLAGS_AT], flags, whole[_FLAGS_AT + 1 : _HEADER_BYTES], padding, b"\0", whole[_HEADER_BYTES:])
    )


def _is_eligible(response: HttpResponse) -> bool:
    return (
        not response.streaming
        and len(response.content) >= MIN_BYTES
        and not response.has_header("Content-Encoding")
        and not response.has_header("Content-Range")
        and response.get("Content-Type", "").partition(";")[0] in TYPES
        and "no-store" not in response.get("Cache-Control", "")
    )
